"""``trust-seg evaluate``: how well meta classification and meta regression do on a labelled data set."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trust_seg_ros.commands.data_options import add_data_arguments
from trust_seg_ros.evaluation.meta.errors import EvaluationError
from trust_seg_ros.meta.choices import CLASS_INPUT_HELP, CLASS_INPUTS, FEATURES_HELP

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.meta.splits import Arrangement
    from trust_seg_ros.evaluation.report.report import Report
    from trust_seg_ros.fitting.store import SegmentStore
    from trust_seg_ros.meta.data import SegmentData

EPILOG = """examples:
  trust-seg evaluate data/camvid --split test --out out/camvid
  trust-seg evaluate data/camvid --split test --fit-on val --arrangement by_image by_segment by_drive --out out/camvid
  trust-seg evaluate data/cityscapes --split val --model mine.pt2 --labels cityscapes19 --out out/cityscapes
  trust-seg evaluate --table meta.segments --split val --features all --gradient-boosting --out out/all

arrangements: what the models are fitted on and judged by
  by_image    half of the images each, drawn anew in every run; an image is never on both sides
  by_segment  each segment on either side with p = 0.5: the published protocol, for comparison with published numbers
  by_drive    judged on one drive, fitted on all others; each drive once
  --fit-on S  fitted on all of split S, judged on all of --split

The folder holds report.md, a CSV file per table and the figures; docs/evaluate.md says how to read them. Segments are
kept in a table (OUT/segments, or --table), so the network runs once: call again without DATASET to judge otherwise.
A table of another network or of other data is refused: --fresh begins anew.

DATASET comes first, options after it: an option that takes several values would take it for one of them.
"""
ARRANGEMENTS = ("by_image", "by_segment", "by_drive")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, "test", "judge on", optional=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the report")
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
        "--runs", type=int, default=10, metavar="N", help="of by_image and by_segment (default: %(default)s)"
    )
    judging.add_argument(
        "--fit-images",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="also by_image fitted on only N images: a row each in the summary, to see what more labels would give",
    )
    judging.add_argument(
        "--variant",
        choices=("component", "released"),
        default="component",
        help="IoU_adj of the paper, or of the authors' code (default: %(default)s)",
    )
    models = parser.add_argument_group("meta models")
    models.add_argument("--features", default="metaseg", metavar="SET", help=f"{FEATURES_HELP} (default: %(default)s)")
    models.add_argument(
        "--class-input",
        choices=CLASS_INPUTS,
        default="probabilities",
        help=f"{CLASS_INPUT_HELP} (default: %(default)s)",
    )
    models.add_argument("--gradient-boosting", action="store_true", help="judge gradient boosting as well")
    table = parser.add_argument_group("segment table")
    table.add_argument(
        "--table", type=Path, metavar="DIR", help="its folder, used or made (default: segments in --out)"
    )
    table.add_argument("--fresh", action="store_true", help="remove a table that is there, with all its splits, first")
    table.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that run the network, then runs judged at a time (default: one per core; on a GPU one process)",
    )
    table.add_argument("--keep-going", action="store_true", help="leave out images that cannot be read, and name them")


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    _check(args)
    console = Console()
    if not console.is_terminal:  # nobody knows the width of a file
        console.width = 170
    out, path = args.out.expanduser(), (args.table or args.out / "segments").expanduser()
    if args.dataset is None:
        store = _stored(args, path)
    else:
        from trust_seg_ros.commands.collected import collected

        store = collected(args, _splits(args), path, console)

    from trust_seg_ros.commands.fit_report import skipped_table
    from trust_seg_ros.evaluation.meta.contents import contents, counts
    from trust_seg_ros.evaluation.meta.study import study
    from trust_seg_ros.evaluation.report.report import write
    from trust_seg_ros.meta.features import chosen_features

    names = chosen_features(args.features, store.names, args.class_input)
    stored = [name for name in store.names if name in names or name in ("E", "S")]
    data = {split: store.read(split, stored, variant=args.variant) for split in _splits(args)}
    with _bar(console) as bar:
        task = bar.add_task("fitting and judging", total=None)
        studies = study(
            _arrangements(args, data),
            names,
            boosting=args.gradient_boosting,
            workers=args.workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    facts = _facts(args, store, names) | {split: counts(part) for split, part in data.items()}
    report = contents(studies, data[args.split], names, shlex.join(("trust-seg", *args.words)), facts)
    files = write(report, out)
    _print(report, console)
    if (skipped := skipped_table(store, _splits(args))) is not None:
        console.print(skipped)
    console.print(
        f"wrote {files[0]} and {len(files) - 1} tables and figures beside it", highlight=False, soft_wrap=True
    )
    return 0


def _print(report: Report, console: Console) -> None:
    """The main tables; the others are in the folder."""
    from trust_seg_ros.evaluation.report.tabular import ON_SCREEN

    for section in report.sections:
        console.rule(section.title, align="left")
        for table in section.tables:
            if table.place >= ON_SCREEN:
                console.print(table.rich())
    for note in report.notes:
        console.print(f"note: {note}", highlight=False)


def _check(args: argparse.Namespace) -> None:
    """Say before the work, not after it, what cannot be done."""
    for name in ("runs", "workers"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise EvaluationError(f"--{name} {value}: expected at least 1")
    if args.fresh and args.dataset is None:
        raise EvaluationError("--fresh removes the segment table, but there is no DATASET to make it anew from")
    _check_folder(args.out.expanduser())


def _check_folder(out: Path) -> None:
    """Refuse a folder that cannot be made or written to; leaves nothing behind."""
    if os.path.lexists(out) and not out.is_dir():
        raise EvaluationError(f"--out {out} is a file; expected a folder, for example {out.parent / 'out'}")
    there = next(path for path in (out, *out.parents, Path()) if os.path.lexists(path))
    try:  # rights alone do not tell: file systems may refuse folders even from root
        tempfile.TemporaryDirectory(prefix=".trust-seg.", dir=there).cleanup()
    except OSError as error:
        reason = f"{there}: {error.strerror or error}"
        raise EvaluationError(f"--out {out} cannot be written ({reason}); expected a folder of yours") from error


def _splits(args: argparse.Namespace) -> list[str]:
    """The split to judge on, and that to fit on if there is one."""
    if args.fit_on == args.split:
        raise EvaluationError(f"--fit-on {args.fit_on}: that is the split to judge on; expected another, or by_image")
    return [args.split] if args.fit_on is None else [args.split, args.fit_on]


def _stored(args: argparse.Namespace, path: Path) -> SegmentStore:
    """The table as it is; of one with a single split, that is meant where none is named."""
    from trust_seg_ros.fitting.store import SegmentStore

    store = SegmentStore.open(path)
    if len(store.splits) == 1 and not getattr(args, "split_named", False):
        args.split = store.splits[0]
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
        "data set": store.entry(args.split).data_set or "unknown",
        "metrics": f"{args.features}, {len(names)}: {', '.join(names)}",
        "IoU_adj": {"component": "as in the paper", "released": "as in the authors' code"}[args.variant],
    }
    for split in _splits(args):
        if skipped := store.entry(split).skipped:
            reasons = (f"{name} ({' '.join(reason.split())})" for name, reason in skipped.items())
            facts[f"left out of {split}"] = "; ".join(reasons)
    return facts


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)
