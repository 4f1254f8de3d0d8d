"""The trust head: from a camera's picture to maps of class and uncertainty in 8 bits, as one torch module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from trust_seg_ros.exporting.head_maps import CLASS, HEAD_MAPS, Parts, Range, SumParts
from trust_seg_ros.exporting.resizing import Resize, Size
from trust_seg_ros.segmentation.masks.network import MaskNetwork
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.preprocess import normalised
from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics, rows_of

STEPS = 255
"""Bytes hold ``zero`` to ``zero + 255 scale``."""


@dataclass(frozen=True)
class Coded:
    """How a map is written in bytes: value = zero + scale · byte; a class is the byte itself.

    Attributes:
        name: of the map.
        scale: value of one step, > 0.
        zero: value of the byte 0.
        text: what the map is, one line.
    """

    name: str
    scale: float
    zero: float
    text: str

    @property
    def range(self) -> Range:
        """Least and largest value that can be told; others are written as the nearest of the two."""
        return self.zero, self.zero + STEPS * self.scale


def coded(name: str, limits: Range) -> Coded:
    """A map whose bytes reach from one value to another."""
    low, high = limits
    return Coded(name, (high - low) / STEPS, low, HEAD_MAPS[name].text)


CODED_CLASS = Coded(CLASS, 1.0, 0.0, HEAD_MAPS[CLASS].text)


class TrustHead(nn.Module):
    """A network with everything before and behind it: (1, H, W, 3) uint8 RGB -> a (1, H, W) uint8 map each.

    A pixel with a logit that is not finite has class 255 and 255 in every other map.

    Args:
        network: the network, run by torch on the CPU in float32, with raw logits or masks.
        maps: what it gives.
        size: (H, W) of the images; None = any with sides that are multiples of the network's stride, not resized.
        statistics: of the network's features, for maps that need them.
    """

    def __init__(
        self,
        network: ModuleNetwork | MaskNetwork,
        maps: Sequence[Coded],
        size: Size | None,
        statistics: FeatureStatistics | None = None,
    ) -> None:
        super().__init__()
        self.inner = network.module  # so that its weights are this module's
        self.maps = tuple(maps)
        self.resize = None if size is None else Resize(size, network.input_spec.size_for(size))
        self._network = network
        # made before anything traces this module: their preparation is no part of a graph
        self._rows = None if statistics is None else rows_of(statistics, network.device)
        self._alpha = 1.0 if statistics is None else statistics.alpha

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The maps, in the order of ``maps``."""
        pixels = image.float() if self.resize is None else self.resize(image)
        prepared = normalised(pixels.permute(0, 3, 1, 2), self._network.input_spec)
        parts = self._parts(prepared, (image.shape[1], image.shape[2]))
        return tuple(self._byte(parts, one)[:, 0] for one in self.maps)

    def _parts(self, pixels: torch.Tensor, size: Size) -> Parts:
        """What the network answers to an input, for maps of ``size``."""
        if isinstance(self._network, MaskNetwork):
            return SumParts(*self._network.answer(pixels), size)
        logits, features, placement = self._network.answer(pixels)
        return Parts(logits, features, size, self._rows, self._alpha, placement)

    def _byte(self, parts: Parts, one: Coded) -> torch.Tensor:
        """A map as (1, 1, H, W) uint8."""
        steps = HEAD_MAPS[one.name].value(parts)
        if one.name != CLASS:
            steps = ((steps - one.zero) / one.scale).round().clamp(0.0, float(STEPS))
        return torch.where(parts.finite, steps, float(UNLABELLED)).to(torch.uint8)
