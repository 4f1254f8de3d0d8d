"""The perturbation scores of one network: which ones it supports (each is checked once), and the scores of a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError
from trust_seg_ros.uncertainty.perturbation import check_perturbation, perturbation_score
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.perturbation_sums import PassSums
from trust_seg_ros.uncertainty.pixel_score import PerturbedScores


class PerturbedNetwork:
    """A network and the results of ``check_perturbation`` for it."""

    def __init__(self, network: SegmentationNetwork) -> None:
        self._network = network
        self._found: dict[tuple[str, bool], str | None] = {}

    def unavailable(self, kind: str, settings: PerturbationSettings) -> str | None:
        """Why the network cannot be perturbed this way; None if it can. For any thread, if any thread may infer.

        Args:
            kind: one of ``KINDS``; ``settings.kind`` is ignored.
            settings: only whether ``dropout`` is set matters.

        Raises:
            ModelError: the network fails on a small picture.
        """
        # dropout of the network's own layers, and of the last layer's input, need different things
        key = kind, kind == "mc_dropout" and settings.dropout > 0
        if key not in self._found:
            try:
                check_perturbation(self._network, replace(settings, kind=kind))  # type: ignore[arg-type]
                self._found[key] = None
            except PerturbationUnavailableError as error:
                self._found[key] = str(error)
        return self._found[key]

    @staticmethod
    def warm_up() -> None:
        """Compile the kernels that add up passes on the CPU, so that choosing a score while driving does not."""
        sums, answer = PassSums(), LogitMaps(torch.rand(3, 4, 4), (8, 8))
        for _ in range(2):
            sums.add(answer)
        sums.statistics()

    def scores(self, image: np.ndarray, answer: LogitMaps, settings: PerturbationSettings) -> PerturbedScores:
        """A function from the kind to the (H, W) score of an image; every call runs its own passes.

        Args:
            image: (H, W, 3) uint8 RGB.
            answer: the network's answer to it.
            settings: settings of any kind; ``settings.kind`` is ignored.
        """

        def score(kind: str) -> torch.Tensor:
            chosen = replace(settings, kind=kind)  # type: ignore[arg-type]
            return perturbation_score(self._network, image, chosen, answer=answer).score

        return score
