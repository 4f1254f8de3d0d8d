"""The benchmark from images to results: passes, thresholds, and the meta classifier of the segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.evaluation.anomaly.benchmark import ScoreResult, judge, pixel_measures, sweep_grid
from trust_seg_ros.evaluation.anomaly.curves import best_f1
from trust_seg_ros.evaluation.anomaly.cuts import Cut, cuts
from trust_seg_ros.evaluation.anomaly.objects import ANOMALY_TRACK, NO_LIMITS, SizeLimits
from trust_seg_ros.evaluation.anomaly.passes import Look, Pixels, Progress, pool, pool_all
from trust_seg_ros.evaluation.anomaly.sources import LeftOut, Source, SourceFit, leave_source_out
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.fitting.ood_fit import cross_validated, leave_one_out, stacked
from trust_seg_ros.grid import Grid
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import DISCARD_ABOVE, OodData, OodModel, OodVerdict
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
        fit: how the classifier is fitted: metrics, folds of ``by_image``, and, with data sets to fit on, the share of
            objects to keep.
        fit_thresholds: further thresholds at which segments of the data sets to fit on are taken.
        leave_source_out: also judge each data set to fit on by a fit on the others.
        limits: of components for sIoU, PPV and F1*.
        segment_limits: of components for segment errors and for fitting.
        sweep: further thresholds at which segment errors are counted.
        grid_of_fit: judge on as many pixels as the grids of the data set fitted on have; else on the grid of the look.
    """

    thresholds: Mapping[str, float | str] = field(default_factory=dict)
    meta: str = "by_image"
    model: OodModel | None = None
    fit: SourceFit = field(default_factory=SourceFit)
    fit_thresholds: tuple[float, ...] = ()
    leave_source_out: bool = False
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
        sources: score -> the segments that a saved model is fitted on.
        left_out: score -> the data sets to fit on, each judged by a fit on the others.
        skipped: name of the data set -> name of the image -> why it was left out.
        notes: results that are missing, and why.
    """

    results: tuple[ScoreResult, ...]
    pixels: Pixels
    sources: dict[str, tuple[Source, ...]]
    left_out: dict[str, tuple[LeftOut, ...]]
    skipped: dict[str, dict[str, str]]
    notes: tuple[str, ...]


def study(
    look: Look,
    images: OodImages,
    plan: Plan,
    fit_images: Sequence[OodImages] = (),
    announce: Announce | None = None,
) -> Study:
    """Run the passes over the images, classify the segments and judge everything.

    Args:
        look: network and scores.
        images: the data set that is judged.
        plan: how.
        fit_images: other data sets to fit the meta classifier on.
        announce: for progress bars.

    Raises:
        AnomalyError: a data set without anomalies or without other pixels; ``"fit"`` without a data set to fit on.
        TrustSegError: an image cannot be read, the network fails or cannot give a score.
    """
    announce = announce or (lambda _: lambda _done, _total: None)
    others = [(replace(look, skipped={}), source) for source in fit_images]
    pixels = pool(look, images, announce(f"pixels of {images.name}"))
    fit_pixels = None
    if others and any(plan.thresholds.get(score) == FIT for score in look.scores):
        fit_pixels = pool_all(others, announce)
    thresholds = {score: _threshold(score, plan, look.gradient, pixels, fit_pixels) for score in look.scores}
    wanted = plan.meta != "none" or plan.model is not None or bool(others)
    grids = {score: sweep_grid(pixels.counts[score], plan.sweep) for score in look.scores} if plan.sweep else None
    cut_as_planned = partial(cuts, metrics=wanted, limits=plan.segment_limits)
    results, notes, left_out = [], list[str](), {}
    at: dict[str, tuple[float, ...]] = {score: (threshold,) for score, threshold in thresholds.items()}
    fitted_on = _sources(plan, others, at, cut_as_planned, announce)
    if others and plan.grid_of_fit:
        look = replace(look, grid=_grid_fitted_on(look.grid, fitted_on[look.scores[0]], notes))
    own = cut_as_planned(look, images, at, sweeps=grids, progress=announce(f"segments of {images.name}"))
    for score in look.scores:
        measured = pixel_measures(pixels.counts[score], pixels.exact[score])
        verdict, above = None, DISCARD_ABOVE
        if wanted:
            try:
                verdict, above = _judged(plan, own[score][0].data, fitted_on[score], announce)
                if plan.leave_source_out:
                    left_out[score] = leave_source_out(
                        fitted_on[score], plan.fit, announce(f"leave one source out, {score}")
                    )
            except MetaModelError as error:
                notes.append(f"{score}: no meta classification: {error}")
        time, limits = pixels.milliseconds[score], (plan.limits, plan.segment_limits)
        results.append(judge(score, time, measured, own[score][0], verdict, *limits, above))
    skipped = {images.name: look.skipped} | {source.name: other.skipped for other, source in others}
    actual = plan.segment_limits.actual
    here: dict[str, tuple[Source, ...]] = {score: (Source(images.name, own[score], actual),) for score in look.scores}
    return Study(tuple(results), pixels, fitted_on if others else here, left_out, skipped, tuple(notes))


def _sources(
    plan: Plan,
    others: Sequence[tuple[Look, OodImages]],
    thresholds: Mapping[str, tuple[float, ...]],
    cut_as_planned: Callable[..., dict[str, tuple[Cut, ...]]],
    announce: Announce,
) -> dict[str, tuple[Source, ...]]:
    """The segments of the data sets to fit on, of every score, at all thresholds to fit at."""
    at = {score: tuple(dict.fromkeys((*numbers, *plan.fit_thresholds))) for score, numbers in thresholds.items()}
    found = []
    for look, images in others:
        part = cut_as_planned(look, images, at, progress=announce(f"segments of {images.name}"))
        found.append((images.name, part))
    actual = plan.segment_limits.actual
    return {score: tuple(Source(name, part[score], actual) for name, part in found) for score in at}


def _grid_fitted_on(grid: Grid, sources: Sequence[Source], notes: list[str]) -> Grid:
    """A grid of the area of that of the data fitted on."""
    fitted = stacked([source.data for source in sources]).grid
    if fitted is None:
        notes.append(
            "the images fitted on differ in size, so that sizes of segments mean no one thing: set one grid for all, "
            "for example --grid area:480x360"
        )
        return grid
    return Grid("area", fitted)


def protocol(plan: Plan, fit_images: Sequence[OodImages] = (), gradient: GradientSettings = IN_LOGARITHMS) -> str:
    """Which classifier judges the segments, in words; thresholds of gradient scores in the unit of these settings."""
    if plan.model is not None:
        at = fitted_threshold(plan.model, gradient)
        return f"by the stored model, segments of {plan.model.score} at {at:g}"
    if fit_images:
        return f"fitted on {', '.join(source.name for source in fit_images)}"
    return {
        "by_image": f"by image: {plan.fit.folds}-fold cross-validation over images, each judged once",
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


def _judged(
    plan: Plan, data: OodData, sources: tuple[Source, ...], announce: Announce
) -> tuple[OodVerdict | None, float]:
    """The verdict on every segment, and the P(false alarm) above which it is discarded."""
    if not len(data):
        raise MetaModelError(f"no segment of {data.score} reaches {data.threshold:g}")
    if plan.model is not None:
        plan.model.check_fits(data.network, data.class_names, data.score, data.network_sha256)
        return plan.model.judge(data), plan.model.discard_above
    if sources:
        model = plan.fit(sources)
        return model.judge(data), model.discard_above
    if plan.meta == "leave_one_out":
        told = announce(f"leave one out, {data.score}")
        return leave_one_out(data, plan.fit.features, told), DISCARD_ABOVE
    return cross_validated(data, plan.fit.features, plan.fit.folds, classifier=plan.fit.classifier), DISCARD_ABOVE
