"""Whether a network answers alike on two libraries: classes, maps and scores of the same images; and their times."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import UncertaintyMaps
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.errors import UncertaintyError
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS, SCORES, SOFTMAX_SCORES

SAME_CLASSES, MAPS, SCORE = 0.9999, 1 / 255, 1e-3
"""Answers agree with at least this share of equal classes, and at most these differences."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What the package makes of a network's answer to one image.

    Attributes:
        maps: class, entropy, margin, variation ratio, (H, W).
        scores: name -> (H, W), every further single-pass score that the network can give.
        missing: name -> why the network cannot give it.
        shape: (q, h, w) of the answer.
        masks: how many masks it is the sum of; 0 for networks that answer with logits or probabilities.
    """

    maps: UncertaintyMaps
    scores: Mapping[str, torch.Tensor]
    missing: Mapping[str, str]
    shape: tuple[int, ...]
    masks: int = 0


@dataclass(frozen=True)
class Agreement:
    """How two answers to the same images differ; the worst image counts.

    Attributes:
        same_classes: share of the pixels with the same class, 0 to 1, over all images.
        maps: largest difference of entropy, margin and variation ratio.
        scores: name -> largest difference, as a share of the score's range over the image, but for one pixel in 10,000,
            as for classes: a score may have steps.
        missing: scores that only one of the two gives.
    """

    same_classes: float
    maps: float
    scores: Mapping[str, float]
    missing: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the one may stand for the other."""
        alike = self.same_classes >= SAME_CLASSES and self.maps <= MAPS
        return alike and not self.missing and all(value <= SCORE for value in self.scores.values())

    def __str__(self) -> str:
        worst = max(self.scores, key=lambda name: self.scores[name], default=None)
        further = "" if worst is None else f", other scores by {self.scores[worst]:.1e} of their range ({worst})"
        lost = f"; only one of them gives {', '.join(self.missing)}" if self.missing else ""
        return f"{self.same_classes:.3%} of the classes alike, maps differ by {self.maps:.1e}{further}{lost}"


def judged(network: SegmentationNetwork, image: np.ndarray, known: NetworkStatistics = NO_STATISTICS) -> Judged:
    """All single-pass scores of a network's answer to one image.

    Args:
        network: the network.
        image: (H, W, 3) uint8 RGB.
        known: statistics from a calibration, for the scores that compare with them.

    Raises:
        ImageError, ModelError: as ``SegmentationNetwork.infer``.
    """
    answer = network.infer(image)
    maps = uncertainty_maps(answer).host()
    scores = FrameScores(answer, maps, IN_LOGARITHMS, known)
    found, missing = {}, {}
    for name in SCORES:
        try:
            found[name] = scores.get(name)
        except UncertaintyError as error:
            missing[name] = str(error)
    further = {name: score for name, score in found.items() if name not in SOFTMAX_SCORES}
    masks = 0 if answer.queries is None else len(answer.queries.masks)
    return Judged(maps, further, missing, tuple(answer.logits.shape), masks)


def agreement(wanted: Sequence[Judged], found: Sequence[Judged]) -> Agreement:
    """How the answers of two networks to the same images differ."""
    pairs = list(zip(wanted, found, strict=True))
    same = [float((a.maps.classes == b.maps.classes).float().mean()) for a, b in pairs]
    maps = [_apart(getattr(a.maps, name), getattr(b.maps, name)) for a, b in pairs for name in SOFTMAX_SCORES]
    names = [name for name in wanted[0].scores if all(name in b.scores for _, b in pairs)]
    scores = {name: max(_share(a.scores[name], b.scores[name]) for a, b in pairs) for name in names}
    lost = sorted({name for a, b in pairs for name in set(a.scores) ^ set(b.scores)})
    return Agreement(statistics.fmean(same), max(maps), scores, tuple(lost))


def _apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference; infinite where only one is finite."""
    finite = torch.isfinite(a)
    if not bool(torch.equal(finite, torch.isfinite(b))):
        return float("inf")
    return float((a[finite].double() - b[finite].double()).abs().max()) if bool(finite.any()) else 0.0


def _share(a: torch.Tensor, b: torch.Tensor) -> float:
    """Difference that all but a share of 1 - SAME_CLASSES of the pixels have at most, as a share of the range."""
    both = torch.isfinite(a) & torch.isfinite(b)
    alike = both | (torch.isfinite(a) == torch.isfinite(b))
    apart = torch.where(both, (a.double() - b.double()).abs(), torch.where(alike, 0.0, math.inf)).flatten()
    difference = float(apart.kthvalue(max(1, math.ceil(SAME_CLASSES * apart.numel()))).values)
    finite = a[torch.isfinite(a)]
    spread = float(finite.max() - finite.min()) if finite.numel() else 0.0
    return difference / spread if spread else difference


def times(calls: Mapping[str, Callable[[], object]], rounds: int, at_most_s: float = float("inf")) -> dict[str, float]:
    """Median seconds of each call, taken in turns so that a busy moment hits all of them.

    Args:
        calls: name -> what to time.
        rounds: turns, after one that allocates.
        at_most_s: no further turn begins after this many seconds, but two are made.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    begin = time.perf_counter()
    for turn in range(rounds + 1):
        if turn > 2 and time.perf_counter() - begin > at_most_s:
            break
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                spent[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in spent.items()}
