"""Rain: bright streaks in two layers, long ones nearby and short ones far away, and a grey veil."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import filtered, line_kernel, luma, scaled, to_bytes, to_unit

DROPS = (0.7, 1.2, 1.8, 2.5, 3.3)
"""Near streaks per 1000 pixels of an image of the reference height; three times as many far ones."""
OPACITY = (0.40, 0.46, 0.52, 0.58, 0.64)
VEIL = (0.06, 0.12, 0.19, 0.27, 0.36)
"""Share of grey mixed into the image, by severity."""
_NEAR, _FAR = (20.0, 1.2, 1.0, 1.0), (9.0, 0.8, 3.0, 0.6)  # length, width, density, brightness
_SLANT = np.radians(20)  # largest angle from the vertical
_STREAK = 0.92


def rain(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """x(1 − v) + v·grey, then streaks of value 0.92 laid over with an opacity that varies from streak to streak."""
    x = to_unit(image)
    veil = np.float32(VEIL[level])
    y = x * (1 - veil) + veil * np.float32((0.55 + luma(x).mean()) / 2)
    slant = np.pi / 2 + rng.uniform(-_SLANT, _SLANT)
    for length, width, density, brightness in (_NEAR, _FAR):
        cover = _streaks(image, rng, slant, scaled(length, image), scaled(width, image), density * DROPS[level])
        cover = np.minimum(cover, 1.0)[..., None] * np.float32(brightness * OPACITY[level])
        y = y + cover * (np.float32(_STREAK) - y)
    return to_bytes(y)


def _streaks(
    image: np.ndarray, rng: np.random.Generator, slant: float, length: float, width: float, per_thousand: float
) -> np.ndarray:
    """(H, W) float32 coverage from 0; a higher severity contains all drops of a lower one."""
    area = scaled(1.0, image) ** 2  # a larger image shows the same number of larger streaks
    draw = rng.random(image.shape[:2], np.float32)
    strength = rng.uniform(0.4, 1.0, image.shape[:2]).astype(np.float32)
    drops = np.where(draw < per_thousand / 1000 / area, strength, np.float32(0.0))
    kernel = line_kernel(length, slant)
    lines = filtered(drops, kernel / kernel.max())
    if width > 1.0:
        sigma = width / 2
        lines = cv2.GaussianBlur(lines, (0, 0), sigma) * np.float32(sigma * np.sqrt(2 * np.pi))
    return lines * np.float32(min(width, 1.0))
