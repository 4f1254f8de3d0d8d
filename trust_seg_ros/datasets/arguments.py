"""Options of every subcommand that runs a network over labelled images."""

from __future__ import annotations

import argparse
from pathlib import Path

from trust_seg_ros.datasets.folders import LabelledFolder, paired_folder


def add_data_arguments(parser: argparse.ArgumentParser, epilog: str, split: str, purpose: str) -> None:
    """DATASET, --split, --model, --labels and --ignore.

    Args:
        parser: of the subcommand.
        epilog: examples below the options.
        split: default of --split.
        purpose: what is done with the split, for its help.
    """
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder of the data set")
    parser.add_argument("--split", default=split, help=f"sub-folder to {purpose} (default: %(default)s)")
    parser.add_argument("--model", default="embedded", help="network, as the node's parameter (default: %(default)s)")
    parser.add_argument("--labels", default=None, help="label set: a name or a YAML file (default: the network's own)")
    parser.add_argument(
        "--ignore",
        type=int,
        nargs="*",
        default=None,
        help="label values without a class (default: the label set's, 255)",
    )


def open_split(args: argparse.Namespace, split: str, classes: int, without_class: tuple[int, ...]) -> LabelledFolder:
    """The labelled images of one split, as the options say.

    Args:
        args: parsed options of :func:`add_data_arguments`.
        split: name of the sub-folder.
        classes: number of classes of the network.
        without_class: label values without a class, where --ignore names none.

    Raises:
        DatasetError: a folder is missing or empty, an image has no labels, or an ignored value is a class.
    """
    ignore = without_class if args.ignore is None else tuple(args.ignore)
    return paired_folder(args.dataset / split, classes, ignore)
