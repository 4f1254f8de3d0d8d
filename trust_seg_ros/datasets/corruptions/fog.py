"""Fog: with distance, the light of the scene fades into the light of the fog (Koschmieder's law)."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.datasets.corruptions.pixels import luma, smooth_noise, to_bytes, to_unit

DENSITY = (0.5, 0.9, 1.4, 2.0, 2.8)
"""Optical thickness β of the fog between camera and horizon."""
_HORIZON = 0.45  # share of the height: a camera that looks ahead
_NEAREST = 0.15  # distance at the lower edge of the image, as a share of the distance at the horizon
_SOFT = 0.12
_BANKS = 0.5  # the thickness varies by up to this share
_LIGHT = 0.80


def fog(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """x·t + A(1 − t) with t = e^(−β d (1 ± banks)); A lies between 0.8 and the bright parts of the image.

    Depth is unknown, so a flat road is assumed: distance d = 1 at the horizon and above, falling to 0.15 at the
    lower edge. Near walls get more fog than they should.
    """
    x = to_unit(image)
    below = ((np.arange(x.shape[0]) + 0.5) / x.shape[0] - _HORIZON) / (1 - _HORIZON)
    below = np.logaddexp(0.0, below / _SOFT) * _SOFT  # 0 above the horizon, growing smoothly below it
    depth = 1 / (1 + below * (1 / _NEAREST - 1))  # 1/d is linear in the image row on a plane
    banks = 1 + _BANKS * (2 * smooth_noise(rng, x.shape[:2], (3, 6, 12)) - 1)
    through = np.exp(-DENSITY[level] * depth[:, None] * banks).astype(np.float32)[..., None]
    air = np.float32((_LIGHT + np.percentile(luma(x), 95)) / 2)
    return to_bytes(x * through + air * (1 - through))
