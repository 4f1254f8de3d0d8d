"""Features of one image for the feature scores: from the last layer or a layer the user named, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from trust_seg_ros.types import LogitMaps, Placement
from trust_seg_ros.uncertainty.errors import (
    FeaturesError,
    FeaturesNeededError,
    FeatureStatisticsError,
    RawLogitsNeededError,
    StatisticsNeededError,
)
from trust_seg_ros.uncertainty.feature_statistics import (
    WAY_OUT,
    FeatureSource,
    FeatureStatistics,
    layer_words,
)
from trust_seg_ros.uncertainty.logits import upsample
from trust_seg_ros.uncertainty.scores import energy

NEED_LOGITS = ("vim", "cdnp")
"""Feature scores that need raw logits, too."""


def layer_of(maps: LogitMaps) -> str:
    """Name of the layer whose features the answer holds for feature scores; "" = the input of the last layer."""
    return "" if maps.layer is None else maps.layer.name


def read_features(maps: LogitMaps) -> torch.Tensor:
    """Features (D, h, w) for feature scores, any floating type, on the device of the logits.

    Raises:
        FeaturesNeededError: no layer was named, and the input of a last 1x1 convolution is not known.
        FeaturesError: they have another shape or type.
    """
    features = _last_input(maps) if maps.layer is None else maps.layer.features
    if features.ndim != 3 or 0 in features.shape or not features.is_floating_point():
        raise FeaturesError(
            f"features of {layer_words(layer_of(maps))} have shape {tuple(features.shape)} and type {features.dtype}; "
            "expected (D, height, width) of a floating type"
        )
    return features.detach()


def _last_input(maps: LogitMaps) -> torch.Tensor:
    kernel = None if maps.classifier is None else tuple(maps.classifier.weight.shape[2:])
    if maps.features is None or kernel != (1, 1):
        found = (
            "gives no features"
            if maps.features is None
            else "does not say what its last layer is"
            if kernel is None
            else f"has a last layer of {kernel[0]}x{kernel[1]}"
        )
        raise FeaturesNeededError(
            "feature scores need the input of a last 1x1 convolution, or the output of a layer that is named, but this "
            f"network {found}: name a layer with features_layer (--features-layer), calibrate with it, or choose "
            "another score, for example entropy"
        )
    return maps.features


def fitting_statistics(source: FeatureSource | None, maps: LogitMaps, features: torch.Tensor) -> FeatureStatistics:
    """The statistics, if they are of these features.

    Raises:
        StatisticsNeededError: there are none.
        FeatureStatisticsError: they cannot be read, or are of another layer or of other features.
    """
    if source is None:
        raise StatisticsNeededError(
            "feature scores (vim, knn, cdnp) need statistics of this network's features; trust-seg calibrate DATASET "
            "--score vim knn cdnp --out calibration.json makes them, the parameter or option 'calibration' names "
            "that file"
        )
    statistics = source()
    if statistics.layer != layer_of(maps):
        raise FeatureStatisticsError(
            f"the calibration holds statistics of {statistics.where}, the features are of "
            f"{layer_words(layer_of(maps))}: set features_layer to {statistics.layer!r}, or {WAY_OUT}"
        )
    if statistics.dimension != features.shape[0]:
        raise FeatureStatisticsError(
            f"the calibration holds statistics of {statistics.dimension} features, {statistics.where} has "
            f"{features.shape[0]}; {WAY_OUT}"
        )
    return statistics


def grid_energy(maps: LogitMaps, features: torch.Tensor, name: str) -> torch.Tensor:
    """-logsumexp(l) (h, w) float32 on the grid of the features; +inf where the logits are not finite.

    Raises:
        RawLogitsNeededError: the network gives probabilities only.
    """
    if not maps.raw:
        raise RawLogitsNeededError(
            f"the score {name!r} needs raw logits, but this network gives probabilities only (raw=False). "
            "Use knn or entropy, or let the network return its logits before the softmax."
        )
    size = (int(features.shape[1]), int(features.shape[2]))
    same = size == tuple(maps.logits.shape[1:])  # then pixel for pixel, whatever the placement
    return energy(replace(maps, size=size, placement=None if same else maps.placement))


def placement_of_features(maps: LogitMaps, shape: Sequence[int]) -> Placement | None:
    """How scores on the grid of features (D, h, w) are brought to that of the image: as logits on the same grid are."""
    return maps.placement if tuple(shape[1:]) == tuple(maps.logits.shape[1:]) else None


def logits_on_features(maps: LogitMaps, shape: Sequence[int]) -> torch.Tensor:
    """The logits (q, h, w) on the grid of features of ``shape`` (D, h, w)."""
    if tuple(shape[1:]) == tuple(maps.logits.shape[1:]):
        return maps.logits
    return upsample(maps.logits, (shape[1], shape[2]), maps.placement)
