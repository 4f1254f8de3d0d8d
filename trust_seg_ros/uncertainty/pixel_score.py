"""A pixel score: its row in the registry, and the input of its function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, get_args

import torch

from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics

Group = Literal["softmax", "logits", "standardised", "gradient", "mask", "feature", "perturbation"]
"""What a score is computed from; scores of the group ``gradient`` depend on ``GradientSettings``."""
Need = Literal[
    "raw logits",
    "last layer",
    "class sums",
    "mask queries",
    "features",
    "calibration",
    "feature statistics",
    "passes",
]
"""What a score needs beyond the softmax: raw logits, the last convolution and its input, the class sums of a mask
network, its queries, the input of a last 1x1 convolution or of a named layer, class statistics of the network,
statistics of its features, further passes of the network."""
Range = tuple[float, float]
PerturbedScores = Callable[[str], torch.Tensor]
"""Gives a perturbation score of the frame, (H, W) float32, by its name; it runs the network again."""

ANY_NUMBER: Range = (-math.inf, math.inf)
_HELD = {field.name for field in fields(UncertaintyMaps)}


@dataclass(frozen=True)
class ScoreInput:
    """One frame: the input of a score's function.

    Attributes:
        logits: the network's answer.
        maps: entropy, margin, variation ratio and classes (H, W) of that answer.
        gradient: norm, variant and scale of the gradient scores.
        statistics: statistics of the network on in-distribution images.
        perturbed: computes perturbation scores; None = the network cannot be run again.
    """

    logits: LogitMaps
    maps: UncertaintyMaps
    gradient: GradientSettings
    statistics: NetworkStatistics = NO_STATISTICS
    perturbed: PerturbedScores | None = None


@dataclass(frozen=True)
class PixelScore:
    """A score of every pixel; higher = less trustworthy.

    Attributes:
        name: its name in parameters, options, files and reports.
        group: what it is computed from.
        function: gives the (H, W) float32 score on the device of the logits, the score's maximum at faulty pixels;
            raises an ``UncertaintyError`` that says what the network lacks where it cannot be computed.
        text: description in one line, with its source.
        needs: what it needs beyond the softmax.
        limits: least and largest finite value, infinite where there is none; or a function of the number of classes
            and the gradient settings that gives both.
        unit: unit of its values, and their usual range.
        direction: -1 where the score is minus a quantity that grows with confidence, else 1; or a function of the
            gradient settings.
    """

    name: str
    group: Group
    function: Callable[[ScoreInput], torch.Tensor]
    text: str
    needs: tuple[Need, ...] = ()
    limits: Range | Callable[[int, GradientSettings], Range] = ANY_NUMBER
    unit: str = ""
    direction: int | Callable[[GradientSettings], int] = 1

    def __post_init__(self) -> None:
        if unknown := [need for need in self.needs if need not in get_args(Need)]:
            raise ValueError(f"the score {self.name!r} needs {unknown[0]!r}; expected {', '.join(get_args(Need))}")

    @property
    def held(self) -> bool:
        """Whether ``UncertaintyMaps`` already holds it, so that it costs nothing."""
        return self.name in _HELD

    @property
    def single_pass(self) -> bool:
        """Whether one answer of the network is enough."""
        return "passes" not in self.needs

    def range(self, classes: int, gradient: GradientSettings) -> Range:
        """Least and largest finite value."""
        return self.limits if isinstance(self.limits, tuple) else self.limits(classes, gradient)

    def sign(self, gradient: GradientSettings) -> int:
        """-1 where the score is minus a quantity that grows with confidence, else 1."""
        return self.direction if isinstance(self.direction, int) else self.direction(gradient)
