"""Fits boosted trees for P(false alarm), small enough to store in a model file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trust_seg_ros.meta.trees import Trees

TREES, DEPTH, RATE, LEAST = 150, 3, 0.05, 20
"""Number of trees, their depth, the learning rate, and the least number of segments in a leaf."""


def fit_boosting(x: np.ndarray, positive: np.ndarray, seed: int = 0) -> Trees:
    """Gradient boosting of the log-loss; each tree sees half of the segments, each split a third of the metrics.

    Args:
        x: (n, m) metrics, finite.
        positive: (n,) bool, both kinds.
        seed: of these choices.

    Returns:
        Trees whose sum is the log-odds of being positive.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        min_samples_leaf=min(LEAST, max(1, len(x) // 10)),
        subsample=0.5,
        max_features=1 / 3,
        random_state=seed,
    ).fit(x, positive)
    share = float(positive.mean())
    start = np.log(share / (1.0 - share))
    return joined_trees(start, [_nodes(tree.tree_, RATE) for tree in model.estimators_[:, 0]])


def joined_trees(start: float, trees: Sequence[tuple[np.ndarray, ...]]) -> Trees:
    """All trees in one list of nodes.

    Args:
        start: what is added to the sum of the leaves.
        trees: feature, threshold, left, right and value of every node of each; see ``meta.trees.Trees``.
    """
    parts = [_leaf(start), *trees]
    offsets = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    shifted = [
        (feature, threshold, left + offset, right + offset, value)
        for (feature, threshold, left, right, value), offset in zip(parts, offsets, strict=True)
    ]
    feature, threshold, left, right, value = (np.concatenate(column) for column in zip(*shifted, strict=True))
    whole = (column.astype(np.int32) for column in (offsets, feature, left, right))
    roots, feature, left, right = whole
    return Trees(roots, feature, threshold.astype(np.float32), left, right, value)


def _leaf(value: float) -> tuple[np.ndarray, ...]:
    zero = np.zeros(1, np.int64)
    return zero, np.zeros(1), zero, zero, np.array([value])


def _nodes(tree: object, rate: float) -> tuple[np.ndarray, ...]:
    """Feature, threshold, left, right and value of every node of a scikit-learn tree."""
    names = ("children_left", "children_right", "feature", "threshold", "value")
    left, right, feature, threshold, value = (getattr(tree, name) for name in names)
    own, leaf = np.arange(len(left)), left < 0
    return (
        np.where(leaf, 0, feature),
        # metrics are compared as float32; rounded down, the comparison with a float64 threshold stays the same
        np.where(leaf, 0.0, rounded_down(threshold)),
        np.where(leaf, own, left),
        np.where(leaf, own, right),
        rate * value[:, 0, 0],
    )


def rounded_down(threshold: np.ndarray) -> np.ndarray:
    """The largest float32 that is not above each threshold."""
    found = threshold.astype(np.float32)
    above = found > threshold
    found[above] = np.nextafter(found[above], np.float32(-np.inf))
    return found
