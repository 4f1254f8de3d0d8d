"""Threshold policies: each turns the scores of an image, or calibration curves, into one number; METHODS §7.

A score at or above the number is flagged, so a lower number is stricter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.thresholds import policy_fast, policy_reference
from trust_seg_ros.types import UNLABELLED

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve


class PolicyError(TrustSegError, ValueError):
    """A policy, or a parameter of one, that cannot be used."""


class CurvesNeededError(PolicyError):
    """A calibrated policy without the curves that it reads its threshold from."""


@dataclass(frozen=True)
class Fixed:
    """A constant.

    Attributes:
        value: in the unit of the score; infinite: nothing or everything is flagged.

    Raises:
        PolicyError: it is NaN.
    """

    value: float

    def __post_init__(self) -> None:
        check_number("value", self.value, -math.inf, math.inf, "a number in the unit of the score")


@dataclass(frozen=True)
class Quantile:
    """The image's own quantile: at most the share 1 - q of its pixels is flagged, those with the highest scores.

    Attributes:
        q: in (0, 1].

    Raises:
        PolicyError: it is not.
    """

    q: float

    def __post_init__(self) -> None:
        check_number("quantile", self.q, 0.0, 1.0, "a number in (0, 1]", open_low=True)


@dataclass(frozen=True)
class MeanStd:
    """Mean of the image's scores + k standard deviations.

    Attributes:
        k: in [0, 100].

    Raises:
        PolicyError: it is not.
    """

    k: float

    def __post_init__(self) -> None:
        check_number("k", self.k, 0.0, 100.0, "a number in [0, 100]")


@dataclass(frozen=True)
class Otsu:
    """The best split of the image's histogram in two (Otsu 1979)."""


@dataclass(frozen=True)
class TargetRecall:
    """The constant that finds this share of the misclassified pixels of the calibration data.

    Attributes:
        recall: in (0, 1].

    Raises:
        PolicyError: it is not.
    """

    recall: float

    def __post_init__(self) -> None:
        check_number("recall", self.recall, 0.0, 1.0, "a number in (0, 1]", open_low=True)


@dataclass(frozen=True)
class Conformal:
    """The constant with a guarantee: the expected share of misclassified pixels missed is at most alpha.

    By conformal risk control (Angelopoulos et al. 2022); holds for images that are exchangeable with those of the
    calibration data, not under domain shift.

    Attributes:
        alpha: in (0, 1).

    Raises:
        PolicyError: it is not.
    """

    alpha: float

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 0.0, 1.0, "a number in (0, 1)", open_low=True, open_high=True)


Policy: TypeAlias = "Fixed | Quantile | MeanStd | Otsu | TargetRecall | Conformal"
PerImage = (Quantile, MeanStd, Otsu)
"""Policies that look at the image."""
Calibrated = (TargetRecall, Conformal)
"""Policies that read their constant from calibration curves."""


@dataclass(frozen=True)
class Curves:
    """What calibration knows of one score.

    Attributes:
        recall: share of misclassified pixels found against the threshold, for :class:`TargetRecall`.
        risk: mean share missed against the threshold, for :class:`Conformal`.
        class_recall: the recall curve of each predicted class; None, or absent at the end, where there is none.
    """

    recall: RecallCurve | None = None
    risk: RiskCurve | None = None
    class_recall: Sequence[RecallCurve | None] = ()


def resolve(
    policy: Policy,
    score: np.ndarray | None,
    curves: Curves | None = None,
    *,
    classes: np.ndarray | None = None,
    threads: int | None = None,
) -> float:
    """The threshold that a policy gives for one image. Scores at or above it are flagged.

    Per-image policies leave out values that are not finite (+inf marks faulty pixels, which are flagged whatever the
    threshold; NaN is never flagged) and, with ``classes``, pixels without a class, whose softmax scores are maximal
    without meaning anything. An image without contrast gets the next number above its value: nothing is flagged.

    Args:
        policy: one of the classes of this module.
        score: (H, W) float32 score map, or (n,) float64 probabilities of segments; None will do for a policy that is
            not per image.
        curves: of that score, for a calibrated policy.
        classes: like ``score``, uint8 predicted classes; ``UNLABELLED`` = none.
        threads: how many threads work on a map; None for one per core, at most 8.

    Returns:
        In the unit of the score; +inf where a per-image policy finds no finite score, an image without segments for
        example; -inf where no threshold of a calibration curve is strict enough: everything is flagged. Never NaN.

    Raises:
        CurvesNeededError: a calibrated policy without its curve.
        TooFewImagesError: too few calibration images for this alpha.
        PolicyError: a per-image policy without scores, or ``classes`` of another shape.
    """
    if isinstance(policy, Fixed):
        return float(policy.value)
    if isinstance(policy, Calibrated):
        return _from_curves(policy, curves)
    if score is None:
        raise PolicyError(f"{policy}: expected the scores of the image, got none")
    values = _labelled(_floating(score), classes)
    if isinstance(policy, Otsu):
        return policy_fast.otsu_threshold(values, threads)
    if values.dtype != np.float32:  # of segments: a few values
        if isinstance(policy, Quantile):
            return policy_reference.quantile_threshold(values, policy.q)
        return policy_reference.mean_std_threshold(values, policy.k)
    if isinstance(policy, Quantile):
        return policy_fast.quantile_threshold(values, policy.q, threads)
    return policy_fast.mean_std_threshold(values, policy.k, threads)


def _from_curves(policy: TargetRecall | Conformal, curves: Curves | None) -> float:
    curve = None if curves is None else curves.recall if isinstance(policy, TargetRecall) else curves.risk
    if curve is None:
        what = "target_recall" if isinstance(policy, TargetRecall) else "conformal"
        raise CurvesNeededError(
            f"policy {what}: expected a calibration of this score, there is none; make one with trust-seg calibrate "
            "and load it, or choose fixed, quantile, mean_std or otsu"
        )
    return float(curve.threshold(policy.recall if isinstance(policy, TargetRecall) else policy.alpha))


def _floating(score: np.ndarray) -> np.ndarray:
    score = np.asarray(score)
    return score if score.dtype in (np.float32, np.float64) else score.astype(np.float64)


def _labelled(score: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """The scores, NaN where there is no class. A copy is made only where there are such pixels, which is rare."""
    if classes is None:
        return score
    check_alike(score, classes)
    if classes.size == 0 or classes.max() != UNLABELLED:
        return score
    return np.where(classes == UNLABELLED, score.dtype.type(np.nan), score)


def check_alike(score: np.ndarray, classes: np.ndarray) -> None:
    """Refuse classes that do not belong to the scores.

    Raises:
        PolicyError: another shape, or another type than uint8.
    """
    if classes.shape != score.shape or classes.dtype != np.uint8:
        raise PolicyError(f"classes {classes.shape} {classes.dtype}: expected {score.shape} uint8, like the scores")


def check_number(
    name: str,
    value: object,
    low: float,
    high: float,
    expected: str,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse what is no number from ``low`` to ``high``, each end included unless open.

    Raises:
        PolicyError: the text names the value and what was expected.
    """
    fits = isinstance(value, Real) and not isinstance(value, bool) and low <= value <= high  # no NaN
    if not fits or (open_low and value == low) or (open_high and value == high):
        raise PolicyError(f"{name} = {value!r}: expected {expected}")
