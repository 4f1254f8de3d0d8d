"""Building blocks of the numba kernels: bilinear taps, a fast exponential, one row of softmax.

All work on float32 logits that are finite (see ``logits.prepare``), class by class over contiguous pixels, so that the
compiler turns every inner loop into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from trust_seg_ros.jit import jit

_CONTRACT = {"contract"}
"""Only the fusing of multiply and add; nothing that would reorder sums or assume the absence of NaN."""

_LOG2E = np.float32(1.4426950408889634)
_ROUND = np.float32(12582912.0)  # 1.5 * 2**23: adding it rounds to an integer kept in the low bits
_EXP_MIN = np.float32(-87.0)  # exp(-87) is the smallest power needed that is still a normal float32
# 2**f for f in [-0.5, 0.5]: degree 5, minimax of the relative error (9e-8)
_P1 = np.float32(0.6931469775637391)
_P2 = np.float32(0.24022242071434094)
_P3 = np.float32(0.05550733769136148)
_P4 = np.float32(0.009671513273494364)
_P5 = np.float32(0.001326472301966976)
_ONE = np.float32(1.0)


def taps(in_size: int, out_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source positions of a bilinear resize along one axis, ``align_corners=False``, as torch computes them.

    Position (in float32): ``(i + 0.5) * in_size / out_size - 0.5``, at least 0.

    Args:
        in_size: samples there are, >= 1.
        out_size: samples wanted, >= 1.

    Returns:
        (out_size,) int32 first sample, (out_size,) int32 second sample, (out_size,) float32 weight of the second
        in [0, 1]; the first has the rest.
    """
    scale = np.float64(np.float32(in_size) / np.float32(out_size))
    position = ((np.arange(out_size) + 0.5) * scale - 0.5).astype(np.float32)  # one rounding: fused multiply-add
    position = np.maximum(position, np.float32(0.0))
    first = np.minimum(position.astype(np.int32), in_size - 1).astype(np.int32)
    second = np.minimum(first + 1, in_size - 1).astype(np.int32)
    weight = np.clip(position - first.astype(np.float32), np.float32(0.0), np.float32(1.0))
    return first, second, weight.astype(np.float32)


@intrinsic
def float_bits(typingctx: Any, value: Any) -> Any:
    """Bit pattern of a float32 as int32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), codegen


@intrinsic
def bits_float(typingctx: Any, value: Any) -> Any:
    """The float32 with the bit pattern of an int32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@jit(fastmath=_CONTRACT, inline="always")
def exp_negative(x: np.float32) -> np.float32:
    """exp(x) for float32 x <= 0 without a branch; relative error 6e-7 down to -10, 4e-6 to -87, constant below."""
    d = max(x, _EXP_MIN)
    shifted = d * _LOG2E + _ROUND
    f = d * _LOG2E - (shifted - _ROUND)
    p = ((((_P5 * f + _P4) * f + _P3) * f + _P2) * f + _P1) * f + _ONE
    return bits_float(np.int32(float_bits(p) + np.int32(float_bits(shifted) << np.int32(23))))


@jit(fastmath=_CONTRACT)
def expand_row(
    logits: np.ndarray, y: int, left: np.ndarray, right: np.ndarray, weight: np.ndarray, out: np.ndarray
) -> None:
    """Resize row ``y`` of (q, h, w) logits horizontally into ``out`` (q, W), with the taps of ``taps(w, W)``."""
    for c in range(logits.shape[0]):
        source = logits[c, y]
        target = out[c]
        for x in range(target.shape[0]):
            target[x] = (_ONE - weight[x]) * source[left[x]] + weight[x] * source[right[x]]


@jit(fastmath=_CONTRACT)
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
    for y in (top, bottom):
        if held[y & 1] != y:  # neighbours differ by one: even rows live in half 0, odd rows in half 1
            expand_row(logits, y, left, right, weight, rows[y & 1])
            held[y & 1] = y
    upper = rows[top & 1]
    lower = rows[bottom & 1]
    rest = _ONE - mix
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
        total[x] = _ONE / total[x]
    for c in range(logits.shape[0]):
        probs = row_probs[c]
        for x in range(width):
            probs[x] *= total[x]
