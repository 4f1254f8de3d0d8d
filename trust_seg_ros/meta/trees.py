"""Boosted regression trees as plain arrays: evaluated here without scikit-learn, stored as JSON.

Source: Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 2001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.tree_sums import tree_sums
from trust_seg_ros.support import json_parts
from trust_seg_ros.types import Json

_PARTS = ("feature", "threshold", "left", "right", "value")
_MOST_NODES = 200_000


@dataclass(frozen=True, eq=False)
class Trees:
    """The nodes of all trees in one list; an answer is the sum of the values of the leaves that are reached.

    Attributes:
        roots: (t,) int32 positions of the first node of every tree.
        feature: (n,) int32 position of the metric that a node splits by.
        threshold: (n,) float32; a segment goes left if its metric, as float32, is not above it.
        left, right: (n,) int32 positions of the children, larger than the node's own; a leaf is its own child.
        value: (n,) float64 of a leaf; not used of other nodes.

    Raises:
        MetaModelError: the parts do not fit together, or hold numbers that cannot be used.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.value)
        if not 0 < n <= _MOST_NODES or any(len(getattr(self, part)) != n for part in _PARTS):
            raise MetaModelError(f"trees: {n} nodes, expected 1 to {_MOST_NODES:,} and as many numbers of every kind")
        own = np.arange(n)
        for name in ("left", "right"):
            child = getattr(self, name)
            if (child < own).any() or (child >= n).any():
                raise MetaModelError(f"trees: {name}: expected later nodes of the {n} there are, or the node itself")
        if ((self.left == own) != (self.right == own)).any():
            raise MetaModelError("trees: a leaf must be its own left and right child")
        if not len(self.roots) or (self.roots < 0).any() or (self.roots >= n).any():
            raise MetaModelError(f"trees: roots: expected positions among {n} nodes, at least one")
        if (self.feature < 0).any() or not (np.isfinite(self.value).all() and np.isfinite(self.threshold).all()):
            raise MetaModelError("trees: expected positions of metrics and finite numbers")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n,) float64, the sum over the trees for metrics (n, m); equal to ``tree_sums.tree_sums_reference``."""
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and on the same side of every threshold
            single = np.ascontiguousarray(x, np.float32)
        total: np.ndarray = tree_sums(single, *self.arrays)
        return total

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All parts, for a fingerprint."""
        return self.roots, self.feature, self.threshold, self.left, self.right, self.value

    def to_json(self) -> Json:
        """For a model file."""
        return {name: getattr(self, name).tolist() for name in ("roots", *_PARTS)}

    def check_metrics(self, m: int) -> None:
        """Raise MetaModelError if a node splits by a metric beyond the ``m`` that there are."""
        if (last := int(self.feature.max())) >= m:
            raise MetaModelError(f"trees: split by metric {last}, there are {m}")


@dataclass(frozen=True, eq=False)
class TreePair:
    """The boosted trees of both predictions for a segment.

    Attributes:
        false_positive: their sum is the log-odds of being a false positive.
        iou: their sum is IoU_adj, not clipped.
    """

    false_positive: Trees
    iou: Trees

    def check_metrics(self, m: int) -> None:
        """Raise MetaModelError if a node splits by a metric beyond the ``m`` that there are."""
        self.false_positive.check_metrics(m)
        self.iou.check_metrics(m)

    def to_json(self) -> Json:
        """For a model file."""
        return {"false_positive": self.false_positive.to_json(), "iou": self.iou.to_json()}


def trees_from_json(data: Json) -> Trees:
    """The trees of a model file.

    Raises:
        MetaModelError, JsonError: an entry is missing or cannot be used.
    """
    found = {}
    for name in ("roots", *_PARTS):
        values = [json_parts.number({name: value}, name) for value in json_parts.part(data, name, list)]
        kind = {"threshold": np.float32, "value": np.float64}.get(name, np.int32)
        if kind is np.int32 and any(v != int(v) or abs(v) > _MOST_NODES for v in values):
            raise MetaModelError(f"trees: {name}: expected whole numbers up to {_MOST_NODES:,}")
        with np.errstate(over="ignore"):
            found[name] = np.array(values, kind)
    return Trees(**found)


def tree_pair_from_json(data: Json) -> TreePair:
    """Both kinds of trees of a model file.

    Raises:
        MetaModelError, JsonError: an entry is missing or cannot be used.
    """
    return TreePair(*(trees_from_json(json_parts.part(data, name, dict)) for name in ("false_positive", "iou")))
