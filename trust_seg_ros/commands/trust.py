"""``trust-seg trust``: which pixels can be trusted; scores and policies judged on clean and shifted images."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console, say, waiting
from trust_seg_ros.commands.data_options import (
    add_data_arguments,
    add_gradient_arguments,
    add_grid_argument,
    add_keep_going_argument,
    network_settings,
    open_split,
)
from trust_seg_ros.commands.label_options import label_remarks
from trust_seg_ros.commands.min_share import add_min_share_argument
from trust_seg_ros.commands.score_options import add_file_argument, add_score_argument
from trust_seg_ros.commands.shared_options import add_cache_argument, add_meta_model_argument
from trust_seg_ros.commands.study_run import add_out_argument, finish
from trust_seg_ros.commands.trust_choices import check, chosen_look, chosen_watch, dropped
from trust_seg_ros.commands.trust_conditions import add_shift_arguments, conditions, distinct
from trust_seg_ros.support.bars import stage_bars
from trust_seg_ros.support.content_hash import network_sha256

if TYPE_CHECKING:
    import numpy as np

    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.evaluation.report.report import Section
    from trust_seg_ros.evaluation.trust.cache import CountsCache
    from trust_seg_ros.evaluation.trust.counts import DataCounts
    from trust_seg_ros.evaluation.trust.draws import Arrangement
    from trust_seg_ros.evaluation.trust.passes import Look
    from trust_seg_ros.evaluation.trust.study import Announce, Study

EPILOG = """examples:
  trust-seg trust data/camvid --out out/trust
  trust-seg trust data/camvid --calibrate-on half drive val --policy otsu quantile:0.9 conformal:0.05 --out out/trust
  trust-seg trust data/camvid --score entropy margin --corrupt fog:1 fog:3 fog:5 night --out out/fog
  trust-seg trust data/camvid --meta-model auto --score entropy --policy fixed:0.6 p_wrong=fixed:0.5 --out out/segments
  trust-seg trust data/camvid --shifted data/mine --shifted data/mine:rain:3 --out out/mine
  trust-seg trust data/cityscapes --split val --model mine.pt2 --labels cityscapes19 --out out/cityscapes

policies: which pixels are flagged (score >= threshold); several, also of one kind. The threshold is
{policies}  A constant applies to scores of the softmax; energy=fixed:-8 sets one for another score.

calibration: on which images constants are calibrated; they are judged on other images
  half    half of the images, the other half is judged; drawn --runs times. The network runs once
  drive   all drives but one, which is judged; each drive once
  SPLIT   all of another split

The folder gets report.md, a CSV file per table and the figures; docs/trust.md explains them.
Put DATASET before the options: an option that takes several values would take it as one of them.
"""

STOPPED = "with --cache DIR the passes that are done are kept, and the same command goes on there"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    from trust_seg_ros.evaluation.trust.policy_words import DEFAULTS, policy_lines

    add_data_arguments(parser, EPILOG.format(policies=policy_lines()), "test", "judge on")
    add_out_argument(parser)
    add_keep_going_argument(parser)
    cache = add_cache_argument(
        parser,
        "keep the counts of every pass there: a study with other options, or continued after a stop, runs the network "
        "only for what is new",
    )
    given.expects(cache, given.new_folder)
    judging = parser.add_argument_group("scores, policies, calibration")
    add_score_argument(judging, passes=True)
    judging.add_argument(
        "--policy",
        nargs="+",
        default=list(DEFAULTS),
        metavar="POLICY",
        help=f"see below (default: {' '.join(DEFAULTS)})",
    )
    judging.add_argument(
        "--calibrate-on",
        nargs="+",
        default=["half"],
        metavar="WHAT",
        help="half, drive or the name of another split, see below; several are judged one by one (default: half)",
    )
    judging.add_argument("--runs", type=int, default=10, metavar="N", help="draws of half (default: %(default)s)")
    add_file_argument(
        judging,
        "--calibration",
        "file of trust-seg calibrate, for the class statistics of {scores}; policies are calibrated on the images "
        "above",
    )
    add_meta_model_argument(
        judging,
        "judges P(wrong), too, as the score p_wrong of the pixels of a segment and segment by segment",
        default="none",
    )
    add_min_share_argument(judging, "flagged by P(wrong)")
    add_gradient_arguments(judging)
    add_grid_argument(judging, "the image's own pixels; P(wrong) is made on the grid of its meta model")
    judging.add_argument("--passes", type=int, metavar="K", help="passes for scores of many passes (default: 8)")
    judging.add_argument("--noise", type=float, metavar="SIGMA", help="sigma of input_noise, grey levels (default: 4)")
    judging.add_argument(
        "--dropout",
        type=float,
        metavar="RATE",
        help="for mc_dropout: 0 uses the network's own dropout layers (default), else this share of the last layer's "
        "input is dropped",
    )
    add_shift_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the study; returns the exit status."""
    check(args)
    console = command_console(200)
    from trust_seg_ros.evaluation.trust.cache import CountsCache
    from trust_seg_ros.evaluation.trust.contents import contents
    from trust_seg_ros.evaluation.trust.panel import Panel, shown_policy
    from trust_seg_ros.evaluation.trust.study import study

    watch = chosen_watch(args)
    settings = network_settings(args)
    with waiting(console, "loading the network"):
        labels = settings.label_set()
    images = open_split(args, args.split, labels)
    others = {
        name: open_split(args, name, labels)
        for name in dict.fromkeys(args.calibrate_on)
        if name not in ("half", "drive")
    }
    shifted = conditions(args, images, labels)
    with waiting(console, "loading the network"):
        network = settings.load()
    look, notes = chosen_look(args, network)
    ours = {f"{args.dataset} {split}": folder for split, folder in {args.split: images, **others}.items()}
    remarks = label_remarks(args, network, ours | distinct(shifted, images))
    for remark in remarks:  # now, and in the report
        say(console, f"note: {remark}")
    notes += remarks
    cache = CountsCache(None if args.cache is None else args.cache.expanduser(), look)
    with stage_bars(console) as announce:
        grids = cache.grids(images)
        counts = cache.counts(images, args.split, grids, announce(f"images of {args.split}"))
        arranged = _arrangements(args, cache, counts, others, grids, announce)
        found = study(cache, counts, arranged, look.policies, shifted, grids, announce)
        segments = _segments(look, images, announce)
    panel = Panel(look, images, found, arranged[0], shown_policy(found, arranged[0]))
    notes += dropped(look.policies, look.scores)
    report = contents(found, panel, watch)
    report = replace(report, sections=(*report.sections, *segments))
    finish(args, console, report, _facts(args, look, found, images), notes)
    return 0


def _segments(look: Look, images: LabelledFolder, announce: Announce) -> tuple[Section, ...]:
    """The section on segments, if a meta model judges them."""
    from trust_seg_ros.evaluation.report.report import Section
    from trust_seg_ros.evaluation.trust.segment_score import NAME, SegmentScore, judged_segments

    score = look.more.get(NAME)
    if not isinstance(score, SegmentScore):
        return ()
    table = judged_segments(score, images, look.keep_going, announce("segments"))
    return (Section("Segments", "", (table,)),)


def _arrangements(
    args: argparse.Namespace,
    cache: CountsCache,
    counts: DataCounts,
    others: dict[str, LabelledFolder],
    grids: dict[str, np.ndarray],
    announce: Announce,
) -> list[Arrangement]:
    from trust_seg_ros.evaluation.trust import draws

    found = []
    for name in dict.fromkeys(args.calibrate_on):
        if name == draws.HALF:
            found.append(draws.by_half(counts, args.runs))
        elif name == draws.DRIVE:
            found.append(draws.by_drive(counts))
        else:
            other = cache.counts(others[name], name, grids, announce(f"images of {name}"))
            found.append(draws.on_split(name, other, counts))
    return found


def _facts(args: argparse.Namespace, look: Look, s: Study, images: LabelledFolder) -> dict[str, str]:
    right, wrong = s.counts.totals.sum(0).tolist()
    facts = {
        "network": f"{look.network.name}, {len(look.network.labels)} classes",
        "network's sha256": network_sha256(look.network) or "not known",
        "data set": f"{args.dataset.resolve().name}/{args.split}, {len(s.counts.images)} images",
        "pixels": f"{right + wrong:,} without void, {100 * s.clean.wrong:.2f} % misclassified",
        "best score": f"{s.best_score} (highest AUROC); tables of one score show it, CSV files hold all",
        "calibrated on": "; ".join(arrangement.text for arrangement in s.arrangements),
    }
    if images.label_map is not None:
        facts["label map"] = ", ".join(f"{value}: {name}" for value, name in images.label_map.words().items())
    if any(score.startswith("gradient") for score in look.scores):
        facts["gradient scores"] = f"logarithms, p = {look.gradient.p:g}, {look.gradient.variant}"
    return facts
