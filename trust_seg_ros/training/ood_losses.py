"""The loss of entropy maximisation: cross entropy on pixels with a class, closeness to uniform on OoD pixels.

Source: Chan, Rottmann, Gottschalk, Entropy Maximization and Meta Classification for Out-of-Distribution Detection in
Semantic Segmentation, ICCV 2021, the training objective.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional as F

from trust_seg_ros.types import UNLABELLED

OOD = 254
"""Code of an out-of-distribution pixel in training labels; label sets have at most 254 classes, ids 0 to 253."""

Normalisation = Literal["joint", "each"]
NORMALISATIONS: tuple[Normalisation, ...] = ("joint", "each")


def pixel_counts(codes: torch.Tensor) -> torch.Tensor:
    """(2,) int64: pixels with a class, and out-of-distribution pixels, of ``codes`` as in :func:`pixel_losses`."""
    ood = (codes == OOD).sum()
    return torch.stack([(codes != UNLABELLED).sum() - ood, ood])


def pixel_losses(logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Both parts of the loss, summed over pixels.

    In distribution: -log f(label). Out of distribution: the cross entropy to the uniform label, -1/q sum_c log f(c),
    which is logsumexp(l) - mean(l) and smallest, log q, where all classes are equally likely.

    Args:
        logits: (B, q, h, w), upsampled here (bilinear, align_corners=False) to the labels' size, in float32.
        codes: (B, H, W) int64: class ids, ``OOD``, or 255 = ignored.

    Returns:
        (2,) float32, at least 0; 0 (and still differentiable) for a part without pixels.
    """
    logits = F.interpolate(logits.float().contiguous(), size=codes.shape[1:], mode="bilinear", align_corners=False)
    ood = codes == OOD
    known = F.cross_entropy(logits, codes.masked_fill(ood, UNLABELLED), ignore_index=UNLABELLED, reduction="sum")
    chosen = logits.permute(0, 2, 3, 1)[ood]
    return torch.stack([known, (chosen.logsumexp(1) - chosen.mean(1)).sum()])


def combined_loss(
    losses: torch.Tensor, counts: torch.Tensor, ood_weight: float, normalisation: Normalisation = "joint"
) -> torch.Tensor:
    """L = (1 - lambda) CE(in distribution) + lambda CE(out of distribution, uniform).

    ``joint``: both sums over the number of all pixels that count, so each pixel weighs 1 - lambda or lambda: what the
    authors trained with (their code divides by all pixels, ignored ones included). ``each``: each sum over its own
    number, the expectations as the paper writes them; few out-of-distribution pixels then weigh as much as many.

    Args:
        losses: (2,) sums of :func:`pixel_losses`; sums over part of the batch give that part's share of the loss.
        counts: (2,) numbers of pixels of the whole batch.
        ood_weight: lambda in [0, 1].
        normalisation: see above.

    Returns:
        Scalar; 0 when no pixel counts.
    """
    weights = torch.tensor([1.0 - ood_weight, ood_weight], device=losses.device)
    divisor = counts if normalisation == "each" else counts.sum()
    return (weights * losses / divisor.clamp_min(1)).sum()
