"""Reads and checks the options of ``trust-seg benchmark``."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from trust_seg_ros.commands.data_options import gradient_settings
from trust_seg_ros.commands.score_options import ALL, check_scores
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.nearest import did_you_mean

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.anomaly.passes import Look
    from trust_seg_ros.evaluation.anomaly.study import Plan
    from trust_seg_ros.meta.ood import OodModel
    from trust_seg_ros.segmentation.protocol import SegmentationNetwork


def is_file(meta: str) -> bool:
    """Whether --meta-model names a model file."""
    return meta not in ("by_image", "leave_one_out", "none")


def check(args: argparse.Namespace) -> None:
    """Refuse impossible options before the work starts."""
    if is_file(args.meta) and not args.meta.endswith(".json"):
        raise AnomalyError(f"--meta-model {args.meta}: expected by_image, leave_one_out, none, or a .json file")
    if args.folds < 2:
        raise AnomalyError(f"--folds {args.folds}: expected at least 2")
    if not 0 <= args.sweep <= 1000:
        raise AnomalyError(f"--sweep {args.sweep}: expected a number of thresholds from 0 to 1000")
    if args.save_meta is not None and args.meta not in ("by_image", "leave_one_out"):
        raise AnomalyError(
            f"--save-meta with --meta-model {args.meta}: nothing is fitted then; expected another --meta-model"
        )


def chosen_look(
    args: argparse.Namespace, network: SegmentationNetwork, model: OodModel | None
) -> tuple[Look, list[str]]:
    """Network and scores. With --score all: every score that the network can give, and a note on the others."""
    from trust_seg_ros.evaluation.anomaly.passes import Look
    from trust_seg_ros.grid import parsed_grid
    from trust_seg_ros.meta.features import chosen_features
    from trust_seg_ros.meta.ood_judge import check_gradient
    from trust_seg_ros.meta.sizes import fitted_grid
    from trust_seg_ros.segments.features import FEATURE_SETS
    from trust_seg_ros.thresholds.calibration import network_statistics
    from trust_seg_ros.uncertainty.frame_scores import missing_scores
    from trust_seg_ros.uncertainty.score_names import SCORES, left_out_notes

    statistics = network_statistics(args.calibration, network.name, network.labels.names, network_sha256(network))
    chosen_features(args.features, FEATURE_SETS["all"].names(len(network.labels)))
    check_scores(args.score, AnomalyError)
    gradient = gradient_settings(args)
    named = tuple(dict.fromkeys(score for score in args.score if score != ALL))
    if model is not None:
        named = named or (model.score,)
        for score in named:
            model.check_fits(network.name, network.labels.names, score, network_sha256(network))
        check_gradient(model, gradient)
    grid = parsed_grid(args.grid, fitted_grid(None, model))
    if model is not None or ALL not in args.score:
        return Look(network, named, gradient, args.keep_going, statistics, grid), []
    missing = missing_scores(network, gradient, statistics)
    given = [score for score in SCORES if score not in missing]
    notes = left_out_notes(missing)
    scores = tuple(dict.fromkeys((*named, *given)))
    return Look(network, scores, gradient, args.keep_going, statistics, grid), notes


def chosen_plan(args: argparse.Namespace, look: Look, model: OodModel | None) -> Plan:
    """How segments are found and judged; raises AnomalyError for impossible thresholds."""
    from trust_seg_ros.evaluation.anomaly.objects import ANOMALY_TRACK, OBSTACLE_TRACK, SizeLimits
    from trust_seg_ros.evaluation.anomaly.sources import SourceFit
    from trust_seg_ros.evaluation.anomaly.study import Plan

    track = {"anomaly": ANOMALY_TRACK, "obstacle": OBSTACLE_TRACK}[args.track]
    return Plan(
        thresholds=_thresholds(args, look, model),
        meta="none" if is_file(args.meta) else args.meta,
        model=model,
        fit=SourceFit(args.features, args.keep, args.folds, args.classifier),
        fit_thresholds=tuple(args.fit_thresholds),
        leave_source_out=args.leave_source_out,
        limits=track if args.limits is None else SizeLimits(*args.limits),
        segment_limits=SizeLimits(*args.segment_limits),
        sweep=args.sweep,
        grid_of_fit=args.grid == "fitted",
    )


def _thresholds(args: argparse.Namespace, look: Look, model: OodModel | None) -> dict[str, float | str]:
    """Score -> number, "best" or "fit"; a later word overrides an earlier one."""
    scores = look.scores
    if model is not None:
        from trust_seg_ros.meta.ood_judge import fitted_threshold

        fitted = fitted_threshold(model, look.gradient)
        if args.threshold != ["best"]:
            raise AnomalyError(f"--threshold with --meta-model {args.meta}: the model has its own, {fitted:g}")
        return {}
    found: dict[str, float | str] = {}
    for word in args.threshold:
        name, equals, value = word.rpartition("=")
        if equals and name not in scores:
            raise AnomalyError(
                f"--threshold {word}: {name!r} is not among the scores {', '.join(scores)}{did_you_mean(name, scores)}"
            )
        for score in (name,) if equals else scores:
            found[score] = value if value in ("best", "fit") else _number(word, value)
    if "fit" in found.values() and not args.fit_on:
        raise AnomalyError("--threshold fit: that is the threshold of the data set fitted on; name one with --fit-on")
    return found


def _number(word: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise AnomalyError(f"--threshold {word}: expected best, fit, a number, or SCORE= one of these")
    return number
