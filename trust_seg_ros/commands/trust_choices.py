"""Reads and checks the options of ``trust-seg trust``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trust_seg_ros.commands.data_options import gradient_settings
from trust_seg_ros.commands.min_share import check_min_share
from trust_seg_ros.commands.score_options import ALL
from trust_seg_ros.commands.shared_options import check_counts
from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.nearest import did_you_mean

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.timed_scores import ScoreOf
    from trust_seg_ros.evaluation.trust.monitor import Watch
    from trust_seg_ros.evaluation.trust.passes import Look
    from trust_seg_ros.segmentation.protocol import SegmentationNetwork
    from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings


def check(args: argparse.Namespace) -> None:
    """Refuse impossible options before the work starts."""
    from trust_seg_ros.evaluation.trust.perturbed import split_name
    from trust_seg_ros.evaluation.trust.policy_words import parse_policy
    from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, PIXEL_SCORES, SCORES

    check_counts(args, ("runs",), TrustStudyError)
    for score in args.score:
        if score.partition(":")[0] in PERTURBATION_SCORES:
            split_name(score)
        elif score not in (ALL, *SCORES):
            raise TrustStudyError(
                f"--score {score}: choose from {', '.join(SCORES)}, all, {', '.join(PERTURBATION_SCORES)}"
                f"{did_you_mean(score, PIXEL_SCORES)}"
            )
    for word in args.policy:
        parse_policy(word)
    check_min_share(args, TrustStudyError)
    if args.split in args.calibrate_on:
        raise TrustStudyError(
            f"--calibrate-on {args.split}: that is the split to judge on; expected half, drive or another split"
        )


def chosen_look(args: argparse.Namespace, network: SegmentationNetwork) -> tuple[Look, list[str]]:
    """Network, scores and policies. With --score all: every score the network can give, and a note on the others.

    Raises:
        TrustStudyError: the network cannot give a named score; the text says why.
        CalibrationError: the calibration file is of another network.
    """
    from trust_seg_ros.evaluation.trust.passes import Look, given_scores
    from trust_seg_ros.evaluation.trust.perturbed import perturbed_scores
    from trust_seg_ros.evaluation.trust.policy_words import parse_policies
    from trust_seg_ros.grid import parsed_grid
    from trust_seg_ros.thresholds.calibration import network_statistics
    from trust_seg_ros.uncertainty.score_names import SCORES, left_out_notes

    statistics = network_statistics(args.calibration, network.name, network.labels.names, network_sha256(network))
    gradient = gradient_settings(args)
    look = Look(network, (), (), gradient, args.keep_going, statistics, grid=parsed_grid(args.grid))
    named = tuple(dict.fromkeys(score for score in args.score if score != ALL and score in SCORES))
    many = tuple(dict.fromkeys(score for score in args.score if score != ALL and score not in SCORES))
    given, missing = given_scores(look, SCORES if ALL in args.score else named)
    for score in named:
        if score in missing:
            raise TrustStudyError(f"--score {score}: {missing[score]}")
    options = {"passes": args.passes, "sigma": args.noise, "dropout": args.dropout}
    options = {name: value for name, value in options.items() if value is not None}
    more: dict[str, ScoreOf] = dict(perturbed_scores(many, network, **options))
    notes = left_out_notes(missing)
    more |= _p_wrong(args, network, gradient, notes)
    scores = (*given, *more)
    return replace(look, scores=scores, policies=parse_policies(args.policy, scores), more=more), notes


def _p_wrong(
    args: argparse.Namespace, network: SegmentationNetwork, gradient: GradientSettings, notes: list[str]
) -> dict[str, ScoreOf]:
    """The score of the meta model; notes say if it has seen the images."""
    from trust_seg_ros.evaluation.trust.segment_score import NAME, SegmentScore
    from trust_seg_ros.meta.shipped import chosen_meta
    from trust_seg_ros.pipeline import TrustPipeline

    meta = chosen_meta(args.meta_model, args.model)
    if meta is None:
        if args.meta_model != "none":
            raise TrustStudyError(
                f"--meta-model {args.meta_model}: none is shipped for {args.model}; trust-seg fit makes one"
            )
        return {}
    data, splits = meta.summary.get("data"), str(meta.summary.get("split", "")).split(" + ")
    if data == args.dataset.expanduser().resolve().name and args.split in splits:
        notes.append(
            f"the meta model was fitted on {data} {args.split}: it has seen these segments, so {NAME} looks better "
            "than it is; judge one that was fitted on other images"
        )
    return {NAME: SegmentScore(TrustPipeline(network, meta, gradient=gradient), meta.fingerprint, args.min_share)}


def chosen_watch(args: argparse.Namespace) -> Watch:
    """How windows of frames are tested for a shift.

    Raises:
        ShiftError: a number out of range.
    """
    from trust_seg_ros.evaluation.trust.monitor import Watch

    watch = Watch(args.window, args.shift_level)
    if args.window < watch.least_frames:
        raise TrustStudyError(f"--window {args.window}: expected at least {watch.least_frames} frames")
    return watch


def dropped(policies: Sequence[object], scores: Sequence[str]) -> list[str]:
    """Notes on policies that do not apply to some scores."""
    from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy

    notes = []
    for policy in policies:
        assert isinstance(policy, NamedPolicy)
        without = [score for score in scores if not policy.fits(score)]
        if without and not policy.score:
            notes.append(
                f"{policy.name} is in the unit of the softmax scores and left out for {', '.join(without)}; a constant "
                f"for one of them is written like {without[0]}={policy.name}"
            )
    return notes
