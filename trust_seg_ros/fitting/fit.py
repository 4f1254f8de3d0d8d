"""Fits the meta models: linear (MetaSeg, Rottmann et al., IJCNN 2020, section III), or boosted trees."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from trust_seg_ros.fitting.boosted_pair import fit_tree_pair
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import chosen_features, design_matrix
from trust_seg_ros.meta.model import LinearPart, MetaModel
from trust_seg_ros.meta.trees import TreePair
from trust_seg_ros.segments.history.window import is_time_name
from trust_seg_ros.types import Json

SegmentClassifier = Literal["logistic", "boosting"]
RIDGE = 1e-9
"""Weight of ‖w‖²/2 beside the mean log-loss, for decorrelated metrics. If metrics separate both kinds without error,
the best coefficients are infinite, and this bounds them; otherwise it is too small to matter."""
_SPREAD = 1e-10
"""Directions with less variance than this, relative to the largest, are treated as rounding noise."""

_log = logging.getLogger(__name__)


def fit(
    data: SegmentData,
    features: str | Sequence[str] = "metaseg",
    class_input: str = "probabilities",
    summary: Json | None = None,
    classifier: SegmentClassifier = "logistic",
) -> MetaModel:
    """Unpenalised logistic regression of IoU_adj = 0 and linear regression of IoU_adj, on standardised metrics.

    Or boosted trees for both (``fitting.boosted_pair``).

    The entropy baseline is ``fit(data, "E", "none")``.

    Args:
        data: segments to fit on; those without interior should be left out (MetaSeg, section IV).
        features: a choice as in ``meta.features``, or the metrics' names.
        class_input: as in ``meta.features.chosen_features``; of no effect on a list of names.
        summary: further entries of the model's summary.
        classifier: ``logistic``, or ``boosting`` for boosted trees in place of both linear models.

    Returns:
        The model. ``summary["separating"]`` names the metrics that separate some segments without error, if any: only
        :data:`RIDGE` limits their coefficients.

    Raises:
        MetaModelError: no more segments than metrics; no false positives or nothing else; metrics or IoU that are not
            finite; an unknown choice of metrics.
    """
    names = chosen_features(features, data.names, class_input) if isinstance(features, str) else tuple(features)
    x = design_matrix(data, names)
    _check(data, x, names)
    means, scales = statistics(x)
    choice: Json = {"features": features, "class_input": class_input} if isinstance(features, str) else {}
    counts = {"images": len(np.unique(data.image)), "segments": len(data)}
    nothing = LinearPart(np.zeros(len(names)), 0.0)
    linear: tuple[LinearPart, LinearPart] = (nothing, nothing)
    trees: TreePair | None = None
    if classifier == "boosting":
        trees = fit_tree_pair(x, data.false_positive, data.iou_adj)
        choice["classifier"] = classifier
    else:
        linear, separating = _linear(data, (x - means) / scales, names)
        choice |= {"separating": separating} if separating else {}
    return MetaModel(
        features=names,
        means=means,
        scales=scales,
        classifier=linear[0],
        regressor=linear[1],
        network=data.network,
        class_names=data.class_names,
        ranges=np.stack([x.min(0), x.max(0)], 1),
        summary={**counts, **choice, **(summary or {})},
        network_sha256=data.network_sha256,
        grid=data.grid,
        image_sizes=data.image_sizes,
        segments_from=data.segments_from,
        base_rates=(float(data.false_positive.mean()), float(data.iou_adj.mean())),
        trees=trees,
        time=data.time if any(map(is_time_name, names)) else None,
    ).with_predicted_ranges(data)


def _linear(data: SegmentData, z: np.ndarray, names: Sequence[str]) -> tuple[tuple[LinearPart, LinearPart], list[str]]:
    """Both linear models, and the metrics that separate some segments without error."""
    turned = _Decorrelated(z)
    classifier, regressor = turned.logistic(data.false_positive), turned.linear(data.iou_adj)
    separating = [names[k] for k in turned.separating(classifier, z)]
    if separating:
        _log.warning(
            "%s: these metrics separate some segments without error, so their coefficients have no optimum and are "
            "only bounded; predictions for such segments are overconfident. More images, or fewer metrics, help",
            ", ".join(separating),
        )
    return (classifier, regressor), separating


def _check(data: SegmentData, x: np.ndarray, names: Sequence[str]) -> None:
    wrong = data.false_positive
    if not len(data):
        raise MetaModelError("no segments to fit on; expected at least one more than metrics")
    if wrong.all() or not wrong.any():
        raise MetaModelError(
            f"{int(wrong.sum())} of {wrong.size} segments are false positives (IoU_adj = 0); a classifier needs both "
            "kinds: fit on more images, or on images the network was not trained on"
        )
    if len(data) <= len(names):
        raise MetaModelError(
            f"{len(data)} segments for {len(names)} metrics; expected more segments than metrics: fit on more images, "
            "or choose fewer metrics"
        )
    bad = ~np.isfinite(x).all(axis=0)
    if bad.any():
        raise MetaModelError(f"metrics with values that are not finite: {', '.join(np.array(names)[bad])}")
    if not np.isfinite(data.iou_adj).all():
        raise MetaModelError(f"IoU_adj of {int((~np.isfinite(data.iou_adj)).sum())} segments is not finite")


def statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column, each (m,); the deviation of a constant column is 1.

    Computed on the fitted part only, never on the judged part.
    """
    # the deviation of a constant comes out as rounding noise, not as 0
    constant = np.ptp(x, axis=0) == 0
    return x.mean(0), np.where(constant, 1.0, x.std(0))


def fit_logistic(x: np.ndarray, positive: np.ndarray) -> LinearPart:
    """Unpenalised logistic regression; among equally good coefficients the shortest.

    Metrics of segments are collinear (S = S_in + S_bd, the class probabilities sum to 1), so directions without
    variance are removed and the rest is decorrelated; Newton's method then needs only a few steps.

    Args:
        x: (n, m) standardised metrics.
        positive: (n,) bool.

    Raises:
        MetaModelError: all segments are positive, or none is.
    """
    return _Decorrelated(x).logistic(positive)


def fit_ridge(x: np.ndarray, positive: np.ndarray, strength: float) -> LinearPart:
    """Logistic regression that minimises the mean log-loss + strength · |weights|²/2; the intercept is free.

    Unpenalised weights of collinear metrics are large and cancel each other where they were fitted, and nowhere else.

    Args:
        x: (n, m) standardised metrics.
        positive: (n,) bool.
        strength: above 0.

    Raises:
        MetaModelError: all segments are positive, or none is.
    """
    from sklearn.linear_model import LogisticRegression

    n = len(positive)
    _positive_share(positive)
    model = LogisticRegression(C=1 / (strength * n), solver="newton-cholesky", tol=1e-8, max_iter=200).fit(x, positive)
    return LinearPart(model.coef_[0].astype(float), float(model.intercept_[0]))


def fit_linear(x: np.ndarray, target: np.ndarray) -> LinearPart:
    """Least squares; among equally good coefficients the shortest.

    Args:
        x: (n, m) standardised metrics.
        target: (n,).
    """
    return _Decorrelated(x).linear(target)


def _positive_share(positive: np.ndarray) -> float:
    """Share of the positive segments, above 0 and below 1; MetaModelError if only one kind is there."""
    share = float(np.mean(positive))
    if not 0 < share < 1:
        count = f"{int(np.sum(positive))} of {len(positive)}"
        raise MetaModelError(f"{count} segments are positive; a classifier needs both kinds")
    return share


class _Decorrelated:
    """Metrics rotated and scaled to be uncorrelated with mean 0 and variance 1, without directions of no variance.

    Attributes:
        columns: (n, r), r = rank of the metrics.
    """

    def __init__(self, x: np.ndarray) -> None:
        self._means = x.mean(0)
        centred = x - self._means
        spread, axes = np.linalg.eigh(centred.T @ centred / len(x))
        kept = spread > max(_SPREAD * spread[-1], 1e-300)
        self._whiten = axes[:, kept] / np.sqrt(spread[kept])
        self.columns = centred @ self._whiten

    def logistic(self, positive: np.ndarray) -> LinearPart:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        n, share = len(positive), _positive_share(positive)
        if not self.columns.shape[1]:
            return self._part(np.zeros(0), np.log(share / (1 - share)))
        for ridge in (RIDGE, 100 * RIDGE, 1e4 * RIDGE):  # the smallest value at which Newton's method converges
            model = LogisticRegression(C=1 / (ridge * n), solver="newton-cholesky", tol=1e-9, max_iter=200)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                model.fit(self.columns, positive)
            if not any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
                break
        return self._part(model.coef_[0], model.intercept_[0])

    def linear(self, target: np.ndarray) -> LinearPart:
        from sklearn.linear_model import Ridge

        if not self.columns.shape[1]:
            return self._part(np.zeros(0), np.mean(target))
        # without a penalty: least squares by normal equations, accurate because nothing is correlated
        model = Ridge(alpha=0, solver="cholesky").fit(self.columns, target)
        return self._part(model.coef_, model.intercept_)

    def separating(self, classifier: LinearPart, x: np.ndarray) -> list[int]:
        """Positions of metrics along which the log-loss is flat at its minimum, apart from :data:`RIDGE`; ascending.

        Flat means that segments which differ in this direction are separated without error. For each such direction,
        the metric that correlates with it most is given.
        """
        rooted = np.column_stack([self.columns, np.ones(len(x))])
        rooted *= (0.5 / np.cosh(np.clip(0.5 * classifier(x), -300, 300)))[:, None]  # the root of p (1 - p)
        curvature, directions = np.linalg.eigh(rooted.T @ rooted / len(x))
        # if the ridge stops the descent, the curvature is about RIDGE · largest |logit|
        flat = self.columns @ directions[:-1, curvature < 100 * RIDGE]
        return sorted({int(np.argmax(np.abs(x.T @ along))) for along in flat.T})

    def _part(self, weights: np.ndarray, intercept: float) -> LinearPart:
        coefficients = self._whiten @ weights
        return LinearPart(coefficients, float(intercept - self._means @ coefficients))


def scores(model: MetaModel, data: SegmentData) -> dict[str, float]:
    """How well a model does on segments: accuracy and AUROC of the classifier, R² and σ of the regressor.

    σ is the root mean square of the residual.

    ``majority`` is the accuracy of always answering the more frequent kind. Predicted IoU is clipped to [0, 1], as
    the node does. NaN: AUROC of segments of one kind only, R² of segments that all have the same IoU.
    """
    from sklearn.metrics import roc_auc_score

    logit, overlap = model.inside(model.placed(data))  # log-odds, because large P all round to 1
    iou = np.clip(overlap, 0.0, 1.0)
    wrong, residual = data.false_positive, data.iou_adj - iou
    total = ((data.iou_adj - data.iou_adj.mean()) ** 2).sum()
    return {
        "accuracy": float(((logit >= 0) == wrong).mean()),
        "majority": float(max(wrong.mean(), 1 - wrong.mean())),
        "auroc": float(roc_auc_score(wrong, logit)) if 0 < wrong.sum() < wrong.size else float("nan"),
        "r2": float(1 - (residual**2).sum() / total) if total else float("nan"),
        "sigma": float(np.sqrt((residual**2).mean())),
    }
