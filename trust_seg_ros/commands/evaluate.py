"""``trust-seg evaluate``: how well meta classification and meta regression do on a labelled data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands.collected import add_metric_arguments, add_table_arguments, collected, of_classes, opened
from trust_seg_ros.commands.console import command_console
from trust_seg_ros.commands.data_options import add_data_arguments
from trust_seg_ros.commands.shared_options import check_counts
from trust_seg_ros.commands.study_run import add_out_argument, finish
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.support.bars import stage_bars

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.meta.splits import Arrangement
    from trust_seg_ros.fitting.store import SegmentStore
    from trust_seg_ros.meta.data import SegmentData

EPILOG = """examples:
  trust-seg evaluate data/camvid --split test --out out/camvid
  trust-seg evaluate data/camvid --split test --fit-on val --arrangement by_image by_segment by_drive --out out/camvid
  trust-seg evaluate data/cityscapes --split val --model mine.pt2 --labels cityscapes19 --out out/cityscapes
  trust-seg evaluate --cache meta.segments --split val --features all --gradient-boosting --out out/all

arrangements: which segments the models are fitted on, and which they are judged on
  by_image    half of the images each, drawn anew in every run; an image is never on both sides
  by_segment  each segment on either side with p = 0.5: the published protocol, for comparison with published numbers
  by_drive    judged on one drive, fitted on all others; each drive once
  --fit-on S  fitted on all of split S, judged on all of --split

The folder gets report.md, a CSV file per table and the figures; docs/evaluate.md explains them. Segments are kept in a
table (OUT/segments, or --cache), so the network runs only once: call again without DATASET to judge with other options.
A table of another network or of other data is refused: --force starts over.

Put DATASET before the options: an option that takes several values would take it as one of them.
"""
ARRANGEMENTS = ("by_image", "by_segment", "by_drive")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, "test", "judge on", optional=True)
    add_out_argument(parser)
    judging = parser.add_argument_group("judging")
    judging.add_argument(
        "--arrangement",
        nargs="+",
        choices=ARRANGEMENTS,
        default=["by_image"],
        metavar="NAME",
        help=f"one or more of {', '.join(ARRANGEMENTS)}, see below (default: by_image)",
    )
    judging.add_argument("--fit-on", metavar="SPLIT", help="also: fit on this split, judge on --split")
    judging.add_argument(
        "--runs", type=int, default=10, metavar="N", help="draws of by_image and by_segment (default: %(default)s)"
    )
    judging.add_argument(
        "--fit-images",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="also by_image fitted on only N images: one summary row each, to see whether more labels would help",
    )
    judging.add_argument(
        "--variant",
        choices=("component", "released"),
        default="component",
        help="IoU_adj of the paper, or of the authors' code (default: %(default)s)",
    )
    models = add_metric_arguments(parser)
    models.add_argument("--gradient-boosting", action="store_true", help="judge gradient boosting as well")
    add_table_arguments(
        parser,
        "folder of the table, made if missing (default: segments in --out)",
        "processes that run the network, later runs judged in parallel (default: one per core; on a GPU one process)",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    _check(args)
    console = command_console(170)
    path = (args.cache or args.out / "segments").expanduser()
    store = _stored(args, path) if args.dataset is None else collected(args, _splits(args), path, console)

    from trust_seg_ros.commands.fit_report import skipped_table
    from trust_seg_ros.evaluation.meta.contents import contents, counts
    from trust_seg_ros.evaluation.meta.study import study
    from trust_seg_ros.meta.features import chosen_features

    names = chosen_features(args.features, store.names, args.class_input)
    stored = [name for name in store.names if name in names or name in ("E", "S")]
    data = {
        split: of_classes(store.read(split, stored, variant=args.variant), args.only_classes) for split in _splits(args)
    }
    with stage_bars(console) as announce:
        studies = study(
            _arrangements(args, data),
            names,
            boosting=args.gradient_boosting,
            workers=args.workers,
            progress=announce("fitting and judging"),
        )
    facts = _facts(args, store, names) | {split: counts(part) for split, part in data.items()}
    skipped = skipped_table(store, _splits(args))
    finish(args, console, contents(studies, data[args.split], names), facts, rules=True, below=skipped)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse impossible options before the work starts."""
    check_counts(args, ("runs", "workers"), EvaluationError)


def _splits(args: argparse.Namespace) -> list[str]:
    """The split to judge on, and the split to fit on if one is given."""
    if args.fit_on == args.split:
        raise EvaluationError(f"--fit-on {args.fit_on}: that is the split to judge on; expected another, or by_image")
    return [args.split] if args.fit_on is None else [args.split, args.fit_on]


def _stored(args: argparse.Namespace, path: Path) -> SegmentStore:
    store = opened(args, path)
    for split in _splits(args):
        store.entry(split)
    return store


def _arrangements(args: argparse.Namespace, data: dict[str, SegmentData]) -> list[Arrangement]:
    from trust_seg_ros.evaluation.meta import splits

    judged = data[args.split]
    if not len(judged):
        raise EvaluationError(f"{args.split}: no segment with an interior; expected some to judge")
    found = [splits.ARRANGEMENTS[name](judged, args.runs) for name in dict.fromkeys(args.arrangement)]
    if args.fit_on is not None:
        found.append(splits.fit_on(data[args.fit_on], judged, args.fit_on, args.split))
    return found + [splits.by_image(judged, args.runs, count) for count in dict.fromkeys(args.fit_images)]


def _facts(args: argparse.Namespace, store: SegmentStore, names: Sequence[str]) -> dict[str, str]:
    facts = {
        "network": f"{store.network}, {len(store.class_names)} classes",
        "network's sha256": store.identity.sha256 or "not known",
        "data set": store.entry(args.split).data_set or "unknown",
        "metrics": f"{args.features}, {len(names)}: {', '.join(names)}",
        "IoU_adj": {"component": "as in the paper", "released": "as in the authors' code"}[args.variant],
    }
    if args.only_classes:
        facts["segments"] = f"only those predicted as {', '.join(args.only_classes)}"
    if label_map := store.entry(args.split).label_map:
        facts["label map"] = ", ".join(f"{value}: {name}" for value, name in label_map.items())
    for split in _splits(args):
        if skipped := store.entry(split).skipped:
            reasons = (f"{name} ({' '.join(reason.split())})" for name, reason in skipped.items())
            facts[f"left out of {split}"] = "; ".join(reasons)
    return facts
