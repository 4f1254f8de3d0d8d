"""Per-image thresholds of large float32 maps: bands on threads; equal to ``policy_reference``.

The quantile is exact: a histogram of the upper 16 bits of the values' ordered keys finds the bin that holds the rank, a
second one of the lower 16 bits within that bin finds the value. Sorting or partitioning would move all values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from trust_seg_ros.thresholds import policy_kernels as kernels
from trust_seg_ros.thresholds.policy_reference import OTSU_BINS, at_least, bin_counts, bin_scale, edge, just_above, rank
from trust_seg_ros.uncertainty.threads import run_bands

_FLOAT32 = np.dtype(np.float32)


def quantile_threshold(score: np.ndarray, q: float, threads: int | None = None) -> float:
    """Equal to the reference, bit by bit.

    Args:
        score: any shape, float32.
        q: in (0, 1].
        threads: how many threads work; None for one per core, at most 8.
    """
    _, bits = _flat(score)
    upper = _histogram(lambda a, b, h: kernels.count_upper(bits, a, b, h), kernels.LEVEL, bits.size, threads)
    first, last = kernels.FIRST_FINITE, kernels.LAST_FINITE
    n = int(upper[first : last + 1].sum())
    if n == 0:
        return math.inf
    high, left = kernels.find_rank(upper, first, last, rank(q, n))
    lower = _histogram(lambda a, b, h: kernels.count_lower(bits, a, b, high, h), kernels.LEVEL, bits.size, threads)
    low, _ = kernels.find_rank(lower, 0, kernels.LEVEL - 1, left)
    return just_above(from_key((high << 16 | low) - (1 << 31)))


def mean_std_threshold(score: np.ndarray, k: float, threads: int | None = None) -> float:
    """Equal to the reference except for the order of summation: by blocks, whatever the number of threads.

    Moments of blocks are joined as by Chan, Golub and LeVeque (1979).

    Args:
        score: any shape, float32.
        k: finite.
        threads: as in :func:`quantile_threshold`.
    """
    flat, bits = _flat(score)
    found = _range(bits, threads)
    if found is None:
        return math.inf
    if found[0] == found[1]:
        return just_above(found[1])
    count, mean, squares = (np.zeros(_blocks(flat.size)) for _ in range(3))
    run_bands(lambda a, b: kernels.moments(flat, bits, a, b, count, mean, squares), len(count), threads)
    return joined_moments(count, mean, squares, k)


def joined_moments(count: np.ndarray, mean: np.ndarray, squares: np.ndarray, k: float) -> float:
    """The threshold from blocks' numbers of values, means and sums of squared deviations, (blocks,) float64."""
    n = count.sum()
    middle = (count * mean).sum() / n
    variance = (squares.sum() + (count * (mean - middle) ** 2).sum()) / n
    return at_least(middle + k * math.sqrt(variance), _FLOAT32)


def otsu_threshold(score: np.ndarray, threads: int | None = None) -> float:
    """Equal to the reference: the same histogram, and its best split from running sums.

    Args:
        score: any shape, float32; float64 (probabilities of segments) is binned by NumPy.
        threads: as in :func:`quantile_threshold`.
    """
    flat, bits = _flat(score)
    doubles = flat[np.isfinite(flat)] if score.dtype != _FLOAT32 else None
    found = _range(bits, threads) if doubles is None else (doubles.min(), doubles.max()) if doubles.size else None
    if found is None:
        return math.inf
    low, high = (float(value) for value in found)
    scale = bin_scale(low, high)
    if scale == 0.0:
        return just_above(found[1])
    if doubles is not None:
        counts = bin_counts(doubles, low, scale)
    else:
        counts = _histogram(
            lambda a, b, h: kernels.count_bins(flat, bits, a, b, low, scale, h), OTSU_BINS + 1, flat.size, threads
        )[:OTSU_BINS]
    return edge(low, high, best_split(counts), score.dtype)


def best_split(counts: np.ndarray) -> float:
    """First bin of the upper part in Otsu's split of a histogram; the middle of the empty bins if the split has some.

    With n0 values below the split, of sum s0, and N values of sum S in all, the variance between the parts is
    (S n0 - N s0)^2 / (n0 n1) times a constant.

    Args:
        counts: (bins,) whole numbers, at least two of them not zero.
    """
    counts = counts.astype(np.int64)
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * np.arange(len(counts)))
    n, total = int(counts.sum()), int(sums[-1])
    apart = (total * below - n * sums[:-1]).astype(np.float64)
    parts = below.astype(np.float64) * (n - below)
    first = int(np.argmax(apart**2 / np.maximum(parts, 1.0))) + 1
    return (first + first + int(np.argmax(counts[first:] > 0))) / 2


def _flat(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values as one flat array, and their bits."""
    flat = np.ascontiguousarray(score).reshape(-1)
    return flat, flat.view(np.int32)


def _blocks(size: int) -> int:
    return max(1, -(-size // kernels.BLOCK))


def from_key(key: int) -> np.float32:
    """The float32 of an ordered key."""
    bits = key if key >= 0 else key ^ 0x7FFFFFFF
    value: np.float32 = np.int32(bits).view(np.float32)
    return value


def _range(bits: np.ndarray, threads: int | None) -> tuple[np.float32, np.float32] | None:
    """Smallest and largest finite value."""
    keys: list[tuple[int, int]] = []
    run_bands(lambda a, b: keys.append(kernels.extremes(bits, a, b)), _blocks(bits.size), threads)
    low, high = min(k for k, _ in keys), max(k for _, k in keys)
    return (from_key(low), from_key(high)) if low <= high else None


def _histogram(count: Callable[[int, int, np.ndarray], None], bins: int, size: int, threads: int | None) -> np.ndarray:
    """(bins,) int64 sum of the (2, bins) histograms that ``count`` fills over all blocks, one per thread at work."""
    idle: list[np.ndarray] = []

    def band(first: int, last: int) -> None:
        try:
            counts = idle.pop()
        except IndexError:
            counts = np.zeros((2, bins), np.int32)
        count(first, last, counts)
        idle.append(counts)

    run_bands(band, _blocks(size), threads)
    return sum((counts[0] + counts[1] for counts in idle), np.zeros(bins, np.int64))
