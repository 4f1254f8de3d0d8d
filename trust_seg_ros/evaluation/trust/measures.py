"""How well a score ranks misclassified pixels above the others, from counts by bin; risk against coverage.

Positive = misclassified. Pixels of equal score are one step of ROC and precision-recall. Undefined values (no
misclassified pixel, or no other) are NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from trust_seg_ros.evaluation.anomaly.curves import (
    Counts,
    auroc,
    average_precision,
    average_precision_bounds,
    fpr_at_tpr,
)
from trust_seg_ros.thresholds.temperature import error_of_bins


@dataclass(frozen=True)
class Ordering:
    """Measures of a score that need no threshold.

    Attributes:
        pixels: number of pixels with a true class.
        wrong: share of them that is misclassified.
        auroc, auprc, fpr95: shares in [0, 1].
        aurc: area under the risk-coverage curve, see :func:`aurc`.
        excess: ``aurc`` minus the value of the best possible order (E-AURC).
        blur: largest possible error of AuPRC or AUROC due to binning.
    """

    pixels: int
    wrong: float
    auroc: float
    auprc: float
    fpr95: float
    aurc: float
    excess: float
    blur: float


def ordering(wrong: np.ndarray, right: np.ndarray) -> Ordering:
    """Measure one score.

    Args:
        wrong, right: (k,) counts of misclassified and other pixels of each bin, the scores rising.
    """
    wrong, right = np.asarray(wrong, np.int64), np.asarray(right, np.int64)
    bad, good = int(wrong.sum()), int(right.sum())
    total = bad + good
    nan = math.nan
    area = aurc(wrong, right)
    excess = area - best_aurc(bad, total)
    if not bad or not good:
        return Ordering(total, bad / total if total else nan, nan, nan, nan, area, excess, 0.0)
    counts = falling_counts(np.arange(len(wrong), dtype=np.float64), wrong, right)
    precision = average_precision(counts)
    blur = max(abs(bound - precision) for bound in average_precision_bounds(counts))
    blur = max(blur, float(np.sum(wrong / bad * (right / good))) / 2)
    return Ordering(total, bad / total, auroc(counts), precision, fpr_at_tpr(counts), area, excess, blur)


def falling_counts(thresholds: np.ndarray, wrong: np.ndarray, right: np.ndarray) -> Counts:
    """Curves of bins (k,) whose thresholds rise; empty bins are left out.

    Raises:
        AnomalyError: no misclassified pixel, or no other.
    """
    kept = np.flatnonzero(wrong + right)[::-1]
    found, false = (np.cumsum(row[kept], dtype=np.int64) for row in (wrong, right))
    return Counts(np.asarray(thresholds, np.float64)[kept], found, false)


def aurc(wrong: np.ndarray, right: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean, over k = 1..n, of the error rate of the k most trusted pixels.

    Pixels of equal score are taken in random order, and the expectation is returned: inside a step of g pixels with
    error rate p, after N pixels with E errors, the sum over j = 1..g of (E + j p) / (N + j) is
    g p + (E - N p) (psi(N + g + 1) - psi(N + 1)). Geifman, El-Yaniv 2017; Geifman et al. 2019.

    Args:
        wrong, right: (k,) counts of each bin, the scores rising.

    Returns:
        In [0, 1]; NaN without pixels.
    """
    steps = np.asarray(wrong, np.float64) + right
    kept = steps > 0
    steps, errors = steps[kept], np.asarray(wrong, np.float64)[kept]
    total = steps.sum()
    if not total:
        return math.nan
    rate = errors / steps
    before, missed = np.cumsum(steps) - steps, np.cumsum(errors) - errors
    spread = digamma(before + steps + 1.0) - digamma(before + 1.0)
    return float(np.sum(steps * rate + (missed - before * rate) * spread) / total)


def best_aurc(errors: int, total: int) -> float:
    """The area of the best possible order, which trusts every misclassified pixel less than every other."""
    if not total:
        return math.nan
    right = total - errors
    return float((errors - right * (digamma(total + 1.0) - digamma(right + 1.0))) / total)


def risk_coverage(wrong: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk (error rate of the pixels kept) at each bin's upper end, (k,) each, coverage rising."""
    kept = np.cumsum(np.asarray(wrong, np.float64) + right)
    some = kept > 0
    return kept[some] / kept[-1], np.cumsum(wrong, dtype=np.float64)[some] / kept[some]


@dataclass(frozen=True)
class Reliability:
    """Bins of a reliability diagram, equal widths.

    Attributes:
        pixels, right: (b,) int64.
        confidence: (b,) float64, sum over the pixels.
    """

    pixels: np.ndarray
    right: np.ndarray
    confidence: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error: mean over pixels of |accuracy - mean confidence| of their bin (Guo et al.)."""
        if not self.pixels.any():
            return math.nan
        mean, accuracy = (sums / np.maximum(self.pixels, 1) for sums in (self.confidence, self.right))
        return error_of_bins(self.pixels, mean, accuracy)

    @property
    def overconfidence(self) -> float:
        """Mean confidence - accuracy."""
        total = self.pixels.sum()
        return float((self.confidence.sum() - self.right.sum()) / total) if total else math.nan
