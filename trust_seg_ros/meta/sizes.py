"""The sizes in model files: the grid that segments were made on, and the images fitted on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from trust_seg_ros.grid import Grid, GridError, Size, alike, check_size
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.support import json_parts
from trust_seg_ros.types import Json


class _Fitted(Protocol):
    @property
    def grid(self) -> Size | None:
        """The grid it was fitted on; None in older files."""


def fitted_grid(meta: _Fitted | None, ood_model: _Fitted | None) -> Size | None:
    """What the grid ``fitted`` means: the grid of the meta model of segments; without one, that of the OoD segments.

    There is one grid per frame. Where the two models name different ones, OoD segments are found on that of the other
    and not judged (``OodModel.size_gap``). None = the image, as for older files.
    """
    model = ood_model if meta is None else meta
    return None if model is None else model.grid


def common_grid(grid: Grid, sizes: Sequence[Size]) -> Size | None:
    """The grid that a model fitted on segments of several images names, by its area.

    Args:
        grid: the setting.
        sizes: (H', W') of the images' grids.

    Returns:
        The size that the setting names; for ``image`` and ``network``, the grids' own if all have about one area. None
        if they differ, or are not known: sizes of segments then mean no one thing.
    """
    if grid.size is not None or not sizes:
        return grid.size
    ordered = sorted(sizes, key=math.prod)
    middle = ordered[len(ordered) // 2]
    return middle if all(alike(middle, end) for end in (ordered[0], ordered[-1])) else None


def sizes_json(grid: Size | None, image_sizes: tuple[Size, ...]) -> Json:
    """The entries ``grid`` and ``image_sizes`` of a model file; left out where they are not known."""
    found: Json = {} if grid is None else {"grid": _sides(grid)}
    return {**found, **({"image_sizes": [_sides(size) for size in image_sizes]} if image_sizes else {})}


def read_sizes(data: Json) -> tuple[Size | None, tuple[Size, ...]]:
    """Grid and image sizes of a model file; None and () for older files, which do not name them.

    Raises:
        JsonError, MetaModelError: an entry is damaged.
    """
    grid = _pixels(json_parts.part(data, "grid", dict)) if "grid" in data else None
    sizes = json_parts.part({"image_sizes": [], **data}, "image_sizes", list)
    return grid, tuple(_pixels(size) for size in sizes)


def check_sizes(grid: Size | None, image_sizes: tuple[Size, ...]) -> None:
    """Raise MetaModelError unless every size has a height and a width of at least 1, and the grid can be used."""
    for size in image_sizes:
        if len(size) != 2 or min(size) < 1:
            raise MetaModelError(f"image_sizes: {size}, expected height and width of at least 1")
    if grid is not None:
        try:
            check_size(grid)
        except GridError as error:
            raise MetaModelError(str(error)) from error


def _sides(size: Size) -> Json:
    return {"height": int(size[0]), "width": int(size[1])}


def _pixels(size: Json) -> Size:
    sides = []
    for key in ("height", "width"):
        value = json_parts.number(size, key)
        if value != int(value):
            raise MetaModelError(f"{key}: {value:g}, expected a whole number of pixels")
        sides.append(int(value))
    return sides[0], sides[1]
