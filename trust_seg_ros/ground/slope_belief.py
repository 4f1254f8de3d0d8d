"""What is known of the slope of the road ahead, as a histogram: images may speak for several slopes at a time."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.ground.road_borders import STEEPEST

SLOPES = np.linspace(-0.08, 0.08, 41)
"""Slopes of the histogram, rise per metre."""

_USUAL = 0.04  # standard deviation of slopes, before anything was seen
_PER_ROOT_METRE, _PER_ROOT_SECOND = 0.01, 0.004  # how a slope changes with the way, and while the vehicle stands
_DOUBT = 1e-6  # share that any slope keeps, so that a wrong one is left again
_LEAST_SIGMA = 0.0012
_STEP = float(SLOPES[1] - SLOPES[0])
assert SLOPES[-1] <= STEEPEST


class SlopeBelief:
    """A filter over ``SLOPES`` (a Bayes filter on a grid)."""

    def __init__(self) -> None:
        self._log = -0.5 * (SLOPES / _USUAL) ** 2

    def move(self, way: float, seconds: float) -> None:
        """Know less, after metres of way and seconds."""
        sigma = math.sqrt(_PER_ROOT_METRE**2 * way + _PER_ROOT_SECOND**2 * seconds)
        offsets = SLOPES[:, None] - SLOPES
        kernel = np.exp(-0.5 * (offsets / max(sigma, 0.1 * _STEP)) ** 2)
        kernel /= kernel.sum(axis=0)  # nothing leaves at the ends
        share = kernel @ self._shares()
        self._log = np.log(share + _DOUBT * share.max())

    def add(self, evidence: np.ndarray) -> None:
        """Take in (41,) logarithms of how well each slope explains an image, up to a constant."""
        self._log = self._log + evidence

    def known(self) -> tuple[float, float]:
        """Mean and standard deviation of the slope."""
        share = self._shares()
        mean = float(share @ SLOPES)
        return mean, math.sqrt(float(share @ (SLOPES - mean) ** 2) + _LEAST_SIGMA**2)

    def likely(self) -> tuple[int, int]:
        """First of ``SLOPES`` that may be true, and the one behind the last."""
        mean, sigma = self.known()
        first, last = np.searchsorted(SLOPES, (mean - max(4 * sigma, 0.012), mean + max(4 * sigma, 0.012)))
        return int(first), int(last)

    def _shares(self) -> np.ndarray:
        share: np.ndarray = np.exp(self._log - self._log.max())
        share /= share.sum()
        return share
