"""A picture of each place: the whole image, and the same part of image, labels and prediction, the place outlined."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.drawing.panels import BACKGROUND
from trust_seg_ros.drawing.pictures import label_picture
from trust_seg_ros.evaluation.label_errors.listing import LabelError

TILE, GAP = 300, 6
"""Width of a tile and the gap between two, in pixels."""
_AROUND, _LEAST = 0.6, 0.25  # margin by the size of the place, and least side of the part as a share of the image's
_MARK = (255, 0, 200)  # of no palette, and seen on light and dark


def place_picture(
    error: LabelError, image: np.ndarray, truth: np.ndarray, classes: np.ndarray, palette: np.ndarray
) -> np.ndarray:
    """Four tiles side by side: image, and the part of image, labels and prediction around the place.

    Args:
        error: the place.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8 labels, 255 = no class.
        classes: (H, W) uint8 predicted classes.
        palette: (q, 3) uint8 RGB colours of the classes.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    mask = error.mask(truth.shape)
    height = min(max(1, round(TILE * truth.shape[0] / truth.shape[1])), 2 * TILE)
    whole = _outlined(image, mask, height)
    rows, columns = _part(error.box, (truth.shape[0], truth.shape[1]))
    inside = mask[rows, columns]
    parts = [image[rows, columns], *(label_picture(ids[rows, columns].copy(), palette) for ids in (truth, classes))]
    tiles = [whole, *(_outlined(part, inside, height) for part in parts)]
    gap = np.full((height, GAP, 3), BACKGROUND, np.uint8)
    return np.concatenate([piece for tile in tiles for piece in (gap, tile)][1:], axis=1)


def _part(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns around a box, in the shape of the image."""
    left, top, right, bottom = box
    height, width = size
    share = max((bottom - top) * (1 + _AROUND) / height, (right - left) * (1 + _AROUND) / width, _LEAST)
    sides = (min(max(round(share * height), 1), height), min(max(round(share * width), 1), width))
    first = [
        min(max((low + high) // 2 - side // 2, 0), whole - side)
        for low, high, side, whole in zip((top, left), (bottom, right), sides, size, strict=True)
    ]
    return slice(first[0], first[0] + sides[0]), slice(first[1], first[1] + sides[1])


def _outlined(picture: np.ndarray, mask: np.ndarray, height: int) -> np.ndarray:
    """A tile with the outline of the mask."""
    nearest = cv2.INTER_NEAREST if picture.shape[1] < TILE else cv2.INTER_AREA
    tile = np.ascontiguousarray(cv2.resize(picture, (TILE, height), interpolation=nearest))
    area = (cv2.resize(mask.astype(np.float32), (TILE, height), interpolation=cv2.INTER_LINEAR) > 0.2).astype(np.uint8)
    outlines, _ = cv2.findContours(area, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, outlines, -1, (0, 0, 0), 3)
    cv2.drawContours(tile, outlines, -1, _MARK, 1)
    return tile
