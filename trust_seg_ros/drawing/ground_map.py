"""The caution map as a picture, beside the camera's image."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.drawing.heat_maps import PictureError
from trust_seg_ros.drawing.lettering import write

MAP_UNKNOWN, MAP_FREE = (44, 48, 56), (52, 148, 92)
MAP_CAREFUL, MAP_HAZARD = (226, 190, 80), (214, 48, 56)
"""RGB of cells of which nothing is known, that are free, and that are neither: from P(hazard) = 0 to 1."""

_FEET, _LINES, _INK = (255, 255, 255), (92, 98, 108), (236, 238, 240)
_RING_M, _LINE_PX = 10.0, 13


def map_picture(occupancy: np.ndarray, free: np.ndarray, pixels_per_cell: int = 4) -> np.ndarray:
    """A map with x upwards and y to the left, as one who sits in the vehicle sees the ground.

    Args:
        occupancy: (rows, columns) int8, rows along y and columns along x: -1 unknown, 0 to 100 = 100 P(hazard).
        free: (rows, columns) bool, the free cells.
        pixels_per_cell: side of a cell in the picture.

    Returns:
        (columns * pixels_per_cell, rows * pixels_per_cell, 3) uint8 RGB.

    Raises:
        PictureError: the shapes differ, or no cell has a pixel.
    """
    if occupancy.shape != free.shape or occupancy.ndim != 2 or pixels_per_cell < 1:
        raise PictureError(
            f"a map of {occupancy.shape} cells and {free.shape} free ones at {pixels_per_cell} pixels per cell: "
            "expected two equal shapes (rows, columns) and at least 1 pixel"
        )
    p = np.clip(occupancy, 0, 100).astype(np.float32)[..., None] / 100
    cells = np.array(MAP_CAREFUL, np.float32) * (1 - p) + np.array(MAP_HAZARD, np.float32) * p
    cells[free] = MAP_FREE
    cells[occupancy < 0] = MAP_UNKNOWN
    turned = np.ascontiguousarray(cells[::-1, ::-1].transpose(1, 0, 2).round().astype(np.uint8))
    return turned.repeat(pixels_per_cell, 0).repeat(pixels_per_cell, 1)


def draw_vehicle(picture: np.ndarray, place: tuple[float, float], pixels_per_metre: float) -> None:
    """Draw the vehicle and rings every 10 m around it into a picture of a map, in place.

    Args:
        picture: (H, W, 3) uint8 RGB, of :func:`map_picture`.
        place: x, y of the vehicle in metres from the outer corner of cell (0, 0) along the map's axes.
        pixels_per_metre: of the picture.
    """
    row, column = _pixel(np.array([place]), picture.shape, pixels_per_metre)[0]
    reach = int(np.hypot(*picture.shape[:2]) / pixels_per_metre / _RING_M) + 1
    for ring in range(1, reach):
        radius = round(ring * _RING_M * pixels_per_metre)
        cv2.circle(picture, (int(column), int(row)), radius, _LINES, 1, cv2.LINE_AA)
        if 0 <= row - radius < picture.shape[0] - _LINE_PX:
            write(picture, f"{ring * _RING_M:g} m", int(column) + 3, int(row) - radius + 2, _LINE_PX, _INK)
    side = max(3, round(pixels_per_metre))
    corners = np.array([[column, row - 2 * side], [column - side, row + side], [column + side, row + side]])
    cv2.fillPoly(picture, [corners.round().astype(np.int32)], _INK, cv2.LINE_AA)


def draw_feet(picture: np.ndarray, places: np.ndarray, pixels_per_metre: float) -> None:
    """Draw feet into a picture of a map, in place; ``places`` (m, 2) as ``place`` of :func:`draw_vehicle`."""
    for row, column in _pixel(places, picture.shape, pixels_per_metre):
        if 0 <= row < picture.shape[0] and 0 <= column < picture.shape[1]:
            cv2.circle(picture, (int(column), int(row)), 1, _FEET, -1, cv2.LINE_AA)


def beside(image: np.ndarray, picture: np.ndarray, gap: int = 8) -> np.ndarray:
    """An image and a map side by side, the map as tall as the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        picture: (H', W', 3) uint8 RGB.
        gap: columns between them.
    """
    height = image.shape[0]
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    fitted = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    between = np.full((height, gap, 3), 255, np.uint8)
    return np.concatenate([image, between, fitted], 1)


def legend(width: int, height: int = 22) -> np.ndarray:
    """What the colours of a map mean: (height, width, 3) uint8 RGB; cut off where the width does not suffice."""
    strip, left = np.full((height, width, 3), 255, np.uint8), 8
    known = (("free", MAP_FREE), ("P(hazard) small", MAP_CAREFUL), ("P(hazard) = 1", MAP_HAZARD))
    for text, colour in (*known, ("unknown", MAP_UNKNOWN)):
        strip[5 : height - 5, left : left + 16] = colour
        left = write(strip, text, left + 22, 4, height - 8, (30, 30, 30)) + 18
    return strip


def _pixel(places: np.ndarray, shape: tuple[int, ...], pixels_per_metre: float) -> np.ndarray:
    """(m, 2) row and column of places (x, y) in metres."""
    found: np.ndarray = np.array([shape[0], shape[1]]) - np.asarray(places, np.float64) * pixels_per_metre
    return found
