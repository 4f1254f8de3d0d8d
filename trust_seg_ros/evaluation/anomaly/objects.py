"""Object measures: sIoU, PPV and F1* over connected components.

Source: Chan et al., SegmentMeIfYouCan, NeurIPS 2021 (datasets and benchmarks), section 3 and appendix; sIoU after
Rottmann et al., MetaSeg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.types import UNLABELLED

TAUS = tuple(0.25 + 0.05 * i for i in range(11))
"""The thresholds on sIoU and PPV that F1* averages over: 0.25, 0.30, ..., 0.75."""


@dataclass(frozen=True)
class SizeLimits:
    """Components that do not count.

    Attributes:
        predicted: predicted components of fewer pixels are dropped.
        actual: ground-truth components of fewer pixels become void.
    """

    predicted: int
    actual: int


ANOMALY_TRACK = SizeLimits(500, 100)
OBSTACLE_TRACK = SizeLimits(50, 10)
NO_LIMITS = SizeLimits(1, 1)


@dataclass(frozen=True)
class ObjectMatches:
    """Components of one image, or of many.

    Attributes:
        siou: (g,) float64 in [0, 1], of every ground-truth component.
        ppv: (p,) float64 in [0, 1], of every predicted component.
    """

    siou: np.ndarray
    ppv: np.ndarray

    def f1(self, tau: float) -> float:
        """2 TP / (2 TP + FN + FP); 1 if there are neither true nor predicted components."""
        # a small tolerance: 0.30 is 0.25 + 0.05 only up to rounding
        tp = int((self.siou >= tau - 1e-12).sum())
        wrong = len(self.siou) - tp + int((self.ppv < tau - 1e-12).sum())
        return 2 * tp / (2 * tp + wrong) if tp + wrong else 1.0

    @property
    def f1_star(self) -> float:
        """Mean F1 over the 11 thresholds ``TAUS``."""
        return float(np.mean([self.f1(tau) for tau in TAUS]))

    @property
    def mean_siou(self) -> float:
        """Mean sIoU; without ground-truth components 1 if nothing was predicted, else 0."""
        return float(self.siou.mean()) if len(self.siou) else float(not len(self.ppv))

    @property
    def mean_ppv(self) -> float:
        """Mean PPV; without predicted components 1 if there are no ground-truth components, else 0."""
        return float(self.ppv.mean()) if len(self.ppv) else float(not len(self.siou))


@dataclass(frozen=True)
class Overlaps:
    """Sizes and overlaps of predicted and ground-truth components of one image, without void.

    Attributes:
        found: (p,) int64 pixels of every predicted component.
        there: (g,) int64 pixels of every ground-truth component.
        pairs: (k, 2) int64, positions (predicted, ground truth) of components that overlap.
        shared: (k,) int64 pixels of their overlap.
    """

    found: np.ndarray
    there: np.ndarray
    pairs: np.ndarray
    shared: np.ndarray

    @property
    def false_alarms(self) -> np.ndarray:
        """(p,) bool, True for predicted components without an anomalous pixel."""
        return np.bincount(self.pairs[:, 0], minlength=len(self.found)) == 0

    def errors(self, kept: np.ndarray | None = None, limits: SizeLimits = NO_LIMITS) -> tuple[int, int]:
        """(false positives, false negatives) among whole components (Chan et al., ICCV 2021, section 4).

        A false positive is a predicted component without an anomaly in it, a false negative a ground-truth component
        that no predicted one touches. Components below their limit count for neither.

        Args:
            kept: (p,) bool, predicted components that were not discarded; None = all.
            limits: sizes below which components do not count.
        """
        alive = self._alive(kept, limits)
        touched = self.pairs[alive[self.pairs[:, 0]], 1]
        missed = (np.bincount(touched, minlength=len(self.there)) == 0) & (self.there >= limits.actual)
        return int((alive & self.false_alarms).sum()), int(missed.sum())

    def match(self, limits: SizeLimits, kept: np.ndarray | None = None) -> ObjectMatches:
        """sIoU and PPV, see :func:`match_objects`.

        Args:
            limits: sizes below which components do not count.
            kept: (p,) bool, predicted components that were not discarded; None = all.
        """
        alive, large = self._alive(kept, limits), self.there >= limits.actual
        p, g = self.pairs.T
        on_small = np.bincount(p, self.shared * ~large[g], len(self.found))  # these pixels have become void
        counted = self.found - on_small
        both = alive[p] & large[g]
        p, g, shared = p[both], g[both], self.shared[both]
        on_any = np.bincount(p, shared, len(self.found))  # pixels of each predicted component on any anomaly
        hit = np.bincount(g, shared, len(self.there))
        # over predicted components that meet g: all their pixels minus the pixels on other ground-truth components
        charged = np.bincount(g, counted[p] - (on_any[p] - shared), len(self.there))
        called = alive & (counted > 0)
        return ObjectMatches((hit / (self.there + charged - hit))[large], on_any[called] / counted[called])

    def _alive(self, kept: np.ndarray | None, limits: SizeLimits) -> np.ndarray:
        alive = self.found >= limits.predicted
        return alive if kept is None else alive & kept


def overlaps(found: np.ndarray, truth: np.ndarray, count: int | None = None) -> Overlaps:
    """How predicted components overlap with ground-truth components (8-connected).

    Args:
        found: (H, W) int component numbers 1..p, 0 = none, as ``segments.labelling`` gives them; void pixels are 0.
        truth: (H, W) integer labels: 0 in distribution, 1 anomaly, 255 void.
        count: p, where the last ones may have no pixel left; None = the largest number there is.
    """
    there = _number(truth == 1)
    n_found = (int(found.max(initial=0)) if count is None else count) + 1
    n_there = int(there.max(initial=0)) + 1
    both = (found > 0) & (there > 0)
    keys, shared = np.unique(there[both].astype(np.int64) * n_found + found[both], return_counts=True)
    pairs = np.stack([keys % n_found, keys // n_found], 1) - 1
    found_sizes = np.bincount(found.ravel(), minlength=n_found)[1:]
    there_sizes = np.bincount(there.ravel(), minlength=n_there)[1:]
    return Overlaps(found_sizes, there_sizes, pairs, shared)


def match_objects(predicted: np.ndarray, truth: np.ndarray, limits: SizeLimits = ANOMALY_TRACK) -> ObjectMatches:
    """sIoU and PPV of the components of one image.

    Void is removed from the prediction first, then 8-connected components are taken, small predicted ones dropped, and
    small ground-truth ones made void; predicted pixels on these no longer count, sizes are not checked again.

    Args:
        predicted: (H, W) bool, score > threshold.
        truth: (H, W) integer labels: 0 in distribution, 1 anomaly, 255 void.
        limits: sizes below which components do not count.

    Raises:
        AnomalyError: shapes differ or ``predicted`` is not boolean.
    """
    if predicted.dtype != bool or predicted.shape != truth.shape or predicted.ndim != 2:
        raise AnomalyError(
            f"prediction is {predicted.dtype} {predicted.shape}, labels {truth.shape}; expected bool and one shape"
        )
    return overlaps(_number(predicted & (truth != UNLABELLED)), truth).match(limits)


def pooled(matches: Sequence[ObjectMatches]) -> ObjectMatches:
    """Components of many images as one set."""
    empty = np.empty(0)
    return ObjectMatches(
        np.concatenate([m.siou for m in matches] or [empty]), np.concatenate([m.ppv for m in matches] or [empty])
    )


def _number(mask: np.ndarray) -> np.ndarray:
    return find_components(np.where(mask, np.uint8(0), np.uint8(UNLABELLED))).ids
