"""Feature scores from their definitions, pixel by pixel in float64: slow and readable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.feature_inputs import logits_on_features, placement_of_features, read_features
from trust_seg_ros.uncertainty.feature_statistics import NEIGHBOURS, FeatureStatistics
from trust_seg_ros.uncertainty.logits import upsample


def reference_features(maps: LogitMaps, statistics: FeatureStatistics) -> dict[str, torch.Tensor]:
    """``vim``, ``knn`` and ``cdnp`` as (H, W) float64, of finite logits and features.

    Args:
        maps: raw logits (q, h, w), and features.
        statistics: of the same features.
    """
    features = read_features(maps).double().numpy()
    grid = features.shape[1:]
    logits = logits_on_features(replace(maps, logits=maps.logits.double()), features.shape).numpy()
    origin, residual, bank = (
        part.double().numpy() for part in (statistics.origin, statistics.residual, statistics.bank)
    )
    residual = np.linalg.qr(residual)[0]  # orthonormal again after half precision
    found = {name: np.empty(grid) for name in ("vim", "knn", "cdnp")}
    for y in range(grid[0]):
        for x in range(grid[1]):
            phi, logit = features[:, y, x], logits[:, y, x]
            energy = -(logit.max() + np.log(np.exp(logit - logit.max()).sum()))
            rest = residual @ (residual.T @ (phi - origin))
            found["vim"][y, x] = statistics.alpha * np.linalg.norm(rest) + energy
            similar = sorted(cosine(phi, row) for row in bank)
            distance = 1.0 - np.mean(similar[-NEIGHBOURS:])
            found["knn"][y, x] = distance
            standing = [(distance, statistics.distance), (energy, statistics.energy)]
            found["cdnp"][y, x] = sum((value - m.mean) / m.std for value, m in standing)
    placement = placement_of_features(maps, features.shape)
    return {name: upsample(torch.from_numpy(score)[None], maps.size, placement)[0] for name, score in found.items()}


def cosine(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Cosine of the angle between two vectors; 0 where one is 0."""
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.dot(a, b) / lengths) if lengths > 0 else 0.0
