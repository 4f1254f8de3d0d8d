"""Fits boosted trees for both predictions for a segment, false positive and IoU_adj, small enough for a model file.

Histogram gradient boosting is fast enough for a million segments, where ``fitting.boosting``, made for the few segments
of unknown objects, takes minutes for tens of thousands.

Source: Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NeurIPS 2017, in scikit-learn's form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trust_seg_ros.fitting.boosting import joined_trees, rounded_down
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.trees import TreePair, Trees

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

TREES, DEPTH, RATE, LEAST, SHARE = 200, 4, 0.05, 20, 0.5
"""Number of trees, their depth, the learning rate, the least number of segments in a leaf, and the share of the metrics
that a split chooses from."""
_TOLERANCE = 1e-6


def fit_tree_pair(x: np.ndarray, positive: np.ndarray, target: np.ndarray, seed: int = 0) -> TreePair:
    """Gradient boosting of the log-loss and of the squared error.

    Args:
        x: (n, m) metrics, finite.
        positive: (n,) bool, both kinds.
        target: (n,) IoU_adj.
        seed: of the metrics that the splits choose from.

    Returns:
        Trees whose sums are the log-odds of being positive, and the target.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    how: dict[str, Any] = {
        "max_iter": TREES,
        "max_depth": DEPTH,
        "learning_rate": RATE,
        "min_samples_leaf": min(LEAST, max(1, len(x) // 10)),
        "max_features": SHARE,
        "early_stopping": False,
        "random_state": seed,
    }
    with np.errstate(over="ignore"):
        x = x.astype(np.float32).astype(np.float64)  # as the trees will compare them
    classifier = HistGradientBoostingClassifier(**how).fit(x, positive)
    regressor = HistGradientBoostingRegressor(**how).fit(x, target)
    found = TreePair(_trees(classifier), _trees(regressor))
    _check(found.false_positive(x), classifier.decision_function(x))
    _check(found.iou(x), regressor.predict(x))
    return found


def _trees(model: HistGradientBoostingClassifier | HistGradientBoostingRegressor) -> Trees:
    start = float(np.ravel(model._baseline_prediction)[0])
    return joined_trees(start, [_nodes(predictor.nodes) for (predictor,) in model._predictors])


def _nodes(nodes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Feature, threshold, left, right and value of every node of a tree."""
    own, leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
    return (
        np.where(leaf, 0, nodes["feature_idx"]),
        np.where(leaf, 0.0, rounded_down(nodes["num_threshold"])),
        np.where(leaf, own, nodes["left"]),
        np.where(leaf, own, nodes["right"]),
        np.where(leaf, nodes["value"], 0.0),
    )


def _check(ours: np.ndarray, theirs: np.ndarray) -> None:
    """The nodes are no public interface of scikit-learn: refuse trees that answer otherwise than its own."""
    if not np.allclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE):
        import sklearn

        raise MetaModelError(
            f"scikit-learn {sklearn.__version__} keeps boosted trees in another form than this package reads; install "
            "the version of constraints.txt, or choose --classifier logistic"
        )
