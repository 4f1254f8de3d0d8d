"""``trust-seg miou``: how well a network segments a labelled data set."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.datasets.arguments import add_data_arguments, network_settings, open_split

EPILOG = """examples:
  trust-seg miou data/camvid --split test
  trust-seg miou data/mine --split val --model mine.pt2 --labels mine.yaml --ignore 255

IoU is taken over all pixels of the
split together, at the labels' resolution; ignored pixels do not count.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, "test", "judge on")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")


def run(args: argparse.Namespace) -> int:
    """Judge; returns the exit status."""
    from trust_seg_ros.evaluation.confusion import ConfusionMatrix
    from trust_seg_ros.uncertainty import uncertainty_maps

    console = Console()
    network = network_settings(args).load()
    names = network.labels.names
    folder = open_split(args, args.split, network.labels)
    confusion = ConfusionMatrix(len(names))
    for sample in track(list(folder), f"images of {args.split}", console=console):
        image, labels = folder.read(sample)
        confusion.add(labels, uncertainty_maps(network.infer(image)).classes.numpy(force=True))
    iou = confusion.iou()
    if args.markdown:
        print("| class | IoU % |\n|---|---|")
        for name, value in zip(names, iou, strict=True):
            print(f"| {name} | {value:.1%} |".replace("%", ""))
        print(f"| **mean** | **{100 * confusion.mean_iou():.2f}** |")
        print(f"\n{len(folder)} images, pixel accuracy {100 * confusion.accuracy():.2f} %")
        return 0
    table = Table("class", "IoU", title=f"{network.name} on {args.dataset.name}/{args.split}, {len(folder)} images")
    for name, value in zip(names, iou, strict=True):
        table.add_row(name, f"{value:.1%}")
    table.add_section()
    table.add_row("mean", f"{confusion.mean_iou():.2%}")
    table.add_row("pixel accuracy", f"{confusion.accuracy():.2%}")
    console.print(table)
    return 0
