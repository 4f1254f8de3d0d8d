"""Fitting of the linear meta models (MetaSeg, Rottmann et al., IJCNN 2020, section III)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import chosen_features, design_matrix
from trust_seg_ros.meta.model import LinearPart, MetaModel
from trust_seg_ros.types import Json

_RIDGE = 1e-9
"""Bounds the coefficients where both kinds can be told apart without error; too small to be seen elsewhere."""


def fit(
    data: SegmentData,
    features: str | Sequence[str] = "metaseg",
    class_input: str = "probabilities",
    summary: Json | None = None,
) -> MetaModel:
    """Unpenalised logistic regression of IoU_adj = 0 and linear regression of IoU_adj, on standardised metrics.

    Args:
        data: segments to fit on; those without interior should be left out (MetaSeg, section IV).
        features: a choice as in ``meta.features``, or the metrics' names.
        class_input: as in ``meta.features.chosen_features``; of no effect on a list of names.
        summary: further entries of the model's summary.

    Raises:
        MetaModelError: no segments, no false positive or nothing but false positives, metrics that are not finite,
            or an unknown choice of metrics.
    """
    names = chosen_features(features, data.names, class_input) if isinstance(features, str) else tuple(features)
    wrong = data.false_positive
    if wrong.all() or not wrong.any():
        raise MetaModelError(
            f"{int(wrong.sum())} of {wrong.size} segments are false positives (IoU_adj = 0); a classifier needs both "
            "kinds: fit on more images, or on images the network was not trained on"
        )
    x = design_matrix(data, names)
    bad = ~np.isfinite(x).all(axis=0)
    if bad.any():
        raise MetaModelError(f"metrics with values that are not finite: {', '.join(np.array(names)[bad])}")
    means, scales = statistics(x)
    z = (x - means) / scales
    return MetaModel(
        features=names,
        means=means,
        scales=scales,
        classifier=fit_logistic(z, wrong),
        regressor=fit_linear(z, data.iou_adj),
        network=data.network,
        class_names=data.class_names,
        ranges=np.stack([x.min(0), x.max(0)], 1),
        summary={"images": len(np.unique(data.image)), "segments": len(wrong), **(summary or {})},
    )


def statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column, each (m,); the deviation of a constant column is 1.

    Of the part that is fitted on, never of what is judged (METHODS: standardise with the training part only).
    """
    # the deviation of a constant comes out as rounding noise, not as 0
    constant = np.ptp(x, axis=0) == 0
    return x.mean(0), np.where(constant, 1.0, x.std(0))


def fit_logistic(x: np.ndarray, positive: np.ndarray) -> LinearPart:
    """Unpenalised logistic regression; among equally good coefficients the shortest.

    Metrics of segments are collinear (S = S_in + S_bd, the class probabilities sum to 1), so the directions without
    spread are taken out and the rest is decorrelated: there Newton's method needs a handful of steps.

    Args:
        x: (n, m) standardised metrics.
        positive: (n,) bool, both kinds present.
    """
    from sklearn.linear_model import LogisticRegression

    spread, axes = np.linalg.eigh(x.T @ x / len(x))
    kept = spread > 1e-10 * max(spread[-1], 1e-300)
    whiten = axes[:, kept] / np.sqrt(spread[kept])
    if not kept.any() or spread[-1] <= 0:
        share = positive.mean()
        return LinearPart(np.zeros(x.shape[1]), float(np.log(share / (1 - share))))
    model = LogisticRegression(C=1 / _RIDGE, solver="newton-cholesky", tol=1e-9, max_iter=200)
    model.fit(x @ whiten, positive)
    return LinearPart(whiten @ model.coef_[0], float(model.intercept_[0]))


def fit_linear(x: np.ndarray, target: np.ndarray) -> LinearPart:
    """Least squares; among equally good coefficients the shortest.

    Args:
        x: (n, m) standardised metrics.
        target: (n,).
    """
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(x, target)
    return LinearPart(model.coef_, float(model.intercept_))


def scores(model: MetaModel, data: SegmentData) -> dict[str, float]:
    """How well a model does on segments: accuracy and AUROC of the classifier, R² and residual σ of the regressor.

    ``majority`` is the accuracy of always answering the more frequent kind. Predicted IoU is clipped to [0, 1], as
    the node does.
    """
    from sklearn.metrics import roc_auc_score

    p_wrong, iou = model.predict(data)
    wrong, residual = data.false_positive, data.iou_adj - iou
    total = ((data.iou_adj - data.iou_adj.mean()) ** 2).sum()
    return {
        "accuracy": float(((p_wrong >= 0.5) == wrong).mean()),
        "majority": float(max(wrong.mean(), 1 - wrong.mean())),
        "auroc": float(roc_auc_score(wrong, p_wrong)) if 0 < wrong.sum() < wrong.size else float("nan"),
        "r2": float(1 - (residual**2).sum() / total) if total else float("nan"),
        "sigma": float(residual.std()),
    }
