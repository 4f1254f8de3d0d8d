"""Gradient scores on a GPU: one pass over the features, one over the logits, one over the image; nothing waits between.

Three launches. At 2 megapixels with 256 half features and 19 float logits on a quarter of the rows and columns they
read 64 MB of features and 10 MB of logits and write 16 MB of scores; what lies between is 1 MB. Powers, sums and norms
are kept as float32 logarithms to base 2, of which the hardware takes powers, so that no p between 0.1 and 4 overflows.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.gradient_inputs import (
    FLOAT32_MAX,
    LABELS,
    LOG_LEAST,
    GradientMaps,
    GradientSettings,
    Label,
    checked_features,
)
from trust_seg_ros.uncertainty.sampling_gpu import check_for_kernels, clean, device_taps, lerp, load_taps, lowest

_NONE = tl.constexpr(-(2.0**127))  # below all logits
_DEEP = tl.constexpr(-1e4)  # below the logarithm of every power of a float32 but 0
_LOG2_E, _LN_2 = tl.constexpr(math.log2(math.e)), tl.constexpr(math.log(2.0))
_MOST, _LEAST_LOG = tl.constexpr(FLOAT32_MAX), tl.constexpr(LOG_LEAST)
_CHANNELS, _CLASSES, _PIXELS, _COLUMNS = 32, 32, 128, 512  # of a program at a time


def device_gradients(
    maps: LogitMaps, settings: GradientSettings, labels: tuple[Label, ...] = LABELS, *, threads: int | None = None
) -> GradientMaps:
    """As ``torch_gradients``, for tensors on a GPU and SMALLEST_P <= p <= LARGEST_P of ``gradient_fast``.

    Logits and features of any floating type and strides are read where they lie; two numbers are waited for at the end.
    On a CPU only with Triton's interpreter. Another ``LogitsError``: more than 2^31 - 1 pixels.
    """
    scores, counts = enqueue_gradients(maps, settings, labels)
    found = dict(zip(labels, scores, strict=True))
    faulty, beyond = counts.tolist()
    limited = settings.scale == "norm" and beyond > 0
    return GradientMaps(found.get("onehot"), found.get("uniform"), faulty, limited)


def enqueue_gradients(
    maps: LogitMaps, settings: GradientSettings, labels: tuple[Label, ...] = LABELS
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same without waiting: scores (labels, H, W); (2,) int32, faulty pixels and 1 where a norm exceeds float32."""
    features, classifier = checked_features(maps)
    check_for_kernels(maps)
    logits, device = maps.logits.detach(), maps.logits.device
    (q, h, w), (height, width) = logits.shape, maps.size
    scores = torch.empty((len(labels), height, width), device=device)
    norms = torch.empty((len(labels), h, w), device=device)
    sums, counts = torch.empty((h, w), device=device), torch.zeros(2, dtype=torch.int32, device=device)
    t = device_taps((h, w), (height, width), maps.placement, device)
    stride_d, stride_y, stride_x = features.stride()
    rows, columns = (1, h * w) if stride_y == w * stride_x else (h, w)  # one long row where the memory allows
    narrow, wide = (1024, 1024) if device.type == "cpu" else (_PIXELS, _COLUMNS)  # interpreted: few wide programs
    p, channels, side = float(settings.p), features.shape[0], int(classifier.weight.shape[-1])
    bias = _DEEP.value if classifier.bias is None else -math.log2(channels)  # its 1 beside the mean of the channels
    shift = math.log2(channels * side**2 * q) / p  # of means, whose logarithms lose fewer digits than sums'
    with torch.cuda.device_of(logits):
        _sums_kernel[(rows * triton.cdiv(columns, narrow),)](
            features, stride_d, stride_y, stride_x, channels, columns, p, sums,
            ROOT=p == 0.5, BLOCK_D=_CHANNELS, BLOCK=narrow, num_warps=8,
        )  # fmt: skip
        _norms_kernel[(h * triton.cdiv(w, narrow // 2),)](
            sums, logits, *logits.stride(), q, h, w, side, int(classifier.dilation), p, bias, 128.0 - shift,
            norms, counts, ONEHOT="onehot" in labels, UNIFORM="uniform" in labels,
            PUBLISHED=settings.variant == "published", LOW=lowest(maps.raw), RAW=maps.raw,
            BLOCK_C=min(_CLASSES, triton.next_power_of_2(q)), BLOCK=narrow // 2, num_warps=4,
        )  # fmt: skip
        _scores_kernel[(height * triton.cdiv(width, wide),)](
            norms, h * w, w, t.top, t.bottom, t.mix, t.left, t.right, t.weight, height, width, shift, scores, counts,
            MAPS=len(labels), NEGATIVE=len(labels) - 1 if "uniform" in labels and settings.sign("uniform") < 0 else -1,
            LOG=settings.scale == "log", BLOCK=wide, num_warps=4,
        )  # fmt: skip
    return scores, counts


@triton.jit
def _sums_kernel(
    features_ptr, stride_d, stride_y, stride_x, channels, width, p, sums_ptr,
    ROOT: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """log2 of the mean of |phi_d|^p, -inf where all are 0, not finite else where one is not.

    Sums are rescaled where the largest term grows, but for p = 1/2 (``ROOT``), whose terms are 2^-75 to 2^64.
    """
    blocks = tl.cdiv(width, BLOCK)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    x = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    at = features_ptr + row * stride_y + x[None, :].to(tl.int64) * stride_x
    peak, total = tl.full((BLOCK,), 0.0 if ROOT else _DEEP, tl.float32), tl.zeros((BLOCK,), tl.float32)
    for start in range(0, channels, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D)[:, None]
        there = (d < channels) & (x < width)[None, :]
        values = tl.load(at + d.to(tl.int64) * stride_d, mask=there, other=0.0).to(tl.float32)
        if ROOT:
            total += tl.sum(tl.sqrt(tl.abs(values)), 0)
        else:
            level = p * tl.log2(tl.abs(values))
            top = tl.maximum(peak, tl.max(level, 0))
            total = total * tl.exp2(peak - top) + tl.sum(tl.exp2(level - top[None, :]), 0)
            peak = top
    tl.store(sums_ptr + row * width + x, peak + tl.log2(total / channels), mask=x < width)


@triton.jit
def _norms_kernel(
    sums_ptr, logits_ptr, stride_c, stride_y, stride_x, q, height, width, side, dilation, p, bias, limit,
    norms_ptr, counts_ptr, ONEHOT: tl.constexpr, UNIFORM: tl.constexpr, PUBLISHED: tl.constexpr,
    LOW: tl.constexpr, RAW: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """log2 of the gradients' norms at the resolution of the features, NaN where logits or patch are not finite.

    Means over channels, taps and classes stand for sums: the norms are to be shifted.
    """
    blocks = tl.cdiv(width, BLOCK)
    y = tl.program_id(0) // blocks
    x = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    inside = x < width
    patch = _log_patch(sums_ptr, y, x, height, width, side, dilation, bias) / p
    at = logits_ptr + y.to(tl.int64) * stride_y + x[None, :].to(tl.int64) * stride_x

    best, second = tl.full((BLOCK,), _NONE, tl.float32), tl.full((BLOCK,), _NONE, tl.float32)
    bad, possible = tl.zeros((BLOCK,), tl.int32), tl.zeros((BLOCK,), tl.int32)
    for start in range(0, q, BLOCK_C):
        logits, raw = _logits(at, stride_c, start, q, inside, LOW, RAW, BLOCK_C)
        bad = tl.maximum(bad, tl.max((~((tl.abs(raw) if RAW else raw) < float("inf"))).to(tl.int32), 0))
        possible = tl.maximum(possible, tl.max((raw > -float("inf")).to(tl.int32), 0))
        top = tl.max(logits, 0)
        ties = tl.sum((logits == top[None, :]).to(tl.int32), 0)
        runner = tl.where(ties > 1, top, tl.max(tl.where(logits == top[None, :], _NONE, logits), 0))
        second = tl.maximum(tl.minimum(best, top), tl.maximum(second, runner))
        best = tl.maximum(best, top)
    patch = tl.where((bad > 0) | (possible == 0), float("nan"), patch)

    # with d = second - best and g = e^(l - second), the softmax is e^d g / Z but for the predicted class, where it is
    # 1 / Z = 1 - e^d S / Z: S and T, the sums of g and g^p over the others, lose no digits
    ones, powers = tl.full((BLOCK,), -1.0, tl.float32), tl.full((BLOCK,), -1.0, tl.float32)  # the predicted: g = 1
    for start in range(0, q, BLOCK_C):
        logits, _ = _logits(at, stride_c, start, q, inside, LOW, RAW, BLOCK_C)
        depth = tl.minimum(logits - second[None, :], 0.0) * _LOG2_E
        ones += tl.sum(tl.exp2(depth), 0)
        powers += tl.sum(tl.exp2(p * depth), 0)
    d = (second - best) * _LOG2_E
    total = 1.0 + tl.exp2(d) * ones
    log_total, log_ones, log_q = tl.log2(total), tl.log2(ones), tl.log2(q.to(tl.float32))
    if ONEHOT:
        if PUBLISHED:
            norm = d + tl.log2(powers / q) / p
        else:
            norm = d + log_ones + tl.log2((1.0 + powers * tl.exp2(-p * log_ones)) / q) / p
        _put(norms_ptr, counts_ptr, y, x, width, patch + (norm - log_total), limit)
    if UNIFORM:
        if PUBLISHED:
            norm = tl.log2((1.0 + tl.exp2(p * d) * powers) / q) / p - log_total + tl.log2((q - 1.0) / q)
        else:
            apart = tl.zeros((BLOCK,), tl.float32)
            for start in range(0, q, BLOCK_C):
                logits, _ = _logits(at, stride_c, start, q, inside, LOW, RAW, BLOCK_C)
                off = tl.abs(q * tl.exp2((logits - best[None, :]) * _LOG2_E) - total[None, :]) / total[None, :]
                apart += tl.sum(tl.exp2(p * tl.log2(tl.where(logits > _NONE, off, 0.0))), 0)
            norm = tl.log2(apart / q) / p - log_q
        _put(norms_ptr, counts_ptr, y + height if ONEHOT else y, x, width, patch + norm, limit)


@triton.jit
def _put(norms_ptr, counts_ptr, row, x, width, norm, limit):
    """Store a row of norms, and that one of them exceeds float32."""
    tl.store(norms_ptr + row.to(tl.int64) * width + x, norm, mask=x < width)
    beyond = tl.max(((x < width) & (norm > limit)).to(tl.int32), 0)
    tl.atomic_max(counts_ptr + 1, beyond, mask=beyond > 0, sem="relaxed")


@triton.jit
def _log_patch(sums_ptr, y, x, height, width, side, dilation, bias):
    """log2 of the mean of ||patch(phi)||_p^p over channels and taps, NaN where a value of it is not finite."""
    peak, total = tl.full(x.shape, 0.0, tl.float32) + bias, tl.full(x.shape, 1.0, tl.float32)
    for i in range(side):
        row = y + (i - side // 2) * dilation
        for j in range(side):
            column = x + (j - side // 2) * dilation
            there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            level = tl.load(sums_ptr + row.to(tl.int64) * width + column, mask=there, other=-float("inf"))
            top = tl.maximum(peak, level)
            total = total * tl.exp2(peak - top) + tl.exp2(level - top)
            peak = top
    return peak + tl.log2(total / (side * side))


@triton.jit
def _logits(at, stride_c, start, q, inside, LOW: tl.constexpr, RAW: tl.constexpr, BLOCK_C: tl.constexpr):
    """Logits of classes start .. start + BLOCK_C - 1, far below all where there is no such class; and as read."""
    c = start + tl.arange(0, BLOCK_C)[:, None]
    there = (c < q) & inside[None, :]
    raw = tl.load(at + c.to(tl.int64) * stride_c, mask=there, other=0.0 if RAW else -float("inf")).to(tl.float32)
    return tl.where(c < q, clean(raw, LOW), _NONE), raw


@triton.jit
def _scores_kernel(
    norms_ptr, plane, low_width,
    top_ptr, bottom_ptr, mix_ptr, left_ptr, right_ptr, weight_ptr, height, width, shift, scores_ptr, counts_ptr,
    MAPS: tl.constexpr, NEGATIVE: tl.constexpr, LOG: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Norms upsampled as norms, relative to the largest of the four, with sign, scale and limits."""
    blocks = tl.cdiv(width, BLOCK)
    y = tl.program_id(0) // blocks
    x = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    inside = x < width
    row = y + tl.arange(0, 1)  # a block of one: the interpreter does not broadcast comparisons of scalars
    above, below, mix = load_taps(top_ptr, bottom_ptr, mix_ptr, low_width, row, row < height)
    below = tl.where(mix == 0.0, above, below)  # as in the columns: what is read takes part
    above = tl.where(mix == 1.0, below, above)
    left, right, weight = load_taps(left_ptr, right_ptr, weight_ptr, 1, x, inside)
    for k in tl.static_range(MAPS):
        nw = tl.load(norms_ptr + above + left, mask=inside, other=0.0)
        ne = tl.load(norms_ptr + above + right, mask=inside, other=0.0)
        sw = tl.load(norms_ptr + below + left, mask=inside, other=0.0)
        se = tl.load(norms_ptr + below + right, mask=inside, other=0.0)
        together = nw + ne + sw + se
        bad = together != together
        nw, ne, sw, se = _known(nw), _known(ne), _known(sw), _known(se)
        peak = tl.maximum(tl.maximum(nw, ne), tl.maximum(sw, se))
        upper = lerp(tl.exp2(nw - peak), tl.exp2(ne - peak), weight)
        lower = lerp(tl.exp2(sw - peak), tl.exp2(se - peak), weight)
        level = peak + tl.log2(lerp(upper, lower, mix)) + shift
        score = tl.maximum(level * _LN_2, _LEAST_LOG) if LOG else tl.minimum(tl.exp2(level), _MOST)
        score = -score if k == NEGATIVE else score
        out = (y.to(tl.int64) + k * height) * width + x
        tl.store(scores_ptr + out, tl.where(bad, float("inf"), score), mask=inside)
        norms_ptr += plane
    count = tl.sum((bad & inside).to(tl.int32), 0)
    tl.atomic_add(counts_ptr, count, mask=count > 0, sem="relaxed")


@triton.jit
def _known(norm):
    """A norm's logarithm, finite: far below all for a norm of zero and for a fault."""
    return tl.where(norm > _NONE, norm, _NONE)
