"""Helpers of the corruptions: values as floats, light, lengths in pixels, smooth noise, filters.

Image values are encoded: roughly the square root of the light that fell on the sensor. Blur and exposure act on the
light, so they are computed on light: a lamp out of focus becomes a bright disc, as in a camera.
"""

from __future__ import annotations

import cv2
import numpy as np

REFERENCE_HEIGHT = 360
"""Image height for which lengths are given in pixels; they scale with the height."""
_GAMMA = 2.2
_LIGHT = ((np.arange(256) / 255.0) ** _GAMMA).astype(np.float32)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def to_unit(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as float32 in 0..1."""
    return image.astype(np.float32) * np.float32(1 / 255)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Values in 0..1 as uint8; others are clipped."""
    return (np.clip(values, 0.0, 1.0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def to_light(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as light, float32 in 0..1."""
    return _LIGHT[image]


def from_light(light: np.ndarray) -> np.ndarray:
    """Light as uint8; values outside 0..1 are clipped."""
    return to_bytes(cv2.pow(np.clip(light, 0.0, 1.0), 1 / _GAMMA))


def luma(values: np.ndarray) -> np.ndarray:
    """(H, W) brightness of (H, W, 3) encoded values."""
    return values @ _LUMA


def scaled(pixels: float, image: np.ndarray) -> float:
    """A length for ``REFERENCE_HEIGHT``, scaled to pixels of ``image``."""
    return pixels * image.shape[0] / REFERENCE_HEIGHT


def smooth_noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, ...]) -> np.ndarray:
    """Cloudy noise: a sum of enlarged random grids; each finer grid has half the weight of the one before.

    Args:
        rng: draws ``sum(c * c)`` numbers, whatever the size.
        size: (H, W).
        cells: squares along each side of the grids, coarse to fine.

    Returns:
        (H, W) float32 with values in 0..1.
    """
    total, weight = np.zeros(size, np.float32), 1.0
    for count in cells:
        grid = rng.random((count, count), np.float32)
        total += np.float32(weight) * cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
        weight /= 2
    return np.clip(total / (2 - 2 * weight), 0.0, 1.0)


def line_kernel(length: float, angle: float) -> np.ndarray:
    """A straight line as a filter that sums to 1, with soft ends and edges.

    Args:
        length: in pixels; may be below 1.
        angle: in radians from the direction of rows, counted downwards.
    """
    half = max(length, 1e-3) / 2
    steps = np.linspace(-half, half, max(3, int(length * 8) | 1))
    rows, columns = steps * np.sin(angle), steps * np.cos(angle)
    radius = int(np.ceil(half)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    for dy in (0, 1):  # every point of the line is shared among the four pixels around it
        for dx in (0, 1):
            y, x = np.floor(rows).astype(int) + dy, np.floor(columns).astype(int) + dx
            share = (1 - np.abs(rows - y)) * (1 - np.abs(columns - x))
            np.add.at(kernel, (y + radius, x + radius), share)
    return (kernel / kernel.sum()).astype(np.float32)


def disc_kernel(radius: float) -> np.ndarray:
    """A disc as a filter that sums to 1; ``radius`` in pixels; pixels on the edge count in part."""
    reach, fine = int(np.ceil(radius + 0.5)), 8
    axis = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - reach - 0.5
    inside = (axis[:, None] ** 2 + axis[None] ** 2 <= max(radius, 0.05) ** 2).astype(np.float64)
    kernel = inside.reshape(2 * reach + 1, fine, 2 * reach + 1, fine).mean((1, 3))
    if kernel.sum() == 0.0:
        kernel[reach, reach] = 1.0
    return (kernel / kernel.sum()).astype(np.float32)


def filtered(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """``values`` filtered; beyond its edges the image is mirrored."""
    return cv2.filter2D(values, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
