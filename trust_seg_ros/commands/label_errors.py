"""``trust-seg label-errors``: find labels of a data set that are probably wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console, say, waiting
from trust_seg_ros.commands.data_options import (
    add_data_arguments,
    add_keep_going_argument,
    network_settings,
    open_split,
)
from trust_seg_ros.commands.label_options import label_remarks
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.shared_options import check_counts
from trust_seg_ros.evaluation.errors import EvaluationError

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.label_errors.find import LabelErrors
    from trust_seg_ros.types import Json

EPILOG = """examples:
  trust-seg label-errors data/camvid --split test --out out/label_errors
  trust-seg label-errors data/mine --split val --model mine.pt2 --labels mine.yaml --top 100 --out out/label_errors
  trust-seg label-errors data/mine --split train --model of_another_fold.pt2 --json > label_errors.json

Lists the places where the labels are probably wrong, the likeliest first: segments of which the network is sure and
that the labels deny, objects that it does not see, shifted borders. OUT/index.html shows image, labels and prediction
of every place, OUT/label_errors.csv lists class pair, size, place, image and P.

Which network: one that was not trained on these labels, because a network repeats the errors that it has learned. To
look through a training set, train on one half and look through the other.

P is for the order: it is learned from errors that are made on purpose in copies of these labels, a few per image, and
is too large where real errors are rarer. Nothing is learned from an image that it judges. docs/label_errors.md
explains it.
"""
TOP, PER_IMAGE = 300, 10
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, "test", "look through")
    out = parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for table, page and pictures")
    given.expects(out, given.new_folder)
    parser.add_argument("--top", type=int, default=TOP, metavar="N", help="most places listed (default: %(default)s)")
    parser.add_argument(
        "--per-image",
        type=int,
        default=PER_IMAGE,
        metavar="N",
        help="most places of one image: labels with more are wrong as a whole (default: %(default)s)",
    )
    parser.add_argument(
        "--min-size",
        type=int,
        metavar="PIXELS",
        help="smallest disputed region (default: 1/5000 of the image, 35 pixels of 480x360)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the errors made on purpose, from which the order is learned (default: %(default)s)",
    )
    add_keep_going_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Find label errors; returns the exit status."""
    _check(args)
    console = command_console(140)
    from trust_seg_ros.commands.collect_progress import collection_bar
    from trust_seg_ros.evaluation.label_errors.find import find_label_errors
    from trust_seg_ros.evaluation.label_errors.page import rows, write_folder

    with waiting(console, "loading the network"):
        network = network_settings(args).load()
    folder = open_split(args, args.split, network.labels)
    if folder.classes != len(network.labels):
        raise EvaluationError(
            f"the data set has {folder.classes} classes, the network {len(network.labels)} "
            f"({', '.join(network.labels.names)}); give the label set of both with --labels"
        )
    data_set = f"{args.dataset.resolve().name}/{args.split}"
    notes = label_remarks(args, network, {data_set: folder})
    with collection_bar(console, f"images of {args.split}") as progress:
        found = find_label_errors(
            network,
            folder,
            top=args.top,
            per_image=args.per_image,
            min_size=args.min_size,
            seed=args.seed,
            keep_going=args.keep_going,
            progress=progress,
        )
    names = network.labels.names
    table = rows(found, names)
    files: list[Path] = []
    if args.out is not None:
        with collection_bar(console, "pictures") as progress:
            title = f"Probable label errors of {data_set}"
            files = write_folder(args.out.expanduser(), found, folder, names, network.labels.palette, title, progress)
    notes += _notes(found)
    record(
        args,
        network=network.name,
        data_set=data_set,
        images=len(found.samples),
        regions=found.regions,
        label_errors=table,
        weights=_weights(found),
        skipped=found.skipped,
        notes=notes,
        files=files,
    )
    _print(console, table, found, data_set)
    for note in notes:
        say(console, f"note: {note}")
    for name, reason in found.skipped.items():
        say(console, f"left out: {name}: {reason}")
    if files:
        say(console, f"wrote {' and '.join(map(str, files))}")
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse impossible options before the work starts."""
    check_counts(args, ("top",), EvaluationError)
    if args.per_image < 1:
        raise EvaluationError(f"--per-image {args.per_image}: expected at least 1")
    if args.min_size is not None and args.min_size < 1:
        raise EvaluationError(f"--min-size {args.min_size}: expected at least 1 pixel")
    if args.seed < 0:
        raise EvaluationError(f"--seed {args.seed}: expected 0 or more")


def _notes(found: LabelErrors) -> list[str]:
    if found.weights is None and found.errors:
        return [
            "too few images to learn from: places are ordered by the network's probabilities alone, and P is no more "
            "than how it weighs its class against the label"
        ]
    return []


def _weights(found: LabelErrors) -> dict[str, float] | None:
    from trust_seg_ros.evaluation.label_errors.ranking import FEATURES

    return None if found.weights is None else dict(zip(FEATURES, found.weights.tolist(), strict=True))


def _print(console: Console, table: list[Json], found: LabelErrors, data_set: str) -> None:
    say(
        console,
        f"{data_set}: {len(table)} places listed, of {found.regions} where labels and network disagree in "
        f"{len(found.samples)} images",
    )
    if not table:
        return
    shown = Table("", "P", "labelled", "the network says", "kind", "pixels", "at", "image")
    for row in table[:_SHOWN]:
        cells = (row["rank"], f"{row['p']:.2f}", row["labelled"], row["predicted"], row["kind"], row["size"])
        shown.add_row(*(escape(str(cell)) for cell in (*cells, f"{row['left']}, {row['top']}", row["image"])))
    console.print(shown)
    if len(table) > _SHOWN:
        say(console, f"… and {len(table) - _SHOWN} more, in the table of --out and with --json")
