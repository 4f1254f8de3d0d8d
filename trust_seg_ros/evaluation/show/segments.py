"""Paints segments by their values: colours from red to green, edges, outlines, hatching, numbers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from trust_seg_ros.drawing.lettering import text_mask
from trust_seg_ros.drawing.pictures import NEUTRAL

RED_GREEN = (
    (0.0, (176, 8, 32)),
    (0.25, (226, 82, 40)),
    (0.5, (242, 158, 58)),
    (0.75, (206, 214, 84)),
    (1.0, (112, 246, 128)),
)
"""Value -> RGB, linear in between. Lightness always rises, so the order shows to those who see red and green alike."""

_LINE, _LINE_EDGE = (255, 255, 255), (0, 0, 0)
_COVERED = 0.7  # share of a segment
_EXACT_FLOAT = 1 << 24


def red_green(values: np.ndarray) -> np.ndarray:
    """Colours of values in [0, 1], such as IoU: (...,) float -> (..., 3) uint8 RGB from red to green."""
    stops = [value for value, _ in RED_GREEN]
    channels = [np.interp(values, stops, [colour[k] for _, colour in RED_GREEN]) for k in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def paint_segments(ids: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Every segment in its colour, thin darker lines between them.

    Args:
        ids: (H, W) int32, 0 = none (``NEUTRAL``), else 1..n.
        colours: (n, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    painted = np.vstack([np.array([NEUTRAL], np.uint8), colours])[ids]
    between = np.zeros(ids.shape, bool)
    between[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    between[1:] |= ids[1:] != ids[:-1]
    painted[between] = painted[between] // 3
    return painted


def outline(picture: np.ndarray, ids: np.ndarray, flagged: np.ndarray) -> None:
    """Draw a white line with a black edge around each flagged segment, in place; neighbours stay apart.

    The line is inside the segment; if it would cover the segment, it is outside.

    Args:
        picture: (H, W, 3) uint8 RGB, changed.
        ids: (H, W) int32, 0 = none, else 1..n.
        flagged: (n,) bool.
    """
    chosen = np.concatenate([[False], flagged])[ids]
    if not chosen.any():
        return
    line = chosen & _edges(ids, max(1, round(ids.shape[0] / 330)))
    total, covered = (np.bincount(ids[where], minlength=len(flagged) + 1) for where in (chosen, line))
    thin = (covered > _COVERED * total)[ids] & chosen
    line = (line & ~thin) | (_grown(thin) & ~thin)
    picture[_grown(line) & ~line & ~chosen] = _LINE_EDGE
    picture[line] = _LINE


def _edges(ids: np.ndarray, radius: int) -> np.ndarray:
    """(H, W) bool, pixels with another number or the image edge within a radius."""
    # with more than 2**24 segments neighbours might get equal numbers; no image has so many
    numbers = np.minimum(ids, _EXACT_FLOAT).astype(np.float32)
    padded = cv2.copyMakeBorder(numbers, radius, radius, radius, radius, cv2.BORDER_CONSTANT, value=-1.0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return (cv2.dilate(padded, disc) != cv2.erode(padded, disc))[radius:-radius, radius:-radius]


def _grown(where: np.ndarray) -> np.ndarray:
    return cv2.dilate(where.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def hatch(picture: np.ndarray, where: np.ndarray) -> None:
    """Stripe pixels black and white, in place, to mark pixels that ground truth ignores.

    Args:
        picture: (H, W, 3) uint8 RGB, changed.
        where: (H, W) bool.
    """
    rows, columns = np.ogrid[: where.shape[0], : where.shape[1]]
    period = max(6, 2 * round(where.shape[0] / 110))
    white = (rows + columns) % period < period // 2
    picture[where & white] = (225, 225, 225)
    picture[where & ~white] = (0, 0, 0)


def write_numbers(
    picture: np.ndarray, ids: np.ndarray, boxes: np.ndarray, texts: Sequence[str], heights: Sequence[int]
) -> int:
    """Write a text into every segment that has room for it, in place, as far from the segment's edge as possible.

    Args:
        picture: (H, W, 3) uint8 RGB, changed.
        ids: (H, W) int32, 0 = none, else 1..n.
        boxes: (n, 4) left, top, right, bottom (exclusive) that contain each segment.
        texts: text of each segment, ASCII.
        heights: text heights in pixels, the preferred one first.

    Returns:
        Number of texts written.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    written = 0
    for k in np.flatnonzero((sides >= min(heights)).all(axis=1)).tolist():
        left, top, right, bottom = boxes[k].tolist()
        inside = (ids[top:bottom, left:right] == k + 1).astype(np.uint8)
        written += _write_inside(picture[top:bottom, left:right], inside, texts[k], heights)
    return written


def _write_inside(spot: np.ndarray, inside: np.ndarray, text: str, heights: Sequence[int]) -> bool:
    depth: np.ndarray | None = None
    for height in heights:
        mask = text_mask(text, height)
        rows, columns = mask.shape[0], mask.shape[1] + 6
        if rows > inside.shape[0] or columns > inside.shape[1]:
            continue
        # the box sum at a pixel covers a whole rectangle of the text's size whose corner is there
        whole = cv2.integral(inside)
        room = whole[rows:, columns:] - whole[:-rows, columns:] - whole[rows:, :-columns] + whole[:-rows, :-columns]
        free = room == rows * columns
        if not free.any():
            continue
        if depth is None:
            depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        middle = depth[rows // 2 :, columns // 2 :][: free.shape[0], : free.shape[1]]
        top, left = np.unravel_index(np.argmax(np.where(free, middle, -1.0)), free.shape)
        place = spot[top : top + rows, left + 3 : left + 3 + mask.shape[1]]
        ink = _ink(place[rows // 2, mask.shape[1] // 2])
        place[:] = (place * (1.0 - mask[..., None]) + ink * mask[..., None] + 0.5).astype(np.uint8)
        return True
    return False


def _ink(ground: np.ndarray) -> np.ndarray:
    """Black or white, whichever stands out."""
    light = float(ground @ np.array([0.299, 0.587, 0.114])) > 120
    return np.zeros(3, np.float32) if light else np.full(3, 255, np.float32)
