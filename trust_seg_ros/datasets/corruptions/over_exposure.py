"""Over-exposure: more light than the sensor holds."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import from_light, scaled, to_light

STOPS = (1.0, 1.7, 2.4, 3.1, 3.8)
"""Stops of over-exposure by severity: the light is multiplied by 2 to this power."""
_BLOOM, _REACH = 0.12, 9.0  # share of the excess light that bleeds; standard deviation in pixels


def over_exposure(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Light · 2^stops; 12 % of what exceeds 1 bleeds into the surroundings before clipping; not random."""
    light = to_light(image) * np.float32(2.0 ** STOPS[level])
    excess = np.maximum(light - 1.0, 0.0)
    glow = cv2.GaussianBlur(excess, (0, 0), max(scaled(_REACH, image), 0.3), borderType=cv2.BORDER_REFLECT_101)
    return from_light(light + np.float32(_BLOOM) * glow)
