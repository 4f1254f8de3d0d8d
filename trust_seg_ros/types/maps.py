"""From a camera image to per-pixel maps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

UNLABELLED = 255
"""Class id of a pixel without a class: void ground truth, or a pixel whose logits were not finite."""


@dataclass(frozen=True)
class Frame:
    """One camera image.

    Attributes:
        image: (H, W, 3) uint8, RGB order; may be a strided view into a message's buffer.
        stamp_ns: acquisition time in nanoseconds, as the camera stamped it.
        frame_id: coordinate frame of the camera.
    """

    image: np.ndarray
    stamp_ns: int = 0
    frame_id: str = ""


@dataclass(frozen=True)
class Classifier:
    """The network's last convolution, for scores computed in closed form from its input.

    Attributes:
        weight: (q, D, s, s) kernel.
        bias: (q,) or None.
        dilation: spacing of the kernel taps in pixels.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    dilation: int = 1


@dataclass(frozen=True)
class LayerFeatures:
    """Output of a layer that the user named, for feature scores.

    Attributes:
        name: the layer.
        features: (D, h, w) floating point; h and w may differ from those of the logits.
    """

    name: str
    features: torch.Tensor


@dataclass(frozen=True)
class LogitMaps:
    """A network's answer for one image, at the network's own resolution.

    Attributes:
        logits: (q, h, w) floating point. Raw logits if ``raw``; otherwise log-probabilities.
        size: (H, W) of the grid of the maps; logits are brought to it bilinearly (``align_corners=False``) *before* the
            softmax. Networks answer with the size of the image, see ``uncertainty.on_grid`` for others.
        raw: False if the network gives probabilities only; scores that need raw logits are refused then.
        features: (D, h, w) input of the last convolution, or None.
        classifier: that convolution, or None.
        layer: the layer named by the user, with its output; None = none was named.
    """

    logits: torch.Tensor
    size: tuple[int, int]
    raw: bool = True
    features: torch.Tensor | None = None
    classifier: Classifier | None = None
    layer: LayerFeatures | None = None


@dataclass(frozen=True)
class UncertaintyMaps:
    """Per-pixel maps, all (H, W) on one device; higher = less trustworthy.

    Attributes:
        classes: uint8 predicted class; ``UNLABELLED`` where the logits were not finite.
        entropy: float32 in [0, 1], normalised by log q.
        margin: float32 in [0, 1], 1 - f(1) + f(2).
        variation_ratio: float32 in [0, 1 - 1/q], 1 - f(1).
        faulty_pixels: number of pixels with non-finite logits (their scores are the maximum).
    """

    classes: torch.Tensor
    entropy: torch.Tensor
    margin: torch.Tensor
    variation_ratio: torch.Tensor
    faulty_pixels: int = 0

    def host(self) -> UncertaintyMaps:
        """The same maps on the host; ``self`` if they are there already."""
        if self.classes.device.type == "cpu":
            return self
        names = ("classes", "entropy", "margin", "variation_ratio")
        return replace(self, **{name: getattr(self, name).cpu() for name in names})
