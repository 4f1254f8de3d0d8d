"""Fits the meta classifier of OoD segments, and judges segments by fits that did not see them.

Source: Chan, Rottmann, Gottschalk, Entropy Maximization and Meta Classification for Out-of-Distribution Detection in
Semantic Segmentation, ICCV 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from trust_seg_ros.fitting.boosting import fit_boosting
from trust_seg_ros.fitting.fit import fit_logistic, fit_ridge, statistics
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import chosen_features, design_matrix
from trust_seg_ros.meta.model import LinearPart
from trust_seg_ros.meta.ood import OodData, OodModel, OodVerdict
from trust_seg_ros.segments.history.window import is_time_name
from trust_seg_ros.types import Json

Classifier = Literal["logistic", "ridge", "boosting"]

RIDGE_STRENGTH = 0.1
"""Of the classifier ``ridge``. On sources left out of the fit 0.05 to 0.9 do about the same, 0.005 does worse."""


def fit_ood(
    data: OodData,
    features: str | Sequence[str] = "meta_ood",
    summary: Json | None = None,
    classifier: Classifier = "logistic",
) -> OodModel:
    """A classifier of "false alarm" on the metrics of OoD segments.

    Args:
        data: segments to fit on.
        features: a choice as in ``meta.features``, or the metrics' names.
        summary: further entries of the model's summary.
        classifier: logistic regression on standardised metrics, unpenalised as in the paper or with a penalty on the
            squared weights (:data:`RIDGE_STRENGTH`), or boosted trees.

    Raises:
        MetaModelError: not more segments than metrics, segments of one kind only, metrics that are not finite, or an
            unknown choice of metrics.
    """
    names = chosen_features(features, data.names) if isinstance(features, str) else tuple(features)
    x = design_matrix(data, names)
    _check(x, data.false_alarm, names)
    means, scales = statistics(x)
    linear, trees = LinearPart(np.zeros(len(names)), 0.0), None
    if classifier == "boosting":
        trees = fit_boosting(x, data.false_alarm)
    elif classifier == "ridge":
        linear = fit_ridge((x - means) / scales, data.false_alarm, RIDGE_STRENGTH)
    else:
        linear = fit_logistic((x - means) / scales, data.false_alarm)
    counts = {"segments": len(data), "false_alarms": int(data.false_alarm.sum()), "images": len(data.images)}
    return OodModel(
        names,
        means,
        scales,
        linear,
        np.stack([x.min(0), x.max(0)], 1),
        data.network,
        data.class_names,
        data.score,
        data.threshold,
        {**counts, "classifier": classifier, **(summary or {})},
        data.image_sizes,
        data.network_sha256,
        data.grid,
        float(data.false_alarm.mean()),
        fitted_thresholds=data.thresholds,
        trees=trees,
        time=data.time if any(map(is_time_name, names)) else None,
    )


def cross_validated(
    data: OodData, features: str = "meta_ood", folds: int = 5, seed: int = 0, classifier: Classifier = "logistic"
) -> OodVerdict:
    """The verdict on every segment, by a classifier that was fitted without the segment's image.

    Args:
        data: the segments.
        features: a choice as in ``meta.features``.
        folds: number of random parts of the images, fewer if there are fewer images; each part is judged once, by a
            classifier fitted on the others.
        seed: seed of that division.
        classifier: as for :func:`fit_ood`.

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
    return judged_apart(data, fold[data.image], features, classifier=classifier)


def leave_one_out(
    data: OodData, features: str = "meta_ood", progress: Callable[[int, int], None] | None = None
) -> OodVerdict:
    """The verdict on every segment, by a classifier fitted on all others: the published protocol.

    Other segments of the judged image are fitted on, so results are too good; :func:`cross_validated` avoids that.

    Args:
        data: the n segments; n fits are made, a few milliseconds each.
        features: a choice as in ``meta.features``.
        progress: called with (done, total).

    Raises:
        MetaModelError: as :func:`fit_ood`.
    """
    return judged_apart(data, np.arange(len(data)), features, progress)


def judged_apart(
    data: OodData,
    part: np.ndarray,
    features: str = "meta_ood",
    progress: Callable[[int, int], None] | None = None,
    classifier: Classifier = "logistic",
) -> OodVerdict:
    """The verdict on every part of the segments, by a classifier fitted on the other parts.

    Args:
        data: the n segments.
        part: (n,) integers, the part each belongs to; images, sources, or whatever must not be on both sides.
        features: a choice as in ``meta.features``.
        progress: called with (done, total).
        classifier: as for :func:`fit_ood`.

    Raises:
        MetaModelError: as :func:`fit_ood`, of what is left without a part.
    """
    p, outside, parts = np.empty(len(data)), np.empty(len(data), bool), np.unique(part)
    for done, number in enumerate(parts, 1):
        judged = part == number
        found = fit_ood(data.rows(~judged), features, classifier=classifier).judge(data.rows(judged))
        p[judged], outside[judged] = found.p_false_alarm, found.outside
        if progress is not None:
            progress(done, len(parts))
    return OodVerdict(p, outside)


def stacked(parts: Sequence[OodData], *, one_data_set: bool = False) -> OodData:
    """Segments of several data sets, or of one at several thresholds, as one.

    Args:
        parts: the segments; the first names the threshold.
        one_data_set: the parts are of the same images, whose numbers stay; otherwise images are numbered consecutively.

    Raises:
        MetaModelError: no parts, or they are of different networks, scores or metrics.
    """
    if not parts:
        raise MetaModelError("no OoD segments to stack; expected at least one data set")
    first = parts[0]
    for part in parts[1:]:
        for what in ("network", "network_sha256", "class_names", "names", "score", "time"):
            if getattr(part, what) != getattr(first, what):
                raise MetaModelError(
                    f"OoD segments differ in their {what}: {getattr(first, what)!r} and {getattr(part, what)!r}; only "
                    "segments of one network, one score and one set of metrics can be stacked"
                )
    ends = [t for part in parts for t in part.thresholds or (part.threshold,)]
    offsets = np.cumsum([0, *(len(part.images) for part in parts)]) * (not one_data_set)
    return replace(
        first,
        metrics=np.concatenate([part.metrics for part in parts]),
        false_alarm=np.concatenate([part.false_alarm for part in parts]),
        class_ids=np.concatenate([part.class_ids for part in parts]),
        image=np.concatenate([part.image + o for part, o in zip(parts, offsets, strict=False)]).astype(np.int32),
        images=first.images if one_data_set else sum((part.images for part in parts), ()),
        image_sizes=tuple(sorted({size for part in parts for size in part.image_sizes})),
        grid=first.grid if all(part.grid == first.grid for part in parts) else None,
        thresholds=(min(ends), max(ends)) if min(ends) < max(ends) else None,
    )


def _check(x: np.ndarray, positive: np.ndarray, names: Sequence[str]) -> None:
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
