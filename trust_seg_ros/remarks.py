"""Warnings about thresholds, in words: values outside the range of a score, and guarantees that do not hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trust_seg_ros.grid import Size, alike, in_words
from trust_seg_ros.meta.fitted_range import outside_words
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.ood_judge import fitted_threshold, fitted_thresholds
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.left_open import borrowed_thresholds, no_ood_threshold
from trust_seg_ros.thresholds.policies.auto import Auto
from trust_seg_ros.thresholds.policies.target_recall import TargetRecall
from trust_seg_ros.thresholds.settings import MIN_SHARE
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.uncertainty.score_names import GRADIENT_SCORES, beyond_range


def remarks(
    pipeline: TrustPipeline, settings: ThresholdSettings, sizes: Sequence[Size] | None = None
) -> tuple[str, ...]:
    """One sentence per warning; none for thresholds that make sense.

    Args:
        pipeline: the pipeline that uses the thresholds.
        settings: the thresholds.
        sizes: (H', W') of the grids that frames are judged on; None = of the newest frame, if there was one.
    """
    given, as_set = settings.pixel, settings
    settings = pipeline.resolved(settings)
    found = borrowed_thresholds(as_set, settings)
    if missing := no_ood_threshold(as_set, settings):
        found.append(missing)
    if given.policy == Auto.name and settings.pixel.calibrated and given.value != ThresholdSettings().pixel.value:
        found.append(
            f"thresholds.pixel = {given.value:g} has no effect: policy auto takes its threshold from the calibration; "
            "with thresholds.pixel_policy = fixed the number applies"
        )
    if settings.unreliable.calibrated and settings.unreliable_min_share not in (0.0, MIN_SHARE):
        found.append(
            f"thresholds.unreliable_min_share = {settings.unreliable_min_share:g} has no effect: policy "
            f"{settings.unreliable.policy} flags segments of any size, as it promises something about all of them"
        )
    for what, name, policy in (
        ("pixel threshold", settings.pixel_score, settings.pixel),
        ("OoD threshold", settings.ood_score, settings.ood),
    ):
        beyond = beyond_range(name, policy.value, len(pipeline.labels), pipeline.gradient)
        if beyond and policy.policy == "fixed":
            found.append(f"{what} {beyond}")
    score, at = pipeline.all_ood_at or ("", math.nan)
    if score == settings.ood_score and (settings.ood.policy != "fixed" or settings.ood.value == at):
        unit = " (gradient scores are logarithms of norms)" if settings.ood_score in GRADIENT_SCORES else ""
        found.append(
            f"OoD threshold {at:g}: no pixel of the newest image has a smaller {score}{unit}, so that the whole image "
            "is one OoD segment; a larger threshold finds objects"
        )
    model = pipeline.ood_model
    if model is not None and model.score != settings.ood_score:
        found.append(
            f"no P(OoD): the OoD meta model judges segments of {model.score}, the current ones are of "
            f"{settings.ood_score}; set ood.score to {model.score}, or ood.meta_model to one for {settings.ood_score}"
        )
    elif model is not None:
        gaps = _size_gaps(pipeline, model, sizes)
        found += threshold_gap(pipeline, model, settings)
        found += [f"no P(OoD), OoD segments are kept without being judged: {gap}" for gap in gaps]
    if sizes is None:  # the sizes of a recording's frames are given, and the report counts their segments itself
        found += [text for what, share in pipeline.outside.items() if (text := outside_words(what, share))]
    found += [pipeline.rate_remark] * bool(pipeline.rate_remark)
    for what, judge, policy in (
        ("unreliable segments", pipeline.meta, settings.unreliable),
        ("OoD segments", model, settings.ood_meta),
    ):
        if judge is None and policy.policy != "fixed":
            found.append(f"{what}: policy {policy.policy} has no effect without a meta model")
    found += [text for size in _grids(pipeline, sizes) if (text := _other_grid(pipeline, size))]
    calibrated = [
        TARGETS[target].flagged
        for target, policy in settings.policies.items()
        # a recall of pixels hardly changes with the grid; a guarantee holds on its own grid or not at all
        if policy.calibrated and (target, policy.policy) != ("pixel", TargetRecall.name)
    ]
    if calibrated and (other := calibration_gap(pipeline, sizes)):
        found.append(f"calibrated thresholds are rough ({', '.join(calibrated)}): {other}")
    gap = ood_gap(pipeline, settings, sizes)
    return (*found, f"calibration of P(OoD) void: {gap}") if gap and model is not None else tuple(found)


def pixel_policy(pipeline: TrustPipeline, settings: ThresholdSettings) -> str:
    """The policy of the pixel threshold in words; of ``auto``, what it stands for here."""
    policy = pipeline.resolved(settings).pixel
    if settings.pixel.policy != Auto.name:
        return policy.describe()
    if policy.calibrated:
        return f"{Auto.name}: {policy.describe()}"
    return (
        f"{Auto.name}: {policy.describe()}, as there is no calibration of {settings.pixel_score}: nobody knows what it "
        "finds (trust-seg calibrate makes one)"
    )


def ood_gap(pipeline: TrustPipeline, settings: ThresholdSettings, sizes: Sequence[Size] | None = None) -> str:
    """Why the guarantee of a calibrated threshold on P(OoD) does not hold; "" if it does, or if none is in use.

    It was calibrated on OoD segments at the threshold at which the meta model was fitted; another threshold gives
    other segments.
    """
    model, ood, calibration = pipeline.ood_model, pipeline.resolved(settings).ood, pipeline.calibration
    if not settings.ood_meta.calibrated or calibration is None:
        return ""
    if model is None:
        return "there is no OoD meta model"
    if model.score != settings.ood_score:
        return f"OoD segments are of {settings.ood_score}, the calibration was made for {model.score}"
    fitted = fitted_threshold(model, pipeline.gradient)
    if gaps := _size_gaps(pipeline, model, sizes):
        return gaps[0]
    if ood.policy != "fixed" or not math.isclose(ood.value, fitted, rel_tol=1e-6):
        given = f"{ood.value:g}" if ood.policy == "fixed" else ood.describe()
        return f"OoD segments at {given}, the calibration was made at {fitted:g}"
    least = calibration.summary.get("ood", {}).get("min_size", settings.ood_min_size)
    if settings.ood_min_size > least:
        return f"OoD segments of {settings.ood_min_size} pixels and more, the calibration was made for {least} and more"
    return ""


def calibration_gap(pipeline: TrustPipeline, sizes: Sequence[Size] | None = None) -> str:
    """That frames are judged on another grid than the calibration was made on; "" if they are not, or it names none.

    Scores of single pixels hardly change with the grid, but P(false positive) and P(OoD) do.
    """
    made_on = None if pipeline.calibration is None else pipeline.calibration.grid
    others = [size for size in _grids(pipeline, sizes) if made_on is not None and not alike(made_on, size)]
    if made_on is None or not others:
        return ""
    grid = in_words(made_on)
    return (
        f"scores are made on a grid of {' or '.join(map(in_words, others))}, the calibration was made on one of "
        f"{grid}: set grid to area:{grid}, or calibrate on this grid (trust-seg calibrate --grid)"
    )


def threshold_gap(pipeline: TrustPipeline, model: OodModel, settings: ThresholdSettings) -> list[str]:
    """That the constant OoD threshold lies outside the thresholds that the meta model was fitted at; [] if it does not.

    Segments at another threshold are larger or smaller than those it knows.
    """
    low, high = fitted_thresholds(model, pipeline.gradient)
    at = settings.ood.value
    if settings.ood.policy != "fixed" or low <= at <= high:
        return []
    fitted = fitted_threshold(model, pipeline.gradient)
    first, last = model.thresholds
    words = f"{fitted:g}" if first == last else f"{fitted:g} and others"
    return [
        f"OoD threshold {at:g}: the OoD meta model was fitted on segments at {words}, so nothing is discarded: "
        "set the fitted threshold, or fit a model for this one too (trust-seg benchmark --fit-thresholds)"
    ]


def _grids(pipeline: TrustPipeline, sizes: Sequence[Size] | None) -> list[Size]:
    newest = () if pipeline.grid_size is None else (pipeline.grid_size,)
    return list(dict.fromkeys(newest if sizes is None else sizes))


def _size_gaps(pipeline: TrustPipeline, model: OodModel, sizes: Sequence[Size] | None) -> list[str]:
    """Why the model does not judge on grids of these sizes, a sentence for each size that it does not judge."""
    return [gap for size in _grids(pipeline, sizes) if (gap := model.size_gap(size))]


def _other_grid(pipeline: TrustPipeline, size: Size) -> str:
    """What is to be said about P(wrong) on a grid of this size; "" on about the one that the meta model names."""
    meta = pipeline.meta
    if meta is None or meta.grid is None or alike(meta.grid, size):
        return ""
    return (
        f"P(wrong) is rough: segments are made on a grid of {in_words(size)}, the meta model was fitted on one of "
        f"{in_words(meta.grid)}; set grid to fitted"
    )
