"""Object measures: sIoU, PPV and F1* over connected components.

Source: Chan et al., SegmentMeIfYouCan, NeurIPS 2021 (datasets and benchmarks), section 3 and appendix; sIoU after
Rottmann et al., MetaSeg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.anomaly.errors import AnomalyError
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
        """2 TP / (2 TP + FN + FP); 1 when nothing is there and nothing predicted."""
        # a hair of tolerance: 0.30 is 0.25 + 0.05 only up to rounding
        tp = int((self.siou >= tau - 1e-12).sum())
        wrong = len(self.siou) - tp + int((self.ppv < tau - 1e-12).sum())
        return 2 * tp / (2 * tp + wrong) if tp + wrong else 1.0

    @property
    def f1_star(self) -> float:
        """Mean F1 over the 11 thresholds ``TAUS``."""
        return float(np.mean([self.f1(tau) for tau in TAUS]))

    @property
    def mean_siou(self) -> float:
        """Mean sIoU; without ground-truth components 1 when nothing was predicted, else 0."""
        return float(self.siou.mean()) if len(self.siou) else float(not len(self.ppv))

    @property
    def mean_ppv(self) -> float:
        """Mean PPV; without predicted components 1 when nothing was there, else 0."""
        return float(self.ppv.mean()) if len(self.ppv) else float(not len(self.siou))


def match_objects(predicted: np.ndarray, truth: np.ndarray, limits: SizeLimits = ANOMALY_TRACK) -> ObjectMatches:
    """sIoU and PPV of the components of one image.

    Void is removed from the prediction first, then 8-connected components are taken, small predicted ones dropped, and
    small ground-truth ones made void; predicted pixels on these no longer count, sizes are not looked at again.

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
    found, there = _number(predicted & (truth != UNLABELLED)), _number(truth == 1)
    found, there = _without_small(found, limits.predicted), _without_small(there, limits.actual)
    counted = (truth == 0) | (there > 0)
    return _match(found[counted], there[counted])


def pooled(matches: Sequence[ObjectMatches]) -> ObjectMatches:
    """Components of many images as one set."""
    empty = np.empty(0)
    return ObjectMatches(
        np.concatenate([m.siou for m in matches] or [empty]), np.concatenate([m.ppv for m in matches] or [empty])
    )


def _number(mask: np.ndarray) -> np.ndarray:
    return find_components(np.where(mask, np.uint8(0), np.uint8(UNLABELLED))).ids


def _without_small(ids: np.ndarray, limit: int) -> np.ndarray:
    sizes = np.bincount(ids.ravel())
    return np.where(sizes[ids] >= limit, ids, 0) if len(sizes) else ids


def _match(found: np.ndarray, there: np.ndarray) -> ObjectMatches:
    """From component numbers (n,) of the pixels that count, 0 = none."""
    n_found, n_there = int(found.max(initial=0)) + 1, int(there.max(initial=0)) + 1
    keys, overlap = np.unique(there.astype(np.int64) * n_found + found, return_counts=True)
    g, p = keys // n_found, keys % n_found
    size_found, size_there = np.bincount(found, minlength=n_found), np.bincount(there, minlength=n_there)
    both = (g > 0) & (p > 0)
    g, p, overlap = g[both], p[both], overlap[both]
    on_any = np.bincount(p, overlap, n_found)  # pixels of each predicted component on any ground-truth component
    shared = np.bincount(g, overlap, n_there)
    # of the predicted components that meet g: their pixels in all, less those on other ground-truth components
    charged = np.bincount(g, size_found[p] - (on_any[p] - overlap), n_there)
    actual, called = (1 + np.flatnonzero(sizes[1:]) for sizes in (size_there, size_found))
    siou = shared[actual] / (size_there[actual] + charged[actual] - shared[actual])
    return ObjectMatches(siou, on_any[called] / size_found[called])
