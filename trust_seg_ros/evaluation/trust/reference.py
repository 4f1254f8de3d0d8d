"""The measures by their definitions, over all pixels at once; the streaming counts are tested against them."""

from __future__ import annotations

import math

import numpy as np


def confusion(score: np.ndarray, wrong: np.ndarray, threshold: float, faulty: np.ndarray) -> tuple[int, int]:
    """Right and wrong pixels that a threshold flags.

    Args:
        score: (n,) float32.
        wrong: (n,) bool.
        threshold: compared in float32; score >= threshold is flagged.
        faulty: (n,) bool, pixels without a predicted class: flagged whatever the threshold.
    """
    flagged = (score >= np.float32(threshold)) | faulty
    return int((flagged & ~wrong).sum()), int((flagged & wrong).sum())


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    """P(a wrong pixel scores above a right one) + half of P(equal)."""
    bad, good = score[wrong][:, None], score[~wrong][None]
    return float(((bad > good) + 0.5 * (bad == good)).mean()) if bad.size and good.size else math.nan


def average_precision(score: np.ndarray, wrong: np.ndarray) -> float:
    """Sum over the distinct thresholds, falling, of the gain in recall times the precision there."""
    if not wrong.any() or wrong.all():
        return math.nan
    area, before = 0.0, 0.0
    for threshold in np.unique(score)[::-1]:
        flagged = score >= threshold
        recall = (wrong & flagged).sum() / wrong.sum()
        area += (recall - before) * (wrong & flagged).sum() / flagged.sum()
        before = recall
    return float(area)


def fpr95(score: np.ndarray, wrong: np.ndarray) -> float:
    """False positive rate at the highest threshold with a recall of at least 95 %."""
    if not wrong.any() or wrong.all():
        return math.nan
    for threshold in np.unique(score)[::-1]:
        flagged = score >= threshold
        if 100 * int((wrong & flagged).sum()) >= 95 * int(wrong.sum()):
            return float((~wrong & flagged).sum() / (~wrong).sum())
    raise AssertionError("the least score reaches every pixel")


def aurc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Mean over k of the expected error rate of the k lowest scores, equal ones in random order."""
    order = np.argsort(score, kind="stable")
    ranked, errors = score[order], wrong[order].astype(float)
    for value in np.unique(ranked):
        same = ranked == value
        errors[same] = errors[same].mean()  # expectation under a random order of equal scores
    return float(np.mean(np.cumsum(errors) / np.arange(1, len(errors) + 1))) if len(errors) else math.nan


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3: bins (i / m, (i + 1) / m]; confidence 0 belongs to the first."""
    total = 0.0
    for i in range(bins):
        inside = (np.ceil(confidence * bins) - 1).clip(0, bins - 1) == i
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(total)
