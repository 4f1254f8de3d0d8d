"""Builds the curves of ``curves`` image by image: memory for the grid only, whatever the number of images."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.thresholds.curves import CurveError, RecallCurve, RiskCurve
from trust_seg_ros.types import UNLABELLED


def unit_grid(exponent: int = 10) -> np.ndarray:
    """(2^exponent + 1,) float64 thresholds from 0 to 1 for scores in [0, 1]; each is a float32 exactly.

    Raises:
        CurveError: the exponent is not in 0 .. 20.
    """
    if not 0 <= exponent <= 20:
        raise CurveError(f"exponent = {exponent}: expected 0 to 20")
    return np.linspace(0.0, 1.0, 2**exponent + 1)


UNIT_GRID = unit_grid()


def quantile_grid(scores: np.ndarray, points: int = 1025) -> np.ndarray:
    """Thresholds for a score without bounds: quantiles of a sample of it, where there are many of it the more.

    Best is a sample of wrong pixels, whose share below a threshold is what the curves tell. That the grid has seen the
    calibration images breaks no guarantee (``RiskCurve.threshold``).

    Args:
        scores: any shape, floating point; what is not finite is left out.
        points: at most so many thresholds, >= 2; fewer where values are equal.

    Returns:
        (k,) float64 ascending, values of the sample, its smallest and largest among them.

    Raises:
        CurveError: no finite score, or fewer than two points wished.
    """
    values = np.sort(scores[np.isfinite(scores)], axis=None)
    if not values.size or points < 2:
        raise CurveError(f"{values.size} finite scores, {points} points: expected at least one score and two points")
    places = np.linspace(0, values.size - 1, min(points, values.size)).round().astype(np.intp)
    return np.unique(values[places].astype(np.float64))


class CurveBuilder:
    """Counts, for every threshold of a grid, the wrong pixels below it: of each image, of all, and by predicted class.

    Args:
        grid: (k,) ascending thresholds in the unit of the score, k >= 1.
        n_classes: q, for curves by predicted class; None or 0 = none.

    Raises:
        CurveError: the grid is no ascending row of numbers.
    """

    def __init__(self, grid: Iterable[float] = UNIT_GRID, n_classes: int | None = None) -> None:
        self.grid = np.array(grid, np.float64)
        if self.grid.ndim != 1 or not len(self.grid) or np.isnan(self.grid).any() or (np.diff(self.grid) <= 0).any():
            raise CurveError("grid of thresholds: expected ascending numbers, at least one")
        self._guide = _Guide(self.grid)
        # by bin, the last column for NaN and -inf; the last row is all pixels
        self._missed = np.zeros(((n_classes or 0) + 1, len(self.grid) + 2), np.int64)
        self._loss, self._least_loss = np.zeros(len(self.grid)), 0.0
        self.images = 0

    def add(
        self,
        score: np.ndarray,
        wrong: np.ndarray,
        valid: np.ndarray | None = None,
        classes: np.ndarray | None = None,
    ) -> np.ndarray:
        """Add one image, also one without any wrong pixel. What is flagged is what ``flags.flags`` would flag.

        Args:
            score: (H, W) or (n,) floating point. +inf is flagged by every threshold, NaN and -inf (an object that no
                segment touches) by none.
            wrong: bool like ``score``, e.g. predicted class differs from ground truth.
            valid: bool like ``score``, what has ground truth; None = all.
            classes: uint8 like ``score``, predicted classes; needed for curves by class. ``UNLABELLED`` is flagged by
                every threshold, whatever its score.

        Returns:
            (k,) float64 loss of this image at every threshold: the share of its wrong pixels that is not flagged.

        Raises:
            CurveError: shapes differ, or classes are missing.
        """
        parts = [part for part in (wrong, valid, classes) if part is not None]
        if any(part.shape != score.shape for part in parts):
            raise CurveError(
                f"shapes {[part.shape for part in parts]} beside scores of {score.shape}: expected one shape"
            )
        if len(self._missed) > 1 and classes is None:
            raise CurveError("curves by class: expected the predicted classes, got none")
        counted = np.asarray(wrong if valid is None else wrong & valid, bool)
        ids = _NO_CLASSES if classes is None else np.ascontiguousarray(classes, np.uint8).ravel()
        bins = np.zeros_like(self._missed)
        values = np.ascontiguousarray(score).ravel()
        count_wrong(values, np.ascontiguousarray(counted).ravel(), ids, self.grid, *self._guide.parts, bins)
        self._missed += bins
        self.images += 1
        total = max(int(bins[-1].sum()), 1)
        loss = _below(bins[-1]) / total
        self._loss += loss
        self._least_loss += bins[-1, -1] / total
        return loss

    def losses(self, score: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
        """The losses of the groups of wrong pixels of one image, which is not added.

        Args:
            score: (m,) floating point, of its wrong pixels.
            groups: (m,) uint8, the group of each; those from n on belong to none.
            n: number of groups, at most 255.

        Returns:
            (n, k + 1) float64: first the share of the group's wrong pixels that no threshold finds, then the share
            below each; NaN for a group without a wrong pixel.
        """
        bins = np.zeros((n + 1, len(self.grid) + 2), np.int64)
        count_wrong(score, np.ones(score.shape, bool), groups, self.grid, *self._guide.parts, bins)
        missed = np.concatenate([bins[:n, -1:], bins[:n, -1:] + np.cumsum(bins[:n, :-2], axis=1)], axis=1)
        total = bins[:n].sum(axis=1, keepdims=True)
        return np.where(total > 0, missed / np.maximum(total, 1), np.nan)

    @property
    def positives(self) -> int:
        """Wrong pixels so far."""
        return int(self._missed[-1].sum())

    def risk_curve(self) -> RiskCurve:
        """Over all images added; raises CurveError where there is none."""
        if not self.images:
            raise CurveError("no image was added: expected at least one")
        grid, loss = self.grid, self._loss
        if self._least_loss > 0 and grid[0] > -math.inf:
            grid, loss = np.append(-math.inf, grid), np.append(self._least_loss, loss)
        return RiskCurve(grid, loss / self.images, self.images)

    def recall_curve(self) -> RecallCurve:
        """Over all pixels added; raises CurveError where none is wrong."""
        return self._recall(self._missed[-1])

    def class_recall_curves(self) -> tuple[RecallCurve | None, ...]:
        """(q,) of every predicted class; None where no pixel of it is wrong."""
        rows = self._missed[:-1]
        return tuple(self._recall(row) if row.any() else None for row in rows)

    def _recall(self, bins: np.ndarray) -> RecallCurve:
        total = int(bins.sum())
        return RecallCurve(self.grid, (total - _below(bins)) / max(total, 1), total)


_NO_CLASSES = np.empty(0, np.uint8)


def _below(bins: np.ndarray) -> np.ndarray:
    """(k,) pixels that each threshold misses."""
    return np.cumsum(bins[:-2]) + bins[-1]


class _Guide:
    """Where to look for a score in the grid: cells of equal width, each with the thresholds before it.

    ``parts`` is (first threshold, cells per unit, (m+1,) thresholds in the cells before each). The cell of a number
    rises with it, whatever the rounding: a threshold in an earlier cell is smaller, one in a later cell larger.
    """

    def __init__(self, grid: np.ndarray) -> None:
        finite = grid[np.isfinite(grid)]
        first = float(finite[0]) if len(finite) else 0.0
        width = float(finite[-1]) - first if len(finite) else 0.0
        cells = 4 * len(grid)
        scale = cells / width if 0.0 < width < math.inf else 0.0
        scale = scale if math.isfinite(scale) else 0.0
        of_grid = [_cell_of(value, first, scale, cells) for value in grid.tolist()]
        self.parts = (first, scale, np.searchsorted(of_grid, np.arange(cells + 1)).astype(np.int64))


def _cell_of(value: float, first: float, scale: float, cells: int) -> int:
    place = (value - first) * scale
    if not place > 0.0:  # also -inf, and NaN from 0 * inf
        return 0
    return cells - 1 if place >= cells else int(place)


_cell = jit(_cell_of)


@jit
def count_wrong(
    score: np.ndarray,
    wrong: np.ndarray,
    classes: np.ndarray,
    grid: np.ndarray,
    first: float,
    scale: float,
    guide: np.ndarray,
    bins: np.ndarray,
) -> None:
    """Add to bin b of ``bins`` the wrong pixels at or above exactly b thresholds. One row per class, the last for all.

    Args:
        score, wrong: (n,) floating point and bool.
        classes: (n,) uint8, or empty.
        grid: (k,) float64 ascending.
        first, scale, guide: of ``_Guide``.
        bins: (q + 1, k + 2) int64; the last column counts NaN and -inf.
    """
    k, q, cells = grid.shape[0], bins.shape[0] - 1, guide.shape[0] - 1
    known = classes.shape[0] > 0
    for i in range(score.shape[0]):
        if not wrong[i]:
            continue
        value = np.float64(score[i])
        if known and classes[i] == UNLABELLED:
            low = k
        elif value > -np.inf:  # no NaN
            cell = _cell(value, first, scale, cells)
            low, high = guide[cell], guide[cell + 1]
            while low < high:
                middle = (low + high) >> 1
                if grid[middle] <= value:
                    low = middle + 1
                else:
                    high = middle
        else:
            low = k + 1
        bins[q, low] += 1
        if known and classes[i] < q:
            bins[classes[i], low] += 1


def count_wrong_reference(score: np.ndarray, wrong: np.ndarray, classes: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """(k,) wrong pixels that each threshold misses, from the definition; as one row of what ``count_wrong`` counts."""
    values = score[wrong].astype(np.float64)
    shown = classes[wrong] == UNLABELLED if classes.size else np.zeros(values.shape, bool)
    found = values > -np.inf
    return np.array([np.count_nonzero(~(((values >= threshold) & found) | shown)) for threshold in grid])
