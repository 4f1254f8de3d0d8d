"""Losses of semantic segmentation."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from trust_seg_ros.types import UNLABELLED


def class_weights(shares: torch.Tensor, offset: float = 1.1) -> torch.Tensor:
    """Weights 1 / log(offset + share) of the cross entropy, scaled to mean 1; (q,) in and out.

    Source: Paszke et al., ENet, 2016, section 5.
    """
    weights = 1.0 / torch.log(offset + shares)
    return weights / weights.mean()


def lovasz_softmax(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The Lovász extension of 1 - IoU, averaged over the classes that occur.

    Source: Berman, Triki, Blaschko, CVPR 2018, equations 8 to 11.

    Args:
        probabilities: (n, q) softmax of n pixels.
        labels: (n,) int64 class ids, every one valid.

    Returns:
        Scalar in [0, 1]; 0 when there is no pixel.
    """
    if labels.numel() == 0:
        return probabilities.sum() * 0.0
    truth = F.one_hot(labels, probabilities.shape[1]).to(probabilities.dtype)
    errors, order = (truth - probabilities).abs().sort(dim=0, descending=True)
    sorted_truth = truth.gather(0, order)
    total = sorted_truth.sum(0)
    intersection = total - sorted_truth.cumsum(0)
    union = total + (1.0 - sorted_truth).cumsum(0)
    jaccard = 1.0 - intersection / union
    gradient = torch.diff(jaccard, dim=0, prepend=torch.zeros_like(jaccard[:1]))
    present = total > 0
    return (errors * gradient.detach()).sum(0)[present].mean()


def segmentation_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    lovasz: float,
    lovasz_pixels: int,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Weighted cross entropy plus ``lovasz`` times the Lovász softmax of a random part of the pixels.

    Args:
        logits: (B, q, h, w), upsampled here to the labels' size.
        labels: (B, H, W) int64, 255 = ignored.
        weights: (q,) class weights.
        lovasz: factor of the second term.
        lovasz_pixels: number of pixels it is computed on (the sort is its cost).
        generator: draws those pixels.
    """
    logits = F.interpolate(logits.float(), size=labels.shape[1:], mode="bilinear", align_corners=False)
    loss = F.cross_entropy(logits, labels, weights, ignore_index=UNLABELLED)
    if lovasz <= 0:
        return loss
    q = logits.shape[1]
    flat, truth = logits.permute(0, 2, 3, 1).reshape(-1, q), labels.reshape(-1)
    pick = torch.randint(truth.numel(), (lovasz_pixels,), generator=generator)
    pick = pick[truth[pick] != UNLABELLED]
    return loss + lovasz * lovasz_softmax(flat[pick].softmax(1), truth[pick])
