"""Defocus: the lens spreads every point over a disc."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import disc_kernel, filtered, from_light, scaled, to_light

RADIUS = (1.2, 2.0, 3.0, 4.3, 6.0)
"""Radius of the disc by severity, pixels at the reference height."""


def defocus(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Average the light over a disc; not random."""
    return from_light(filtered(to_light(image), disc_kernel(scaled(RADIUS[level], image))))
