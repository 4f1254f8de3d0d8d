"""Per-pixel maps straight from their definitions: the reference that faster versions must match."""

from __future__ import annotations

import math

import torch

from trust_seg_ros.types import UNLABELLED, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.logits import UNCLAIMED, Prepared, prepare, prepare_sums, to_shares, upsample


def reference_maps(maps: LogitMaps) -> UncertaintyMaps:
    """Entropy, margin, variation ratio and class of every pixel, all classes at full resolution in memory.

    E = -(1/log q) sum_y f log f and D = 1 - f(1) + f(2): Rottmann et al., MetaSeg, eq. 2 and 3; V = 1 - f(1): Freeman.
    Of classes with equal logits the lowest is predicted. Faulty pixels (see ``logits``) get class 255 and the largest
    value of every score. Class sums of a mask network: f = L / sum L, in float64 (Cheng et al., MaskFormer, 2021,
    section 3.3, divided by their sum); pixels that no query claims get class 255 and a uniform f.

    Args:
        maps: logits (q, h, w), any floating type, any device.

    Returns:
        Maps (H, W) on the same device.

    Raises:
        LogitsError: the logits cannot be used.
    """
    prepared = prepare_sums(maps) if maps.linear else prepare(maps)
    logits = upsample(prepared.values, prepared.size, prepared.placement)
    if maps.linear:
        logits = logits.double()
        f = to_shares(logits)
        log_f = f.log()
    else:
        log_f = logits.log_softmax(0)
        f = log_f.exp()
    q = logits.shape[0]
    entropy = -torch.where(f > 0, f * log_f, 0.0).sum(0) / math.log(q)
    first, second = f.topk(2, dim=0).values
    out = UncertaintyMaps(
        classes=logits.argmax(0).to(torch.uint8),
        entropy=entropy.clamp(0.0, 1.0).float(),
        margin=(1.0 - first + second).clamp(0.0, 1.0).float(),
        variation_ratio=(1.0 - first).clamp(0.0, 1.0 - 1.0 / q).float(),
    )
    if maps.linear:
        out.classes[logits.amax(0) <= UNCLAIMED] = UNLABELLED
    return overwrite_faulty(out, prepared)


def overwrite_faulty(out: UncertaintyMaps, prepared: Prepared) -> UncertaintyMaps:
    """Give the faulty pixels of finished maps class 255 and the largest scores, in place, and count them."""
    faulty = prepared.faulty()
    if faulty is None:
        return out
    out.classes[faulty] = UNLABELLED
    out.entropy[faulty] = 1.0
    out.margin[faulty] = 1.0
    out.variation_ratio[faulty] = 1.0 - 1.0 / prepared.values.shape[0]
    return UncertaintyMaps(out.classes, out.entropy, out.margin, out.variation_ratio, int(faulty.sum()))
