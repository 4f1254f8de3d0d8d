"""Statistics over perturbed passes straight from their definitions: the reference for the streaming versions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import one_hot

from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty.logits import UNCLAIMED, prepare, prepare_sums, to_shares, upsample


def reference_statistics(passes: Sequence[LogitMaps]) -> dict[str, torch.Tensor]:
    """Statistics of K answers f_1 … f_K to one image, all of them in memory, in float64.

    With f̄ the mean softmax and H the entropy divided by log q:
    ``entropy`` H(f̄), predictive entropy; ``mutual_information`` H(f̄) − mean H(f_k), what the passes disagree about
    (BALD; Gal, Uncertainty in Deep Learning, 2016, section 3.3; also the Jensen-Shannon divergence of the answers);
    ``vote_variation`` 1 − share of the passes that predict the class most predicted (Freeman's variation ratio).
    A pixel that is faulty in any pass has the value 1 in every statistic, and no class. In a pass of class sums (mask
    networks) in which no query claims a pixel, its distribution is uniform and no class gets its vote; a pixel that is
    claimed in none has no class.

    Args:
        passes: K answers for images of one size; resolutions of the logits may differ.

    Returns:
        The statistics, (H, W) float64 in [0, 1], and ``classes``, (H, W) uint8, the lowest class with the largest f̄.

    Raises:
        LogitsError: logits cannot be used.
    """
    prepared = [prepare_sums(maps) if maps.linear else prepare(maps) for maps in passes]
    logits = torch.stack([upsample(p.values, p.size, p.placement).double() for p in prepared])  # (K, q, H, W)
    linear = torch.tensor([maps.linear for maps in passes])[:, None, None]
    f = torch.where(linear[:, None], to_shares(logits.transpose(0, 1)).transpose(0, 1), logits.softmax(1))
    q = f.shape[1]
    mean = f.mean(0)
    entropy = _entropy(mean, 0)
    claimed = ~linear | (logits.amax(1) > UNCLAIMED)  # (K, H, W)
    votes = (one_hot(logits.argmax(1), q).double() * claimed[..., None]).mean(0)  # (H, W, q)
    out = {
        "entropy": entropy / math.log(q),
        "mutual_information": ((entropy - _entropy(f, 1).mean(0)) / math.log(q)).clamp(0.0, 1.0),
        "vote_variation": 1.0 - votes.amax(-1),
        "classes": mean.argmax(0).to(torch.uint8).masked_fill_(~claimed.any(0), UNLABELLED),
    }
    for faulty in (p.faulty() for p in prepared):
        if faulty is not None:
            for name, values in out.items():
                values[faulty] = UNLABELLED if name == "classes" else 1
    return out


def _entropy(f: torch.Tensor, dim: int) -> torch.Tensor:
    entropy: torch.Tensor = -torch.special.xlogy(f, f).sum(dim)
    return entropy
