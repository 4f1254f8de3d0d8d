"""A scale from 0 to 1 for the thresholds of a score, for what moves a threshold in small steps."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.thresholds.policies.base import Curves, CurvesNeededError
from trust_seg_ros.uncertainty.score_names import score_range

_POWER = 2.0
"""Thresholds rise with the square of the position: where almost everything is flagged, steps are finest. Entropies of
right pixels crowd near 0, so a shift moves the threshold that is needed by factors, not by a constant."""


class ScoreScale:
    """Position -> threshold, rising: 0 and less flags everything (-inf), 1 and more flags nothing (+inf).

    Args:
        knots: (k,) float64 ascending, k >= 2: thresholds in the unit of the score; the position runs over them evenly,
            raised to the power.
        power: above 0; the default makes steps finest where almost everything is flagged.
    """

    def __init__(self, knots: np.ndarray, power: float = _POWER) -> None:
        self._knots, self._power = np.asarray(knots, np.float64), power
        self._places = np.linspace(0.0, 1.0, len(self._knots))

    @classmethod
    def of(cls, score: str, curves: Curves | None) -> ScoreScale:
        """The scale of a score: from 0 to 1 if these are its limits, else the thresholds of its calibration.

        These are quantiles of the score of misclassified pixels, so that no unit remains.

        Args:
            score: one of ``PIXEL_SCORES``; a name in parentheses behind it does not matter.
            curves: calibration of the score; None = none.

        Raises:
            CurvesNeededError: the score has no limits and no calibration.
        """
        low, high = score_range(score.partition(" (")[0], 2)
        if low == 0.0 and high <= 1.0:
            return cls(np.array([0.0, 1.0]))
        curve = None if curves is None else curves.recall or curves.risk
        finite = np.empty(0) if curve is None else curve.thresholds[np.isfinite(curve.thresholds)]
        if len(finite) < 2:
            raise CurvesNeededError(
                f"policy adaptive: {score} has no limits between which a threshold could move, and no calibration; "
                "make one with trust-seg calibrate and load it, or choose a score from 0 to 1 (entropy, margin)"
            )
        return cls(finite)

    def threshold(self, position: float) -> float:
        """In the unit of the score; the position may lie outside of [0, 1]."""
        if position <= 0.0:
            return -math.inf
        if position >= 1.0:
            return math.inf
        return float(np.interp(position**self._power, self._places, self._knots))

    def position(self, threshold: float) -> float:
        """In [0, 1]: the position whose threshold this is, or an end where it lies beyond."""
        return float(np.interp(threshold, self._knots, self._places) ** (1.0 / self._power))
