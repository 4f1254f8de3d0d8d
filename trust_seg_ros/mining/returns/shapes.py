"""Regions that come back, and the pixels they cover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.support.reading import shown

Size = tuple[int, int]
"""(H, W)."""
_OVERHANG = 2.0
"""Pixels that a polygon may lie outside of its image: tools let one draw a little over the edge."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A region.

    Attributes:
        label: name of its class, as the tool has it.
        pixels: size of the image -> (n,) int64 numbers of its pixels, row by row; raises ReturnedError where it does
            not fit the image.
    """

    label: str
    pixels: Callable[[Size], np.ndarray]


@dataclass(frozen=True, eq=False)
class Returned:
    """An image that comes back.

    Attributes:
        image: its file, as the tool names it.
        size: that the tool states; None where it states none.
        shapes: of later ones is what lies on top.
        where: the place in the export, for error texts.
    """

    image: str
    size: Size | None
    shapes: tuple[Shape, ...]
    where: str


def polygon(points: Any, size: Size) -> np.ndarray:
    """Pixels whose centre lies inside a polygon; inside is what a line from outside reaches by an odd number of edges.

    Args:
        points: (k, 2) columns and rows; the corner of the first pixel is (0, 0), its centre (0.5, 0.5).
        size: of the image.

    Returns:
        (n,) int64 numbers of pixels, row by row.

    Raises:
        ReturnedError: no numbers, fewer than three points, or it lies outside of the image.
    """
    height, width = size
    corners = numbers(points, "points of a polygon").reshape(-1, 2)
    if len(corners) < 3:
        raise ReturnedError(f"a polygon of {len(corners)} points; expected at least three")
    reach = np.maximum(corners.max(axis=0) - [width, height], -corners.min(axis=0)).max()
    if not reach <= _OVERHANG:
        raise ReturnedError(
            f"a polygon reaches {reach:.1f} pixels beyond the image of {width}×{height}; expected one of this image"
        )
    others = np.roll(corners, -1, axis=0)
    low, high = np.minimum(corners[:, 1], others[:, 1]), np.maximum(corners[:, 1], others[:, 1])
    first, last = np.clip(np.ceil(np.stack([low, high]) - 0.5), 0, height).astype(np.int64)
    count = last - first  # rows whose centres the edge crosses
    edge = np.repeat(np.arange(len(corners)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    (x0, y0), (x1, y1) = corners[edge].T, others[edge].T
    # from the upper end whichever way round, so that an edge there and back cancels to the last bit
    down = y0 < y1
    top_x, top_y = np.where(down, x0, x1), np.where(down, y0, y1)
    end_x, end_y = np.where(down, x1, x0), np.where(down, y1, y0)
    crossing = top_x + (row + 0.5 - top_y) * (end_x - top_x) / (end_y - top_y)
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
    if not len(row):
        return np.zeros(0, np.int64)
    top, left = int(row.min()), int(column.min())
    turns = np.zeros((int(row.max()) - top + 1, int(column.max()) - left + 1), np.int64)
    np.add.at(turns, (row - top, column - left), 1)
    rows, columns = np.nonzero(np.cumsum(turns, axis=1) % 2)
    return (rows + top) * width + columns + left


def runs(lengths: np.ndarray, total: int) -> np.ndarray:
    """(n,) int64 numbers of what run lengths mark; the first one counts what is not marked.

    Raises:
        ReturnedError: they are negative, or do not add up to ``total``.
    """
    if (lengths < 0).any() or lengths.sum() != total:
        raise ReturnedError(
            f"run lengths of {int(lengths.sum())} pixels; expected {total}: the mask is of another size"
        )
    ends = np.cumsum(lengths)
    marked, begin = lengths[1::2], (ends - lengths)[1::2]
    return np.asarray(np.arange(int(marked.sum())) + np.repeat(begin - (np.cumsum(marked) - marked), marked))


def numbers(content: Any, what: str) -> np.ndarray:
    """A list of an even number of finite numbers as (n,) float64; raises ReturnedError."""
    try:
        found = np.asarray(content, np.float64).ravel()
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if not np.isfinite(found).all() or len(found) % 2:
        raise ReturnedError(f"{what} are {shown(content)}; expected columns and rows as finite numbers")
    return found


def together(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Pixels of several parts."""
    return np.concatenate([np.zeros(0, np.int64), *parts])
