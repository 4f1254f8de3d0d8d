"""Class, softmax scores and scores of raw logits on a GPU: one launch, straight from low-resolution logits.

A program makes a group of up to four output rows that lie between the same two rows of the logits: those two are read
and blended horizontally once per class, then mixed for each row. One pass over the classes keeps the largest logit m,
the second, Z = sum e^d and S = sum e^d d with d = l - m, rescaled where m grows.

Per pixel 17 bytes are written, 4 more for each score of raw logits, and the logits are read once from memory, that is
q h w / (H W) of them. Per pixel and class there are one exponential, 4 / R loads and, on sm_90, about 40 / R + 17
instructions, where R is the number of rows of a group: the instructions are the limit, not the memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl

from trust_seg_ros.types import UNLABELLED, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.logits import LARGEST
from trust_seg_ros.uncertainty.sampling_gpu import (
    along_row,
    check_for_kernels,
    clean,
    device_taps,
    lerp,
    load_taps,
    lowest,
)

_UNLABELLED = tl.constexpr(UNLABELLED)
_BELOW_ALL = tl.constexpr(-1.5 * LARGEST)  # so that also the largest difference times 1 / ln 2 is a finite float32
_PER_LN2 = tl.constexpr(-1.0 / math.log(2.0))
BLOCK = 128
"""Columns of a program: one for each thread, so that threads exchange nothing while they go over the classes."""


@dataclass(frozen=True, eq=False)
class DeviceMaps:
    """Per-pixel maps (H, W) of one frame, all on one device; what makes them has been enqueued, not waited for.

    Attributes:
        classes: uint8 predicted class; ``UNLABELLED`` at faulty pixels.
        entropy, margin, variation_ratio: float32 as in ``UncertaintyMaps``, the largest value at faulty pixels.
        log_sum: float32 log sum_c exp(l_c) of the upsampled logits, so that p_c = exp(l_c - log_sum); anything finite
            at faulty pixels. As accurate as float32 holds it: p is off by up to 6e-8 |log_sum|, relatively.
        faulty: (1,) int32, number of faulty pixels.
        max_logit: float32 -max_c l_c, +inf at faulty pixels; None = not asked for.
        energy: float32 -log_sum, +inf at faulty pixels; None = not asked for.
    """

    classes: torch.Tensor
    entropy: torch.Tensor
    margin: torch.Tensor
    variation_ratio: torch.Tensor
    log_sum: torch.Tensor
    faulty: torch.Tensor
    max_logit: torch.Tensor | None = None
    energy: torch.Tensor | None = None

    def maps(self) -> UncertaintyMaps:
        """The same maps with the number of faulty pixels, which is waited for."""
        return UncertaintyMaps(self.classes, self.entropy, self.margin, self.variation_ratio, int(self.faulty.item()))


def device_maps(maps: LogitMaps, *, max_logit: bool = False, energy: bool = False, block: int = BLOCK) -> DeviceMaps:
    """The same maps as ``reference_maps``, within 1e-5, in one launch; nothing is waited for.

    Logits of any floating type and any strides are read where they lie, with 64-bit offsets, and taken as float32.

    Args:
        maps: logits (q, h, w), q = 2 .. 254; on a CPU only with Triton's interpreter.
        max_logit: make the map of that name, too.
        energy: make the map of that name, too, of temperature 1.
        block: columns of a program, a power of two; for Triton's interpreter, which is faster with few wide ones.

    Raises:
        LogitsError: wrong shape, data type or number of classes; class sums; more than 2^31 - 1 pixels.
    """
    check_for_kernels(maps)
    device = maps.logits.device
    entropy, margin, variation, log_sum = (torch.empty(maps.size, device=device) for _ in range(4))
    out = DeviceMaps(
        classes=torch.empty(maps.size, dtype=torch.uint8, device=device),
        entropy=entropy,
        margin=margin,
        variation_ratio=variation,
        log_sum=log_sum,
        faulty=torch.zeros(1, dtype=torch.int32, device=device),
        max_logit=torch.empty(maps.size, device=device) if max_logit else None,
        energy=torch.empty(maps.size, device=device) if energy else None,
    )
    _launch(maps, tuple(vars(out).values()), block)
    return out


def device_score(maps: LogitMaps, *, energy: bool, temperature: float = 1.0) -> torch.Tensor:
    """-max_c l_c or, with ``energy``, -T log sum_c exp(l_c / T) of the upsampled logits, alone.

    Args:
        maps: raw logits (q, h, w), as for :func:`device_maps`.
        energy: which of the two.
        temperature: T > 0.

    Returns:
        (H, W) float32, +inf at faulty pixels.

    Raises:
        LogitsError: as :func:`device_maps`.
    """
    check_for_kernels(maps)
    out = torch.empty(maps.size, device=maps.logits.device)
    _launch(maps, (*(None,) * 6, None if energy else out, out if energy else None), BLOCK, temperature)
    return out


def _launch(maps: LogitMaps, outputs: tuple[torch.Tensor | None, ...], block: int, temperature: float = 1.0) -> None:
    """Fill the outputs, in the order of the fields of ``DeviceMaps``; without classes, only scores of raw logits."""
    logits = maps.logits.detach()
    q, h, w = logits.shape
    height, width = maps.size
    at = device_taps((h, w), (height, width), maps.placement, logits.device)
    programs = (len(at.groups) - 1) * triton.cdiv(width, block)
    taps = (at.top, at.bottom, at.mix, at.left, at.right, at.weight, at.groups)
    numbers = (1.0 / math.log(q), 1.0 - 1.0 / q, min(1.0 / temperature, LARGEST), -min(temperature, LARGEST))
    with torch.cuda.device_of(logits):
        _maps_kernel[(programs,)](
            logits, *logits.stride(), q, width, *taps, *outputs, *numbers,
            LOW=lowest(maps.raw), RAW=maps.raw, ROWS=at.group_rows, BLOCK=block, num_warps=4,
        )  # fmt: skip


@triton.jit
def _maps_kernel(
    logits_ptr, stride_c, stride_y, stride_x, q, width,
    top_ptr, bottom_ptr, mix_ptr, left_ptr, right_ptr, weight_ptr, groups_ptr,
    classes_ptr, entropy_ptr, margin_ptr, variation_ptr, log_sum_ptr, faulty_ptr, max_logit_ptr, energy_ptr,
    per_log_q, most, per_temperature, minus_temperature,
    LOW: tl.constexpr, RAW: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(width, BLOCK)
    group = tl.program_id(0) // blocks
    columns = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    there = columns < width
    left, right, weight = load_taps(left_ptr, right_ptr, weight_ptr, stride_x, columns, there)
    start, stop = tl.load(groups_ptr + group), tl.load(groups_ptr + group + 1)
    rows = start + tl.arange(0, ROWS)
    above, below, _ = load_taps(top_ptr, bottom_ptr, mix_ptr, stride_y, start, start < stop)
    mix = tl.load(mix_ptr + rows, mask=rows < stop, other=0.0)[:, None]

    best = tl.full((ROWS, BLOCK), _BELOW_ALL, tl.float32)
    second = best
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    moment = total
    index = tl.zeros((ROWS, BLOCK), tl.int32)
    bad_above = tl.zeros((BLOCK,), tl.int1)
    bad_below = bad_above
    nw = bad_above  # whether any class is possible at each of the four neighbours: for log-probabilities only
    ne, sw, se = nw, nw, nw
    class_ptr = logits_ptr
    for c in range(q):
        upper, upper_left, upper_right = along_row(class_ptr + above, left, right, weight, there, LOW)
        lower, lower_left, lower_right = along_row(class_ptr + below, left, right, weight, there, LOW)
        class_ptr += stride_c
        bad_above |= _is_fault(upper_left, RAW) | _is_fault(upper_right, RAW)
        bad_below |= _is_fault(lower_left, RAW) | _is_fault(lower_right, RAW)
        if not RAW:
            nw, ne = nw | (upper_left > -float("inf")), ne | (upper_right > -float("inf"))
            sw, se = sw | (lower_left > -float("inf")), se | (lower_right > -float("inf"))
        x = lerp(upper[None, :], lower[None, :], mix)
        if classes_ptr is None:
            x = clean(x * per_temperature, LOW)
        d = x - best
        grows = d > 0.0  # strictly, so that the lowest of equal classes stays
        depth = tl.abs(d)
        ratio = tl.exp2(depth * _PER_LN2)
        kept = tl.where(grows, ratio, 1.0)  # what all terms so far are multiplied by
        moment = moment * kept - depth * ratio * tl.where(grows, total, 1.0)
        total = total * kept + tl.where(grows, 1.0, ratio)
        second = tl.maximum(second, tl.minimum(x, best))
        best = tl.maximum(best, x)
        index = tl.where(grows, c, index)

    if not RAW:
        bad_above |= ~(nw & ne)
        bad_below |= ~(sw & se)
    bad = bad_above[None, :] | (bad_below[None, :] & (mix > 0.0))
    inside = (rows < stop)[:, None] & there[None, :]
    at = rows[:, None] * width + columns[None, :]
    log_total = tl.log(total)
    log_sum = best + log_total
    if classes_ptr is not None:
        share = 1.0 / total
        entropy = tl.clamp((log_total - moment * share) * per_log_q, 0.0, 1.0)
        variation = tl.clamp(1.0 - share, 0.0, most)
        margin = tl.clamp(1.0 - share + tl.exp(second - best) * share, 0.0, 1.0)
        tl.store(classes_ptr + at, tl.where(bad, _UNLABELLED, index).to(tl.uint8), mask=inside)
        tl.store(entropy_ptr + at, tl.where(bad, 1.0, entropy), mask=inside)
        tl.store(margin_ptr + at, tl.where(bad, 1.0, margin), mask=inside)
        tl.store(variation_ptr + at, tl.where(bad, most, variation), mask=inside)
        tl.store(log_sum_ptr + at, log_sum, mask=inside)
        count = tl.sum(tl.sum((bad & inside).to(tl.int32), 1), 0)
        tl.atomic_add(faulty_ptr, count, mask=count > 0, sem="relaxed")
    if max_logit_ptr is not None:
        tl.store(max_logit_ptr + at, tl.where(bad, float("inf"), -best), mask=inside)
    if energy_ptr is not None:
        tl.store(energy_ptr + at, tl.where(bad, float("inf"), minus_temperature * log_sum), mask=inside)


@triton.jit
def _is_fault(x, RAW: tl.constexpr):
    """Whether a float32 logit as read is a fault: NaN or infinite, but for log-probabilities of minus infinity."""
    return ~((tl.abs(x) if RAW else x) < float("inf"))
