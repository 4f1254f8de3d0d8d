"""Statistics of a network's features on in-distribution images, which the feature scores are computed from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from trust_seg_ros.uncertainty.errors import FeatureStatisticsError

NEIGHBOURS = 3
"""k of ``knn``: the mean is over the k largest cosine similarities."""
WAY_OUT = "make statistics of this network: trust-seg calibrate DATASET --score vim knn cdnp --out FILE"


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of a score over in-distribution pixels.

    Attributes:
        mean, std: in the unit of the score, std > 0; both NaN where the network gives no raw logits.
    """

    mean: float
    std: float


NO_MOMENTS = Moments(math.nan, math.nan)


@dataclass(frozen=True, eq=False, repr=False)
class FeatureStatistics:
    """Statistics of the features φ of one layer of one network, from labelled in-distribution pixels.

    Attributes:
        layer: name of the layer whose output they are; "" = the input of the last convolution.
        origin: (D,) float32, o of ViM (Wang et al. 2022, section 4): -W⁺b of the last layer, or the mean of φ.
        residual: (D, r) float16, orthonormal directions in which φ - o varies least.
        alpha: factor of ViM's residual: Σ max l / Σ ‖residual‖ over the pixels; NaN without raw logits.
        bank: (n, D) float16 of length 1, n >= 3: features that stand for all others.
        distance: moments of the score ``knn``.
        energy: moments of the score ``energy`` on the grid of the features.
        pixels: number of pixels they come from.
        network: name of the network.
        network_sha256: hash of its weights; "" = not known.

    Raises:
        FeatureStatisticsError: shapes do not fit each other, or a number cannot be used.
    """

    layer: str
    origin: torch.Tensor
    residual: torch.Tensor
    alpha: float
    bank: torch.Tensor
    distance: Moments
    energy: Moments
    pixels: int
    network: str = ""
    network_sha256: str = ""

    def __post_init__(self) -> None:
        d = self.dimension
        fits = self.origin.ndim == 1 and self.residual.ndim == 2 and self.bank.ndim == 2 and d > 0
        if not fits or len(self.residual) != d or self.bank.shape[1] != d or self.residual.shape[1] < 1:
            raise FeatureStatisticsError(
                f"feature statistics of shapes {tuple(self.origin.shape)}, {tuple(self.residual.shape)}, "
                f"{tuple(self.bank.shape)}; expected (D,), (D, r), (n, D); {WAY_OUT}"
            )
        if len(self.bank) < NEIGHBOURS:
            raise FeatureStatisticsError(
                f"a bank of {len(self.bank)} features; expected at least {NEIGHBOURS}; {WAY_OUT}"
            )
        if not all(bool(part.isfinite().all()) for part in (self.origin, self.residual, self.bank)):
            raise FeatureStatisticsError(f"feature statistics hold a number that is not finite; {WAY_OUT}")
        for name, moments in (("knn", self.distance), ("energy", self.energy)):
            if not (moments.std > 0 or (name == "energy" and math.isnan(moments.std))):
                raise FeatureStatisticsError(
                    f"feature statistics: the standard deviation of {name} is {moments.std:g}; expected a number above "
                    f"0: is this the network's real answer? {WAY_OUT}"
                )

    def __repr__(self) -> str:
        return f"<feature statistics of {self.where}, {self.dimension} wide, bank of {len(self.bank)}>"

    @property
    def dimension(self) -> int:
        """D, the number of features at a pixel."""
        return int(self.origin.shape[0])

    @property
    def where(self) -> str:
        """The layer, in words."""
        return layer_words(self.layer)


FeatureSource = Callable[[], FeatureStatistics]
"""Gives the statistics when they are first needed; may read a file then, and raise FeatureStatisticsError."""


def layer_words(layer: str) -> str:
    """A layer by its name, in words."""
    return f"layer {layer!r}" if layer else "the last layer's input"


@dataclass(frozen=True, eq=False)
class Rows:
    """Statistics as one matrix to multiply features with.

    Attributes:
        matrix: (n + r, D) float32: the bank, then the residual directions.
        bank: n.
        shift: (r,) float32, the residual directions applied to the origin.
    """

    matrix: torch.Tensor
    bank: int
    shift: torch.Tensor


@lru_cache(maxsize=4)
def rows_of(statistics: FeatureStatistics, device: torch.device) -> Rows:
    """The statistics on a device, ready to multiply with; made once."""
    bank = torch.nn.functional.normalize(statistics.bank.float())  # half precision changed lengths and angles a little
    residual = torch.linalg.qr(statistics.residual.double()).Q.float()
    matrix = torch.cat([bank, residual.T]).contiguous()
    return Rows(matrix.to(device), len(bank), (residual.T @ statistics.origin.float()).to(device))
