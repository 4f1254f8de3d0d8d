"""Motion blur: the camera turns while the shutter is open."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import filtered, from_light, line_kernel, scaled, to_light

LENGTH = (4.0, 7.0, 11.0, 16.0, 23.0)
"""Distance a point moves during the exposure, by severity, pixels at the reference height."""
_SLANT = np.radians(30)  # vehicles yaw more than they pitch


def motion_blur(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Average the light along a line, up to 30 degrees off the horizontal."""
    kernel = line_kernel(scaled(LENGTH[level], image), rng.uniform(-_SLANT, _SLANT))
    return from_light(filtered(to_light(image), kernel))
