"""Per-pixel maps with torch alone, a band of rows at a time: for logits on a GPU, where they stay.

Every step is enqueued on the device without waiting for it; only the check for non-finite logits waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.kernels import taps
from trust_seg_ros.uncertainty.logits import Prepared, prepare
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
    prepared = prepare(maps)
    device, q = prepared.values.device, prepared.values.shape[0]
    classes = torch.empty(prepared.size, dtype=torch.uint8, device=device)
    entropy, margin, variation = (torch.empty(prepared.size, device=device) for _ in range(3))
    for rows, logits in bands(prepared):
        top = logits.topk(2, dim=0)
        classes[rows] = logits.argmax(0).to(torch.uint8)
        d = logits.sub_(top.values[0])
        e = d.exp()
        share = e.sum(0).reciprocal_()
        moment = e.mul_(d.clamp_min_(-87.0)).sum(0)  # the clamp: 0 * -inf for differences beyond float32
        entropy[rows] = ((-share.log() - moment * share) / math.log(q)).clamp_(0.0, 1.0)
        variation[rows] = (1.0 - share).clamp_(0.0, 1.0 - 1.0 / q)
        margin[rows] = (1.0 - share + (top.values[1] - top.values[0]).exp_() * share).clamp_(0.0, 1.0)
    return overwrite_faulty(UncertaintyMaps(classes, entropy, margin, variation), prepared)


def bands(prepared: Prepared) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows of the output grid and their upsampled logits (q, rows, W), a fresh buffer each time, from the top down."""
    values, device = prepared.values, prepared.values.device
    q, h, w = values.shape
    height, width = prepared.size
    top, bottom, mix = (torch.from_numpy(part).to(device) for part in taps(h, height))
    left, right, weight = (torch.from_numpy(part).to(device) for part in taps(w, width))
    step = max(1, BAND_VALUES // (q * width))
    firsts, lasts = taps(h, height)[:2]
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        base = int(firsts[rows][0])
        source = values[:, base : int(lasts[rows][-1]) + 1]
        wide = _blend(source, 2, left, right, weight)
        yield rows, _blend(wide, 1, top[rows] - base, bottom[rows] - base, mix[rows, None])


def _blend(
    source: torch.Tensor, dim: int, first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """(1 - weight) * source[first] + weight * source[second] along one dimension."""
    out = source.index_select(dim, first).mul_(1.0 - weight)
    return out.addcmul_(source.index_select(dim, second), weight)
