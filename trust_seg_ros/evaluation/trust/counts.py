"""Counts of the pixels of a data set; the pixels themselves are not kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trust_seg_ros.evaluation.trust.measures import Reliability


@dataclass(frozen=True)
class Flagged:
    """Pixels flagged by one policy that needs no calibration.

    Attributes:
        thresholds: (n,) float64, of each image.
        pixels: (n, 2) int64, right and wrong pixels flagged in each image.
        groups: (g, 2) int64, the same of each group over all images.
    """

    thresholds: np.ndarray
    pixels: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class ScoreCounts:
    """One score over n images.

    Attributes:
        edges: (k,) float64, rising, from -inf to +inf: lower ends of the bins; counts at these thresholds are exact.
        right, wrong: (n, k) uint32, pixels of each image by bin.
        groups: (g, 2, k) int64, right and wrong pixels of each group over all images: see ``Groups``.
        flagged: name of the policy -> pixels it flags.
        means: (n,) float64, mean of the finite scores of each image, including pixels without a true class.
        milliseconds: (n,) float64, time to compute the score.
    """

    edges: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    groups: np.ndarray
    flagged: dict[str, Flagged]
    means: np.ndarray
    milliseconds: np.ndarray

    @cached_property
    def wrong_found(self) -> np.ndarray:
        """(n, k + 1) uint32, wrong pixels of each image at or above each edge; none at the last."""
        return _at_or_above(self.wrong)

    @cached_property
    def right_found(self) -> np.ndarray:
        """(n, k + 1) uint32, right pixels of each image at or above each edge; none at the last."""
        return _at_or_above(self.right)

    @property
    def missed(self) -> np.ndarray:
        """(n, k) float64, share of the wrong pixels of each image below each edge; 0 in an image without any."""
        errors = self.wrong_found[:, :1].astype(np.int64)
        return (errors - self.wrong_found[:, :-1]) / np.maximum(errors, 1)

    def at(self, threshold: float) -> np.ndarray:
        """(n, 2) int64, right and wrong pixels of each image at or above a threshold, which is an edge."""
        place = int(np.searchsorted(self.edges, threshold))
        return np.stack([self.right_found[:, place], self.wrong_found[:, place]], 1).astype(np.int64)

    def groups_at(self, threshold: float) -> np.ndarray:
        """(g, 2) int64, as :meth:`at`, of each group over all images."""
        place = int(np.searchsorted(self.edges, threshold))
        return self.groups[:, :, place:].sum(-1)

    @cached_property
    def totals(self) -> np.ndarray:
        """(n, 2) int64, right and wrong pixels of each image."""
        return np.stack([self.right_found[:, 0], self.wrong_found[:, 0]], 1).astype(np.int64)


@dataclass(frozen=True)
class DataCounts:
    """Results of one pass over a data set.

    Attributes:
        name: name of the data set, for tables.
        images, drives: (n,) names of the images read, and of the recordings they come from.
        places: (n,) int64, their positions in the data set.
        classes: class names, q of them.
        scores: score -> counts.
        reliability: reliability diagram of the softmax confidence.
        skipped: image left out -> why.
        network_ms: median time of the network.
    """

    name: str
    images: tuple[str, ...]
    drives: tuple[str, ...]
    places: np.ndarray
    classes: tuple[str, ...]
    scores: dict[str, ScoreCounts]
    reliability: Reliability
    skipped: dict[str, str]
    network_ms: float

    @property
    def totals(self) -> np.ndarray:
        """(n, 2) int64, right and wrong pixels of each image."""
        return next(iter(self.scores.values())).totals


def _at_or_above(counts: np.ndarray) -> np.ndarray:
    found = np.zeros((counts.shape[0], counts.shape[1] + 1), np.uint32)
    np.cumsum(counts[:, ::-1], axis=1, out=found[:, -2::-1])
    return found
