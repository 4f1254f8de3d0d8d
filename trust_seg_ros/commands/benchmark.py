"""``trust-seg benchmark``: how well scores find objects a network never learned, and what meta classification adds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.benchmark_choices import check, chosen_look, chosen_plan, is_file
from trust_seg_ros.commands.benchmark_fit import add_fit_arguments, check_fit, save_model
from trust_seg_ros.commands.console import command_console, waiting
from trust_seg_ros.commands.data_options import (
    add_gradient_arguments,
    add_grid_argument,
    add_keep_going_argument,
    add_network_arguments,
    network_settings,
)
from trust_seg_ros.commands.parsing import add_alias
from trust_seg_ros.commands.score_options import add_file_argument, add_score_argument
from trust_seg_ros.commands.shared_options import add_features_argument
from trust_seg_ros.commands.study_run import add_out_argument, finish
from trust_seg_ros.support.bars import stage_bars
from trust_seg_ros.support.content_hash import network_sha256

if TYPE_CHECKING:
    from trust_seg_ros.datasets.ood_layouts import OodImages
    from trust_seg_ros.evaluation.anomaly.passes import Look
    from trust_seg_ros.evaluation.anomaly.study import Plan, Study

EPILOG = """examples:
  trust-seg benchmark data/RoadAnomaly21 --out out/anomaly
  trust-seg benchmark data/RoadObstacle21 --track obstacle --score entropy energy --model hf:... --out out/obstacle
  trust-seg benchmark synthetic:seeds=900-999:kinds=deer,sofa --score entropy --threshold 0.7 --out out/drive
  trust-seg benchmark synthetic:seeds=900-999:kinds=deer --fit-on synthetic:seeds=500-699:kinds=tyre,box \\
      --score entropy --threshold fit --sweep 20 --save-meta ood.json --out out/transfer
  trust-seg benchmark data/RoadAnomaly21 --fit-on data/town_a data/town_b synthetic:seeds=500-699:kinds=tyre,box \\
      --leave-source-out --keep 0.98 --score entropy --threshold 0.7 --save-meta ood.json --out out/sources
  trust-seg benchmark data/RoadAnomaly21 --meta-model ood.json --out out/stored

meta classification (segments of {score >= threshold}; discarded where P(false alarm) > 0.5, or as --keep says)
  by_image       fitted and judged on DATASET, cross-validated over its images: each is judged once
  leave_one_out  every segment judged by a fit on all others: the published protocol, which is too optimistic
  none           pixels and objects only
  FILE           a model that --save-meta wrote, at its own score and threshold
  --fit-on D …   fitted on the data sets D …, judged on DATASET; --leave-source-out also judges each D by the others

The folder gets report.md, a CSV file per table and the figures; docs/benchmark_ood.md explains them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    dataset = parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="folder in any layout of docs/benchmark_ood.md, synthetic:seeds=FIRST-LAST:kinds=KIND,KIND, or "
        "pasted:objects=FOLDER:on=FOLDER:seeds=FIRST-LAST",
    )
    given.expects(dataset, given.with_unknown)
    add_out_argument(parser)
    parser.add_argument("--split", default="test", help="split of LostAndFound (default: %(default)s)")
    add_keep_going_argument(parser)
    scores = parser.add_argument_group("scores")
    add_score_argument(scores)
    add_gradient_arguments(scores)
    add_file_argument(scores, "--calibration", "of trust-seg calibrate: what {scores} needs (default: none)")
    scores.add_argument(
        "--threshold",
        nargs="+",
        default=["best"],
        metavar="T",
        help="for segments: best (best F1 over the pixels of DATASET), fit (of --fit-on), a number for all scores, or "
        "SCORE=T (default: best)",
    )
    scores.add_argument(
        "--track",
        choices=("anomaly", "obstacle"),
        default="anomaly",
        help="size limits for sIoU, PPV and F1*: predicted components below 500 and objects below 100 pixels do not "
        "count, or 50 and 10 (default: %(default)s)",
    )
    scores.add_argument(
        "--limits", type=_pixels, nargs=2, metavar=("PREDICTED", "ACTUAL"), help="other size limits than the track's"
    )
    meta = parser.add_argument_group("segment errors and meta classification")
    how = meta.add_argument(
        "--meta-model",
        dest="meta",
        default="by_image",
        metavar="HOW",
        help="by_image, leave_one_out, none or FILE (default: %(default)s)",
    )
    add_alias(meta, how, "--meta")
    given.expects(how, _given_how)
    meta.add_argument("--folds", type=int, default=5, metavar="K", help="folds of by_image (default: %(default)s)")
    add_features_argument(meta, "meta_ood")
    meta.add_argument(
        "--segment-limits",
        type=_pixels,
        nargs=2,
        default=[1, 1],
        metavar=("PREDICTED", "ACTUAL"),
        help="smaller components do not count as segment errors, and are neither fitted on nor judged; PREDICTED in "
        "pixels of the grid (default: 1 1)",
    )
    add_grid_argument(
        meta,
        "that of FILE; with --fit-on as many pixels as the images fitted on have; else the image; pixels are counted "
        "at the size of the labels whatever the grid",
    )
    meta.add_argument(
        "--sweep",
        type=int,
        default=0,
        metavar="N",
        help="count segment errors without meta classification at N further thresholds too (default: %(default)s)",
    )
    add_fit_arguments(meta)
    add_network_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the benchmark; returns the exit status."""
    check(args)
    check_fit(args)
    console = command_console(200)
    from trust_seg_ros.datasets.ood_images import check_marked, open_ood_images
    from trust_seg_ros.evaluation.anomaly.contents import contents
    from trust_seg_ros.evaluation.anomaly.panel import Panel
    from trust_seg_ros.evaluation.anomaly.study import study
    from trust_seg_ros.meta.ood import load_ood_model

    images = open_ood_images(args.dataset, args.split)
    fit_images = [open_ood_images(source, args.split) for source in args.fit_on]
    for marked in (images, *fit_images):
        check_marked(marked)
    model = load_ood_model(args.meta) if is_file(args.meta) else None
    with waiting(console, "loading the network"):
        network = network_settings(args).load()
    look, notes = chosen_look(args, network, model)
    plan = chosen_plan(args, look, model)
    with stage_bars(console) as announce:
        found = study(look, images, plan, fit_images, announce)
    if model is not None:
        grids = found.results[0].cut.grids
        notes += [f"{gap}: the node keeps such segments unjudged" for gap in map(model.size_gap, grids) if gap]
    best = max(found.results, key=lambda result: (result.best.objects.f1_star, result.pixels.auprc))
    facts = _facts(plan, found, images, fit_images, look)
    finish(args, console, contents(found, plan.limits, Panel(look, images, best)), facts, notes)
    if args.save_meta is not None:
        save_model(args, console, found, plan, look)
    return 0


def _given_how(name: str, value: str, args: argparse.Namespace) -> None:
    if value.endswith(".json"):
        given.ood_meta_model(name, value, args)


def _pixels(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number of pixels, at least 1")
    return int(text)


def _grid_words(found: Study) -> str:
    from trust_seg_ros.grid import in_words

    grids = found.results[0].cut.grids
    named = [in_words(size) for size in grids[:5]]
    return ", ".join([*named, *(["…"] if len(grids) > len(named) else [])])


def _facts(plan: Plan, found: Study, images: OodImages, fit_images: Sequence[OodImages], look: Look) -> dict[str, str]:
    from trust_seg_ros.evaluation.anomaly.study import protocol

    p = found.pixels
    share = p.anomalous / (p.anomalous + p.inside)
    facts = {
        "network": f"{look.network.name}, {len(look.network.labels)} classes",
        "network's sha256": network_sha256(look.network) or "not known",
        "data set": f"{images.name} ({images.layout}), {p.images:,} images"
        + (f", {images.without:,} more without labels" if images.without else ""),
        "pixels": f"{p.anomalous + p.inside:,} without void, {100 * share:.2f} % anomalous",
        "meta classification": protocol(plan, fit_images, look.gradient),
        "metrics": plan.fit.features,
        "grid": _grid_words(found),
        "size limits": f"{plan.limits.predicted}/{plan.limits.actual} pixels for sIoU, PPV and F1*, "
        f"{plan.segment_limits.predicted}/{plan.segment_limits.actual} for segment errors",
    }
    gradient = look.gradient
    if any(score.startswith("gradient") for score in look.scores):
        facts["gradient scores"] = f"logarithms of norms, p = {gradient.p:g}, {gradient.variant}"
    return facts
