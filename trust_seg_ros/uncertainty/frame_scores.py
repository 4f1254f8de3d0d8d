"""The scores of one frame by name: each computed when it is first asked for, and at most once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.errors import UncertaintyError
from trust_seg_ros.uncertainty.feature_scores import feature_maps
from trust_seg_ros.uncertainty.gradient import gradient_maps
from trust_seg_ros.uncertainty.gradient_inputs import LABELS, GradientSettings
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.pixel_score import PerturbedScores
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES, IN_LOGARITHMS, SCORES, SOFTMAX_SCORES, score_map

_GRADIENTS = {f"gradient_{label}": label for label in LABELS}
"""Scores computed together in one pass over the features: name -> label."""


class FrameScores:
    """Anomaly scores of one frame, higher = less trustworthy.

    Args:
        logit_maps: the network's answer.
        maps: the maps of the same answer.
        gradient: norm, variant and scale of the gradient scores.
        statistics: statistics of the network, for the standardised max logit and the feature scores.
        perturbed: computes the perturbation scores; None = they are unavailable.
    """

    def __init__(
        self,
        logit_maps: LogitMaps,
        maps: UncertaintyMaps,
        gradient: GradientSettings = IN_LOGARITHMS,
        statistics: NetworkStatistics = NO_STATISTICS,
        perturbed: PerturbedScores | None = None,
    ) -> None:
        self._logit_maps, self._maps = logit_maps, maps
        self._gradient, self._statistics, self._perturbed = gradient, statistics, perturbed
        self._made_on: dict[str, torch.Tensor] = {}  # on the device of the logits
        self._found: dict[str, torch.Tensor] = {}

    @property
    def computed(self) -> Mapping[str, torch.Tensor]:
        """Name -> map on the host, for the scores computed so far that ``UncertaintyMaps`` does not hold."""
        return {name: self.get(name) for name in self._made_on if name not in SOFTMAX_SCORES}

    def get(self, name: str) -> torch.Tensor:
        """One score of every pixel.

        Args:
            name: one of ``PIXEL_SCORES``.

        Returns:
            (H, W) float32 on the host. Faulty pixels have the score's maximum: 1 for perturbation scores, the largest
            value for softmax scores, +inf for all others.

        Raises:
            SettingError: no such score.
            UncertaintyError: the network cannot give it; the text says what it lacks.
        """
        if name in SOFTMAX_SCORES:
            return score_map(name, self._logit_maps, self._maps).cpu()
        if name not in self._found:
            self._found[name] = self.on_device(name).cpu()
        return self._found[name]

    def on_device(self, name: str) -> torch.Tensor:
        """The same score where it was computed: on the device of the logits, if it is no softmax score."""
        if name not in self._made_on:
            what = self._logit_maps, self._maps, self._gradient, self._statistics, self._perturbed
            self._made_on[name] = score_map(name, *what)
        return self._made_on[name]

    def compute(self, names: Iterable[str]) -> None:
        """Compute several scores; both gradient scores are computed in one pass over the features, and so are all
        feature scores.

        Raises:
            UncertaintyError: as :meth:`get`.
        """
        wanted = dict.fromkeys(names)
        if all(name in wanted and name not in self._made_on for name in _GRADIENTS):
            s = self._gradient
            both = gradient_maps(self._logit_maps, p=s.p, variant=s.variant, scale=s.scale)
            for name, label in _GRADIENTS.items():
                self._made_on[name] = getattr(both, label)
        together = [name for name in FEATURE_SCORES if name in wanted and name not in self._made_on]
        if len(together) > 1:
            self._made_on |= feature_maps(self._logit_maps, self._statistics.features, together)
        for name in wanted:
            self.on_device(name)

    def missing(self, names: Iterable[str] = SCORES) -> dict[str, str]:
        """Scores among ``names``, of a single pass, that the network cannot give: name -> reason. Computes them all."""
        reasons = {}
        for name in names:
            try:
                self.get(name)
            except UncertaintyError as error:
                reasons[name] = str(error)
        return reasons


def missing_scores(
    network: SegmentationNetwork,
    gradient: GradientSettings,
    statistics: NetworkStatistics = NO_STATISTICS,
    names: Iterable[str] = SCORES,
) -> dict[str, str]:
    """Scores among ``names`` that a network cannot give: name -> reason. Runs it on one small black image."""
    answer = network.infer(np.zeros((64, 96, 3), np.uint8))
    return FrameScores(answer, uncertainty_maps(answer), gradient, statistics).missing(names)
