"""Finds the OoD segments of a frame, measures and judges them: score map -> ``OodSegments`` with P(OoD)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import torch

from trust_seg_ros.grid import Size
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import required_set
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.segments import FeatureSet, ood_segment_table, ood_segments
from trust_seg_ros.types import UNLABELLED, Json, LogitMaps, OodSegments, SegmentTable, UncertaintyMaps
from trust_seg_ros.uncertainty.gradient_inputs import FLOAT32_MAX, GradientSettings, Scale
from trust_seg_ros.uncertainty.score_names import GRADIENT_SCORES, find_score

_ALIKE = 0.01
"""Thresholds that differ by less, relatively, are the same: people round them."""
_CLASS_ONLY = FeatureSet(maps=())
"""Sizes and mean class probabilities, which suffice to name the class of a segment."""


class OodJudge:
    """Finds OoD segments and asks a meta model which of them are false alarms (Chan et al. 2021, section 4).

    Args:
        n_classes: number of classes of the network.
        model: the meta model; None = segments are found and named, but not judged.
        gradient: how gradient scores are computed here; None = not checked.

    Raises:
        MetaModelError: the model needs metrics that no feature set has, or was fitted for another gradient norm.
    """

    def __init__(self, n_classes: int, model: OodModel | None = None, gradient: GradientSettings | None = None) -> None:
        self.model = model
        if model is not None and gradient is not None:
            check_gradient(model, gradient)
        self._fitted = (-math.inf, math.inf) if model is None else fitted_thresholds(model, gradient)
        self._features = _CLASS_ONLY if model is None else required_set(model.features, n_classes)

    def serves(self, score: str, size: Size) -> bool:
        """Whether the meta model judges segments of this score made on a grid of this size (H, W)."""
        return self.model is not None and self.model.score == score and self.model.judges(size)

    def features(self, score: str, size: Size) -> str | FeatureSet:
        """The metrics that are needed of the segments of this score, on a grid of this size."""
        return self._features if self.serves(score, size) else _CLASS_ONLY

    def fitted_at(self, threshold: float) -> bool:
        """Whether a threshold lies among those that the model was fitted at; always without a model."""
        return self._fitted[0] <= threshold <= self._fitted[1]

    def __call__(
        self,
        name: str,
        score: torch.Tensor,
        threshold: float,
        min_size: int,
        least: float,
        maps: UncertaintyMaps,
        logit_maps: LogitMaps,
        *,
        named: bool = True,
    ) -> OodSegments:
        """The OoD segments of one frame, found and judged.

        Args:
            min_size: least number of pixels of a segment that is kept.
            score: (H, W) the map.
            maps, logit_maps: of the same image.
            name, threshold, least, named: as in :meth:`judge`.
        """
        found = ood_segments(score, threshold, min_size)

        def measure(found: OodSegments, features: str | FeatureSet) -> SegmentTable:
            return measured_ood(found, score, threshold, maps, logit_maps, features)

        return self.judge(found, name, (score.shape[0], score.shape[1]), threshold, least, measure, named=named)

    def judge(
        self,
        found: OodSegments,
        name: str,
        size: Size,
        threshold: float,
        least: float,
        measure: Callable[[OodSegments, str | FeatureSet], SegmentTable],
        *,
        named: bool = True,
        past: Callable[[SegmentTable], SegmentTable] | None = None,
    ) -> OodSegments:
        """The OoD segments of one frame, judged.

        Specks that are too small to be kept are listed and discarded, but not measured: on a noisy frame there are
        thousands.

        Args:
            found: the components of {score >= threshold}, as of ``segments.ood_segments``.
            name: name of the score; the meta model is used only if it was fitted for segments of that score, on a grid
                of about this area; otherwise segments are kept unjudged.
            size: (H, W) of the grid.
            threshold: the threshold that they were found at.
            least: least P(OoD) of a segment that is kept, if there is a meta model. Segments outside the range of
                metrics that the model was fitted on are kept, whatever their P(OoD); at a threshold outside those it
                was fitted at, all are.
            measure: gives the metrics of the segments that are kept, as :func:`measured_ood`.
            named: whether to name the classes even if no meta model needs metrics.
            past: appends columns over time to the table of the segments that are large enough; None = there are none.
        """
        large = found.kept
        model = self.model if self.serves(name, size) else None
        if model is None and not named:
            return found
        class_ids, p_class = np.full(len(large), UNLABELLED, np.uint8), np.full(len(large), np.nan)
        p_ood = None if model is None else np.full(len(large), np.nan)
        outside = None if model is None else np.zeros(len(large), bool)
        if large.any():
            table = measure(found, self.features(name, size))
            class_ids[large], p_class[large] = table.class_ids, _largest_probability(table)
            if model is not None and p_ood is not None and outside is not None:
                verdict = model.judge(table if past is None else past(table))
                p_ood[large] = 1.0 - verdict.p_false_alarm
                outside[large] = verdict.outside | (not self.fitted_at(threshold))
        kept = large if p_ood is None or outside is None else large & ((p_ood >= least) | outside)  # NaN is not kept
        return OodSegments(found.ids, found.boxes, found.sizes, found.score, kept, p_ood, class_ids, p_class, outside)


def measured_ood(
    found: OodSegments,
    score: torch.Tensor,
    threshold: float,
    maps: UncertaintyMaps,
    logit_maps: LogitMaps,
    features: str | FeatureSet,
) -> SegmentTable:
    """The metrics of those OoD segments that are kept, measured on the host; the others are left out."""
    specks = None if found.kept.all() else np.append(False, ~found.kept)[found.ids]
    return ood_segment_table(score, threshold, maps, logit_maps, features, ignore=specks)


def fitted_threshold(model: OodModel, gradient: GradientSettings) -> float:
    """The threshold a model was fitted at, in the unit of the score here.

    For a gradient score ``trust-seg benchmark`` writes the logarithm of the norm, with its sign, and says so in the
    file; files that do not say so hold the norm itself. Both give the same segments. NaN if it cannot be a norm.
    """
    fitted = _fitted_gradient(model).get("scale", "norm")
    if model.score not in GRADIENT_SCORES or gradient.scale == fitted:
        return model.threshold
    sign = find_score(model.score).sign(gradient)
    size = sign * model.threshold
    if fitted == "log":
        return sign * (math.exp(size) if size < math.log(FLOAT32_MAX) else FLOAT32_MAX)
    return sign * math.log(size) if size > 0.0 else math.nan


def fitted_thresholds(model: OodModel, gradient: GradientSettings | None) -> tuple[float, float]:
    """Smallest and largest threshold at which a model was fitted, in the unit of the score here, with a little room."""
    ends = [t if gradient is None else _here(model, t, gradient) for t in model.thresholds]
    low, high = min(ends), max(ends)
    room = _ALIKE * max(abs(low), abs(high))
    return low - room, high + room


def _here(model: OodModel, threshold: float, gradient: GradientSettings) -> float:
    """A threshold of the model's file in the unit of the score here, as :func:`fitted_threshold`."""
    return fitted_threshold(replace(model, threshold=threshold, fitted_thresholds=None), gradient)


def unit_mistake(model: OodModel, score: str, threshold: float, gradient: GradientSettings) -> str:
    """What is wrong with a threshold that is the model's own in the other unit of gradient scores; "" if nothing is.

    Args:
        model: a meta model with a threshold of its own.
        score: the score that the threshold is for.
        threshold: the threshold, meant in the unit of ``gradient``.
        gradient: how gradient scores are computed here.
    """
    if model.score != score or score not in GRADIENT_SCORES:
        return ""
    fitted = fitted_threshold(model, gradient)
    log = gradient.scale == "log"
    other = fitted_threshold(model, replace(gradient, scale="norm" if log else "log"))
    if math.isclose(threshold, fitted, rel_tol=_ALIKE) or not math.isclose(threshold, other, rel_tol=_ALIKE):
        return ""
    units = ("the norm itself", "the logarithm of the norm") if log else ("the logarithm of the norm", "the norm")
    return (
        f"{threshold:g} is the threshold of the OoD meta model as {units[0]}; thresholds on {score} are {units[1]} "
        f"here: set {fitted:.6g}"
    )


def check_gradient(model: OodModel, gradient: GradientSettings) -> None:
    """Refuse a model of a gradient score with another p or variant; the scale does not change the segments.

    Raises:
        MetaModelError: it was fitted for other ones, its file does not say for which, or its threshold is no norm.
    """
    fitted = _fitted_gradient(model)
    if model.score not in GRADIENT_SCORES:
        return
    if fitted and (fitted.get("p"), fitted.get("variant")) != (gradient.p, gradient.variant):
        raise MetaModelError(
            f"the OoD meta model was fitted for {model.score} with p = {fitted.get('p')}, {fitted.get('variant')}; set "
            f"are p = {gradient.p:g}, {gradient.variant}: set gradient.p and gradient.variant to those, or fit one for "
            "these (trust-seg benchmark --gradient-p --gradient-variant --save-meta)"
        )
    if impossible := [t for t in model.thresholds if math.isnan(_here(model, t, gradient))]:
        raise MetaModelError(
            f"the OoD meta model: its threshold {impossible[0]:g} is no norm of {model.score}: expected a number that "
            'can be one, or "scale": "log" under summary, gradient, if it is a logarithm; or fit it anew (trust-seg '
            "benchmark --save-meta)"
        )


def _fitted_gradient(model: OodModel) -> Json:
    """Norm, variant and scale of the gradient score a model was fitted for; {} if its file does not say."""
    found = model.summary.get("gradient") or {}
    if not isinstance(found, dict) or found.get("scale", "norm") not in get_args(Scale):
        raise MetaModelError(f"the OoD meta model: gradient: {found}, expected p, variant, and scale norm or log")
    return found


def _largest_probability(table: SegmentTable) -> np.ndarray:
    first = table.names.index("cprob_0")
    return table.metrics[np.arange(len(table)), first + table.class_ids.astype(np.intp)]
