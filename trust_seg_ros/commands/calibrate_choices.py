"""Reads and checks the options of ``trust-seg calibrate``; remarks printed at the end."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trust_seg_ros.commands.data_options import gradient_settings
from trust_seg_ros.commands.score_options import ALL, check_scores
from trust_seg_ros.support.content_hash import network_sha256

if TYPE_CHECKING:
    from trust_seg_ros.datasets.ood_layouts import OodImages
    from trust_seg_ros.fitting.calibrate_pass import CalibrationPlan
    from trust_seg_ros.segmentation.protocol import SegmentationNetwork
    from trust_seg_ros.thresholds.calibration import Calibration
    from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings


FEW = 10.0
"""Independent images below which it is said that the shift monitor detects large shifts only."""


def check(args: argparse.Namespace) -> None:
    """Refuse impossible options before the work starts."""
    args.out = args.out.expanduser()
    if args.statistics_split is not None:
        _check_statistics_split(args)


def _check_statistics_split(args: argparse.Namespace) -> None:
    from trust_seg_ros.thresholds.calibration import CalibrationError
    from trust_seg_ros.uncertainty.score_names import CALIBRATED_SCORES

    if args.statistics is not None:
        raise CalibrationError(
            f"--statistics {args.statistics} and --statistics-split {args.statistics_split}: expected one of the two"
        )
    if set(args.score).isdisjoint((ALL, *CALIBRATED_SCORES)):
        raise CalibrationError(
            f"--statistics-split {args.statistics_split}: --score {' '.join(args.score)} needs no statistics; expected "
            f"{', '.join(CALIBRATED_SCORES)} or all among the scores"
        )


def check_images(alphas: Sequence[float] | None, images: int) -> None:
    """Refuse a given alpha that needs more images; for default alphas the table says so instead."""
    from trust_seg_ros.thresholds.curves import TooFewImagesError, images_needed, least_alpha

    for alpha in alphas or ():
        if images < images_needed(alpha):
            raise TooFewImagesError(
                f"--alpha {alpha:g} needs at least {images_needed(alpha)} images, there are {images}: calibrate with "
                f"more, or choose an alpha of at least {least_alpha(images):.4g}"
            )


def share(text: str) -> float:
    """A number in (0, 1] from the command line."""
    return _between(text, "a share above 0, at most 1, for example 0.9", lambda value: 0.0 < value <= 1.0)


def alpha(text: str) -> float:
    """A number in (0, 1) from the command line."""
    return _between(text, "a share between 0 and 1, for example 0.1", lambda value: 0.0 < value < 1.0)


def _between(text: str, expected: str, good: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not good(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def words(values: Sequence[float]) -> str:
    """Numbers as one types them, separated by spaces."""
    return " ".join(f"{value:g}" for value in values)


def chosen_plan(
    args: argparse.Namespace, network: SegmentationNetwork, unknown: OodImages | None
) -> tuple[CalibrationPlan, list[str]]:
    """What is computed for every image, and notes on what cannot be."""
    from trust_seg_ros.errors import TrustSegError
    from trust_seg_ros.fitting.calibrate_pass import CalibrationPlan
    from trust_seg_ros.grid import parsed_grid
    from trust_seg_ros.meta.shipped import chosen_meta, chosen_ood_meta
    from trust_seg_ros.meta.sizes import fitted_grid
    from trust_seg_ros.thresholds.calibration import CalibrationError, load_calibration
    from trust_seg_ros.thresholds.frame_statistics import STATISTICS
    from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS
    from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES

    gradient = gradient_settings(args)
    statistics = NO_STATISTICS
    if args.statistics is not None:
        given = load_calibration(args.statistics)
        given.check_fits(network.name, network.labels.names, sha256=network_sha256(network))
        statistics = given.statistics
        if statistics.classes is None and statistics.features is None:
            raise CalibrationError(f"--statistics {args.statistics}: it holds none, its network gives no raw logits")
    scores, notes = _scores(args.score, network, gradient)
    if args.statistics is not None and statistics.features is None and not set(scores).isdisjoint(FEATURE_SCORES):
        if ALL not in args.score:
            raise CalibrationError(
                f"--statistics {args.statistics}: it holds no statistics of features; make it with --score "
                f"{' '.join(FEATURE_SCORES)}, or leave --statistics out"
            )
        notes.append(f"{', '.join(FEATURE_SCORES)} left out: {args.statistics} holds no statistics of features")
        scores = tuple(name for name in scores if name not in FEATURE_SCORES)
    meta = chosen_meta(args.meta_model, args.model)
    if meta is not None:
        try:
            meta.check_fits(network.name, network.labels.names, network_sha256(network))
        except TrustSegError as error:
            if args.meta_model != "auto":
                raise
            meta = None
            notes.append(f"no thresholds on P(false positive): {error}")
    ood_model = None if unknown is None else chosen_ood_meta(args.ood_meta_model, args.model, network)
    if unknown is not None:
        if ood_model is None:
            raise CalibrationError(
                "--ood: expected a meta model of OoD segments to calibrate, there is none for this network; trust-seg "
                "benchmark --save-meta makes one, give it with --ood-meta-model"
            )
        ood_model.check_fits(network.name, network.labels.names, ood_model.score, network_sha256(network))
    return CalibrationPlan(
        network,
        scores,
        gradient,
        statistics,
        meta=meta,
        ood_model=ood_model,
        bank=args.bank,
        allow_absent=args.allow_absent,
        optional=ALL in args.score,
        keep_going=args.keep_going,
        grid=parsed_grid(args.grid, fitted_grid(meta, ood_model)),
        watched=tuple(STATISTICS) if args.watch == "all" else (),
    ), notes


def _scores(
    wanted: Sequence[str], network: SegmentationNetwork, gradient: GradientSettings
) -> tuple[tuple[str, ...], list[str]]:
    """The requested scores. For "all": every score that the network can give, and why it cannot give the others."""
    from trust_seg_ros.fitting.calibrate_pass import missing_scores
    from trust_seg_ros.thresholds.calibration import CalibrationError
    from trust_seg_ros.uncertainty.score_names import SCORES, left_out_notes

    check_scores(wanted, CalibrationError)
    missing = missing_scores(network, gradient)
    for name in wanted:
        if name in missing:
            raise CalibrationError(f"--score {name}: network {network.name!r} cannot give it: {missing[name]}")
    if ALL not in wanted:
        return tuple(dict.fromkeys(wanted)), []
    given = tuple(name for name in SCORES if name not in missing)
    return given, left_out_notes(missing)


def remarks(found: Calibration, plan: CalibrationPlan, splits: Sequence[str]) -> list[str]:
    """Warnings for whoever uses the thresholds."""
    from trust_seg_ros.uncertainty.score_names import scores_that_need

    notes = []
    meta = plan.meta
    if meta is not None:
        on = str(meta.summary.get("split", "")).split(" + ")
        both = [split for split in splits if split in on]
        if both and meta.summary.get("data") == found.summary["data"]:
            notes.append(
                f"the meta model was fitted on {found.summary['data']} {', '.join(both)}, too: it has seen these "
                "segments, so the thresholds on P(false positive) promise too much; fit it on other images"
            )
    elif found.scores:
        notes.append("no meta model of this network, so no thresholds on P(false positive); trust-seg fit makes one")
    if found.class_statistics is None:
        scores = ", ".join(scores_that_need("calibration"))
        notes.append(f"the network gives probabilities, no raw logits: no class statistics, no {scores}")
    elif found.class_statistics.pooled:
        names = ", ".join(found.class_names[k] for k in found.class_statistics.pooled)
        notes.append(f"too few pixels are predicted as {names}: they get the statistics of all classes together")
    if not found.summary["misclassified_pixels"]:
        notes.append("no pixel is misclassified: there is no recall, and policy target_recall cannot be used")
    if found.summary["images_without_labels"]:
        notes.append(f"{found.summary['images_without_labels']} images have no labelled pixel and do not count")
    return [*notes, *reference_remarks(found)]


def reference_remarks(found: Calibration) -> list[str]:
    """For how few independent images these count in the shift monitor, if that limits what it detects."""
    from trust_seg_ros.thresholds.frame_statistics import title
    from trust_seg_ros.thresholds.shift_references import lacking_words, numbers_of, shift_references

    references, missing = shift_references(found)
    refused = {name: reason for name, reason in missing.items() if numbers_of(found, name)}
    notes = [f"the shift monitor does not watch {words}" for words in [lacking_words(refused)] if words]
    weak = {n: r.effective for n, r in references.items() if r.effective < FEW}
    if weak:
        counts = ", ".join(f"{title(name)} {effective:.1f}" for name, effective in weak.items())
        notes.append(
            f"neighbouring images are alike, so that all count for few independent ones ({counts}) and the shift "
            "monitor detects only large shifts; calibrate with images from more places"
        )
    return notes
