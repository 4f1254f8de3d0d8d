"""Conformal thresholds by group: for each predicted class, region of the image, or kind of image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trust_seg_ros.thresholds.curves import RiskCurve, images_needed
from trust_seg_ros.thresholds.flags import ClassThresholds
from trust_seg_ros.thresholds.group_curves import GroupCurves
from trust_seg_ros.thresholds.policies.base import Curves, CurvesNeededError
from trust_seg_ros.thresholds.policies.groupings import CLASS, IMAGE, REGION
from trust_seg_ros.thresholds.regions import RegionThresholds, region_names


@dataclass(frozen=True, eq=False)
class ImageThresholds:
    """A threshold for each kind of image, told by the mean of its scores.

    Attributes:
        values: (k,) float64; NaN: the kind has none of its own.
        edges: (k - 1,) float64 ascending means between them.
        fallback: threshold of kinds without one of their own; of every image where k is 0.
    """

    values: np.ndarray
    edges: np.ndarray
    fallback: float

    def table(self) -> np.ndarray:
        """(k,) float64, the threshold of every kind; at least one."""
        own = self.values if len(self.values) else np.full(1, math.nan)
        table: np.ndarray = np.where(np.isnan(own), self.fallback, own)
        return table

    def of(self, mean: float) -> float:
        """The threshold of an image.

        Args:
            mean: of its finite scores. On an edge the stricter of both sides counts; of an image without a finite
                score, the strictest of all.
        """
        table = self.table()
        if math.isnan(mean):
            return float(table.min())
        first, last = (int(np.searchsorted(self.edges, mean, side)) for side in ("left", "right"))
        return float(table[first : last + 1].min())


GroupThresholds = ClassThresholds | RegionThresholds | ImageThresholds


def risk_thresholds(by: str, alpha: float, curves: Curves, fallback: float) -> GroupThresholds:
    """The threshold of each group that keeps its expected loss at most alpha.

    Args:
        by: "class", "region" or "image".
        alpha: in (0, 1).
        curves: only ``groups`` is read.
        fallback: threshold of groups with fewer images than alpha needs: the one for all errors together.

    Raises:
        CurvesNeededError: the calibration has no curves by group.
    """
    groups = curves.groups
    if groups is None or (by != IMAGE and not groups.of(by)):
        raise CurvesNeededError(
            f"conformal by {by}: this calibration has no curves by {by}, as files made before them; calibrate again "
            "(trust-seg calibrate DATASET --out FILE), or choose conformal_by = all"
        )
    values = np.array([own_threshold(curve, alpha) for curve in groups.of(by)], np.float64)
    if by == CLASS:
        return ClassThresholds(values, fallback)
    if by == REGION:
        return RegionThresholds(values.reshape(groups.shape), fallback)
    return ImageThresholds(values, np.array(groups.edges, np.float64), fallback)


def own_threshold(curve: RiskCurve | None, alpha: float) -> float:
    """The threshold of one group; NaN if it has fewer images than alpha needs.

    Raises:
        RiskOutOfReachError: flagging everything loses too much.
    """
    if curve is None or curve.images < images_needed(alpha, curve.bound):
        return math.nan
    return curve.threshold(alpha)


def group_names(by: str, groups: GroupCurves, class_names: Sequence[str]) -> tuple[str, ...]:
    """Names of the groups of one grouping, in the order of their curves."""
    if by == CLASS:
        return tuple(class_names)
    return region_names(groups.shape) if by == REGION else image_names(groups.edges)


def image_names(edges: Sequence[float]) -> tuple[str, ...]:
    """Names of kinds of images: "mean below 0.05", "mean 0.05 to 0.1", "mean from 0.1"."""
    if not len(edges):
        return ("every image",)
    texts = [f"{edge:.3g}" for edge in edges]
    between = (f"mean {a} to {b}" for a, b in pairwise(texts))
    return f"mean below {texts[0]}", *between, f"mean from {texts[-1]}"


def threshold_words(found: GroupThresholds, class_names: Sequence[str]) -> str:
    """The thresholds of all groups in one line, for diagnostics; those that share one last."""
    if isinstance(found, ClassThresholds):
        names: Sequence[str] = class_names
    elif isinstance(found, RegionThresholds):
        names = region_names((found.values.shape[0], found.values.shape[1]))
    else:
        names = image_names(found.edges.tolist())
    values = found.values.ravel().tolist() or [math.nan]
    own = [f"{name} {value:.4g}" for name, value in zip(names, values, strict=False) if not math.isnan(value)]
    shared = [name for name, value in zip(names, values, strict=False) if math.isnan(value)]
    if shared:
        own.append(f"the common {found.fallback:.4g}: {', '.join(shared)}")
    return "; ".join(own)
