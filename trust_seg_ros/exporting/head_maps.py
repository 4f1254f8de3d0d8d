"""The maps that a trust head can give: one row each, computed with torch operations that become parts of a graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional as F

from trust_seg_ros.segmentation.masks.queries import class_sums
from trust_seg_ros.types import Placement
from trust_seg_ros.uncertainty.feature_statistics import NEIGHBOURS, Rows
from trust_seg_ros.uncertainty.logits import UNCLAIMED, upsample

CLASS = "class"
MASKS, ALL = ("masks",), ("logits", "masks")
LARGEST = 3e38
"""Sums of magnitudes above it are not finite in float32."""
Range = tuple[float, float]


class Parts:
    """What the maps of one image are computed from; each part is computed once, when it is first needed.

    Args:
        logits: (1, q, h, w) raw logits at the network's own resolution.
        features: (1, D, h, w) the input of its last layer, or None.
        size: (H, W) of the image.
        rows: statistics of the features, to multiply with, or None.
        alpha: factor of the residual in ViM.
        placement: where the image lies on the grid of the logits; None = the grid is stretched over it.
    """

    def __init__(
        self,
        logits: torch.Tensor,
        features: torch.Tensor | None,
        size: tuple[int, int],
        rows: Rows | None = None,
        alpha: float = 1.0,
        placement: Placement | None = None,
    ) -> None:
        self.finite_low = logits.abs().sum(1, keepdim=True) <= LARGEST  # of NaN and infinity false
        self.low = torch.where(self.finite_low, logits, 0.0)
        self.features, self.size, self.rows, self.alpha = features, size, rows, alpha
        self.placement = placement

    @cached_property
    def logits(self) -> torch.Tensor:
        """(1, q, H, W) float32: the largest part, 159 MB for 19 classes at 2 megapixels."""
        return self.grown(self.low)

    def grown(self, planes: torch.Tensor) -> torch.Tensor:
        """Planes at the size of the image, bilinearly."""
        if self.placement is not None:  # a table of taps for one size
            return upsample(planes[0], self.size, self.placement)[None]
        return F.interpolate(planes, size=self.size, mode="bilinear", align_corners=False)

    @cached_property
    def largest(self) -> torch.Tensor:
        """(1, 1, H, W) largest logit."""
        return self.logits.amax(1, keepdim=True)

    @cached_property
    def classes(self) -> torch.Tensor:
        """(1, 1, H, W) int64, class of the largest logit; of several equal ones the lowest."""
        return self.logits.argmax(1, keepdim=True)

    @cached_property
    def shifted(self) -> torch.Tensor:
        """(1, q, H, W) logits minus the largest."""
        return self.logits - self.largest

    @cached_property
    def exponentials(self) -> torch.Tensor:
        """(1, q, H, W) of the shifted logits; the largest is 1."""
        return self.shifted.exp()

    @cached_property
    def total(self) -> torch.Tensor:
        """(1, 1, H, W) sum of the exponentials."""
        return self.exponentials.sum(1, keepdim=True)

    @cached_property
    def second(self) -> torch.Tensor:
        """(1, 1, H, W) second largest exponential."""
        ids = torch.arange(self.low.shape[1]).view(1, -1, 1, 1)
        return torch.where(ids == self.classes, 0.0, self.exponentials).amax(1, keepdim=True)

    @cached_property
    def numbers(self) -> torch.Tensor:
        """(1, 1, H, W) bool: whether every logit that takes part in the interpolation is a number."""
        return self.grown((~self.finite_low).float()) <= 0.0

    @property
    def finite(self) -> torch.Tensor:
        """(1, 1, H, W) bool: whether there is a class."""
        return self.numbers

    @cached_property
    def products(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, h·w) products of the features with the bank, and (r, h·w) with the residual directions."""
        assert self.features is not None
        assert self.rows is not None
        found = self.rows.matrix @ self.features[0].flatten(1)
        return found[: self.rows.bank], found[self.rows.bank :] - self.rows.shift[:, None]

    def on_grid(self, values: torch.Tensor) -> torch.Tensor:
        """(h·w,) values of the network's own grid as (1, 1, h, w)."""
        return values.view(1, 1, *self.low.shape[2:])


class SumParts(Parts):
    """The same for a mask network: the softmax of the logarithms of its class sums L is L / sum L.

    Args:
        probabilities: (1, Q, q) classes of the queries.
        masks: (1, Q, h, w) their masks, 0 to 1.
        size: (H, W) of the image.
    """

    def __init__(self, probabilities: torch.Tensor, masks: torch.Tensor, size: tuple[int, int]) -> None:
        super().__init__(class_sums(probabilities, masks), None, size)
        self.claims = masks * probabilities.amax(2)[:, :, None, None]

    @cached_property
    def sums(self) -> torch.Tensor:
        """(1, q, H, W) class sums."""
        return self.grown(self.low)

    @cached_property
    def logits(self) -> torch.Tensor:
        """(1, q, H, W) logarithms of the class sums."""
        return self.sums.clamp_min(UNCLAIMED).log()

    @property
    def finite(self) -> torch.Tensor:
        """(1, 1, H, W) bool: whether there is a class, which some query claims the pixel for."""
        return self.numbers & (self.sums.amax(1, keepdim=True) > UNCLAIMED)


@dataclass(frozen=True, kw_only=True)
class HeadMap:
    """A map of a trust head.

    Attributes:
        name: of the map and of the graph's output; for scores that of the package's score.
        value: gives it, (1, 1, H, W) float32.
        text: one line.
        limits: least and largest value for a number of classes; None = there are none.
        whole: its bytes always reach over its limits; otherwise a calibration narrows them to what occurs.
        features: it needs features and their statistics.
        kinds: what it is made of: "logits", "masks", or both.
    """

    name: str
    value: Callable[[Parts], torch.Tensor]
    text: str
    limits: Callable[[int], Range] | None = None
    whole: bool = False
    features: bool = False
    kinds: tuple[str, ...] = ("logits",)


def _entropy(parts: Parts) -> torch.Tensor:
    weighted = (parts.exponentials * parts.shifted).sum(1, keepdim=True)
    return (parts.total.log() - weighted / parts.total) / math.log(parts.low.shape[1])


def _rba(parts: Parts) -> torch.Tensor:
    assert isinstance(parts, SumParts)
    return -parts.sums.tanh().sum(1, keepdim=True)


def _mask_uncertainty(parts: Parts) -> torch.Tensor:
    assert isinstance(parts, SumParts)
    return 1.0 - parts.grown(parts.claims).amax(1, keepdim=True)


def _knn(parts: Parts) -> torch.Tensor:
    assert parts.features is not None
    lengths = parts.features[0].flatten(1).norm(dim=0)
    nearest = parts.products[0].topk(NEIGHBOURS, dim=0).values.mean(0)
    cosine = torch.where(lengths > 0, nearest / lengths, 0.0)
    return parts.grown(parts.on_grid((1.0 - cosine).clamp(0.0, 2.0)))


def _vim(parts: Parts) -> torch.Tensor:
    residual = parts.products[1].norm(dim=0) * parts.alpha
    return parts.grown(parts.on_grid(residual) - parts.low.logsumexp(1, keepdim=True))


HEAD_MAPS: dict[str, HeadMap] = {
    row.name: row
    for row in (
        HeadMap(name=CLASS, value=lambda parts: parts.classes.float(), text="predicted class; 255 = none", kinds=ALL),
        HeadMap(
            name="entropy",
            value=_entropy,
            text="entropy of the softmax, divided by log q",
            limits=lambda q: (0.0, 1.0),
            whole=True,
            kinds=ALL,
        ),
        HeadMap(
            name="margin",
            value=lambda parts: 1.0 - (1.0 - parts.second) / parts.total,
            text="1 minus the difference of the two largest probabilities",
            limits=lambda q: (0.0, 1.0),
            whole=True,
            kinds=ALL,
        ),
        HeadMap(
            name="variation_ratio",
            value=lambda parts: 1.0 - 1.0 / parts.total,
            text="1 minus the largest probability",
            limits=lambda q: (0.0, 1.0),
            whole=True,
            kinds=ALL,
        ),
        HeadMap(name="max_logit", value=lambda parts: -parts.largest, text="minus the largest logit"),
        HeadMap(
            name="energy",
            value=lambda parts: -parts.largest - parts.total.log(),
            text="minus the logarithm of the sum of the exponentials of all logits",
        ),
        HeadMap(
            name="rba",
            value=_rba,
            text="minus the sum of the hyperbolic tangents of all class sums (Nayal et al. 2023)",
            limits=lambda q: (-float(q), 0.0),
            kinds=MASKS,
        ),
        HeadMap(
            name="mask_uncertainty",
            value=_mask_uncertainty,
            text="1 minus the largest mask times the largest class of its query",
            limits=lambda q: (0.0, 1.0),
            whole=True,
            kinds=MASKS,
        ),
        HeadMap(
            name="knn",
            value=_knn,
            text="distance of the features to their nearest neighbours in a bank, as 1 minus the cosine",
            limits=lambda q: (0.0, 2.0),
            features=True,
        ),
        HeadMap(
            name="vim",
            value=_vim,
            text="the features' part outside of the usual directions, as a logit, minus the energy",
            features=True,
        ),
    )
}
"""Name -> map; the package's own maps of the same names are what they are compared with."""
