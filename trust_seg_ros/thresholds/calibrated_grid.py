"""The grid that a calibration was made on, in the summary of its file."""

from __future__ import annotations

from collections import Counter

from trust_seg_ros.grid import Size, check_size, parsed_grid
from trust_seg_ros.types import Json

_KEY, _RULE = "grid_size", "grid"


def to_summary(sizes: Counter[Size]) -> Json:
    """The most frequent (H', W') of the grids of the images, for the summary; {} without images."""
    return {_KEY: list(sizes.most_common(1)[0][0])} if sizes else {}


def from_summary(summary: Json) -> Size | None:
    """(H', W') of a file's summary; None where an older file names none, and no rule with a size.

    Raises:
        ValueError: the entry is no size.
        GridError: the size, or the rule, is no grid.
    """
    if _KEY not in summary:
        return parsed_grid(summary[_RULE]).size if _RULE in summary else None
    sides = summary[_KEY]
    if not isinstance(sides, list) or len(sides) != 2 or not all(type(side) is int for side in sides):
        raise ValueError(f"{_KEY} is {sides!r}, expected [height, width]")
    size = sides[0], sides[1]
    check_size(size)
    return size
