"""``trust-seg calibrate``: learn thresholds for a network's scores from labelled data, as a file for the node."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.calibrate_choices import alpha, check, check_images, chosen_plan, remarks, share, words
from trust_seg_ros.commands.calibrate_hazards import (
    add_hazard_arguments,
    hazard_bound,
    hazard_rows,
    hazard_sources,
    hazard_table,
)
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
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.score_options import add_file_argument, add_score_argument
from trust_seg_ros.commands.shared_options import add_meta_model_argument

if TYPE_CHECKING:
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.datasets.ood_layouts import OodImages
    from trust_seg_ros.fitting.calibrate import Calibrator
    from trust_seg_ros.fitting.calibrate_pass import CalibrationPlan
    from trust_seg_ros.thresholds.calibration import Calibration
    from trust_seg_ros.types import Json

WATCH = ("all", "scores")
RECALLS, ALPHAS = (0.8, 0.9, 0.95), (0.01, 0.05, 0.1, 0.2)
EPILOG = """examples:
  trust-seg calibrate data/camvid --split val --out calibration.json
  trust-seg calibrate data/mine --split val --split test --model mine.pt2 --labels mine.yaml --out mine.json
  trust-seg calibrate data/camvid --score all --figures out/calibration --out calibration.json
  trust-seg calibrate data/camvid --ood synthetic:seeds=500-699:kinds=deer,sofa --out calibration.json
  trust-seg calibrate data/camvid --score standardized_max_logit --statistics train.json --out calibration.json
  trust-seg calibrate data/mine --split val --hazards front_camera.yaml --out calibration.json

The network runs over the images once (twice where standardized_max_logit, vim, knn or cdnp get thresholds without
--statistics). The file holds, for this network: statistics of the largest logit by predicted class, the temperature of
the softmax, and for every score the whole curves from which the policies {policies} read their thresholds, so that
recall and alpha can still be changed while driving. The node loads the file named by its parameter calibration.

Which images: none that the network was trained on (it is too sure there), none that the meta model was fitted on (for
the guarantee on segments), and as many different scenes as possible: frames of one drive, seconds apart, count for
little more than one image. The guarantee of alpha needs 1/alpha - 1 images. docs/calibrate.md walks through it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    from trust_seg_ros.thresholds.policies.registry import CALIBRATED

    add_data_arguments(parser, EPILOG.format(policies=" and ".join(CALIBRATED)), "val", "calibrate on", several=True)
    out = parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="calibration file to write, .json"
    )
    given.expects(out, given.new_file("calibration.json"))
    figures = parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="folder for a reliability diagram and the curves"
    )
    given.expects(figures, given.new_folder)
    parser.add_argument(
        "--unordered",
        action="store_true",
        help="the shift monitor compares with these images themselves, not with the drives that they are a sample of: "
        "neighbours count as independent, so that images of one or two drives detect more, and another drive of the "
        "same kind may count as a shift",
    )
    parser.add_argument(
        "--watch",
        choices=WATCH,
        default=WATCH[0],
        help="what the shift monitor is to compare with: all, also logits, features, and brightness, contrast, "
        "saturation and sharpness of the images; or only means of scores, for a file that is used with other cameras, "
        "whose images look different anyway (default: %(default)s)",
    )
    add_keep_going_argument(parser)
    scores = parser.add_argument_group("pixel scores")
    add_score_argument(scores, ("entropy", "margin"), before="scores to make curves of: ")
    add_file_argument(
        scores,
        "--statistics",
        "take the statistics that {scores} compare with from this calibration, for example of the images that the "
        "network was trained on",
    )
    scores.add_argument(
        "--statistics-split",
        metavar="SPLIT",
        help="part of DATASET that these statistics are made of, for example train (default: the images of --split)",
    )
    scores.add_argument(
        "--bank",
        type=int,
        default=128,
        metavar="N",
        help="features that nearest neighbours are searched among, 3 to 2000; the file holds fewer of wide features "
        "(default: %(default)s)",
    )
    scores.add_argument(
        "--allow-absent",
        action="store_true",
        help="make statistics of features although a class has no pixel: it counts as unknown then",
    )
    add_gradient_arguments(scores)
    shown = parser.add_argument_group("thresholds shown at the end; the file works for any")
    shown.add_argument(
        "--recall",
        type=share,
        nargs="+",
        default=list(RECALLS),
        metavar="R",
        help=f"shares of misclassified pixels to find (default: {words(RECALLS)})",
    )
    shown.add_argument(
        "--alpha",
        type=alpha,
        nargs="+",
        metavar="A",
        help="expected shares that may be missed, with a guarantee; an alpha that needs more images is an error "
        f"(default: as many of {words(ALPHAS)} as the images allow)",
    )
    segments = parser.add_argument_group("segments")
    add_grid_argument(segments, "as in the node: as many pixels as the meta model's grid has, else the image")
    add_meta_model_argument(segments, "for thresholds on P(false positive)")
    ood = segments.add_argument(
        "--ood",
        metavar="DATASET",
        help="images of unknown objects, in a layout of trust-seg benchmark, for thresholds on P(OoD) (default: none)",
    )
    given.expects(ood, given.with_unknown)
    segments.add_argument(
        "--ood-split", default="test", metavar="SPLIT", help="split of LostAndFound (default: %(default)s)"
    )
    ood_meta = segments.add_argument(
        "--ood-meta-model",
        default="auto",
        metavar="FILE",
        help="file of trust-seg benchmark --save-meta; auto: the shipped one (default: auto)",
    )
    given.expects(ood_meta, given.ood_meta_model)
    add_hazard_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate; returns the exit status."""
    check(args)
    hazards = hazard_sources(args)
    console = command_console(200)
    from trust_seg_ros.commands import calibrate_report as report
    from trust_seg_ros.commands.calibrate_groups import group_rows, groups_table
    from trust_seg_ros.datasets.ood_images import check_marked, open_ood_images
    from trust_seg_ros.fitting.best_score import best_score
    from trust_seg_ros.fitting.short_curves import short

    settings = network_settings(args)
    with waiting(console, "loading the network"):
        labels = settings.label_set()
    args.split = list(dict.fromkeys(args.split))
    folders = [open_split(args, split, labels) for split in args.split]
    of = folders if args.statistics_split is None else [open_split(args, args.statistics_split, labels)]
    unknown = None if args.ood is None else open_ood_images(args.ood, args.ood_split)
    if unknown is not None:
        check_marked(unknown)
    check_images(args.alpha, sum(map(len, folders)))
    with waiting(console, "loading the network"):
        network = settings.load()
    plan, notes = chosen_plan(args, network, unknown)
    named = {f"{args.dataset} {split}": folder for split, folder in zip(args.split, folders, strict=True)}
    for remark in label_remarks(args, plan.network, named):
        say(console, f"note: {remark}")
    calibrator = _passed(args, plan, folders, of, unknown, console)
    found = short(calibrator.result(_summary(args, plan, folders, unknown)))
    if (best := best_score(found)) is not None:
        found = replace(found, summary={**found.summary, "best_score": best})
        notes = [report.best_words(best, plan.network.name), *notes]
    if args.unordered:
        found = found.without_order()
    bound = hazard_bound(args, hazards, plan, folders, found, console) if hazards else None
    if bound is not None:
        found = replace(found, hazards=bound.to_json())
    found.save(args.out)
    if found.temperature is not None:
        console.print(report.temperature_table(found.temperature))
    console.print(report.classes_table(found), report.thresholds_table(found, args.recall, args.alpha or ALPHAS))
    shown = next(iter(found.scores)) if best is None else str(best["score"])
    if (groups := groups_table(found, shown, args.alpha or ALPHAS)) is not None:
        console.print(groups)
    if bound is not None:
        console.print(hazard_table(bound, args.alpha or ALPHAS))
    notes += remarks(found, plan, args.split)
    for note in notes:
        say(console, f"note: {note}")
    for name, reason in plan.left_out.items():
        say(console, f"note: {name} left out: {reason}")
    for name, reason in plan.skipped.items():
        say(console, f"left out: {name}: {reason}")
    files = _drawn(args, found)
    record(
        args,
        out=args.out,
        figures=files,
        network=found.network,
        temperature=None if found.temperature is None else found.temperature.value,
        thresholds=report.threshold_rows(found, args.recall, args.alpha or ALPHAS),
        groups=group_rows(found, args.alpha or ALPHAS),
        hazards=hazard_rows(bound, args.alpha or ALPHAS),
        notes=notes,
        left_out={**plan.left_out, **plan.skipped},
    )
    say(console, f"wrote {args.out}{f' and {len(files)} figures to {args.figures}' if files else ''}")
    for score in (*found.scores.values(), *found.segments.values()):
        check_images(args.alpha, score.risk.images)
    return 0


def _passed(
    args: argparse.Namespace,
    plan: CalibrationPlan,
    folders: Sequence[LabelledFolder],
    of: Sequence[LabelledFolder],
    unknown: OodImages | None,
    console: Console,
) -> Calibrator:
    """Both passes: statistics of the folders ``of``, then curves of the others."""
    from trust_seg_ros.commands.collect_progress import collection_bar
    from trust_seg_ros.fitting.calibrate_pass import add_labelled, add_unknown, with_statistics
    from trust_seg_ros.uncertainty.score_names import CALIBRATED_SCORES

    splits = " + ".join(args.split)
    if set(plan.scores) & set(CALIBRATED_SCORES):
        with collection_bar(console, f"statistics of {args.statistics_split or splits}") as progress:
            plan = with_statistics(plan, of, progress)
    calibrator = plan.calibrator()
    with collection_bar(console, f"pixels of {splits}") as progress:
        add_labelled(calibrator, plan, folders, progress)
    if unknown is not None:
        with collection_bar(console, "unknown objects") as progress:
            add_unknown(calibrator, plan, unknown, progress)
    return calibrator


def _summary(
    args: argparse.Namespace, plan: CalibrationPlan, folders: Sequence[LabelledFolder], unknown: OodImages | None
) -> Json:
    """How the calibration was made: names and settings, but no paths of this machine."""
    from trust_seg_ros.fitting.store_identity import package_version
    from trust_seg_ros.segments.origins import COMPONENTS

    summary: Json = {
        "data": args.dataset.expanduser().resolve().name,
        "split": " + ".join(args.split),
        "skipped": len(plan.skipped),
        "grid": str(plan.grid),
        "ignored_labels": sorted({value for folder in folders for value in folder.ignore}),
        "versions": {"trust_seg_ros": package_version()},
    }
    if args.statistics_split is not None:
        summary["statistics_split"] = args.statistics_split
    if (label_map := folders[0].label_map) is not None:
        summary["label_map"] = label_map.words()
    models = {"p_wrong": plan.meta, "p_ood": None if unknown is None else plan.ood_model}
    if plan.meta is not None and plan.meta.segments_from != COMPONENTS:
        summary["segments_from"] = plan.meta.segments_from
    summary["meta_models"] = {name: model.fingerprint for name, model in models.items() if model is not None}
    if unknown is not None and plan.ood_model is not None:
        model = plan.ood_model
        settings = {"score": model.score, "threshold": model.threshold, "min_size": plan.ood_min_size}
        summary["ood"] = {"data": unknown.name, "images": len(unknown), **settings}
    return summary


def _drawn(args: argparse.Namespace, found: Calibration) -> list[Path]:
    if args.figures is None:
        return []
    from trust_seg_ros.evaluation.trust.calibration_figures import write_figures

    return write_figures(found, args.figures, tuple(args.alpha or ALPHAS))
