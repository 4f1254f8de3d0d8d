"""Turns images into counts, one image at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust.counts import Flagged, ScoreCounts
from trust_seg_ros.evaluation.trust.distance import NAMES as RANGES
from trust_seg_ros.evaluation.trust.kernels import count_confidence, count_pixels
from trust_seg_ros.evaluation.trust.measures import Reliability
from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy
from trust_seg_ros.thresholds.policies.resolution import resolve

CONFIDENCE_BINS = 15


class ScoreGatherer:
    """Counts of one score; memory grows by some 30 kB per image, whatever its size.

    Args:
        score: its name, for errors.
        edges: (k,) float32, see ``grid.score_grid``.
        classes: number q of classes.
        policies: policies without calibration are counted at their threshold for each image.
    """

    def __init__(self, score: str, edges: np.ndarray, classes: int, policies: Sequence[NamedPolicy] = ()) -> None:
        self.score, self.edges, self.classes = score, edges, classes
        self.policies = tuple(p for p in policies if not p.calibrated and p.fits(score))
        self._groups = np.zeros((2 * classes + 1 + len(RANGES), 2, len(edges)), np.int64)
        self._parts: list[np.ndarray] = []
        self._thresholds: list[np.ndarray] = []
        self._flagged: list[np.ndarray] = []
        self._flagged_groups = np.zeros((len(self.policies), len(self._groups), 2), np.int64)
        self._means: list[float] = []
        self._milliseconds: list[float] = []

    def add(
        self,
        plane: np.ndarray,
        predicted: np.ndarray,
        truth: np.ndarray,
        distance: np.ndarray,
        milliseconds: float = 0.0,
    ) -> None:
        """Add one image.

        Args:
            plane: (H, W) float32 score.
            predicted, truth: (H, W) uint8 class ids, 255 = none.
            distance: (H, W) uint8, see ``distance.ranges``.
            milliseconds: time to compute the score.

        Raises:
            TrustStudyError: a score is not a number.
        """
        plane = np.ascontiguousarray(plane, np.float32)
        if np.isnan(plane).any():
            raise TrustStudyError(f"{self.score}: {int(np.isnan(plane).sum())} pixels of an image have no number")
        wanted = np.array([resolve(p.policy, plane, classes=predicted, threads=1) for p in self.policies], np.float64)
        with np.errstate(over="ignore"):
            compared = wanted.astype(np.float32)
        order = np.argsort(compared, kind="stable")
        levels = np.zeros((len(self._groups) + 1, 2, len(order) + 1), np.int64)
        image = np.zeros((2, len(self.edges)), np.uint32)
        of_pixels = _flat(plane), _flat(predicted), _flat(truth), _flat(distance)
        count_pixels(*of_pixels, self.edges, compared[order], self.classes, image, self._groups, levels)
        self._parts.append(image)
        above = np.cumsum(levels[:, :, ::-1], axis=-1)[:, :, ::-1][:, :, 1:]  # (g + 1, 2, t) reach threshold t
        flagged = np.empty_like(above)
        flagged[:, :, order] = above
        self._thresholds.append(wanted)
        self._flagged.append(flagged[0].T)
        self._flagged_groups += flagged[1:].transpose(2, 0, 1)
        finite = plane if np.isfinite(plane).all() else plane[np.isfinite(plane)]
        self._means.append(float(finite.mean(dtype=np.float64)) if finite.size else np.nan)
        self._milliseconds.append(milliseconds)

    def counts(self) -> ScoreCounts:
        """All images added so far."""
        n = len(self._parts)
        right, wrong = np.reshape(self._parts, (n, 2, len(self.edges))).transpose(1, 0, 2)
        thresholds = np.reshape(self._thresholds, (n, len(self.policies)))
        flagged = np.reshape(self._flagged, (n, len(self.policies), 2)).astype(np.int64)
        found = {
            policy.name: Flagged(thresholds[:, k], flagged[:, k], self._flagged_groups[k])
            for k, policy in enumerate(self.policies)
        }
        means, times = np.array(self._means, np.float64), np.array(self._milliseconds, np.float64)
        edges = self.edges.astype(np.float64)
        return ScoreCounts(edges, right, wrong, self._groups, found, means, times)


class ReliabilityGatherer:
    """Bins of the softmax confidence."""

    def __init__(self, bins: int = CONFIDENCE_BINS) -> None:
        self._counts, self._sums = np.zeros((bins, 2), np.int64), np.zeros(bins)

    def add(self, variation_ratio: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> None:
        """Add one image, (H, W) each: float32 1 - confidence, uint8 class ids with 255 = none."""
        count_confidence(_flat(variation_ratio), _flat(predicted), _flat(truth), self._counts, self._sums)

    def reliability(self) -> Reliability:
        """All images added so far."""
        return Reliability(self._counts[:, 0].copy(), self._counts[:, 1].copy(), self._sums.copy())


def _flat(plane: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(plane).reshape(-1)
