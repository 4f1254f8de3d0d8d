"""Per-pixel maps and scores of class sums (mask networks) on the CPU: row by row like ``fast``, without an exponential.

With r = L / max L, Z = sum r and S = sum r log r: E = (log Z - S/Z) / log q, V = 1 - 1/Z, D = V + r(2) / Z. In units of
the largest sum, a pixel that all queries hardly claim loses no digit.
"""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import UNLABELLED, UncertaintyMaps
from trust_seg_ros.uncertainty.kernels import (
    CONTRACT,
    ONE,
    bits_float,
    expm1_negative,
    float_bits,
    hold_rows,
    log_positive,
    taps,
)
from trust_seg_ros.uncertainty.logits import UNCLAIMED, Prepared
from trust_seg_ros.uncertainty.threads import run_bands
from trust_seg_ros.uncertainty.tiles import UNROLL, tile_rows, tile_width, two_largest

NO_CLASS = np.int32(UNLABELLED)
LEAST = np.float32(1.2e-38)  # r log r is 0 below
_UNCLAIMED = np.float32(UNCLAIMED)
_ZERO, _TWO = np.float32(0.0), np.float32(2.0)
_LN2, _SQRT_HALF_BITS, _MANTISSA = np.float32(0.6931471805599453), np.int32(0x3F3504F3), np.int32(23)
# log(1 + f) - f over f^2 for 1 + f in [sqrt(1/2), sqrt(2)): degree 6, minimax of the absolute error of log (4e-8)
_C0, _C1 = np.float32(-0.5000058438545881), np.float32(0.3333526140218185)
_C2, _C3 = np.float32(-0.24961464899851302), np.float32(0.19888276780752379)
_C4, _C5, _C6 = np.float32(-0.17325997552901667), np.float32(0.16335648109070144), np.float32(-0.10034613294392453)


def fill_maps(sums: Prepared, out: UncertaintyMaps, threads: int | None) -> None:
    """Overwrite the maps (H, W), on the CPU; pixels that no query claims get class 255 and the largest scores.

    Args:
        sums: from ``prepare_sums``.
        out: receives the maps; faulty pixels are not marked.
        threads: how many threads work; None for one per core, at most 8.
    """
    values = sums.array()
    height, width = sums.size
    rows, columns = taps(values.shape[1], height), taps(values.shape[2], width)
    arrays = (out.classes.numpy(), out.entropy.numpy(), out.margin.numpy(), out.variation_ratio.numpy())
    tile = tile_width(values.shape[0], width)

    def band(first: int, last: int) -> None:
        _maps_band(values, *rows, *columns, first, last, tile, *arrays)

    run_bands(band, height, threads)


def fill_rejection(sums: np.ndarray, out: np.ndarray, threads: int | None = None) -> None:
    """Write -sum_c tanh L_c of the upsampled class sums.

    Args:
        sums: (q, h, w) float32, at least 0, finite, C-contiguous.
        out: (H, W) float32, overwritten.
        threads: how many threads work; None for one per core, at most 8.
    """
    height, width = out.shape
    rows, columns = taps(sums.shape[1], height), taps(sums.shape[2], width)
    tile = tile_width(sums.shape[0], width)

    def band(first: int, last: int) -> None:
        _rejection_band(sums, *rows, *columns, first, last, tile, out)

    run_bands(band, height, threads)


@jit
def _maps_band(
    sums: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    first: int,
    last: int,
    tile: int,
    classes: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    variation: np.ndarray,
) -> None:
    """Rows first .. last - 1 of all four maps."""
    q = sums.shape[0]
    rows = tile_rows(q, tile)
    best, second, inverse = np.empty(tile, np.float32), np.empty(tile, np.float32), np.empty(tile, np.float32)
    total, moment = np.empty(tile, np.float32), np.empty(tile, np.float32)
    index = np.empty(tile, np.int32)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        n = stop - start
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(sums, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            upper, lower = rows[top[y] & 1], rows[bottom[y] & 1]
            two_largest(upper, lower, mix[y], n, best, second, index)
            invert(best, inverse, n)
            _ratios(upper, lower, mix[y], n, inverse, total, moment, best)
            e, d, v = entropy[y][start:stop], margin[y][start:stop], variation[y][start:stop]
            _scores(q, second, inverse, total, moment, e, d, v)
            _store_classes(index, inverse, classes[y][start:stop])


@jit
def invert(best: np.ndarray, inverse: np.ndarray, n: int) -> None:
    """1 / best; 0 marks a pixel that no query claims."""
    for x in range(n):
        inverse[x] = ONE / best[x] if best[x] > _UNCLAIMED else _ZERO


@jit(fastmath=CONTRACT)
def _ratios(
    upper: np.ndarray,
    lower: np.ndarray,
    mix: np.float32,
    n: int,
    inverse: np.ndarray,
    total: np.ndarray,
    moment: np.ndarray,
    carried: np.ndarray,
) -> None:
    """Z = sum r and S = sum r log r over the classes, r = class sum / largest.

    Four at a time; rows that make up the four add nothing. Z with the roundings carried over (Kahan): hundreds of
    sums of 1e-8 beside the 1 of the largest would be lost, all of them.
    """
    rest = ONE - mix
    for x in range(n):
        total[x], moment[x], carried[x] = _ZERO, _ZERO, _ZERO
    for c in range(0, upper.shape[0], UNROLL):
        u0, u1, u2, u3 = upper[c], upper[c + 1], upper[c + 2], upper[c + 3]
        l0, l1, l2, l3 = lower[c], lower[c + 1], lower[c + 2], lower[c + 3]
        for x in range(n):
            a = max((rest * u0[x] + mix * l0[x]) * inverse[x], LEAST)
            b = max((rest * u1[x] + mix * l1[x]) * inverse[x], LEAST)
            total_ab, moment_ab = a + b, a * log_ratio(a) + b * log_ratio(b)
            a = max((rest * u2[x] + mix * l2[x]) * inverse[x], LEAST)
            b = max((rest * u3[x] + mix * l3[x]) * inverse[x], LEAST)
            added = total_ab + (a + b) - carried[x]
            now = total[x] + added
            carried[x] = (now - total[x]) - added
            total[x] = now
            moment[x] += moment_ab + (a * log_ratio(a) + b * log_ratio(b))


@jit(fastmath=CONTRACT, inline="always")
def log_ratio(r: np.float32) -> np.float32:
    """log r for normal float32 r in (0, 1]; r log r is off by 1e-7 at most. No division: one per class costs."""
    bits = float_bits(r)
    exponent = np.int32((bits - _SQRT_HALF_BITS) >> _MANTISSA)
    f = bits_float(np.int32(bits - (exponent << _MANTISSA))) - ONE
    p = (((((_C6 * f + _C5) * f + _C4) * f + _C3) * f + _C2) * f + _C1) * f + _C0
    found: np.float32 = np.float32(exponent) * _LN2 + (f * f * p + f)
    return found


@jit(fastmath=CONTRACT)
def _scores(
    q: int,
    second: np.ndarray,
    inverse: np.ndarray,
    total: np.ndarray,
    moment: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    variation: np.ndarray,
) -> None:
    """The three scores of a row of pixels from their sums."""
    n = entropy.shape[0]
    scale, most = np.float32(1.0 / math.log(q)), np.float32(1.0 - 1.0 / q)
    for x in range(n):
        share = ONE / total[x]
        spread = min(max((log_positive(total[x]) - moment[x] * share) * scale, _ZERO), ONE)
        entropy[x] = spread if inverse[x] > _ZERO else ONE
    for x in range(n):
        share = ONE / total[x]
        claimed = inverse[x] > _ZERO
        variation[x] = min(max(ONE - share, _ZERO), most) if claimed else most
        margin[x] = min(max(ONE - share + second[x] * inverse[x] * share, _ZERO), ONE) if claimed else ONE


@jit
def _store_classes(index: np.ndarray, inverse: np.ndarray, classes: np.ndarray) -> None:
    for x in range(classes.shape[0]):
        classes[x] = np.uint8(index[x] if inverse[x] > _ZERO else NO_CLASS)


@jit
def _rejection_band(
    sums: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    first: int,
    last: int,
    tile: int,
    out: np.ndarray,
) -> None:
    """Rows first .. last - 1 of -sum_c tanh L_c."""
    rows = tile_rows(sums.shape[0], tile)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(sums, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            target = out[y][start:stop]
            target[:] = _ZERO
            for c in range(sums.shape[0]):
                _subtract_tanh(rows[top[y] & 1, c], rows[bottom[y] & 1, c], mix[y], target)


@jit(fastmath=CONTRACT)
def _subtract_tanh(above: np.ndarray, below: np.ndarray, mix: np.float32, out: np.ndarray) -> None:
    """Subtract tanh of a mixed row, at least 0, from a row of the score."""
    rest = ONE - mix
    for x in range(out.shape[0]):
        e = expm1_negative(-_TWO * (rest * above[x] + mix * below[x]))
        out[x] += e / (_TWO + e)  # -tanh
