"""Night: darker by a gamma curve and a gain, colours washed out, noise of the sensor."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import luma, to_bytes, to_unit

GAMMA = (1.15, 1.3, 1.45, 1.6, 1.8)
GAIN = (0.80, 0.66, 0.54, 0.45, 0.38)
COLOUR = (0.90, 0.80, 0.70, 0.60, 0.50)
"""Share of the colour that is left, by severity."""
NOISE = (0.020, 0.030, 0.042, 0.056, 0.072)
"""Standard deviation of the noise at value 1, by severity."""
_FLOOR = 0.08  # read-out noise: black pixels have some, too


def night(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """y = gain · x^gamma, drawn towards its grey, plus N(0, noise² (y + 0.08)): shot noise grows with the light."""
    y = GAIN[level] * to_unit(image) ** np.float32(GAMMA[level])
    grey = luma(y)[..., None]
    y = grey + np.float32(COLOUR[level]) * (y - grey)
    spread = np.float32(NOISE[level]) * np.sqrt(y + np.float32(_FLOOR))
    return to_bytes(y + spread * rng.standard_normal(y.shape, np.float32))
