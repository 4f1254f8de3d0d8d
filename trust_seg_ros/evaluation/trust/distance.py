"""How far pixels lie from the boundary of their predicted segment."""

from __future__ import annotations

import cv2
import numpy as np

EDGES = (2, 4, 8, 16)
NAMES = ("0-1", "2-3", "4-7", "8-15", "16 and more")
"""Ranges of the distance in pixels."""


def boundary_distance(classes: np.ndarray) -> np.ndarray:
    """Chessboard distance to the nearest boundary pixel; 0 on a boundary pixel.

    A boundary pixel has a neighbour, of eight, of another class inside the image (Rottmann et al., MetaSeg, section 3).
    As components of one class never touch, class boundaries are segment boundaries. Without any boundary, the distance
    is the size of the image.

    Args:
        classes: (H, W) uint8; 255 counts as a class.

    Returns:
        (H, W) float32, whole numbers.
    """
    square = np.ones((3, 3), np.uint8)
    same = cv2.dilate(classes, square) == cv2.erode(classes, square)
    if same.all():
        return np.full(classes.shape, max(classes.shape), np.float32)
    return cv2.distanceTransform(same.astype(np.uint8), cv2.DIST_C, 3)


def ranges(classes: np.ndarray) -> np.ndarray:
    """Which of ``NAMES`` each pixel is in, (H, W) uint8; see :func:`boundary_distance`."""
    table = np.searchsorted(EDGES, np.arange(256), side="right").astype(np.uint8)
    return table[np.minimum(boundary_distance(classes), 255.0).astype(np.uint8)]


def boundary_distance_reference(classes: np.ndarray) -> np.ndarray:
    """Same as :func:`boundary_distance`, by the definition; quadratic in the number of pixels."""
    height, width = classes.shape
    grid = np.argwhere(np.ones(classes.shape, bool))
    boundary = []
    for row, column in grid:
        around = classes[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        if (around != classes[row, column]).any():
            boundary.append((row, column))
    if not boundary:
        return np.full(classes.shape, max(classes.shape), np.float32)
    far = np.abs(grid[:, None] - np.array(boundary)[None]).max(-1).min(-1)
    return far.reshape(height, width).astype(np.float32)
