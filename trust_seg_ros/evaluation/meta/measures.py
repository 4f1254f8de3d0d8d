"""How well predictions fit: accuracy, AUROC, σ, R² and Pearson's ρ, as MetaSeg (section IV) reports them.

Undefined values (one kind only, nothing that varies) are NaN; tables show ``-``.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def accuracy(scores: np.ndarray, positive: np.ndarray) -> np.ndarray | float:
    """Share of segments whose score is >= 0 where positive and < 0 elsewhere.

    Args:
        scores: (..., n) log-odds of being positive.
        positive: (n,) bool.

    Returns:
        (...) float64 in [0, 1].
    """
    return ((scores >= 0) == positive).mean(-1) if len(positive) else np.full(scores.shape[:-1], np.nan)[()]


def auroc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray | float:
    """Area under the receiver operating characteristic; ties count half (the Mann-Whitney statistic).

    Args:
        scores: (..., n) larger = more likely positive.
        positive: (n,) bool.

    Returns:
        (...) float64 in [0, 1].
    """
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return np.full(scores.shape[:-1], np.nan)[()]
    ranks = rankdata(scores, axis=-1)[..., positive].sum(-1)
    return (ranks - count * (count + 1) / 2) / (count * others)


def majority(positive: np.ndarray) -> float:
    """Accuracy of always answering the more frequent kind."""
    share = positive.mean() if len(positive) else np.nan
    return float(max(share, 1 - share))


def sigma(predicted: np.ndarray, true: np.ndarray) -> float:
    """Standard deviation of the residual about zero, i.e. its root mean square.

    The authors' code reports this too; unlike a standard deviation it includes a constant bias.
    """
    return float(np.sqrt(np.mean((true - predicted) ** 2))) if len(true) else np.nan


def r_squared(predicted: np.ndarray, true: np.ndarray) -> float:
    """1 - sum of squared residuals / sum of squares about the mean of ``true``; negative when worse than that mean."""
    if not len(true) or np.ptp(true) == 0:
        return np.nan
    return float(1 - np.sum((true - predicted) ** 2) / np.sum((true - true.mean()) ** 2))


def correlations(metrics: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson's ρ of every metric with the truth (MetaSeg, Table I).

    Args:
        metrics: (n, m).
        true: (n,).

    Returns:
        (m,) float64 in [-1, 1]; NaN for a metric that does not vary.
    """
    if not len(true) or np.ptp(true) == 0:
        return np.full(metrics.shape[1], np.nan)
    constant = np.ptp(metrics, axis=0) == 0
    # scaled first: squares of sizes in pixels and of tiny variances both stay in range
    spread = np.where(constant, 1.0, metrics.std(0))
    x = (metrics - metrics.mean(0)) / spread
    y = (true - true.mean()) / true.std()
    return np.where(constant, np.nan, np.clip(y @ x / len(true), -1.0, 1.0))
