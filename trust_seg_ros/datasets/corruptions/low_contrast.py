"""Low contrast: a dirty window, backlight, a lens of poor quality."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import to_bytes, to_unit

CONTRAST = (0.60, 0.44, 0.32, 0.22, 0.14)
"""Share of the contrast that is left, by severity."""


def low_contrast(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """m + c(x − m) with m the mean of all values of the image; not random."""
    x = to_unit(image)
    mean = x.mean(dtype=np.float64).astype(np.float32)
    return to_bytes(mean + np.float32(CONTRAST[level]) * (x - mean))
