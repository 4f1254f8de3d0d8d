"""Pixel measures from pooled counts: AuPRC, AUROC, FPR at 95 % TPR, the threshold of the best F1.

Source: Chan et al., SegmentMeIfYouCan, NeurIPS 2021 (datasets and benchmarks), section 3; positive = anomaly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from trust_seg_ros.evaluation.errors import AnomalyError


@dataclass(frozen=True)
class Counts:
    """Pixels at or above each threshold, over a whole data set.

    Attributes:
        thresholds: (k,) float64, strictly falling; a pixel counts as an anomaly if score >= threshold.
        true_positives, false_positives: (k,) int64, not falling; the last are all positives and all negatives.

    Raises:
        AnomalyError: no positive or no negative pixel, so that no curve is defined.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.thresholds) or not self.positives or not self.negatives:
            raise AnomalyError(
                f"{self.positives} anomaly and {self.negatives} other pixels in the data set; curves need both. "
                "Labels are 0 in distribution, 1 anomaly, 255 void"
            )

    @property
    def positives(self) -> int:
        """Number of anomaly pixels."""
        return int(self.true_positives[-1]) if len(self.true_positives) else 0

    @property
    def negatives(self) -> int:
        """Number of other pixels, void left out."""
        return int(self.false_positives[-1]) if len(self.false_positives) else 0

    @property
    def recall(self) -> np.ndarray:
        """(k,) true positive rate."""
        return self.true_positives / self.positives

    @property
    def false_positive_rate(self) -> np.ndarray:
        """(k,)."""
        return self.false_positives / self.negatives

    @property
    def precision(self) -> np.ndarray:
        """(k,) precision; 1 where no pixel counts as an anomaly."""
        called = self.true_positives + self.false_positives
        return np.where(called > 0, self.true_positives / np.maximum(called, 1), 1.0)


def average_precision(counts: Counts) -> float:
    """Area under the precision-recall curve, step-wise: sum of (R_i - R_(i-1)) P_i; equal scores are one step."""
    return float(np.sum(np.diff(counts.recall, prepend=0.0) * counts.precision))


def average_precision_bounds(counts: Counts) -> tuple[float, float]:
    """Lowest and highest average precision that the scores may have had before binning.

    Binning loses the order inside a bin. At worst all negatives of a bin come before its positives, one by one:
    the sum of (T+j)/(T+j+F) for j = 1..p, written with the digamma function. At best they come after them, and the
    positives are one step.
    """
    p = np.diff(counts.true_positives, prepend=0).astype(np.float64)
    start = counts.true_positives - p + counts.false_positives + 1.0
    lowest = p - counts.false_positives * (digamma(start + p) - digamma(start))
    earlier = counts.false_positives - np.diff(counts.false_positives, prepend=0)
    highest = p * counts.true_positives / np.maximum(counts.true_positives + earlier, 1)
    return float(lowest.sum() / counts.positives), float(highest.sum() / counts.positives)


def auroc(counts: Counts) -> float:
    """Area under the receiver operating characteristic; equal scores count half."""
    x, y = np.append(0.0, counts.false_positive_rate), np.append(0.0, counts.recall)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def fpr_at_tpr(counts: Counts, tpr: float = 0.95) -> float:
    """False positive rate at the highest threshold that reaches a true positive rate of ``tpr``."""
    # compare whole numbers of pixels: 19 of 20 is 95 %, however 19/20 is rounded
    reached = counts.true_positives >= np.ceil(tpr * counts.positives - 1e-9)
    return float(counts.false_positive_rate[int(np.argmax(reached))])


def best_f1(counts: Counts) -> tuple[float, float]:
    """(threshold, F1) of the best F1 = 2 TP / (2 TP + FP + FN); the highest such threshold."""
    tp, fp = counts.true_positives, counts.false_positives
    f1 = 2 * tp / (tp + fp + counts.positives)
    best = int(np.argmax(f1))
    return float(counts.thresholds[best]), float(f1[best])
