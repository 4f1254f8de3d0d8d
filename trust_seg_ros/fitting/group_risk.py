"""Builds the risk curves of ``group_curves`` image by image: by predicted class, by region, by mean score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trust_seg_ros.fitting.curve_builder import CurveBuilder
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.thresholds.group_curves import GroupCurves
from trust_seg_ros.thresholds.regions import REGIONS, region_ids
from trust_seg_ros.types import UNLABELLED

KINDS = 3
"""Kinds of images: a low, a middle and a high mean score."""
LEVELS = np.unique(np.concatenate([np.linspace(0.0, 0.02, 11), np.linspace(0.02, 0.2, 46), np.linspace(0.2, 1.0, 17)]))
"""Risks whose thresholds a stored curve keeps: up to alpha 0.2 none is stricter than that of an alpha 0.004 below."""
_STEPS = 65_535  # a loss is kept in 16 bits, rounded up


class GroupRiskBuilder:
    """Adds up losses by group on the grid of a ``CurveBuilder``; keeps two bytes per threshold and image.

    Args:
        grid: thresholds of the score.
        classes: number q of classes.
        shape: rows and columns of regions.
        kinds: number of kinds of images, by equal numbers of calibration images.
    """

    def __init__(self, grid: np.ndarray, classes: int, shape: tuple[int, int] = REGIONS, kinds: int = KINDS) -> None:
        self.shape, self.kinds, self._counter = shape, kinds, CurveBuilder(grid)
        self._classes, self._regions = _Sum(classes, len(grid)), _Sum(shape[0] * shape[1], len(grid))
        self._means: list[float] = []
        self._losses: list[np.ndarray] = []

    def add(self, score: np.ndarray, wrong: np.ndarray, classes: np.ndarray, mean: float) -> None:
        """Add one image.

        Args:
            score: (H, W) float32.
            wrong: (H, W) bool, misclassified among the labelled pixels.
            classes: (H, W) uint8 predicted classes. ``UNLABELLED`` belongs to no class; it is found by every threshold.
            mean: mean of the image's finite scores, as at run time.
        """
        if not wrong.any():
            return
        ids, values = classes[wrong], score[wrong]  # few: three passes over these are quick
        values[ids == UNLABELLED] = np.inf
        self._classes.add(self._counter.losses(values, ids, len(self._classes.images)))
        regions = region_ids((score.shape[0], score.shape[1]), self.shape)[wrong]
        self._regions.add(self._counter.losses(values, regions, len(self._regions.images)))
        if math.isfinite(mean):
            loss = self._counter.losses(values, np.zeros_like(ids), 1)[0]
            self._means.append(mean)
            self._losses.append(np.ceil(loss * _STEPS - 1e-6).astype(np.uint16))

    def result(self) -> GroupCurves:
        """The curves of the images so far."""
        grid = self._counter.grid
        edges, kinds = image_kinds(self._means, self.kinds)
        images = []
        for kind in range(len(edges) + 1 if len(self._means) else 0):
            chosen = [loss for loss, of in zip(self._losses, kinds, strict=True) if of == kind]
            total = sum((loss.astype(np.int64) for loss in chosen), np.zeros(len(grid) + 1, np.int64))
            images.append(_curve(grid, total / _STEPS, len(chosen)))
        return GroupCurves(
            self._classes.curves(grid), self._regions.curves(grid), self.shape, tuple(images), tuple(edges)
        ).changed(thinned)


def image_kinds(means: Sequence[float], kinds: int) -> tuple[list[float], np.ndarray]:
    """Edges between kinds of images with equally many of the calibration images, and the kind of each.

    The edges are means of calibration images, and these images belong to no kind. So the promise is exact: given the
    images that are edges, those strictly between two are independent draws from the images between them, and a new
    image between them is one more (order statistics; nothing but the edges decides about membership).

    Args:
        means: (n,) mean score of each image.
        kinds: k, number of kinds.

    Returns:
        edges: k - 1 ascending numbers; fewer where means are equal, none where there are fewer than 2 k - 1 images.
        kind: (n,) int64 from 0; -1 for images on an edge.
    """
    n, order = len(means), sorted(means)
    edges = sorted({order[j * (n + 1) // kinds - 1] for j in range(1, kinds)}) if n >= 2 * kinds - 1 else []
    values = np.asarray(means, np.float64)
    kind = np.searchsorted(np.asarray(edges), values, "right").astype(np.int64)
    kind[np.isin(values, edges)] = -1
    return edges, kind


def thinned(curve: RiskCurve) -> RiskCurve:
    """The curve with the largest threshold of each of ``LEVELS``: a small file, and thresholds never less strict."""
    at = np.searchsorted(curve.risk, LEVELS * curve.bound, side="right") - 1
    kept = np.unique(np.concatenate([[0], at[at >= 0]]))
    return RiskCurve(curve.thresholds[kept], curve.risk[kept], curve.images, curve.bound)


class _Sum:
    """Losses of several groups, added up over the images that have errors of the group."""

    def __init__(self, groups: int, points: int) -> None:
        self._loss, self.images = np.zeros((groups, points + 1)), np.zeros(groups, np.int64)

    def add(self, losses: np.ndarray) -> None:
        """(g, k + 1), as ``CurveBuilder.losses`` gives them."""
        some = ~np.isnan(losses[:, 0])
        self._loss[some] += losses[some]
        self.images += some

    def curves(self, grid: np.ndarray) -> tuple[RiskCurve | None, ...]:
        """(g,), None where no image had an error."""
        return tuple(_curve(grid, loss, int(n)) for loss, n in zip(self._loss, self.images, strict=True))


def _curve(grid: np.ndarray, loss: np.ndarray, images: int) -> RiskCurve | None:
    """From the sum of losses, the first of which no threshold finds."""
    if not images:
        return None
    risk = np.minimum(loss / images, 1.0)
    if risk[0] > 0 and grid[0] > -math.inf:
        return RiskCurve(np.append(-math.inf, grid), risk, images)
    return RiskCurve(grid, risk[1:], images)
