"""Bins of a score: narrow where misclassified and other pixels lie, and wide over all other numbers.

A threshold that is the lower end of a bin splits binned scores exactly as it splits the scores themselves, so counts at
such thresholds are exact; only what happens inside a bin is lost.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit

QUANTILES = 1500
"""Of the scores of misclassified and of other pixels of a sample: no bin holds much more than 1 / 1500 of either."""
_WIDE, _FINE = (range(-24, 32), 8), (range(-3, 4), 64)
"""Powers of two and bins in each: everywhere, and where scores of shifted images lie beyond those of the sample."""


def score_grid(wrong: np.ndarray, right: np.ndarray, quantiles: int = QUANTILES) -> np.ndarray:
    """Lower ends of the bins.

    Args:
        wrong, right: (n,) float32, scores of a sample of pixels; either may be empty.
        quantiles: of each.

    Returns:
        (k,) float32, rising: -inf, values of the sample and powers of two between them and beyond, +inf.
    """
    parts = [np.array([-np.inf, 0.0, np.inf], np.float32)]
    for octaves, number in (_WIDE, _FINE):
        powers = np.float32(2.0) ** np.array(octaves, np.float32)
        steps = (powers[:, None] * np.linspace(1, 2, number, endpoint=False, dtype=np.float32)).ravel()
        parts += [steps, -steps]
    levels = np.linspace(0, 1, quantiles)
    for values in (wrong, right):
        finite = values[np.isfinite(values)].astype(np.float32)
        if finite.size:
            parts.append(np.quantile(finite, levels, method="inverted_cdf").astype(np.float32))
    return np.unique(np.concatenate(parts) + np.float32(0.0))  # -0.0 becomes 0.0


@jit(inline="always")
def bin_of(edges: np.ndarray, value: np.float32) -> np.int64:
    """The bin of one number: the last whose lower end is not above it."""
    low, length = np.int64(0), np.int64(len(edges))
    while length > 1:
        half = length >> 1
        low = low + half if edges[low + half] <= value else low
        length -= half
    return low
