"""Checked inputs of every version of the gradient scores: settings and last layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch

from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty.errors import FeaturesError, FeaturesNeededError, SettingError
from trust_seg_ros.uncertainty.logits import Prepared, check, prepare

Label = Literal["onehot", "uniform"]
Variant = Literal["exact", "published"]
Scale = Literal["norm", "log"]
LABELS: tuple[Label, ...] = get_args(Label)

FLOAT32_MAX = float(torch.finfo(torch.float32).max)

LOG_LEAST = -87.0
"""Smallest logarithm of a norm, smaller ones are raised to it: norm 1.6e-38, about the smallest normal float32."""


@dataclass(frozen=True)
class GradientSettings:
    """How gradient scores are computed; see ``gradient_maps`` for what the fields mean.

    Raises:
        SettingError: ``p`` is not a positive finite number, or another field has an unknown name.
    """

    p: float = 0.5
    variant: Variant = "exact"
    scale: Scale = "norm"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.p) and self.p > 0.0):
            raise SettingError(f"p of the gradient norm is {self.p}; expected a finite number above 0.")
        for name, known in (("variant", get_args(Variant)), ("scale", get_args(Scale))):
            value = getattr(self, name)
            if value not in known:
                raise SettingError(f"{name} of the gradient norm is {value!r}; expected {' or '.join(known)}.")

    def sign(self, label: Label) -> int:
        """-1 where the norm grows with the network's confidence, so that its negative is the score, else +1.

        The exact norm of the uniform label is 0 at the uniform softmax. The published norm is ‖f‖_p times the norm of
        the features: ‖f‖_p is largest at the uniform softmax for p < 1 but smallest for p > 1. For p = 1 it is always
        1, which leaves the norm of the features; that grows with confidence, too.
        """
        confident = self.variant == "exact" or self.p >= 1.0
        return -1 if label == "uniform" and confident else 1


@dataclass(frozen=True)
class LastLayer:
    """One image at the last convolution.

    Attributes:
        prepared: logits (q, h, w) float32 made finite, and where they were not finite.
        features: (D, h, w), the convolution's input, any floating type, on the device of the logits.
        side: s of the s×s kernel, odd.
        dilation: spacing of its taps in pixels.
        bias: whether the convolution has a bias.
    """

    prepared: Prepared
    features: torch.Tensor
    side: int
    dilation: int
    bias: bool

    @property
    def offsets(self) -> range:
        """Offsets of the taps along one axis, in pixels from the output pixel."""
        reach = self.side // 2 * self.dilation
        return range(-reach, reach + 1, self.dilation)


@dataclass(frozen=True)
class GradientMaps:
    """Gradient scores of one image, (H, W) float32 on the device of the logits; higher = less trustworthy.

    Attributes:
        onehot: score for the predicted class as label; None if not asked for.
        uniform: score for the uniform label; None if not asked for.
        faulty_pixels: pixels with non-finite logits or features; their score is +inf.
        limited: whether a norm exceeded float32 and was limited to its largest number, 3.4e38 (``scale="norm"`` only).
    """

    onehot: torch.Tensor | None
    uniform: torch.Tensor | None
    faulty_pixels: int = 0
    limited: bool = False


def finish(
    found: Mapping[Label, torch.Tensor], layer: LastLayer, bad: torch.Tensor | None, limited: bool
) -> GradientMaps:
    """Put finished scores together and overwrite the faulty pixels, in place.

    Args:
        found: scores (H, W) of the requested labels.
        layer: the last layer they were computed from.
        bad: (h, w) bool, where logits or features were not finite; None if all were finite.
        limited: see ``GradientMaps``.
    """
    faulty = replace(layer.prepared, bad=bad).faulty()
    if faulty is not None:
        for score in found.values():
            score.masked_fill_(faulty, torch.inf)
    count = 0 if faulty is None else int(faulty.sum())
    return GradientMaps(found.get("onehot"), found.get("uniform"), count, limited)


def read_last_layer(maps: LogitMaps) -> LastLayer:
    """Check a network's answer for one image.

    Args:
        maps: logits with the features and the classifier that made them.

    Returns:
        The last layer, ready to compute with.

    Raises:
        FeaturesNeededError: the network gives no features or no classifier.
        FeaturesError: features, classifier and logits do not fit each other.
        LogitsError: the logits cannot be used.
    """
    features, classifier = checked_features(maps)
    return LastLayer(
        prepare(maps),
        features,
        int(classifier.weight.shape[-1]),
        int(classifier.dilation),
        classifier.bias is not None,
    )


def checked_features(maps: LogitMaps) -> tuple[torch.Tensor, Classifier]:
    """The features (D, h, w) and the classifier of an answer; arguments and errors as of :func:`read_last_layer`."""
    features, classifier = maps.features, maps.classifier
    if maps.linear:
        raise FeaturesNeededError(
            "gradient scores need a last convolution that gives the logits, but a mask network gives sums of masks. "
            "Choose another score, for example entropy or rba"
        )
    if features is None or classifier is None:
        missing = "features" if features is None else "classifier"
        raise FeaturesNeededError(
            f"gradient scores need the input and the kernel of the network's last convolution, but this network gives "
            f"no {missing}. Use a network whose last layer is a plain convolution (stride 1, one group, zero padding "
            "that keeps the size; docs/network_contract.md lists what may lie behind it), let it return "
            "(logits, features), or choose another score, for example entropy."
        )
    check(maps)
    _check_fit(features, classifier.weight, classifier.dilation, maps.logits)
    return features.detach(), classifier


def _check_fit(features: torch.Tensor, weight: torch.Tensor, dilation: int, logits: torch.Tensor) -> None:
    grid = tuple(logits.shape[1:])
    if features.ndim != 3 or tuple(features.shape[1:]) != grid or features.shape[0] == 0:
        raise FeaturesError(
            f"features have shape {tuple(features.shape)} but the logits {tuple(logits.shape)}; expected "
            f"(D, {grid[0]}, {grid[1]}), the input of the last convolution on the grid of the logits."
        )
    if not features.is_floating_point():
        raise FeaturesError(f"features are {features.dtype}; expected a floating type.")
    if features.device != logits.device:
        raise FeaturesError(f"features are on {features.device}, logits on {logits.device}; expected one device.")
    expected = (logits.shape[0], features.shape[0])
    square = weight.ndim == 4 and weight.shape[2] == weight.shape[3] and weight.shape[2] % 2 == 1
    if not square or tuple(weight.shape[:2]) != expected or dilation < 1:
        raise FeaturesError(
            f"the classifier's kernel has shape {tuple(weight.shape)} and dilation {dilation}; expected "
            f"({expected[0]}, {expected[1]}, s, s) with odd s, for {expected[0]} classes and {expected[1]} features, "
            "and a dilation of at least 1."
        )
