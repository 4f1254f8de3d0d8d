"""Made-up answers of mask networks: masks and their classes, and the class sums."""

import torch

from trust_seg_ros.types import LogitMaps, MaskQueries


def mask_answer(q, queries, h, w, size, seed=0, spread=4.0, scale=1.0):
    """Random queries; ``scale`` below 1 = masks that hardly claim anything."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = (torch.randn(queries, q + 1, generator=generator) * spread).softmax(1)[:, :-1].contiguous()
    masks = (torch.randn(queries, h, w, generator=generator) * spread - 1.0).sigmoid() * scale
    return summed(probabilities, masks, size)


def summed(probabilities, masks, size):
    sums = torch.einsum("qc,qhw->chw", probabilities, masks)
    return LogitMaps(sums, size, raw=False, linear=True, queries=MaskQueries(probabilities, masks))
