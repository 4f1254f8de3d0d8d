"""Settings of perturbation scores: what to perturb, how often and how strongly, and the statistic of the answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.uncertainty.errors import SettingError

Kind = Literal["mc_dropout", "input_noise", "input_scale"]
Statistic = Literal["entropy", "mutual_information", "vote_variation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of perturbation; the names of their scores."""
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
"""Statistics of the passes, see ``reference_statistics``."""
MOST_PASSES = 255


@dataclass(frozen=True)
class PerturbationSettings:
    """A perturbation score.

    Attributes:
        kind: ``mc_dropout``: dropout stays on (Gal and Ghahramani 2016); ``input_noise``: Gaussian noise on the image;
            ``input_scale``: the network sees the image in other sizes.
        passes: K, 2 to 255.
        sigma: standard deviation of the noise in grey levels of 0..255, above 0; input_noise.
        scales: smallest and largest factor on the sides of the network's input; the K factors between them are evenly
            spaced in their logarithm; input_scale.
        dropout: 0 = the network's own dropout layers at the rates it was trained with; above 0, below 1: that share of
            the channels of the last layer's input is dropped instead, which needs no dropout layers, but is no
            approximation of a posterior: the network was not trained that way; mc_dropout.
        statistic: one of ``STATISTICS``; entropy found misclassified pixels best in all measurements
            (docs/methods/perturbation.md).
        seed: seed of noise and masks, at least 0; the same for every image.
        batch: number of passes run together, if the network takes batches; at least 1.

    Raises:
        SettingError: a value is outside these ranges.
    """

    kind: Kind
    passes: int = 8
    sigma: float = 4.0
    scales: tuple[float, float] = (0.7, 1.4)
    dropout: float = 0.0
    statistic: Statistic = "entropy"
    seed: int = 0
    batch: int = 4

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("statistic", self.statistic, STATISTICS)
        _whole("passes", self.passes, 2, MOST_PASSES)
        _whole("seed", self.seed, 0, None)
        _whole("batch", self.batch, 1, None)
        if not (math.isfinite(self.sigma) and 0 < self.sigma <= 255):
            raise SettingError(f"sigma is {self.sigma!r}; expected grey levels above 0, at most 255, usually 2 to 8")
        if not 0 <= self.dropout < 1:
            raise SettingError(
                f"dropout is {self.dropout!r}; expected 0 for the network's own, or a rate below 1, for example 0.2"
            )
        scales = tuple(self.scales)
        if len(scales) != 2 or not all(math.isfinite(s) for s in scales) or not 0.1 <= scales[0] < scales[1] <= 4:
            raise SettingError(
                f"scales are {self.scales!r}; expected the smallest and the largest factor, from 0.1 to 4, for example "
                "(0.7, 1.4)"
            )
        object.__setattr__(self, "scales", scales)

    @property
    def factors(self) -> tuple[float, ...]:
        """The K scales, rising."""
        low, high = self.scales
        return tuple(low * (high / low) ** (k / (self.passes - 1)) for k in range(self.passes))

    @property
    def seeds(self) -> tuple[int, ...]:
        """A seed for each of the K passes; with a larger K, the first seeds stay the same."""
        return tuple((self.seed * 1_000_003 + k) % (1 << 63) for k in range(self.passes))


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingError(f"{name} is {value!r}; choose one of: {', '.join(known)}{did_you_mean(value, known)}")


def _whole(name: str, value: object, least: int, most: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        limits = f"from {least}" if most is None else f"from {least} to {most}"
        raise SettingError(f"{name} is {value!r}; expected a whole number {limits}")
