"""Computes the scores of an image, and the time that each takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from trust_seg_ros import uncertainty
from trust_seg_ros.grid import AS_IMAGE, Grid
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES

ScoreOf = Callable[[np.ndarray, LogitMaps, UncertaintyMaps], np.ndarray]
"""A further score, computed from the image, the network's answer and its maps."""


@dataclass(frozen=True)
class TimedScores:
    """A network's answer for one image, with its scores.

    Attributes:
        answer, maps: the network's output, on the grid; the maps are on the host.
        planes: score -> (H', W') float32, on the grid.
        milliseconds: score, and "network" -> time; softmax scores are computed together and share one time.
    """

    answer: LogitMaps
    maps: UncertaintyMaps
    planes: dict[str, np.ndarray]
    milliseconds: dict[str, float]


def timed_scores(
    network: SegmentationNetwork,
    image: np.ndarray,
    scores: Sequence[str],
    gradient: GradientSettings,
    statistics: NetworkStatistics = NO_STATISTICS,
    more: Mapping[str, ScoreOf] | None = None,
    grid: Grid = AS_IMAGE,
) -> TimedScores:
    """Run the network and compute scores, one by one.

    Args:
        network: the network to run.
        image: (H, W, 3) uint8 RGB.
        scores: names, as in ``uncertainty.score_names``, or of ``more``.
        gradient: settings of the gradient scores.
        statistics: the network's statistics, for standardized_max_logit and feature scores.
        more: further scores by name.
        grid: where maps and scores are made.

    Raises:
        TrustSegError: the network fails, or cannot give a score.
    """
    start = time.perf_counter()
    answer = uncertainty.on_grid(network.infer(image), grid)
    if answer.logits.is_cuda:
        torch.cuda.synchronize(answer.logits.device)
    after = time.perf_counter()
    maps = uncertainty.uncertainty_maps(answer).host()
    shared = 1e3 * (time.perf_counter() - after)
    frame, more = FrameScores(answer, maps, gradient, statistics), more or {}
    planes, milliseconds = {}, {"network": 1e3 * (after - start)}
    for score in scores:
        begin = time.perf_counter()
        if score in more:
            planes[score] = np.asarray(more[score](image, answer, maps), np.float32)
        else:
            planes[score] = frame.get(score).numpy()
        own = 1e3 * (time.perf_counter() - begin)
        milliseconds[score] = shared if score in SOFTMAX_SCORES else own
    return TimedScores(answer, maps, planes, milliseconds)
