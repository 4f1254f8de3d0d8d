"""Passes over a float32 score map for per-image thresholds, compiled; each works on a range of blocks of ``BLOCK``.

They see the bits of the scores, (n,) int32: whether a value is finite, and which is larger, is then a matter of whole
numbers, which compilers turn into vector instructions although NaN may be among the values.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit

BLOCK = 8192
"""Values in a block: 32 KiB, so that several passes over one find it in the first- or second-level cache."""

_RUN = 64
LEVEL = 1 << 16
"""Bins of one level of the radix histogram."""
FIRST_FINITE, LAST_FINITE = 0x0080, 0xFF7F
"""Bins of the upper level that finite values fall into; those outside hold NaN and the infinities."""

_EXPONENT = np.int32(0x7F800000)
_MAGNITUDE = np.int32(0x7FFFFFFF)
_LEAST, _MOST = np.int32(-0x80000000), np.int32(0x7FFFFFFF)
_SIGN = np.int32(31)
_ZERO = np.int32(0)
_HALF, _LOWER_HALF = np.uint32(16), np.uint32(LEVEL - 1)


@jit
def count_upper(bits: np.ndarray, first: int, last: int, counts: np.ndarray) -> None:
    """Add to ``counts`` (2, LEVEL) how often each upper half of the ordered key occurs; its rows are to be added.

    The key of a float32 is its bits with the sign flipped, or all bits flipped where negative: it orders like the
    value. Neighbouring pixels are often equal: with two rows a counter need not wait for its own last change.
    """
    for i in range(first * BLOCK, min(last * BLOCK, bits.size)):
        b = bits[i]
        key = np.uint32(b ^ ((b >> _SIGN) | _LEAST))
        counts[i & 1, key >> _HALF] += 1


@jit
def count_lower(bits: np.ndarray, first: int, last: int, upper: int, counts: np.ndarray) -> None:
    """Add to ``counts`` (2, LEVEL) how often each lower half occurs among the keys whose upper half is ``upper``.

    They are few, and close together in an image: a quick look first at whether a short run of values has any.
    """
    wanted = np.uint32(upper)
    for start in range(first * BLOCK, min(last * BLOCK, bits.size), _RUN):
        run = bits[start : min(start + _RUN, bits.size)]
        if _any_in(run, wanted):
            for i in range(run.size):
                key = np.uint32(run[i] ^ ((run[i] >> _SIGN) | _LEAST))
                if key >> _HALF == wanted:
                    counts[i & 1, key & _LOWER_HALF] += 1


@jit
def _any_in(bits: np.ndarray, upper: np.uint32) -> bool:
    found = _ZERO
    for i in range(bits.size):
        b = bits[i]
        found += np.int32((np.uint32(b ^ ((b >> _SIGN) | _LEAST)) >> _HALF) == upper)
    return bool(found > _ZERO)


@jit
def find_rank(counts: np.ndarray, first: int, last: int, rank: int) -> tuple[int, int]:
    """The bin within first .. last that holds the value of ``rank`` (1 = the smallest), and its rank there."""
    for k in range(first, last + 1):
        if rank <= counts[k]:
            return k, rank
        rank -= counts[k]
    return last, 0


@jit
def extremes(bits: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """Ordered keys of the smallest and the largest finite value; the smallest above the largest where there is none."""
    low, high = _MOST, _LEAST
    for i in range(first * BLOCK, min(last * BLOCK, bits.size)):
        b = bits[i]
        key = b ^ ((b >> _SIGN) & _MAGNITUDE)
        finite = (b & _EXPONENT) != _EXPONENT
        low = min(low, key if finite else _MOST)
        high = max(high, key if finite else _LEAST)
    return low, high


@jit(fastmath={"reassoc"})
def _sum(score: np.ndarray, bits: np.ndarray) -> tuple[float, int]:
    total, count = 0.0, _ZERO
    for i in range(score.size):
        finite = (bits[i] & _EXPONENT) != _EXPONENT
        total += np.float64(score[i]) if finite else 0.0
        count += np.int32(finite)
    return total, count


@jit(fastmath={"reassoc"})
def _squares(score: np.ndarray, bits: np.ndarray, mean: float) -> float:
    total = 0.0
    for i in range(score.size):
        away = np.float64(score[i]) - mean
        total += away * away if (bits[i] & _EXPONENT) != _EXPONENT else 0.0
    return total


@jit
def moments(
    score: np.ndarray, bits: np.ndarray, first: int, last: int, count: np.ndarray, mean: np.ndarray, squares: np.ndarray
) -> None:
    """Number, mean and sum of squared deviations of the finite values of each block, into (blocks,) arrays."""
    for k in range(first, last):
        start, stop = k * BLOCK, min((k + 1) * BLOCK, score.size)
        part, its_bits = score[start:stop], bits[start:stop]
        total, n = _sum(part, its_bits)
        count[k] = n
        if n > 0:
            mean[k] = total / n
            squares[k] = _squares(part, its_bits, mean[k])


@jit
def count_bins(
    score: np.ndarray, bits: np.ndarray, first: int, last: int, low: float, scale: float, counts: np.ndarray
) -> None:
    """Add to ``counts`` (2, bins + 1) the histogram of the finite values; its rows are to be added.

    Values that are not finite are counted in the last bin.
    """
    number = np.empty(BLOCK, np.int32)
    for k in range(first, last):
        start, stop = k * BLOCK, min((k + 1) * BLOCK, score.size)
        _bin_numbers(score[start:stop], bits[start:stop], low, scale, np.int32(counts.shape[1] - 1), number)
        for i in range(stop - start):
            counts[i & 1, number[i]] += 1


@jit
def _bin_numbers(
    score: np.ndarray, bits: np.ndarray, low: float, scale: float, bins: np.int32, number: np.ndarray
) -> None:
    for i in range(score.size):
        finite = (bits[i] & _EXPONENT) != _EXPONENT
        k = np.int32(((np.float64(score[i]) if finite else low) - low) * scale)
        number[i] = min(k, bins - np.int32(1)) if finite else bins


@jit
def compare_by_class(
    score: np.ndarray, classes: np.ndarray, table: np.ndarray, first: int, last: int, out: np.ndarray
) -> None:
    """``score >= table[classes]`` for (n,) arrays and a (256,) table of the score's type."""
    for i in range(first * BLOCK, min(last * BLOCK, score.size)):
        out[i] = score[i] >= table[classes[i]]


@jit
def compare_by_region(
    score: np.ndarray,
    table: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    first: int,
    last: int,
    out: np.ndarray,
) -> None:
    """Rows first .. last - 1 of the flags: each row in runs with one threshold."""
    i = 0
    for r in range(first, last):
        while r >= rows[i + 1]:
            i += 1
        for j in range(table.shape[1]):
            limit, part, flagged = (
                table[i, j],
                score[r, columns[j] : columns[j + 1]],
                out[r, columns[j] : columns[j + 1]],
            )
            for c in range(part.size):  # from 0 on, so that it vectorises
                flagged[c] = part[c] >= limit
