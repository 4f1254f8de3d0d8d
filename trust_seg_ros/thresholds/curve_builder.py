"""Builds the curves of ``curves`` image by image: memory for the grid only, whatever the number of images."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trust_seg_ros.jit import jit
from trust_seg_ros.thresholds.curves import CurveError, RecallCurve, RiskCurve

UNIT_GRID = np.linspace(0.0, 1.0, 1025)
"""Thresholds for scores in [0, 1]. Powers of two, so that each is a float32 exactly."""


class CurveBuilder:
    """Counts, for every threshold of a grid, the wrong pixels below it: of each image, of all, and by predicted class.

    Args:
        grid: (k,) ascending thresholds in the unit of the score, k >= 1.
        classes: number q of classes for curves by class; 0 = none.

    Raises:
        CurveError: the grid is no ascending row of numbers.
    """

    def __init__(self, grid: Iterable[float] = UNIT_GRID, classes: int = 0) -> None:
        self.grid = np.asarray(grid, np.float64)
        if self.grid.ndim != 1 or not len(self.grid) or np.isnan(self.grid).any() or (np.diff(self.grid) <= 0).any():
            raise CurveError("grid of thresholds: expected ascending numbers, at least one")
        self._classes = classes
        self._missed = np.zeros((classes + 1, len(self.grid) + 1), np.int64)  # by bin; the last row is all pixels
        self._loss = np.zeros(len(self.grid))
        self.images = 0

    def add(
        self,
        score: np.ndarray,
        wrong: np.ndarray,
        valid: np.ndarray | None = None,
        classes: np.ndarray | None = None,
    ) -> np.ndarray:
        """Add one image, also one without any wrong pixel.

        Args:
            score: (H, W) or (n,) floating point; +inf and NaN count as flagged by every threshold.
            wrong: bool like ``score``, e.g. predicted class differs from ground truth.
            valid: bool like ``score``, what has ground truth; None = all.
            classes: uint8 like ``score``, predicted classes; needed for curves by class.

        Returns:
            (k,) float64 loss of this image at every threshold: the share of its wrong pixels that is below.

        Raises:
            CurveError: shapes differ, or classes are missing.
        """
        parts = [part for part in (wrong, valid, classes) if part is not None]
        if any(part.shape != score.shape for part in parts):
            raise CurveError(
                f"shapes {[part.shape for part in parts]} beside scores of {score.shape}: expected one shape"
            )
        if self._classes and classes is None:
            raise CurveError("curves by class: expected the predicted classes, got none")
        counted = wrong if valid is None else wrong & valid
        bins = np.zeros_like(self._missed)
        ids = np.empty(0, np.uint8) if not self._classes else np.ascontiguousarray(classes).ravel()
        _count(np.ascontiguousarray(score).ravel(), np.ascontiguousarray(counted).ravel(), ids, self.grid, bins)
        self._missed += bins
        self.images += 1
        total = bins[-1].sum()
        loss = np.cumsum(bins[-1])[:-1] / total if total else np.zeros(len(self.grid))
        self._loss += loss
        return loss

    @property
    def positives(self) -> int:
        """Wrong pixels so far."""
        return int(self._missed[-1].sum())

    def risk_curve(self) -> RiskCurve:
        """Over all images added; raises CurveError where there is none."""
        if not self.images:
            raise CurveError("no image was added: expected at least one")
        return RiskCurve(self.grid, self._loss / self.images, self.images)

    def recall_curve(self) -> RecallCurve:
        """Over all pixels added; raises CurveError where none is wrong."""
        return self._recall(self._missed[-1])

    def class_recall_curves(self) -> tuple[RecallCurve | None, ...]:
        """Of every predicted class; None where no pixel of it is wrong."""
        rows = self._missed[:-1]
        return tuple(self._recall(row) if row.any() else None for row in rows)

    def _recall(self, bins: np.ndarray) -> RecallCurve:
        total = int(bins.sum())
        recall = 1.0 - np.cumsum(bins)[:-1] / max(total, 1)
        return RecallCurve(self.grid, recall, total)


@jit
def _count(score: np.ndarray, wrong: np.ndarray, classes: np.ndarray, grid: np.ndarray, bins: np.ndarray) -> None:
    """Bin b of ``bins``: wrong pixels at or above exactly b thresholds. One row per class, the last for all."""
    k, q = grid.shape[0], bins.shape[0] - 1
    for i in range(score.shape[0]):
        if not wrong[i]:
            continue
        low, high, value = 0, k, score[i]
        if value == value:
            while low < high:
                middle = (low + high) >> 1
                if grid[middle] <= value:
                    low = middle + 1
                else:
                    high = middle
        else:
            low = k
        bins[q, low] += 1
        if q > 0 and classes[i] < q:
            bins[classes[i], low] += 1
