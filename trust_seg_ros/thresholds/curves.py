"""Calibration curves of a score: for every threshold, the share of errors it finds, and the risk with a guarantee.

A pixel or segment is flagged where its score is at or above the threshold, so a lower threshold flags more. Curves are
kept whole, so that the chosen recall or alpha can change at any time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.types import Json

_TOLERANCE = 1e-12  # relative; sums of floating-point numbers may miss the chosen number by a rounding


class CurveError(TrustSegError, ValueError):
    """A curve, or the recall or alpha asked of it, cannot be used."""


class TooFewImagesError(TrustSegError):
    """Too few calibration images for the chosen guarantee; the text says how many it needs."""


class RiskOutOfReachError(TrustSegError):
    """Not even flagging everything keeps the chosen risk; the text says which alpha is possible."""


@dataclass(frozen=True)
class RecallCurve:
    """Share of all wrong pixels (or segments) of the calibration data that a threshold flags.

    Attributes:
        thresholds: (k,) float64, ascending, in the unit of the score.
        recall: (k,) float64 in [0, 1], not ascending.
        positives: number of wrong pixels or segments.

    Raises:
        CurveError: shapes, order or values do not fit; or there were no errors, so that there is no recall.
    """

    thresholds: np.ndarray
    recall: np.ndarray
    positives: int

    def __post_init__(self) -> None:
        _store(self, "thresholds", "recall", rising=False)
        if self.positives < 1:
            raise CurveError("nothing was wrong in the calibration data: expected errors to take a recall of")

    def threshold(self, recall: float) -> float:
        """The largest threshold that finds at least this share; -inf (everything is flagged) if none on the curve does.

        Args:
            recall: in (0, 1].

        Raises:
            CurveError: out of range.
        """
        if not 0.0 < recall <= 1.0:
            raise CurveError(f"recall = {recall}: expected a number in (0, 1]")
        reached = np.flatnonzero(self.recall >= recall * (1.0 - _TOLERANCE))
        return float(self.thresholds[reached[-1]]) if len(reached) else -math.inf

    def to_json(self) -> Json:
        """As plain values."""
        return {"thresholds": _plain(self.thresholds), "recall": self.recall.tolist(), "positives": self.positives}

    @classmethod
    def from_json(cls, data: Json) -> RecallCurve:
        """Back from :meth:`to_json`; raises CurveError, KeyError, TypeError or ValueError where it is damaged."""
        return cls(_numbers(data["thresholds"]), _numbers(data["recall"]), int(data["positives"]))


@dataclass(frozen=True)
class RiskCurve:
    """Mean loss of the calibration images against the threshold (conformal risk control, Angelopoulos et al. 2022).

    Attributes:
        thresholds: (k,) float64, ascending, in the unit of the score. If the first is -inf, its risk is the loss with
            everything flagged (an object no segment touches is missed by every threshold); otherwise that loss is 0.
        risk: (k,) float64 in [0, bound], not descending: the mean over the images of the share of their errors that is
            missed; an image without errors loses nothing.
        images: number n of images, >= 1.
        bound: B, the largest loss an image can have.

    Raises:
        CurveError: shapes, order or values do not fit.
    """

    thresholds: np.ndarray
    risk: np.ndarray
    images: int
    bound: float = 1.0

    def __post_init__(self) -> None:
        _store(self, "thresholds", "risk", rising=True)
        if self.images < 1 or not self.bound > 0.0:
            raise CurveError(
                f"{self.images} images, bound {self.bound}: expected at least 1 image, and a bound above 0"
            )

    def threshold(self, alpha: float) -> float:
        """The largest threshold of the curve with n/(n+1) risk + B/(n+1) <= alpha; -inf if only flagging all has it.

        Conformal risk control (Angelopoulos, Bates, Fisch, Lei, Schuster, 2022, equation 4): on an image exchangeable
        with the calibration images the expected loss is then at most alpha. Their lambda, which flags more the larger
        it is, is minus our threshold. The curve may be coarse, and its thresholds may have been chosen by looking at
        the calibration images: no threshold between two points is used, which only makes the loss smaller.

        Args:
            alpha: in (0, bound).

        Raises:
            CurveError: out of range.
            TooFewImagesError: too few images to show that even flagging everything is good enough.
            RiskOutOfReachError: flagging everything still loses too much.
        """
        check_images(alpha, self.images, self.bound)
        kept = np.flatnonzero(controlled(self.risk, alpha, self.images, self.bound))
        if not len(kept) and self.thresholds[0] == -math.inf:
            least = (self.images * self.risk[0] + self.bound) / (self.images + 1)
            raise RiskOutOfReachError(
                f"alpha = {alpha:g} is out of reach: with everything flagged the {self.images} calibration images "
                f"still miss {self.risk[0]:.4g} on average; choose an alpha of at least {least:.4g}"
            )
        return float(self.thresholds[kept[-1]]) if len(kept) else -math.inf

    def to_json(self) -> Json:
        """As plain values."""
        risk = self.risk.tolist()
        return {"thresholds": _plain(self.thresholds), "risk": risk, "images": self.images, "bound": self.bound}

    @classmethod
    def from_json(cls, data: Json) -> RiskCurve:
        """Back from :meth:`to_json`; raises CurveError, KeyError, TypeError or ValueError where it is damaged."""
        images, bound = int(data["images"]), float(data["bound"])
        return cls(_numbers(data["thresholds"]), _numbers(data["risk"]), images, bound)


def images_needed(alpha: float, bound: float = 1.0) -> int:
    """The least number n of calibration images for which B/(n+1) <= alpha: the integer ceil(B/alpha) - 1.

    Exact in the decimal numbers as they are written: 9 for alpha = 0.1, where binary rounding could say 10. The bound
    floor((B - alpha)/alpha) + 1 is the same except if B/alpha is whole; then it requires B/(n+1) < alpha.

    Raises:
        CurveError: alpha is not in (0, bound).
    """
    if not 0.0 < alpha < bound:
        raise CurveError(f"alpha = {alpha}: expected a number in (0, {bound:g})")
    return max(1, math.ceil(Fraction(repr(float(bound))) / Fraction(repr(float(alpha)))) - 1)


def check_images(alpha: float, images: int, bound: float = 1.0) -> None:
    """Refuse an alpha that this number of calibration images cannot guarantee.

    Raises:
        CurveError: alpha is not in (0, bound).
        TooFewImagesError: the text names the alpha, how many images there are, and how many it needs.
    """
    needed = images_needed(alpha, bound)
    if images < needed:
        raise TooFewImagesError(
            f"alpha = {alpha:g} needs at least {needed} calibration images, there are {images}: calibrate "
            f"with more, or choose an alpha of at least {least_alpha(images, bound):.4g}"
        )


def controlled(risk: np.ndarray, alpha: float, images: int, bound: float = 1.0) -> np.ndarray:
    """Where n/(n+1) risk + B/(n+1) <= alpha, bool like ``risk``: the rule of conformal risk control.

    Args:
        risk: any shape, mean losses of n calibration images.
        alpha: upper limit for the expected loss.
        images: n.
        bound: B, the largest loss an image can have.
    """
    return (images * risk + bound) / (images + 1) <= alpha * (1.0 + _TOLERANCE)


def least_alpha(images: int, bound: float = 1.0) -> float:
    """The smallest alpha that this number of calibration images can guarantee: B/(n+1)."""
    return bound / (images + 1)


def _store(curve: RecallCurve | RiskCurve, x: str, y: str, rising: bool) -> None:
    """Store both arrays as float64, and check them."""
    thresholds, values = (np.asarray(getattr(curve, name), np.float64) for name in (x, y))
    object.__setattr__(curve, x, thresholds)
    object.__setattr__(curve, y, values)
    if thresholds.ndim != 1 or thresholds.shape != values.shape or not len(thresholds):
        raise CurveError(
            f"{y} of shape {values.shape} over thresholds of {thresholds.shape}: expected (k,) both, k >= 1"
        )
    if np.isnan(thresholds).any() or not (np.diff(thresholds) > 0).all():
        raise CurveError("thresholds: expected ascending numbers")
    steps = np.diff(values) if rising else -np.diff(values)
    limit = curve.bound if isinstance(curve, RiskCurve) else 1.0
    if not ((values >= 0) & (values <= limit * (1 + _TOLERANCE))).all() or (steps < -_TOLERANCE).any():
        way = "rise" if rising else "fall"
        raise CurveError(f"{y}: expected numbers from 0 to {limit:g} that {way} with the threshold")


def _plain(values: np.ndarray) -> list[float | str]:
    """JSON has no infinite numbers."""
    return [float(v) if math.isfinite(v) else str(v) for v in values]


def _numbers(values: object) -> np.ndarray:
    if not isinstance(values, list):
        raise TypeError(f"{type(values).__name__} where a list of numbers is expected")
    return np.array([float(v) for v in values])
