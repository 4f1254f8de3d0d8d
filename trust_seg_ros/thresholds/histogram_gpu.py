"""Per-image thresholds of float32 maps on a GPU, equal to ``policy_fast``: only histograms or moments leave the device.

Each returns a float and so waits for the device: smoothing over time is the host's. A pass reads 10 MB at 2 megapixels,
scores and classes. A quantile takes four passes and two waits: 8 bits at a time, as blocks count 256 bins by votes of
warps, which equal values do not slow down. Otsu takes two passes and one wait, as do mean and deviation. Counts are
integers, and moments of blocks are joined in their order on the host: the same bits every run.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl

from trust_seg_ros.thresholds.policy_fast import best_split, from_key, joined_moments
from trust_seg_ros.thresholds.policy_kernels import find_rank
from trust_seg_ros.thresholds.policy_reference import OTSU_BINS, bin_scale, edge, just_above, rank
from trust_seg_ros.types import UNLABELLED

_UNLABELLED = tl.constexpr(UNLABELLED)
_EXPONENT, _MAGNITUDE, _LEAST = tl.constexpr(0x7F800000), tl.constexpr(0x7FFFFFFF), tl.constexpr(-(2**31))
_BINS, _LEVELS, _BLOCK = 256, 4, 4096


def quantile_gpu(score: torch.Tensor, q: float, classes: torch.Tensor | None = None) -> float:
    """As ``policy_fast.quantile_threshold``, bit by bit.

    Args:
        score: any shape, float32, fewer than 2^31 values, on a GPU; on a CPU only with Triton's interpreter.
        q: in (0, 1].
        classes: like ``score``, uint8; pixels without a class do not count.
    """
    passed, grid = _passed(score, classes)
    counts = torch.zeros((_LEVELS, _BINS), dtype=torch.int32, device=score.device)
    wanted = 0
    for level in range(_LEVELS):
        with torch.cuda.device_of(score):
            _digits_kernel[grid](*passed, wanted, counts, LEVEL=level, BINS=_BINS, BLOCK=_BLOCK)
        if level == 0:
            n = int(counts[0].sum())
            if n == 0:
                return math.inf
            wanted = rank(q, n)
    key = 0
    for digits in counts.cpu().numpy().astype(np.int64):
        digit, wanted = find_rank(digits, 0, _BINS - 1, wanted)
        key = key << 8 | digit
    return just_above(from_key(key - (1 << 31)))


def otsu_gpu(score: torch.Tensor, classes: torch.Tensor | None = None) -> float:
    """As ``policy_fast.otsu_threshold``, bit by bit; arguments as of :func:`quantile_gpu`."""
    passed, grid = _passed(score, classes)
    found = torch.zeros(2 + 2 * OTSU_BINS, dtype=torch.int32, device=score.device)
    found[:2] = _LEAST.value
    with torch.cuda.device_of(score):
        _range_kernel[grid](*passed, found, BLOCK=_BLOCK)
        _edges_kernel[(1,)](found, BINS=OTSU_BINS)
        _bins_kernel[grid](*passed, found, BINS=OTSU_BINS, BLOCK=_BLOCK)
    values = found.cpu().numpy()
    limits = _limits(values)
    if limits is None:
        return math.inf
    low, high = (float(value) for value in limits)
    if bin_scale(low, high) == 0.0:
        return just_above(limits[1])
    return edge(low, high, best_split(values[-OTSU_BINS:]), np.dtype(np.float32))


def mean_std_gpu(score: torch.Tensor, k: float, classes: torch.Tensor | None = None) -> float:
    """As ``policy_fast.mean_std_threshold`` but for the rounding of float32 sums within blocks: the same every run.

    Args:
        score, classes: as of :func:`quantile_gpu`.
        k: finite.
    """
    passed, grid = _passed(score, classes)
    found = torch.empty(2 + 4 * grid[0], dtype=torch.int32, device=score.device)
    found[:2] = _LEAST.value
    with torch.cuda.device_of(score):
        _range_kernel[grid](*passed, found, BLOCK=_BLOCK)
        _moments_kernel[grid](*passed, found, BLOCK=_BLOCK)
    values = found.cpu().numpy()
    limits = _limits(values)
    if limits is None:
        return math.inf
    if limits[0] == limits[1]:
        return just_above(limits[1])
    exponent = int(np.maximum(-limits[0], limits[1]).view(np.int32) >> 23)
    unit = 2.0 ** (min(max(exponent, 1), 253) - 127)
    count, mean, rest, squares = values[2:].view(np.float32).reshape(-1, 4).T.astype(np.float64)
    some = np.maximum(count, 1.0)
    return joined_moments(count, (mean + rest / some) * unit, (squares - rest**2 / some) * unit**2, k)


def _passed(score: torch.Tensor, classes: torch.Tensor | None) -> tuple[tuple[object, ...], tuple[int]]:
    """First arguments of the kernels, and how many programs there are."""
    flat = score.detach().contiguous().reshape(-1)
    ids = None if classes is None else classes.contiguous().reshape(-1)
    return (flat.view(torch.int32), ids, flat.numel()), (triton.cdiv(flat.numel(), _BLOCK),)


def _limits(values: np.ndarray) -> tuple[np.float32, np.float32] | None:
    """Smallest and largest score from what ``_range_kernel`` found; None without any."""
    low, high = ~int(values[0]), int(values[1])
    return (from_key(low), from_key(high)) if low <= high else None


@triton.jit
def _load(bits_ptr, classes_ptr, n, BLOCK: tl.constexpr):
    """Bits of a block of scores, and which of them count."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    bits = tl.load(bits_ptr + i, mask=i < n, other=_EXPONENT)
    there = (bits & _EXPONENT) != _EXPONENT
    if classes_ptr is not None:  # all of them, so that whole vectors are read
        there &= tl.load(classes_ptr + i, mask=i < n, other=_UNLABELLED) != _UNLABELLED
    return bits, there


@triton.jit
def _key(bits):
    """A number that orders as the float32 of these bits does; of the number, the bits."""
    return bits ^ ((bits >> 31) & _MAGNITUDE)


@triton.jit
def _count(counts_ptr, bins, there, BINS: tl.constexpr):
    found, at = tl.histogram(bins, BINS, mask=there), tl.arange(0, BINS)
    tl.atomic_add(counts_ptr + at, found, mask=found > 0, sem="relaxed")


@triton.jit(do_not_specialize=["wanted"])
def _digits_kernel(
    bits_ptr, classes_ptr, n, wanted, counts_ptr,
    LEVEL: tl.constexpr, BINS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Count the digit ``LEVEL`` of the keys that share the higher digits of the key of rank ``wanted``."""
    bits, there = _load(bits_ptr, classes_ptr, n, BLOCK)
    key = _key(bits)
    at = tl.arange(0, BINS)
    if LEVEL > 0:
        prefix = -1  # of the signed key: its first digit is less by 128
        for level in tl.static_range(LEVEL):
            counts = tl.load(counts_ptr + level * BINS + at)
            below = tl.cumsum(counts, 0) < wanted
            wanted -= tl.sum(tl.where(below, counts, 0), 0)
            prefix = prefix * BINS + tl.sum(below.to(tl.int32), 0) + (128 if level == 0 else 0)
        there &= (key >> (32 - 8 * LEVEL)) == prefix
    digit = (key >> (24 - 8 * LEVEL)) & (BINS - 1)
    _count(counts_ptr + LEVEL * BINS, digit ^ 128 if LEVEL == 0 else digit, there, BINS)


@triton.jit
def _range_kernel(bits_ptr, classes_ptr, n, range_ptr, BLOCK: tl.constexpr):
    """Largest of ~key, which is the smallest key, and largest key."""
    bits, there = _load(bits_ptr, classes_ptr, n, BLOCK)
    tl.atomic_max(range_ptr, tl.max(tl.where(there, ~_key(bits), _LEAST), 0), sem="relaxed")
    tl.atomic_max(range_ptr + 1, tl.max(tl.where(there, _key(bits), _LEAST), 0), sem="relaxed")


@triton.jit
def _edges_kernel(found_ptr, BINS: tl.constexpr):
    """Smallest key of each bin but the first, by bisection with float64 bins as NumPy's: none are needed per pixel."""
    at = tl.arange(0, BINS)
    below = tl.zeros((BINS,), tl.int32) + ~tl.load(found_ptr)
    above = tl.zeros((BINS,), tl.int32) + tl.load(found_ptr + 1)
    low, high = _double(below), _double(above)
    scale = BINS / (high - low)
    for _ in range(32):
        middle = (below & above) + ((below ^ above) >> 1)  # of int32 without overflow
        enough = (_double(middle) - low) * scale >= at
        below, above = tl.where(enough, below, middle), tl.where(enough, middle, above)
    tl.store(found_ptr + 2 + at, above)


@triton.jit
def _double(key):
    return _key(key).to(tl.float32, bitcast=True).to(tl.float64)


@triton.jit
def _bins_kernel(bits_ptr, classes_ptr, n, found_ptr, BINS: tl.constexpr, BLOCK: tl.constexpr):
    """Count Otsu's bins; the bin of a key is found among their edges."""
    bits, there = _load(bits_ptr, classes_ptr, n, BLOCK)
    key, bins = _key(bits), tl.zeros((BLOCK,), tl.int32)
    for i in tl.static_range(1, 9):
        middle = bins + (BINS >> i)
        bins = tl.where(key >= tl.load(found_ptr + 2 + middle), middle, bins)
    _count(found_ptr + 2 + BINS, bins, there, BINS)


@triton.jit
def _moments_kernel(bits_ptr, classes_ptr, n, found_ptr, BLOCK: tl.constexpr):
    """Number, mean, what the mean leaves, and squared deviations of a block, in units near the largest score."""
    bits, there = _load(bits_ptr, classes_ptr, n, BLOCK)
    low, high = _key(~tl.load(found_ptr)) & _MAGNITUDE, _key(tl.load(found_ptr + 1)) & _MAGNITUDE
    exponent = tl.minimum(tl.maximum(tl.maximum(low, high) >> 23, 1), 253)
    value = bits.to(tl.float32, bitcast=True) * ((254 - exponent) << 23).to(tl.float32, bitcast=True)
    count = tl.sum(there.to(tl.int32), 0)
    mean = tl.sum(tl.where(there, value, 0.0), 0) / tl.maximum(count, 1)
    away = tl.where(there, value - mean, 0.0)
    out = found_ptr + 2 + 4 * tl.program_id(0)
    tl.store(out, count.to(tl.float32).to(tl.int32, bitcast=True))
    tl.store(out + 1, mean.to(tl.int32, bitcast=True))
    tl.store(out + 2, tl.sum(away, 0).to(tl.int32, bitcast=True))
    tl.store(out + 3, tl.sum(away * away, 0).to(tl.int32, bitcast=True))
