"""Scores that compare a pixel's features with those of in-distribution images: ViM, nearest neighbours and cDNP.

All three come from one product of the features with the bank and with the residual directions. They are computed on the
grid of the features and upsampled bilinearly. On the CPU, a compiled kernel reduces each part of the product while it
is in the cache; elsewhere torch does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trust_seg_ros.types import Classifier, LogitMaps, Placement
from trust_seg_ros.uncertainty.feature_inputs import (
    NEED_LOGITS,
    fitting_statistics,
    grid_energy,
    placement_of_features,
    read_features,
)
from trust_seg_ros.uncertainty.feature_kernels import reduce_product
from trust_seg_ros.uncertainty.feature_statistics import (
    NEIGHBOURS,
    FeatureSource,
    FeatureStatistics,
    Moments,
    Rows,
    rows_of,
)
from trust_seg_ros.uncertainty.logits import Prepared, upsample

_CPU_VALUES = 1 << 18
"""Values of the product at a time on the CPU: 1 MB, which stays in the cache."""
_GPU_VALUES = 1 << 26


@dataclass(frozen=True, eq=False)
class Compared:
    """Features of one image, compared with the statistics; (pixels,) float32, NaN where a feature is not finite.

    Attributes:
        distance: 1 - mean of the 3 largest cosine similarities to the bank, in [0, 2].
        residual: ‖(I - PPᵀ)(φ - o)‖, >= 0.
    """

    distance: torch.Tensor
    residual: torch.Tensor


def feature_maps(
    maps: LogitMaps, source: FeatureSource | None, names: Sequence[str] = ("vim", "knn", "cdnp")
) -> dict[str, torch.Tensor]:
    """Feature scores of every pixel of the grid ``maps.size``; higher = less trustworthy.

    - ``knn``: 1 - mean of the k = 3 largest cosine similarities of φ to a bank (Sun et al., Out-of-Distribution
      Detection with Deep Nearest Neighbors, ICML 2022), in [0, 2].
    - ``vim``: α‖(I - PPᵀ)(φ - o)‖ - logsumexp(l), in the unit of the logits (Wang et al., ViM: Out-Of-Distribution
      with Virtual-logit Matching, CVPR 2022, equations 5 to 8; the logarithm of the odds of the virtual logit).
    - ``cdnp``: knn and energy, each minus its mean and divided by its deviation over in-distribution pixels, added
      (Galesso, Argus, Brox, Far Away in the Deep Space, ICCV workshops 2023; there with the keys of a transformer).

    Args:
        maps: logits, with the features of a last 1x1 convolution or of a named layer; any floating type, any device.
        source: gives the statistics of these features.
        names: the scores to compute.

    Returns:
        Name -> (H, W) float32 on the device of the logits; +inf at pixels whose logits or features are not finite.

    Raises:
        FeaturesNeededError: the network gives no features that can be used.
        FeaturesError: they have another shape or type than expected.
        StatisticsNeededError: there are no statistics.
        FeatureStatisticsError: the statistics cannot be read, or are of other features.
        RawLogitsNeededError: vim or cdnp of a network that gives probabilities only.
        LogitsError: the logits cannot be used.
    """
    features = read_features(maps)
    statistics = fitting_statistics(source, maps, features)
    needs_energy = [name for name in names if name in NEED_LOGITS]
    energy = grid_energy(maps, features, needs_energy[0]).flatten() if needs_energy else None
    found = compare(features, rows_of(statistics, features.device))
    grid = (int(features.shape[1]), int(features.shape[2]))
    placement = placement_of_features(maps, features.shape)
    scores = {name: _score(name, statistics, found, energy).view(grid) for name in names}
    return {name: _grown(score, maps.size, placement) for name, score in scores.items()}


def compare(features: torch.Tensor, rows: Rows) -> Compared:
    """Compare features (D, h, w) with the statistics."""
    columns = features.flatten(1)
    out = [torch.empty(columns.shape[1], device=features.device) for _ in range(2)]
    on_cpu = features.device.type == "cpu"
    step = max(64, (_CPU_VALUES if on_cpu else _GPU_VALUES) // len(rows.matrix))
    buffer = torch.empty(len(rows.matrix) * step) if on_cpu else None
    for start in range(0, columns.shape[1], step):
        part = columns[:, start : start + step].float()
        into = [values[start : start + step] for values in out]
        lengths = torch.linalg.vector_norm(part, dim=0)
        if buffer is not None:
            product = buffer[: len(rows.matrix) * part.shape[1]].view(len(rows.matrix), -1)
            torch.mm(rows.matrix, part, out=product)
            reduce_product(product.numpy(), lengths.numpy(), rows.bank, rows.shift.numpy(), *(v.numpy() for v in into))
        else:
            _reduce(rows.matrix @ part, lengths, rows, *into)
    return Compared(*out)


def warm_up_features() -> None:
    """Compile, or load from the cache, what feature scores need on the CPU."""
    statistics = FeatureStatistics(
        "", torch.zeros(4), torch.eye(4)[:, :2].half(), 1.0, torch.eye(4).half(), Moments(0, 1), Moments(0, 1), 9
    )
    maps = LogitMaps(torch.rand(3, 4, 4), (8, 8), True, torch.rand(4, 4, 4), Classifier(torch.zeros(3, 4, 1, 1)))
    feature_maps(maps, lambda: statistics)


def _reduce(
    product: torch.Tensor, lengths: torch.Tensor, rows: Rows, distance: torch.Tensor, residual: torch.Tensor
) -> None:
    """As ``reduce_product``, with torch alone."""
    nearest = product[: rows.bank].topk(NEIGHBOURS, dim=0).values.mean(0)
    cosines = torch.where(lengths > 0, nearest / lengths, 0.0)
    distance.copy_((1.0 - cosines).clamp_(0.0, 2.0))
    residual.copy_(torch.linalg.vector_norm(product[rows.bank :] - rows.shift[:, None], dim=0))
    bad = ~torch.isfinite(lengths)
    distance.masked_fill_(bad, torch.nan)
    residual.masked_fill_(bad, torch.nan)


def _score(name: str, statistics: FeatureStatistics, found: Compared, energy: torch.Tensor | None) -> torch.Tensor:
    """One score on the grid of the features, flat; not finite where logits or features are not."""
    if name == "knn":
        return found.distance
    assert energy is not None
    if name == "vim":
        return found.residual * statistics.alpha + energy
    d, e = statistics.distance, statistics.energy
    return (found.distance - d.mean) / d.std + (energy - e.mean) / e.std


def _grown(score: torch.Tensor, size: tuple[int, int], placement: Placement | None) -> torch.Tensor:
    """(h, w) score as (H, W), +inf where a value with a weight is not finite."""
    bad = ~torch.isfinite(score)
    faulty = Prepared(score[None], bad, size, placement).faulty() if bool(bad.any()) else None
    if faulty is None:
        return upsample(score[None], size, placement)[0]
    return upsample(score.masked_fill(bad, 0.0)[None], size, placement)[0].masked_fill_(faulty, torch.inf)
