"""The benchmark from images to results: passes, thresholds, and the meta classifier of the segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.evaluation.anomaly.benchmark import ScoreResult, judge, pixel_measures, sweep_grid
from trust_seg_ros.evaluation.anomaly.curves import best_f1
from trust_seg_ros.evaluation.anomaly.objects import ANOMALY_TRACK, NO_LIMITS, SizeLimits
from trust_seg_ros.evaluation.anomaly.passes import Cut, Look, Pixels, Progress, cut, pool
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.fitting.ood_fit import cross_validated, fit_ood, leave_one_out
from trust_seg_ros.grid import Grid
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import OodData, OodModel
from trust_seg_ros.meta.ood_judge import fitted_threshold
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

BEST, FIT = "best", "fit"
PROTOCOLS = ("by_image", "leave_one_out", "none")
Announce = Callable[[str], Progress]
"""Title of the next step -> callback for its (done, total)."""


@dataclass(frozen=True)
class Plan:
    """How segments are found and judged.

    Attributes:
        thresholds: score -> number, ``"best"`` (best F1 over the pixels judged) or ``"fit"`` (of the data set fitted
            on); ``"best"`` for scores not listed.
        meta: one of ``PROTOCOLS``; ignored if there is a data set to fit on, or a model.
        model: a fitted meta classifier to judge with; its threshold is used, in the unit of the score here.
        features: choice of metrics for fitting.
        folds: number of folds for ``by_image``.
        limits: of components for sIoU, PPV and F1*.
        segment_limits: of components for segment errors and for fitting.
        sweep: further thresholds at which segment errors are counted.
        grid_of_fit: judge on as many pixels as the grids of the data set fitted on have; else on the grid of the look.
    """

    thresholds: Mapping[str, float | str] = field(default_factory=dict)
    meta: str = "by_image"
    model: OodModel | None = None
    features: str = "meta_ood"
    folds: int = 5
    limits: SizeLimits = ANOMALY_TRACK
    segment_limits: SizeLimits = NO_LIMITS
    sweep: int = 0
    grid_of_fit: bool = False


@dataclass(frozen=True)
class Study:
    """Results of a benchmark.

    Attributes:
        results: one per score, in the requested order.
        pixels: pixel counts of the judged data set.
        fitted: score -> segments to fit a saved model on.
        skipped: name of the data set -> name of the image -> why it was left out.
        notes: results that are missing, and why.
    """

    results: tuple[ScoreResult, ...]
    pixels: Pixels
    fitted: dict[str, OodData]
    skipped: dict[str, dict[str, str]]
    notes: tuple[str, ...]


def study(
    look: Look, images: OodImages, plan: Plan, fit_images: OodImages | None = None, announce: Announce | None = None
) -> Study:
    """Run the passes over the images, classify the segments and judge everything.

    Args:
        look: network and scores.
        images: the data set that is judged.
        plan: how.
        fit_images: another data set to fit the meta classifier on.
        announce: for progress bars.

    Raises:
        AnomalyError: a data set without anomalies or without other pixels; ``"fit"`` without a data set to fit on.
        TrustSegError: an image cannot be read, the network fails or cannot give a score.
    """
    announce = announce or (lambda _: lambda _done, _total: None)
    other = None if fit_images is None else (replace(look, skipped={}), fit_images)
    pixels = pool(look, images, announce(f"pixels of {images.name}"))
    fit_pixels = None
    if other is not None and any(plan.thresholds.get(score) == FIT for score in look.scores):
        fit_pixels = pool(*other, announce(f"pixels of {other[1].name}"))
    thresholds = {score: _threshold(score, plan, look.gradient, pixels, fit_pixels) for score in look.scores}
    wanted = plan.meta != "none" or plan.model is not None or fit_images is not None
    grids = {score: sweep_grid(pixels.counts[score], plan.sweep) for score in look.scores} if plan.sweep else None
    cut_as_planned = partial(cut, thresholds=thresholds, metrics=wanted, limits=plan.segment_limits)
    results, notes = [], list[str]()
    fit_cuts: dict[str, Cut] = {}
    if other is not None:
        fit_cuts = cut_as_planned(*other, progress=announce(f"segments of {other[1].name}"))
        if plan.grid_of_fit:
            look = replace(look, grid=_grid_fitted_on(look.grid, fit_cuts, notes))
    cuts = cut_as_planned(look, images, sweeps=grids, progress=announce(f"segments of {images.name}"))
    for score in look.scores:
        measured = pixel_measures(pixels.counts[score], pixels.exact[score])
        p = None
        if wanted:
            try:
                p = _judged(plan, cuts[score].data, fit_cuts.get(score), announce)
            except MetaModelError as error:
                notes.append(f"{score}: no meta classification: {error}")
        results.append(
            judge(score, pixels.milliseconds[score], measured, cuts[score], p, plan.limits, plan.segment_limits)
        )
    skipped = {images.name: look.skipped} | ({} if other is None else {other[1].name: other[0].skipped})
    fitted = {score: found.data for score, found in (fit_cuts or cuts).items()}
    return Study(tuple(results), pixels, fitted, skipped, tuple(notes))


def _grid_fitted_on(grid: Grid, fit_cuts: Mapping[str, Cut], notes: list[str]) -> Grid:
    """A grid of the area of that of the data fitted on."""
    fitted = next(iter(fit_cuts.values())).data.grid
    if fitted is None:
        notes.append(
            "the images fitted on differ in size, so that sizes of segments mean no one thing: set one grid for all, "
            "for example --grid area:480x360"
        )
        return grid
    return Grid("area", fitted)


def protocol(plan: Plan, fit_images: OodImages | None, gradient: GradientSettings = IN_LOGARITHMS) -> str:
    """Which classifier judges the segments, in words; thresholds of gradient scores in the unit of these settings."""
    if plan.model is not None:
        at = fitted_threshold(plan.model, gradient)
        return f"by the stored model, segments of {plan.model.score} at {at:g}"
    if fit_images is not None:
        return f"fitted on {fit_images.name}"
    return {
        "by_image": f"by image: {plan.folds}-fold cross-validation over images, each judged once",
        "leave_one_out": "leave-one-segment-out (published protocol; other segments of the same image are fitted on)",
        "none": "none",
    }[plan.meta]


def _threshold(score: str, plan: Plan, gradient: GradientSettings, pixels: Pixels, fit_pixels: Pixels | None) -> float:
    if plan.model is not None and plan.model.score == score:
        return fitted_threshold(plan.model, gradient)
    wanted = plan.thresholds.get(score, BEST)
    if wanted == BEST:
        return best_f1(pixels.counts[score])[0]
    if wanted == FIT:
        if fit_pixels is None:
            raise AnomalyError(f"the threshold of {score} is to come from the data set fitted on; expected one")
        return best_f1(fit_pixels.counts[score])[0]
    return float(wanted)


def _judged(plan: Plan, data: OodData, fitted: Cut | None, announce: Announce) -> np.ndarray | None:
    """P(false alarm) of every segment (n,)."""
    if not len(data):
        raise MetaModelError(f"no segment of {data.score} reaches {data.threshold:g}")
    if plan.model is not None:
        plan.model.check_fits(data.network, data.class_names, data.score, data.network_sha256)
        return plan.model.p_false_alarm(data)
    if fitted is not None:
        return fit_ood(fitted.data, plan.features).p_false_alarm(data)
    if plan.meta == "leave_one_out":
        return leave_one_out(data, plan.features, announce(f"leave one out, {data.score}"))
    return cross_validated(data, plan.features, plan.folds)
