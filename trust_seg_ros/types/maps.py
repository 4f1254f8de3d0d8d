"""From a camera image to per-pixel maps.

Types that hold arrays are equal to themselves only, and so can be keys: comparing arrays gives an array, no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

UNLABELLED = 255
"""Class id of a pixel without a class: void ground truth, or a pixel whose logits were not finite or all sums 0."""


@dataclass(frozen=True, eq=False)
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

    def __repr__(self) -> str:
        camera = f", {self.frame_id!r}" if self.frame_id else ""
        return f"Frame({_size(np.shape(self.image))}, at {self.stamp_ns / 1e9:.3f} s{camera})"


@dataclass(frozen=True, eq=False)
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

    def __repr__(self) -> str:
        q, depth, side, _ = self.weight.shape
        return f"Classifier({q} classes of {depth} features, {side}×{side})"


@dataclass(frozen=True, eq=False)
class LayerFeatures:
    """Output of a layer that the user named, for feature scores.

    Attributes:
        name: the layer.
        features: (D, h, w) floating point; h and w may differ from those of the logits.
    """

    name: str
    features: torch.Tensor

    def __repr__(self) -> str:
        return f"LayerFeatures({self.name!r}, {tuple(self.features.shape)})"


@dataclass(frozen=True, eq=False)
class MaskQueries:
    """What a mask network answers with: a mask and its classes for each of Q queries (Cheng et al. 2021, MaskFormer).

    Attributes:
        probabilities: (Q, q) float32, softmax of each query's classes without "no object"; a row sums to at most 1.
        masks: (Q, h, w) float32 in [0, 1], the sigmoid of each query's mask, at the resolution of ``LogitMaps.logits``.
        squares: parts of the image that were looked at one by one, Q / squares queries for each, in order; where they
            overlap the class sums are averages. 1 = the whole image.
    """

    probabilities: torch.Tensor
    masks: torch.Tensor
    squares: int = 1

    def __repr__(self) -> str:
        return (
            f"MaskQueries({len(self.masks)} masks of {self.probabilities.shape[1]} classes, {tuple(self.masks.shape)})"
        )


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a network's answer lie on the grid of its logits, if it is not that grid stretched.

    Pixel (i, j) of the answer is the logits, interpolated bilinearly, at ``first + step * (i, j)``, counted in pixels
    of the logits from the centre of their first one. With ``align_corners=True`` ``first`` is 0 and the last pixel lies
    on the last one; a crop of the answer is another case.

    Attributes:
        size: (n, m) of the network's answer, which covers the image.
        first: row and column of the logits where its first pixel lies.
        step: rows and columns of the logits from one of its pixels to the next.
    """

    size: tuple[int, int]
    first: tuple[float, float]
    step: tuple[float, float]

    @property
    def axes(self) -> tuple[tuple[int, float, float], tuple[int, float, float]]:
        """(size, first, step) of the rows and of the columns."""
        (n, m), (y, x), (down, along) = self.size, self.first, self.step
        return (n, y, down), (m, x, along)


@dataclass(frozen=True, eq=False)
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
        linear: True for the class sums of a mask network, L_c = sum over queries of P(c) times mask: not negative,
            brought to the grid as they are, and divided by their sum there where others take a softmax; ``raw`` is
            False then.
        queries: the masks that they are the sums of; None for other networks.
        placement: where the image lies on the grid of the logits; None = the grid is stretched over the whole image, as
            class sums always are.
    """

    logits: torch.Tensor
    size: tuple[int, int]
    raw: bool = True
    features: torch.Tensor | None = None
    classifier: Classifier | None = None
    layer: LayerFeatures | None = None
    linear: bool = False
    queries: MaskQueries | None = None
    placement: Placement | None = None

    def __repr__(self) -> str:
        kind = "class sums" if self.linear else "logits" if self.raw else "log-probabilities"
        return f"LogitMaps({tuple(self.logits.shape)} {kind}, for maps of {_size(self.size)})"


@dataclass(frozen=True, eq=False)
class UncertaintyMaps:
    """Per-pixel maps, all (H, W) on one device; higher = less trustworthy.

    Attributes:
        classes: uint8 predicted class; ``UNLABELLED`` where the logits were not finite, and where no query of a mask
            network claims the pixel (its scores are the maximum, too).
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

    def __repr__(self) -> str:
        faulty = f", {self.faulty_pixels} faulty pixels" if self.faulty_pixels else ""
        return f"UncertaintyMaps({_size(self.classes.shape)}, mean entropy {float(self.entropy.mean()):.3f}{faulty})"

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self.classes.shape
        return height, width

    @property
    def pixels(self) -> int:
        """H times W."""
        return self.size[0] * self.size[1]

    def part(self, name: str, first: tuple[int, int], step: tuple[int, int]) -> np.ndarray:
        """Every so many rows and columns of a map, on the host.

        Args:
            name: the map: "classes", "entropy", …
            first: the first row and column.
            step: from one row, and from one column, to the next.
        """
        plane: torch.Tensor = getattr(self, name)
        return plane[first[0] :: step[0], first[1] :: step[1]].numpy(force=True)

    def host(self) -> UncertaintyMaps:
        """The same maps on the host; ``self`` if they are there already."""
        if self.classes.device.type == "cpu":
            return self
        names = ("classes", "entropy", "margin", "variation_ratio")
        return replace(self, **{name: getattr(self, name).cpu() for name in names})


def _size(shape: Sequence[int]) -> str:
    """``480×360`` for (360, 480, ...)."""
    return f"{shape[1]}×{shape[0]}" if len(shape) > 1 else str(tuple(shape))
