"""``trust-seg miou``: how well a network segments a labelled data set."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import waiting
from trust_seg_ros.commands.data_options import add_data_arguments, network_settings, open_split
from trust_seg_ros.commands.label_options import label_remarks
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.resumable import whole_file

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.confusion import ConfusionMatrix

EPILOG = """examples:
  trust-seg miou data/camvid --split test
  trust-seg miou data/cityscapes --split val --model mine.pt2 --labels cityscapes19 --input-size 1024x512
  trust-seg miou data/mine --model mine.pt2 --labels mine.yaml --ignore 255 --csv miou.csv

The layout of DATASET is detected: Cityscapes, CamVid, or images/ with labels/, see docs/datasets.md. IoU is computed
over all pixels of the split together, at the labels' resolution; pixels without a class do not count, and a class that
neither occurs nor is predicted (-) is left out of the mean.
"""
Row = tuple[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, "test", "judge on")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    file = parser.add_argument("--csv", type=Path, metavar="FILE", help="also write class,iou (0 to 1) into this file")
    given.expects(file, given.new_file("miou.csv"))


def run(args: argparse.Namespace) -> int:
    """Judge; returns the exit status."""
    from trust_seg_ros.datasets.label_check import classes_of
    from trust_seg_ros.evaluation.confusion import ConfusionMatrix

    console = Console()
    with waiting(console, "loading the network"):
        network = network_settings(args).load()
    names = network.labels.names
    folder = open_split(args, args.split, network.labels)
    for remark in label_remarks(args, network, {f"{args.dataset} {args.split}": folder}):
        print(f"note: {remark}", file=sys.stderr)
    predict, confusion = classes_of(network), ConfusionMatrix(len(names))
    for sample in track(list(folder), f"images of {args.split}", console=console):
        image, labels = folder.read(sample)
        confusion.add(labels, predict(image))
    if not confusion.counts.any():
        raise DatasetError(
            f"{args.dataset}: no pixel of split {args.split!r} has a class, so there is nothing to judge by; expected "
            "some (the public labels of the test split of Cityscapes are empty: take val)"
        )
    rows = [*zip(names, confusion.iou().tolist(), strict=True), ("mean", confusion.mean_iou())]
    if args.csv is not None:
        _write_csv(args.csv, rows, confusion)
    record(
        args,
        network=network.name,
        sha256=network_sha256(network) or None,
        data_set=f"{args.dataset.resolve().name}/{args.split}",
        images=len(folder),
        iou=dict(rows[:-1]),
        mean_iou=rows[-1][1],
        pixel_accuracy=confusion.accuracy(),
        csv=args.csv,
    )
    if args.markdown:
        print(_markdown(rows, confusion, len(folder)))
        return 0
    data_set = f"{args.dataset.resolve().name}/{args.split}"
    console.print(f"{network.name} on {data_set}, {len(folder)} images", highlight=False, soft_wrap=True)
    console.print(f"sha256 {network_sha256(network) or 'not known'}", highlight=False, soft_wrap=True)
    console.print(_table(rows, confusion))
    return 0


def _table(rows: list[Row], confusion: ConfusionMatrix) -> Table:
    table = Table("class", "IoU")
    table.columns[1].justify = "right"
    for name, value in rows[:-1]:
        table.add_row(name, "-" if math.isnan(value) else f"{value:.1%}")
    table.add_section()
    table.add_row("mean", f"{rows[-1][1]:.2%}")
    table.add_row("pixel accuracy", f"{confusion.accuracy():.2%}")
    return table


def _markdown(rows: list[Row], confusion: ConfusionMatrix, images: int) -> str:
    lines = [f"| {name} | {'-' if math.isnan(value) else f'{100 * value:.1f}'} |" for name, value in rows[:-1]]
    total = f"| **mean** | **{100 * rows[-1][1]:.2f}** |"
    below = f"\n{images} images, pixel accuracy {100 * confusion.accuracy():.2f} %"
    return "\n".join(["| class | IoU % |", "|---|---|", *lines, total, below])


def _write_csv(path: Path, rows: list[Row], confusion: ConfusionMatrix) -> None:
    try:
        with (
            whole_file(path, path.with_name(f".{path.name}.part")) as place,
            place.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(("class", "iou"))
            writer.writerows((name, "" if math.isnan(value) else f"{value:.6f}") for name, value in rows)
            writer.writerow(("pixel accuracy", f"{confusion.accuracy():.6f}"))
    except OSError as error:
        raise EvaluationError(f"--csv {path}: cannot be written ({error.strerror})") from error
