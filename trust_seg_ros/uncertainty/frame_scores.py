"""The scores of one frame by name: each computed when it is first asked for, and at most once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError, UncertaintyError
from trust_seg_ros.uncertainty.gradient import gradient_maps
from trust_seg_ros.uncertainty.gradient_inputs import LOG_LEAST, GradientSettings
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.perturbation_settings import PERTURBATION_SCORES
from trust_seg_ros.uncertainty.score_names import GRADIENT_SCORES, SCORES, SOFTMAX_SCORES, score_map
from trust_seg_ros.uncertainty.standardized import ClassStatistics

IN_LOGARITHMS = GradientSettings(scale="log")
"""Gradient norms as thresholds and averages want them, see docs/methods/gradient.md."""


PerturbedScores = Callable[[str], torch.Tensor]
"""Gives a perturbation score of the frame, (H, W) float32, by its name; it asks the network again."""


class FrameScores:
    """Anomaly scores of one frame, higher = less trustworthy.

    Args:
        logit_maps: the network's answer.
        maps: the maps of the same answer.
        gradient: norm, variant and scale of the gradient scores.
        statistics: of the network, for the standardised max logit; None = there is no such score.
        perturbed: where perturbation scores come from; None = there are none.
    """

    def __init__(
        self,
        logit_maps: LogitMaps,
        maps: UncertaintyMaps,
        gradient: GradientSettings = IN_LOGARITHMS,
        statistics: ClassStatistics | None = None,
        perturbed: PerturbedScores | None = None,
    ) -> None:
        self._logit_maps, self._maps = logit_maps, maps
        self._gradient, self._statistics, self._perturbed = gradient, statistics, perturbed
        self._found: dict[str, torch.Tensor] = {}

    @property
    def computed(self) -> Mapping[str, torch.Tensor]:
        """Name -> map, of those computed so far that ``UncertaintyMaps`` does not hold."""
        return dict(self._found)

    def get(self, name: str) -> torch.Tensor:
        """One score of every pixel.

        Args:
            name: one of ``PIXEL_SCORES``.

        Returns:
            (H, W) float32 on the host; the score's maximum, which is 1 for perturbation scores and +inf for all others
            but those of the softmax, at faulty pixels.

        Raises:
            SettingError: no such score.
            UncertaintyError: the network cannot give it; the text says what it lacks.
        """
        if name in SOFTMAX_SCORES:
            return score_map(name, self._logit_maps, self._maps).cpu()
        if name not in self._found:
            self._found[name] = self._made(name).cpu()
        return self._found[name]

    def _made(self, name: str) -> torch.Tensor:
        if name not in PERTURBATION_SCORES:
            return score_map(name, self._logit_maps, self._maps, self._gradient, self._statistics)
        if self._perturbed is None:
            raise PerturbationUnavailableError(
                f"{name} asks the network several times more, and here is one answer of it only; use a TrustPipeline"
            )
        return self._perturbed(name)

    def compute(self, names: Iterable[str]) -> None:
        """Compute several; both gradient scores are made in one pass over the features.

        Raises:
            UncertaintyError: as :meth:`get`.
        """
        wanted = dict.fromkeys(names)
        if all(name in wanted and name not in self._found for name in GRADIENT_SCORES):
            s = self._gradient
            both = gradient_maps(self._logit_maps, p=s.p, variant=s.variant, scale=s.scale)
            for name in GRADIENT_SCORES:
                self._found[name] = getattr(both, name.removeprefix("gradient_")).cpu()
        for name in wanted:
            self.get(name)

    def missing(self) -> dict[str, str]:
        """Name -> why the network cannot give it, of all such scores. Computes every score of a single pass."""
        reasons = {}
        for name in SCORES:
            try:
                self.get(name)
            except UncertaintyError as error:
                reasons[name] = str(error)
        return reasons


def missing_scores(
    network: SegmentationNetwork, gradient: GradientSettings, statistics: ClassStatistics | None = None
) -> dict[str, str]:
    """Name -> why a network cannot give it, of all such scores; shows it one small black image."""
    answer = network.infer(np.zeros((64, 96, 3), np.uint8))
    return FrameScores(answer, uncertainty_maps(answer), gradient, statistics).missing()


def score_range(name: str, classes: int, gradient: GradientSettings = IN_LOGARITHMS) -> tuple[float, float]:
    """Least and largest finite value that a score can have; infinite where there is no limit.

    Args:
        name: one of ``PIXEL_SCORES``.
        classes: number q of classes.
        gradient: of the gradient scores.
    """
    if name in SOFTMAX_SCORES:
        return 0.0, (1.0 - 1.0 / classes if name == "variation_ratio" else 1.0)
    if name in PERTURBATION_SCORES:
        return 0.0, 1.0
    if name not in GRADIENT_SCORES:
        return -math.inf, math.inf
    least = LOG_LEAST if gradient.scale == "log" else 0.0
    negated = gradient.sign(name.removeprefix("gradient_")) < 0  # type: ignore[arg-type]
    return (-math.inf, -least) if negated else (least, math.inf)


def beyond_range(name: str, threshold: float, classes: int, gradient: GradientSettings = IN_LOGARITHMS) -> str:
    """What a threshold outside of a score's range means, in words; "" for one inside."""
    low, high = score_range(name, classes, gradient)
    if low <= threshold <= high:
        return ""
    side, many = ("below", "every") if threshold < low else ("above", "no")
    return f"{threshold:g} is {side} all values of {name} ({low:g} to {high:g}): {many} pixel is flagged"
