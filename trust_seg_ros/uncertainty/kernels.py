"""Building blocks of the numba kernels: bilinear taps, a fast exponential, one row of softmax.

All work on float32 logits that are finite (see ``logits.prepare``), class by class over contiguous pixels, so that the
compiler turns every inner loop into vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numba import types
from numba.extending import intrinsic

from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import Placement

CONTRACT = {"contract"}
"""Only the fusing of multiply and add; nothing that would reorder sums or assume the absence of NaN."""

_LOG2E = np.float32(1.4426950408889634)
_ROUND = np.float32(12582912.0)  # 1.5 * 2**23: adding it rounds to an integer kept in the low bits
EXP_MIN = np.float32(-87.0)  # exp(-87) is the smallest power needed that is still a normal float32
# 2**f for f in [-0.5, 0.5]: degree 5, minimax of the relative error (9e-8)
_P1 = np.float32(0.6931469775637391)
_P2 = np.float32(0.24022242071434094)
_P3 = np.float32(0.05550733769136148)
_P4 = np.float32(0.009671513273494364)
_P5 = np.float32(0.001326472301966976)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
_LN2 = np.float32(0.6931471805599453)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_L1, _L3, _L5, _L7, _L9 = (np.float32(2 / n) for n in (1, 3, 5, 7, 9))  # series of 2 artanh


Taps = tuple[np.ndarray, np.ndarray, np.ndarray]


def taps(in_size: int, out_size: int, axis: tuple[int, float, float] | None = None) -> Taps:
    """Source positions of a bilinear resize along one axis, ``align_corners=False``, as torch computes them.

    Position (in float32): ``(i + 0.5) * in_size / out_size - 0.5``, at least 0. With an ``axis`` (n, first, step), as
    ``Placement`` says it, that is the position in the network's answer, n in place of ``in_size`` and at most n - 1,
    and that in the samples is ``first + step * position``; first 0 and step (in_size - 1) / (n - 1) are
    ``align_corners=True``.

    Args:
        in_size: samples there are, >= 1.
        out_size: samples wanted, >= 1.
        axis: where the answer lies on the samples; None = it is stretched over them.

    Returns:
        (out_size,) int32 first sample, (out_size,) int32 second sample, (out_size,) float32 weight of the second
        in [0, 1]; the first has the rest.
    """
    answer, first_at, step = (in_size, 0.0, 1.0) if axis is None else axis
    scale = np.float64(np.float32(answer) / np.float32(out_size))
    position = ((np.arange(out_size) + 0.5) * scale - 0.5).astype(np.float32)  # one rounding: fused multiply-add
    if axis is not None:
        position = np.clip(position, 0, answer - 1) * np.float64(np.float32(step)) + first_at
    position = np.maximum(position.astype(np.float32), np.float32(0.0))
    first = np.minimum(position.astype(np.int32), in_size - 1).astype(np.int32)
    second = np.minimum(first + 1, in_size - 1).astype(np.int32)
    weight = np.clip(position - first.astype(np.float32), np.float32(0.0), np.float32(1.0))
    return first, second, weight.astype(np.float32)


def grid_taps(grid: Sequence[int], size: tuple[int, int], placement: Placement | None = None) -> tuple[Taps, Taps]:
    """:func:`taps` of the rows and of the columns, for logits of ``grid`` (h, w) brought to ``size`` (H, W)."""
    rows, columns = (None, None) if placement is None else placement.axes
    return taps(grid[0], size[0], rows), taps(grid[1], size[1], columns)


@intrinsic
def _float_bits(typingctx: Any, value: Any) -> Any:

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), codegen


float_bits: Callable[[np.float32], np.int32] = cast(Any, _float_bits)
"""Bit pattern of a float32 as int32; in kernels only."""


@intrinsic
def _bits_float(typingctx: Any, value: Any) -> Any:

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


bits_float: Callable[[np.int32], np.float32] = cast(Any, _bits_float)
"""The float32 with the bit pattern of an int32; in kernels only."""


@jit(fastmath=CONTRACT, inline="always")
def exp_negative(x: np.float32) -> np.float32:
    """exp(x) for float32 x <= 0 without a branch; relative error 6e-7 down to -10, 4e-6 to -87, constant below."""
    return exp_in_range(max(x, EXP_MIN))


@jit(fastmath=CONTRACT, inline="always")
def exp_in_range(d: np.float32) -> np.float32:
    """The same for an argument known to lie in [EXP_MIN, -EXP_MIN]."""
    shifted = d * _LOG2E + _ROUND
    f = d * _LOG2E - (shifted - _ROUND)
    p = ((((_P5 * f + _P4) * f + _P3) * f + _P2) * f + _P1) * f + ONE
    return bits_float(np.int32(float_bits(p) + np.int32(float_bits(shifted) << np.int32(23))))


@jit(fastmath=CONTRACT, inline="always")
def expm1_negative(x: np.float32) -> np.float32:
    """exp(x) - 1 for float32 x <= 0 without a branch; relative error 1e-6, also near 0, where exp loses digits."""
    d = max(x, EXP_MIN)
    shifted = d * _LOG2E + _ROUND
    f = d * _LOG2E - (shifted - _ROUND)
    p = ((((_P5 * f + _P4) * f + _P3) * f + _P2) * f + _P1) * f
    power = bits_float(np.int32(float_bits(ONE) + np.int32(float_bits(shifted) << np.int32(23))))
    found: np.float32 = power * p + (power - ONE)
    return found


@jit(fastmath=CONTRACT, inline="always")
def log_positive(x: np.float32) -> np.float32:
    """log(x) for normal float32 x > 0 without a branch; absolute error below 1e-7 + 6e-8 |log x|."""
    bits = float_bits(x)
    exponent = np.int32((bits - _SQRT_HALF_BITS) >> np.int32(23))
    mantissa = bits_float(np.int32(bits - (exponent << np.int32(23))))  # in [sqrt(1/2), sqrt(2))
    s = (mantissa - ONE) / (mantissa + ONE)  # log m = 2 artanh s
    s2 = s * s
    found: np.float32 = np.float32(exponent) * _LN2 + s * ((((_L9 * s2 + _L7) * s2 + _L5) * s2 + _L3) * s2 + _L1)
    return found


@jit
def all_within(flat: np.ndarray, low: np.float32, high: np.float32) -> bool:
    """Whether all of a float32 array lies in [low, high], which excludes NaN; one pass in this thread."""
    outside = np.int32(0)
    for i in range(flat.shape[0]):
        outside |= np.int32(0 if low <= flat[i] <= high else 1)
    inside: bool = outside == 0
    return inside


def _make_spread(factor: int) -> Any:
    """A kernel that interpolates ``n`` gaps between neighbours at ``factor`` fixed places each.

    A constant factor lets the compiler write whole vectors, ten times as fast as fetching two neighbours per pixel.
    """

    @jit(fastmath=CONTRACT)
    def spread(source: np.ndarray, weight: np.ndarray, out: np.ndarray, n: int) -> None:
        for i in range(n):
            for k in range(factor):
                out[factor * i + k] = (ONE - weight[k]) * source[i] + weight[k] * source[i + 1]

    return spread


_spread1, _spread2, _spread4, _spread8 = _make_spread(1), _make_spread(2), _make_spread(4), _make_spread(8)


@jit(fastmath=CONTRACT)
def expand_row(
    logits: np.ndarray,
    y: int,
    start: int,
    stop: int,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    out: np.ndarray,
) -> None:
    """Resize row ``y`` of (q, h, w) logits horizontally, output columns start .. stop - 1.

    Args:
        logits: (q, h, w) float32, finite, C-contiguous.
        y: row of ``logits``.
        start, stop: output columns wanted.
        left, right, weight: ``taps(w, W)``.
        out: (>= q, >= stop - start) float32, C-contiguous; receives the columns from its left.
    """
    w, width, n = logits.shape[2], left.shape[0], stop - start
    factor = width // w
    first, gaps = 0, 0
    known = factor == 1 or factor == 2 or factor == 4 or factor == 8
    if known and factor * w == width and _is_even(left, weight, factor):
        first = (factor // 2 - start) % factor  # before it: the rest of a gap, or the image's margin
        if first < n:
            gaps = min((n - first) // factor, w - 1 - left[start + first])
    for c in range(logits.shape[0]):
        source, target = logits[c, y], out[c]
        end = 0
        if gaps > 0:
            near, at, into = source[left[start + first] :], weight[start + first :], target[first:]
            if factor == 4:
                _spread4(near, at, into, gaps)
            elif factor == 8:
                _spread8(near, at, into, gaps)
            elif factor == 2:
                _spread2(near, at, into, gaps)
            else:
                _spread1(near, at, into, gaps)
            for x in range(first):
                target[x] = _mix(source, left[start + x], right[start + x], weight[start + x])
            end = first + gaps * factor
        for x in range(end, n):
            target[x] = _mix(source, left[start + x], right[start + x], weight[start + x])


@jit
def _is_even(left: np.ndarray, weight: np.ndarray, factor: int) -> bool:
    """Whether taps are those of stretching by a whole factor, and not of another placement of the same size.

    Positions grow evenly between two limits, so that these five tell it.
    """
    width = left.shape[0]
    for i in (0, min(1, width - 1), width // 2, max(0, width - 2), width - 1):
        position = max((np.float32(i) + HALF) / np.float32(factor) - HALF, np.float32(0.0))
        if np.float32(left[i]) + weight[i] != position:
            return False
    return True


@jit(fastmath=CONTRACT, inline="always")
def _mix(source: np.ndarray, left: int, right: int, weight: np.float32) -> np.float32:
    mixed: np.float32 = (ONE - weight) * source[np.uint32(left)] + weight * source[np.uint32(right)]
    return mixed


@jit
def hold_rows(
    logits: np.ndarray,
    top: int,
    bottom: int,
    start: int,
    stop: int,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    rows: np.ndarray,
    held: np.ndarray,
) -> None:
    """Have rows ``top`` and ``bottom`` of the logits, resized horizontally, in ``rows[row & 1]``.

    The two are equal or neighbours, so that one is even and one odd. What ``held`` says is there is not done again.
    """
    for y in (top, bottom):
        if held[y & 1] != y:
            expand_row(logits, y, start, stop, left, right, weight, rows[y & 1])
            held[y & 1] = y


@jit(fastmath=CONTRACT)
def softmax_row(
    logits: np.ndarray,
    top: int,
    bottom: int,
    mix: np.float32,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    rows: np.ndarray,
    held: np.ndarray,
    row_logits: np.ndarray,
    row_probs: np.ndarray,
) -> None:
    """Upsampled logits and softmax of one output row, straight from low-resolution logits.

    Call it for consecutive rows with the same ``rows`` and ``held``: each low-resolution row is then resized
    horizontally only once.

    Args:
        logits: (q, h, w) float32, finite, C-contiguous, as from ``logits.prepare(maps).array()``.
        top, bottom, mix: entries of ``taps(h, H)`` for this output row.
        left, right, weight: ``taps(w, W)``.
        rows: (2, q, W) float32 scratch, contents kept between calls.
        held: (2,) int64 scratch, set to -1 before the first call: which row of ``logits`` each half of ``rows`` holds.
        row_logits: (q, W) float32, receives the upsampled logits.
        row_probs: (q, W) float32, receives the softmax over classes.
    """
    hold_rows(logits, top, bottom, 0, left.shape[0], left, right, weight, rows, held)
    upper = rows[top & 1]
    lower = rows[bottom & 1]
    rest = ONE - mix
    width = row_logits.shape[1]
    peak = np.full(width, -np.inf, np.float32)
    total = np.zeros(width, np.float32)
    for c in range(logits.shape[0]):
        line = row_logits[c]
        for x in range(width):
            line[x] = rest * upper[c, x] + mix * lower[c, x]
        for x in range(width):
            peak[x] = max(peak[x], line[x])
    for c in range(logits.shape[0]):
        line = row_logits[c]
        probs = row_probs[c]
        for x in range(width):
            e = exp_negative(line[x] - peak[x])
            probs[x] = e
            total[x] += e
    for x in range(width):
        total[x] = ONE / total[x]
    for c in range(logits.shape[0]):
        probs = row_probs[c]
        for x in range(width):
            probs[x] *= total[x]
