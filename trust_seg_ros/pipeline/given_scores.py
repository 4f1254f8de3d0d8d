"""Which scores a network can give: tried once, and remembered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.perturbed_network import PerturbedNetwork
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES, GRADIENT_SCORES, SCORES, find_score

_WITHOUT_FEATURES = tuple(name for name in SCORES if name not in FEATURE_SCORES)
_SMALL = (64, 96)


class ScoreUnavailableError(TrustSegError):
    """A threshold is set on a score that the network cannot give."""


class GivenScores:
    """Asks a network for its scores when somebody first wants to know.

    Args:
        network: the network.
        scores_of: the scores of an answer.
        perturbed: the same network, for scores of many passes.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        scores_of: Callable[[LogitMaps], FrameScores],
        perturbed: PerturbedNetwork,
    ) -> None:
        self._network, self._scores_of, self._perturbed = network, scores_of, perturbed
        self._missing: dict[str, str] | None = None
        self._features_tried = False

    def unavailable(self, name: str, perturbation: PerturbationSettings | None = None) -> str | None:
        """See ``TrustPipeline.unavailable``."""
        if not find_score(name).single_pass:
            return self._perturbed.unavailable(name, perturbation or ThresholdSettings().perturbation)
        if self._missing is None or (name in FEATURE_SCORES and not self._features_tried):
            self._features_tried = name in FEATURE_SCORES
            names = SCORES if self._features_tried else _WITHOUT_FEATURES
            self._missing = self._scores_of(self._network.infer(noise(_SMALL))).missing(names)
        return self._missing.get(name)

    def learn(self, answer: LogitMaps) -> None:
        """Remember what an answer of the network lacks; feature scores are tried when they are first asked about."""
        self._missing, self._features_tried = self._scores_of(answer).missing(_WITHOUT_FEATURES), False

    @property
    def gradients(self) -> bool:
        """Whether the last answer gave gradient scores."""
        return self._missing is not None and not self._missing.keys() & set(GRADIENT_SCORES)


def noise(size: tuple[int, int]) -> np.ndarray:
    """A made-up image (H, W, 3) uint8, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
