"""Feature statistics from sampled pixels: origin and residual directions of ViM, and the bank of nearest neighbours."""

from __future__ import annotations

import math

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import Classifier
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError, UncertaintyError
from trust_seg_ros.uncertainty.feature_inputs import layer_of, read_features
from trust_seg_ros.uncertainty.feature_scores import compare
from trust_seg_ros.uncertainty.feature_statistics import (
    NEIGHBOURS,
    NO_MOMENTS,
    FeatureSource,
    FeatureStatistics,
    Moments,
    layer_words,
    rows_of,
)

BANK = 128
"""Number of features in a bank by default."""
LARGEST_BANK = 2000
PART_BYTES = 950_000
"""Most bytes of the bank, and of the residual directions: half of a file of at most 2 MB."""
WIDEST = 16_384
"""Most features at a pixel."""
_ROUNDS = 20  # of k-means; assignments hardly change after that


def fit_features(
    features: np.ndarray,
    logits: np.ndarray | None,
    classifier: Classifier | None,
    *,
    weights: np.ndarray | None = None,
    layer: str = "",
    bank: int = BANK,
    network: str = "",
    network_sha256: str = "",
    seed: int = 0,
) -> FeatureStatistics:
    """Statistics from pixels of in-distribution images.

    Args:
        features: (n, D) float32.
        logits: (n, q) float32 raw logits of the same pixels; None = the network gives probabilities only.
        classifier: the last 1x1 convolution if these are its inputs; None for a named layer.
        weights: (n,) > 0, how many pixels each stands for: origin, directions, alpha and moments are of these, as the
            papers' sums are over all pixels; the bank is not weighted, so that rare classes are in it. None = 1 each.
        layer: name of the layer; "" = the input of the last layer.
        bank: number of features in the bank; fewer where they are wide.
        network, network_sha256: the network, for later checks.
        seed: of the bank.

    Raises:
        FeatureStatisticsError: fewer pixels than features, features that do not vary, or a bank of a wrong size.
    """
    n, d = features.shape
    if not NEIGHBOURS <= bank <= LARGEST_BANK:
        raise FeatureStatisticsError(f"a bank of {bank} features; expected {NEIGHBOURS} to {LARGEST_BANK}")
    if d > WIDEST:
        raise FeatureStatisticsError(
            f"{layer_words(layer)} has {d:,} features at a pixel; expected at most {WIDEST:,}, as the file of their "
            "statistics has at most 2 MB: name a narrower layer with --features-layer"
        )
    if n <= d:
        raise FeatureStatisticsError(
            f"{n} labelled pixels for features of {d} values ({layer_words(layer)}); expected more pixels than values: "
            "give more images (--split several times), or a layer with fewer values"
        )
    x, w = features.astype(np.float64), np.ones(n) if weights is None else np.asarray(weights, np.float64)
    origin = _origin(x, w, classifier)
    residual = residual_directions(x - origin, w)
    rest = np.linalg.norm((x - origin) @ np.linalg.qr(residual.astype(np.float64))[0], axis=1)
    if not rest.sum() > 1e-6 * np.linalg.norm(x - origin, axis=1).sum():
        raise FeatureStatisticsError(
            f"the {n} features of {layer_words(layer)} lie in {d - residual.shape[1]} of {d} dimensions, so nothing is "
            "left for ViM; expected features that vary: name another layer with --features-layer"
        )
    alpha = math.nan if logits is None else float(w @ logits.max(1) / (w @ rest))
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    centres = spherical_means(unit.astype(np.float32), min(bank, PART_BYTES // (2 * d)), seed)
    unmeasured = FeatureStatistics(
        layer,
        torch.from_numpy(origin).float(),
        torch.from_numpy(residual),
        alpha,
        torch.from_numpy(centres).half(),
        Moments(0.0, 1.0),
        NO_MOMENTS,
        n,
        network,
        network_sha256,
    )
    distance = compare(torch.from_numpy(features.T.copy())[:, :, None], rows_of(unmeasured, torch.device("cpu")))
    energy = None if logits is None else -torch.from_numpy(logits).double().logsumexp(1)
    return FeatureStatistics(
        **{
            **{name: getattr(unmeasured, name) for name in FeatureStatistics.__dataclass_fields__},
            "distance": _moments(distance.distance, w),
            "energy": NO_MOMENTS if energy is None else _moments(energy, w),
        }
    )


def made_up_features(network: SegmentationNetwork) -> FeatureSource | None:
    """Statistics of the right shape for a network, to try whether it can give feature scores; runs it once.

    None where it gives no features.
    """
    answer = network.infer(np.zeros((64, 96, 3), np.uint8))
    try:
        depth = int(read_features(answer).shape[0])
    except UncertaintyError:
        return None
    bank, residual = torch.ones((3, depth)), torch.zeros((depth, 1))
    residual[0] = 1.0
    made = FeatureStatistics(
        layer_of(answer), torch.zeros(depth), residual.half(), 1.0, bank.half(), Moments(0.0, 1.0), Moments(0.0, 1.0), 0
    )
    return lambda: made


def residual_directions(centred: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(D, r) float16, the directions in which centred features (n, D) with weights (n,) vary least.

    Wang et al. keep 1,000 principal directions of 2,048 features, and 512 of 768; half of them here, at least, as r is
    limited by the size of the file.
    """
    d = centred.shape[1]
    r = max(1, min(d // 2, PART_BYTES // (2 * d)))
    vectors = np.linalg.eigh((centred.T * (weights / weights.sum())) @ centred)[1]  # ascending
    return vectors[:, :r].astype(np.float16)


def spherical_means(unit: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Centres of k-means by cosine (Dhillon and Modha 2001), started by farthest points (Gonzalez 1985).

    Args:
        unit: (n, D) float32 of length 1.
        count: number of centres; all features are returned if there are no more.
        seed: of the first point.

    Returns:
        (k, D) float32 of length 1, k <= count.
    """
    if len(unit) <= count:
        return unit
    data = torch.from_numpy(unit)
    centres = data[farthest_points(unit, count, seed)]
    for _ in range(_ROUNDS):
        nearest = (data @ centres.T).argmax(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, data)
        lengths = torch.linalg.vector_norm(sums, dim=1, keepdim=True)
        centres = torch.where(lengths > 0, sums / lengths.clamp_min(1e-12), centres)
    return centres.numpy()


def farthest_points(unit: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Positions (count,) of a greedy k-centre: each next point is the farthest from those chosen."""
    chosen = np.empty(count, np.int64)
    chosen[0] = np.random.default_rng(seed).integers(len(unit))
    nearest = np.full(len(unit), -np.inf, np.float32)
    for i in range(1, count):
        np.maximum(nearest, unit @ unit[chosen[i - 1]], out=nearest)
        chosen[i] = int(nearest.argmin())
    return chosen


def _origin(x: np.ndarray, weights: np.ndarray, classifier: Classifier | None) -> np.ndarray:
    if classifier is None or classifier.bias is None:
        mean: np.ndarray = weights @ x / weights.sum()
        return mean if classifier is None else np.zeros(x.shape[1])
    weight = classifier.weight[:, :, 0, 0].double().numpy(force=True)  # (q, D)
    found: np.ndarray = -np.linalg.pinv(weight) @ classifier.bias.double().numpy(force=True)
    return found


def _moments(values: torch.Tensor, weights: np.ndarray) -> Moments:
    x, share = values.double().numpy(), weights / weights.sum()
    mean = float(share @ x)
    return Moments(mean, float(share @ (x - mean) ** 2) ** 0.5)
