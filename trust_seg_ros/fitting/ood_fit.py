"""Fits the meta classifier of OoD segments, and judges segments by fits that did not see them.

Source: Chan, Rottmann, Gottschalk, Entropy Maximization and Meta Classification for Out-of-Distribution Detection in
Semantic Segmentation, ICCV 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trust_seg_ros.fitting.fit import fit_logistic, statistics
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import chosen_features, design_matrix
from trust_seg_ros.meta.model import LinearPart
from trust_seg_ros.meta.ood import OodData, OodModel, logistic
from trust_seg_ros.types import Json


def fit_ood(data: OodData, features: str | Sequence[str] = "meta_ood", summary: Json | None = None) -> OodModel:
    """Unpenalised logistic regression of "false alarm" on standardised metrics.

    Args:
        data: segments to fit on.
        features: a choice as in ``meta.features``, or the metrics' names.
        summary: further entries of the model's summary.

    Raises:
        MetaModelError: not more segments than metrics, segments of one kind only, metrics that are not finite, or an
            unknown choice of metrics.
    """
    names = chosen_features(features, data.names) if isinstance(features, str) else tuple(features)
    x = design_matrix(data, names)
    means, scales, classifier = _fit(x, data.false_alarm, names)
    counts = {"segments": len(data), "false_alarms": int(data.false_alarm.sum()), "images": len(data.images)}
    return OodModel(
        names,
        means,
        scales,
        classifier,
        np.stack([x.min(0), x.max(0)], 1),
        data.network,
        data.class_names,
        data.score,
        data.threshold,
        {**counts, **(summary or {})},
        data.image_sizes,
        data.network_sha256,
        data.grid,
    )


def cross_validated(data: OodData, features: str = "meta_ood", folds: int = 5, seed: int = 0) -> np.ndarray:
    """P(false alarm) of every segment, by a classifier that was fitted without the segment's image.

    Args:
        data: the segments.
        features: a choice as in ``meta.features``.
        folds: number of random parts of the images, fewer if there are fewer images; each part is judged once, by a
            classifier fitted on the others.
        seed: seed of that division.

    Returns:
        (n,) float64 in [0, 1].

    Raises:
        MetaModelError: fewer than two folds or images, or a fitted part that ``fit_ood`` would refuse.
    """
    images = np.unique(data.image)
    if folds < 2 or len(images) < 2:
        raise MetaModelError(
            f"{folds} folds of {len(images)} images with segments; cross-validation needs at least 2 of each"
        )
    fold = np.empty(int(images[-1]) + 1, np.int64)
    fold[images] = np.random.default_rng(seed).permutation(len(images)) % folds
    return _judged_apart(data, features, fold[data.image])


def leave_one_out(
    data: OodData, features: str = "meta_ood", progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """P(false alarm) of every segment, by a classifier fitted on all others: the published protocol.

    Other segments of the judged image are fitted on, so results are too good; :func:`cross_validated` avoids that.

    Args:
        data: the n segments; n fits are made, a few milliseconds each.
        features: a choice as in ``meta.features``.
        progress: called with (done, total).

    Returns:
        (n,) float64 in [0, 1].

    Raises:
        MetaModelError: as :func:`fit_ood`.
    """
    return _judged_apart(data, features, np.arange(len(data)), progress)


def _judged_apart(
    data: OodData, features: str, part: np.ndarray, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """P(false alarm) of every part, by a fit on the other parts."""
    names = chosen_features(features, data.names)
    x, p, parts = design_matrix(data, names), np.empty(len(data)), np.unique(part)
    for done, number in enumerate(parts, 1):
        judged = part == number
        means, scales, classifier = _fit(x[~judged], data.false_alarm[~judged], names)
        p[judged] = logistic(classifier((x[judged] - means) / scales))
        if progress is not None:
            progress(done, len(parts))
    return p


def _fit(x: np.ndarray, positive: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, LinearPart]:
    if len(x) <= len(names):
        raise MetaModelError(
            f"{len(x)} OoD segments for {len(names)} metrics; expected more segments than metrics: take more images, a "
            "lower threshold, or fewer metrics"
        )
    if positive.all() or not positive.any():
        raise MetaModelError(
            f"{int(positive.sum())} of {len(x)} OoD segments are false alarms; a classifier needs both kinds: take "
            "more images or another threshold"
        )
    if bad := [name for name, good in zip(names, np.isfinite(x).all(0), strict=True) if not good]:
        raise MetaModelError(f"metrics with values that are not finite: {', '.join(bad)}")
    means, scales = statistics(x)
    return means, scales, fit_logistic((x - means) / scales, positive)
