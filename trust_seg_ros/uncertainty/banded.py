"""Per-pixel maps with torch alone, a band of rows at a time: for logits on a GPU, where they stay.

Every step is enqueued on the device without waiting for it; only the check for non-finite logits waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from trust_seg_ros.types import UNLABELLED, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.kernels import grid_taps
from trust_seg_ros.uncertainty.logits import UNCLAIMED, Prepared, blend, prepare, prepare_sums
from trust_seg_ros.uncertainty.reference import overwrite_faulty

BAND_VALUES = 1 << 21
"""Upsampled logits in memory at a time: 8 MB, and three such buffers while a band is worked on."""


def banded_maps(maps: LogitMaps) -> UncertaintyMaps:
    """Entropy, margin, variation ratio and class of every pixel; the same as ``reference_maps`` in bounded memory.

    Args:
        maps: logits (q, h, w), any floating type, any device.

    Returns:
        Maps (H, W) on the same device.

    Raises:
        LogitsError: the logits cannot be used.
    """
    prepared = prepare_sums(maps) if maps.linear else prepare(maps)
    device, q = prepared.values.device, prepared.values.shape[0]
    classes = torch.empty(prepared.size, dtype=torch.uint8, device=device)
    entropy, margin, variation = (torch.empty(prepared.size, device=device) for _ in range(3))
    for rows, logits in bands(prepared):
        index, total, moment, second = (_of_sums if maps.linear else _of_logits)(logits)
        share = total.reciprocal()
        classes[rows] = index.to(torch.uint8)
        entropy[rows] = ((total.log_() - moment * share) / math.log(q)).clamp_(0.0, 1.0)
        variation[rows] = (1.0 - share).clamp_(0.0, 1.0 - 1.0 / q)
        margin[rows] = (1.0 - share + second * share).clamp_(0.0, 1.0)
    return overwrite_faulty(UncertaintyMaps(classes, entropy, margin, variation), prepared)


_Parts = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Of the probabilities e, in units of the largest: its class, their sum, the sum of e log e, the second largest."""


def _of_logits(logits: torch.Tensor) -> _Parts:
    """From logits (q, rows, W), which are overwritten."""
    top, index = logits.topk(2, dim=0).values, logits.argmax(0)
    d = logits.sub_(top[0])
    e = d.exp()
    total = e.sum(0)
    moment = e.mul_(d.clamp_min_(-87.0)).sum(0)  # the clamp: 0 * -inf for differences beyond float32
    return index, total, moment, (top[1] - top[0]).exp_()


def _of_sums(sums: torch.Tensor) -> _Parts:
    """From class sums (q, rows, W), which are overwritten."""
    top, index = sums.topk(2, dim=0).values, sums.argmax(0)
    claimed = top[0] > UNCLAIMED
    e = sums.div_(top[0]).masked_fill_(~claimed, 1.0)
    moment = torch.special.xlogy(e, e).sum(0)
    return index.masked_fill_(~claimed, UNLABELLED), e.sum(0), moment, (top[1] / top[0]).masked_fill_(~claimed, 1.0)


def bands(prepared: Prepared) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows of the output grid and their upsampled logits (q, rows, W), a fresh buffer each time, from the top down."""
    values, device = prepared.values, prepared.values.device
    q, h, w = values.shape
    height, width = prepared.size
    down, along = grid_taps((h, w), prepared.size, prepared.placement)
    top, bottom, mix = (torch.from_numpy(part).to(device) for part in down)
    left, right, weight = (torch.from_numpy(part).to(device) for part in along)
    step = max(1, BAND_VALUES // (q * width))
    firsts, lasts = down[:2]
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        base = int(firsts[rows][0])
        source = values[:, base : int(lasts[rows][-1]) + 1]
        wide = blend(source, 2, left, right, weight)
        yield rows, blend(wide, 1, top[rows] - base, bottom[rows] - base, mix[rows, None])
