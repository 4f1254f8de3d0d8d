"""Per-pixel maps straight from a softmax at full resolution, for callers that have no logits."""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.segments.bands import band_limits, map_bands
from trust_seg_ros.segments.errors import MapShapeError
from trust_seg_ros.segments.planes import to_host
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import UNLABELLED, UncertaintyMaps
from trust_seg_ros.uncertainty.kernels import bits_float, float_bits

_TOLERANCE = 0.05  # a bfloat16 softmax of many classes is off by up to this much
_TINY = np.float32(1.2e-38)
_ONE, _HALF = np.float32(1.0), np.float32(0.5)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)


def softmax_array(prob: np.ndarray | torch.Tensor) -> np.ndarray:
    """A softmax map on the host, (q, H, W) float32, C-contiguous.

    Raises:
        MapShapeError: not (q, H, W) floating point with 2 to 254 classes and at least one pixel.
    """
    array = to_host(prob)
    if array.ndim != 3 or array.size == 0 or not 2 <= len(array) <= 254 or array.dtype.kind != "f":
        raise MapShapeError(
            f"softmax is {array.dtype} {array.shape}; expected floating point (q, H, W) with 2 to 254 classes"
        )
    return np.require(array, np.float32, ["C", "W"])


def maps_from_softmax(prob: np.ndarray | torch.Tensor, *, threads: int | None = None) -> UncertaintyMaps:
    """Class, entropy, margin and variation ratio of every pixel (MetaSeg, equations 2 and 3).

    Args:
        prob: (q, H, W) class probabilities of any floating type, on any device.
        threads: None for all available processors.

    Returns:
        Maps on the host. A pixel with a non-finite probability has class 255 and the highest scores.

    Raises:
        MapShapeError: wrong shape or type, or finite values that are no probabilities (logits, for example).
    """
    array = softmax_array(prob)
    shape = array.shape[1:]
    classes = np.empty(shape, np.uint8)
    entropy, margin, ratio = (np.empty(shape, np.float32) for _ in range(3))

    def work(limits: tuple[int, int]) -> tuple[int, int]:
        return _reduce_rows(array, *limits, classes, entropy, margin, ratio)

    counts = np.array(map_bands(work, band_limits(shape[0]), threads))
    faulty, wrong = counts.sum(axis=0)
    if wrong:
        raise MapShapeError(
            f"{wrong} of {classes.size} pixels do not hold probabilities (negative, or their sum is not 1); "
            "if these are logits, use segment_table"
        )
    one, two, three, four = (torch.from_numpy(plane) for plane in (classes, entropy, margin, ratio))
    return UncertaintyMaps(one, two, three, four, int(faulty))


@jit(fastmath={"contract"}, inline="always")
def _log(x: np.float32) -> np.float32:
    """Natural logarithm of a positive normal float32 without a branch, relative error 1e-7 (after Cephes' logf)."""
    shifted = float_bits(x) - np.int32(0x3F3504F3)  # bits of sqrt(1/2)
    exponent = np.float32(shifted >> np.int32(23))
    f = bits_float(np.int32((shifted & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3))) - _ONE
    p = np.float32(7.0376836292e-2) * f + np.float32(-1.1514610310e-1)
    p = p * f + np.float32(1.1676998740e-1)
    p = p * f + np.float32(-1.2420140846e-1)
    p = p * f + np.float32(1.4249322787e-1)
    p = p * f + np.float32(-1.6668057665e-1)
    p = p * f + np.float32(2.0000714765e-1)
    p = p * f + np.float32(-2.4999993993e-1)
    p = p * f + np.float32(3.3333331174e-1)
    square = f * f
    log: np.float32 = f + (f * square * p + exponent * _LN2_LOW - _HALF * square) + exponent * _LN2_HIGH
    return log


@jit(fastmath={"contract"})
def _reduce_rows(
    prob: np.ndarray, y0: int, y1: int, classes: np.ndarray, entropy: np.ndarray, margin: np.ndarray, ratio: np.ndarray
) -> tuple[int, int]:
    """Fill rows y0..y1 of the maps. Returns the numbers of pixels that are not finite and that are no distribution."""
    q, _, width = prob.shape
    scale = np.float32(-1.0 / np.log(q))
    total, lowest = np.empty(width, np.float32), np.empty(width, np.float32)
    best, second = np.empty(width, np.float32), np.empty(width, np.float32)
    faulty, wrong = 0, 0
    for y in range(y0, y1):
        total[:], best[:], second[:], lowest[:] = 0.0, -1.0, -1.0, 0.0
        named, spread = classes[y], entropy[y]
        named[:], spread[:] = 0, 0.0
        for c in range(q):
            row = prob[c, y]
            for x in range(width):
                p = row[x]
                total[x] += p
                lowest[x] = min(lowest[x], p)
                spread[x] += p * _log(max(p, _TINY))
                second[x] = max(second[x], min(p, best[x]))
                named[x] = np.uint8(c) if p > best[x] else named[x]
                best[x] = max(best[x], p)
        for x in range(width):
            if not np.isfinite(total[x]):
                faulty += 1
                named[x], spread[x], margin[y, x], ratio[y, x] = UNLABELLED, _ONE, _ONE, _ONE - _ONE / np.float32(q)
            else:
                wrong += lowest[x] < -1e-6 or abs(total[x] - _ONE) > _TOLERANCE
                spread[x] = min(max(spread[x] * scale, np.float32(0.0)), _ONE)
                margin[y, x] = _ONE - best[x] + second[x]
                ratio[y, x] = _ONE - best[x]
    return faulty, wrong
