"""Defocus: the lens spreads every point over a disc."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import disc_kernel, filtered, from_light, scaled, to_light

RADIUS = (1.2, 2.0, 3.0, 4.3, 6.0)
"""Of the disc, pixels at the reference height."""


def defocus(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Light averaged over a disc; nothing is drawn."""
    return from_light(filtered(to_light(image), disc_kernel(scaled(RADIUS[level], image))))
