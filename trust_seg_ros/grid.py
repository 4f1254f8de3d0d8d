"""The grid to judge on: pixel maps, segments and their metrics live on it, whatever the size of the image.

Metrics that count pixels mean something only on the grid that a meta model was fitted on. So a picture is judged on
that grid at any size, and what is published is brought back to the size of the image by nearest neighbour.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trust_seg_ros.errors import TrustSegError

Size = tuple[int, int]
"""(height, width) in pixels."""
FITTED, NETWORK, IMAGE, AREA = "fitted", "network", "image", "area"
MAX_SIDE, MAX_PIXELS = 1 << 14, 40_000_000
"""Largest side, and largest number of pixels, of a grid that is set."""
GRID_FORM = "fitted, network, image, WIDTHxHEIGHT, for example 480x360, or area:WIDTHxHEIGHT"
GRID_PATTERN = rf"{FITTED}|{NETWORK}|{IMAGE}|({AREA}:)?[1-9][0-9]{{0,4}}[xX×][1-9][0-9]{{0,4}}"
"""Regular expression of the texts that :func:`parsed_grid` reads; sides may still be too large."""


class GridError(TrustSegError):
    """A text or a size is not a grid."""


@dataclass(frozen=True)
class Grid:
    """A rule that gives every image its grid.

    Attributes:
        kind: "image" (the image's own pixels), "network" (the logits' own), "exact" (``size``, whatever the shape of
            the image), or "area" (as many pixels as ``size``, in the shape of the image).
        size: (height, width) for "exact" and "area", else None.

    Raises:
        GridError: a size that cannot be used.
    """

    kind: Literal["image", "network", "exact", "area"] = "image"
    size: Size | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            check_size(self.size)

    def size_for(self, image: Size, logits: Size) -> Size:
        """(H', W') of the grid for an image (H, W) and its logits (h, w)."""
        if self.size is not None:
            return self.size if self.kind == "exact" else shaped(self.size, image)
        return image if self.kind == "image" else logits

    def __str__(self) -> str:
        """The text that :func:`parsed_grid` reads."""
        if self.size is None:
            return self.kind
        return f"{'' if self.kind == 'exact' else 'area:'}{in_words(self.size)}"


AS_IMAGE = Grid()
"""The image's own pixels."""


def parsed_grid(text: str, fitted: Size | None = None) -> Grid:
    """The grid that a setting names.

    Args:
        text: ``fitted``, ``network``, ``image``, ``WIDTHxHEIGHT`` or ``area:WIDTHxHEIGHT``.
        fitted: what ``fitted`` means: the grid that the meta model was fitted on, by its area; None = the image.

    Raises:
        GridError: another text, or sides out of range.
    """
    if text == FITTED:
        return AS_IMAGE if fitted is None else Grid("area", fitted)
    if text == IMAGE:
        return AS_IMAGE
    if text == NETWORK:
        return Grid("network")
    sides = re.fullmatch(rf"({AREA}:)?([0-9]{{1,9}})[xX×]([0-9]{{1,9}})", text)
    if sides is None:
        raise GridError(f"grid {text!r}: expected {GRID_FORM}")
    return Grid("area" if sides[1] else "exact", (int(sides[3]), int(sides[2])))


def check_size(size: Size) -> None:
    """Refuse the size of a grid that cannot be used; raises GridError."""
    if len(size) != 2 or not 1 <= min(size) <= max(size) <= MAX_SIDE or math.prod(size) > MAX_PIXELS:
        raise GridError(
            f"grid {in_words(size)}: expected sides of 1 to {MAX_SIDE} and at most {MAX_PIXELS:,} pixels; a grid of "
            "about the images that the meta model was fitted on, for example 480x360, is usual"
        )


def shaped(size: Size, image: Size) -> Size:
    """A size with about as many pixels as ``size``, and with the shape of the image, so that nothing is distorted.

    The image may be larger or smaller; sides are rounded, and at least 1.
    """
    scale = math.sqrt(math.prod(size) / math.prod(image))
    height, width = (max(1, round(side * scale)) for side in image)
    return height, width


def alike(a: Size, b: Size, tolerance: float = 0.2) -> bool:
    """Whether two grids have about as many pixels, so that sizes of segments mean the same on both."""
    return abs(math.prod(a) / math.prod(b) - 1.0) <= tolerance


def in_words(size: Size) -> str:
    """``480x360`` for (360, 480)."""
    return "x".join(str(side) for side in reversed(size))


def resized(plane: np.ndarray, size: Size) -> np.ndarray:
    """A map at another size, by nearest neighbour; the same array where it has that size.

    A pixel takes the value of the pixel in which its centre lies; on the border of two, of the latter. Indices are
    whole numbers, so there is no rounding, and :func:`resized_boxes` can bound exactly what comes out.

    Args:
        plane: (h, w) of any type.
        size: (H, W).

    Returns:
        (H, W) of the same type, contiguous where it was resized.
    """
    if plane.shape == size:
        return plane
    rows, columns = (sources(old, new) for old, new in zip(plane.shape, size, strict=True))
    # the shorter way: gather the columns of few rows, then copy whole rows; "clip" only spares a check of the indices
    return np.take(np.take(plane, columns, axis=1, mode="clip"), rows, axis=0, mode="clip")


def sources(old: int, new: int) -> np.ndarray:
    """(new,) int64, for each of ``new`` pixels in a line, the one of ``old`` in which its centre lies."""
    return (2 * np.arange(new, dtype=np.int64) + 1) * old // (2 * new)


def resized_boxes(boxes: np.ndarray, old: Size, new: Size) -> np.ndarray:
    """Boxes around what was in given boxes before :func:`resized`.

    Args:
        boxes: (n, 4) left, top, right, bottom in pixels of ``old``; right and bottom exclusive.
        old, new: (H, W) before and after.

    Returns:
        (n, 4) int32 in pixels of ``new``. Something that the smaller of two sizes has no pixel of gets a box of one.
    """
    if old == new:
        return boxes
    ends = np.tile(np.array([[old[1], new[1]], [old[0], new[0]]], np.int64), (2, 1)).T
    # the first of the new pixels whose centre lies at or behind an edge
    found = -((ends[0] - 2 * ends[1] * boxes.astype(np.int64)) // (2 * ends[0]))
    first = np.minimum(found[:, :2], ends[1, :2] - 1)
    return np.concatenate([first, np.maximum(found[:, 2:], first + 1)], axis=1).astype(np.int32)
