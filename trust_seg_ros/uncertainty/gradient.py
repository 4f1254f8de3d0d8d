"""Pixel-wise gradient scores: how strongly the loss of an assumed label would pull at the last convolution.

For one output pixel the gradient of the cross entropy by the last kernel is (f - y) ⊗ patch(φ), of rank one, so that
its p-norm is ‖f - y‖_p ‖patch(φ)‖_p for every p > 0: no backward pass is needed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from trust_seg_ros.support.gpu import kernels_for
from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty.gradient_fast import LARGEST_P, SMALLEST_P, fast_gradients
from trust_seg_ros.uncertainty.gradient_inputs import (
    LABELS,
    GradientMaps,
    GradientSettings,
    Label,
    Scale,
    Variant,
)
from trust_seg_ros.uncertainty.gradient_torch import torch_gradients


def gradient_maps(
    maps: LogitMaps,
    *,
    p: float = 0.5,
    variant: Variant = "exact",
    scale: Scale = "norm",
    threads: int | None = None,
) -> GradientMaps:
    """Both gradient scores of every pixel of the grid ``maps.size``; higher = less trustworthy.

    Maag & Riedlinger, Pixel-wise Gradient Uncertainty for Convolutional Neural Networks applied to Out-of-Distribution
    Segmentation, 2023. Norms are computed at the resolution of the features and upsampled bilinearly
    (``align_corners=False``) as norms.

    Args:
        maps: logits (q, h, w), the features (D, h, w) they are made from and the classifier that makes them: an s×s
            convolution, s odd, stride 1, zero padding that keeps the size. Any floating type, any device.
        p: exponent of the norm, > 0; published: 0.1, 0.3, 0.5, 1, 2. Kernels, for CPUs and NVIDIA GPUs, take
            0.1 <= p <= 4; other p are slower.
        variant: "exact": f - y. "published": as in the authors' code, f without the predicted class for the one-hot
            label and (q-1)/q f for the uniform one.
        scale: "norm": ±‖∂L/∂K‖_p, limited to 3.4e38, which p = 0.1 and wide features can exceed. "log": ± its natural
            logarithm, raised to -87 where it is smaller: the same order of pixels, without an upper limit.
        threads: CPU threads to use; None for one per core this process may use, at most 8.

    Returns:
        Scores of the one-hot and of the uniform label. Their sign is that of ``GradientSettings.sign``: minus the norm
        (or minus its logarithm) for the uniform label where that norm grows with confidence, else plus.
        Pixels whose logits or patch of features are not finite get +inf, and are counted.

    Raises:
        FeaturesNeededError: the network gives no features or no classifier.
        FeaturesError: features, classifier and logits do not fit each other.
        LogitsError: the logits cannot be used.
        SettingError: p, variant or scale is out of range.
    """
    return _compute(maps, GradientSettings(p, variant, scale), LABELS, threads)


def gradient_onehot(
    maps: LogitMaps,
    *,
    p: float = 0.5,
    variant: Variant = "exact",
    scale: Scale = "norm",
    threads: int | None = None,
) -> torch.Tensor:
    """(H, W) float32 gradient score for the predicted class as label; see ``gradient_maps``."""
    return _single(maps, GradientSettings(p, variant, scale), "onehot", threads)


def gradient_uniform(
    maps: LogitMaps,
    *,
    p: float = 0.5,
    variant: Variant = "exact",
    scale: Scale = "norm",
    threads: int | None = None,
) -> torch.Tensor:
    """(H, W) float32 gradient score for the uniform label; see ``gradient_maps``."""
    return _single(maps, GradientSettings(p, variant, scale), "uniform", threads)


def warm_up_gradients(p: float = 0.5) -> None:
    """Compile, or load from the cache, everything that gradient scores with this ``p`` need on the CPU.

    Some seconds on the first run after an installation, a fraction of a second afterwards.
    """
    logits, features = torch.linspace(-1.0, 1.0, 3 * 4 * 4).reshape(3, 4, 4), torch.linspace(0.1, 1.0, 5 * 4 * 4)
    layer = Classifier(torch.zeros(3, 5, 1, 1))
    for last in (False, True):
        tensor = features.reshape(4, 4, 5).permute(2, 0, 1) if last else features.reshape(5, 4, 4)
        for scale in ("norm", "log"):
            gradient_maps(LogitMaps(logits, (16, 16), True, tensor, layer), p=p, scale=scale)


def _single(maps: LogitMaps, settings: GradientSettings, label: Label, threads: int | None) -> torch.Tensor:
    score = getattr(_compute(maps, settings, (label,), threads), label)
    assert isinstance(score, torch.Tensor)
    return score


def _compute(
    maps: LogitMaps, settings: GradientSettings, labels: tuple[Label, ...], threads: int | None
) -> GradientMaps:
    return _version(maps.logits.device, settings.p)(maps, settings, labels, threads=threads)


def _version(device: torch.device, p: float) -> Callable[..., GradientMaps]:
    if not SMALLEST_P <= p <= LARGEST_P:
        return torch_gradients
    if device.type == "cpu":
        return fast_gradients
    if not kernels_for(device):
        return torch_gradients
    from trust_seg_ros.uncertainty.gradient_gpu import device_gradients  # needs triton

    return device_gradients
