"""Per-image thresholds straight from their definitions, in NumPy. A score at or above its threshold is flagged.

Scores may have any shape. Values that are not finite do not count: +inf marks faulty pixels, NaN no score. Without a
finite value there is no threshold: +inf. In an image without contrast (all finite values equal) no value is higher than
the others, so nothing is flagged: the threshold is the next larger number of the score's type.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

OTSU_BINS = 256


def quantile_threshold(score: np.ndarray, q: float) -> float:
    """The smallest t such that the share of finite values at or above t is at most 1 - ``q``.

    That is the number right above the value of rank ceil(q n) among the n finite ones. Ties at that value are not
    flagged, so the share flagged can be less than 1 - q, never more.

    Args:
        score: any shape, float32 or float64.
        q: in (0, 1].

    Returns:
        A number of the score's type; +inf without a finite value.
    """
    values = np.sort(score[np.isfinite(score)], axis=None)
    return just_above(values[rank(q, len(values)) - 1]) if len(values) else math.inf


def mean_std_threshold(score: np.ndarray, k: float) -> float:
    """Mean + ``k`` standard deviations (over n, not n - 1) of the finite values, in float64.

    Args:
        score: any shape, float32 or float64.
        k: finite.

    Returns:
        The smallest number of the score's type at or above that; +inf without a finite value.
    """
    values = score[np.isfinite(score)].astype(np.float64)
    if values.size == 0:
        return math.inf
    if values.min() == values.max():
        return just_above(score.dtype.type(values[0]))
    mean = math.fsum(values) / values.size
    variance = math.fsum((values - mean) ** 2) / values.size
    return at_least(mean + k * math.sqrt(variance), score.dtype)


def otsu_threshold(score: np.ndarray) -> float:
    """The split of the image's histogram with the largest variance between its two parts (Otsu 1979, eq. 14 to 18).

    256 equal bins from the smallest to the largest finite value, so that a shifted or stretched score is split alike.
    If several neighbouring splits are best, because the bins between them are empty, the middle one is taken.

    Args:
        score: any shape, float32 or float64.

    Returns:
        Lower edge of the upper part, as the smallest number of the score's type at or above it; +inf without a finite
        value.
    """
    values = score[np.isfinite(score)].astype(np.float64)
    if values.size == 0:
        return math.inf
    low, high = values.min(), values.max()
    scale = bin_scale(low, high)
    if scale == 0.0:
        return just_above(score.dtype.type(high))
    counts = [int(c) for c in bin_counts(values, low, scale)]
    best = [_between(counts, split) for split in range(1, OTSU_BINS)]
    first = best.index(max(best)) + 1
    last = first
    while last < OTSU_BINS and counts[last] == 0:
        last += 1
    return edge(low, high, (first + last) / 2, score.dtype)


def _between(counts: list[int], split: int) -> Fraction:
    """Variance between the bins below ``split`` and the others: w0 w1 (mu1 - mu0)^2, exactly."""
    parts = range(split), range(split, len(counts))
    n0, n1 = (sum(counts[i] for i in part) for part in parts)
    if n0 == 0 or n1 == 0:
        return Fraction(0)
    mean0, mean1 = (Fraction(sum(i * counts[i] for i in part), n) for part, n in zip(parts, (n0, n1), strict=True))
    return Fraction(n0, n0 + n1) * Fraction(n1, n0 + n1) * (mean1 - mean0) ** 2


def rank(q: float, n: int) -> int:
    """ceil(q n), with ``q`` taken as the decimal it prints as: in floating point 0.07 * 100 is more than 7."""
    return math.ceil(Fraction(repr(float(q))) * n)


def bin_scale(low: float, high: float) -> float:
    """Bins per unit; 0.0 if the range is zero, or too small or too large to divide by."""
    with np.errstate(all="ignore"):
        width = np.float64(high) - np.float64(low)
        scale = np.float64(OTSU_BINS) / width
    return float(scale) if width > 0.0 and np.isfinite(width) and np.isfinite(scale) else 0.0


def bin_counts(values: np.ndarray, low: float, scale: float) -> np.ndarray:
    """(OTSU_BINS,) histogram of finite float64 values from ``low`` on; the largest belongs to the last bin."""
    bins = np.minimum(((values - low) * scale).astype(np.int64), OTSU_BINS - 1)
    return np.bincount(bins, minlength=OTSU_BINS)


def edge(low: float, high: float, split: float, dtype: np.dtype) -> float:
    """Lower edge of bin ``split``, rounded up to a number of ``dtype``."""
    return at_least(float(low) + split * ((float(high) - float(low)) / OTSU_BINS), dtype)


def just_above(value: np.floating) -> float:
    """The next larger number of the same type."""
    with np.errstate(over="ignore"):
        return float(np.nextafter(value, value.dtype.type(np.inf)))


def at_least(value: float, dtype: np.dtype) -> float:
    """The smallest number of ``dtype`` at or above ``value``: comparing in that type then rounds nothing down."""
    with np.errstate(over="ignore"):
        rounded = np.dtype(dtype).type(value)
    return float(rounded) if float(rounded) >= value else just_above(rounded)
