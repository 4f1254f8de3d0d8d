"""Options of every subcommand that reads label files: what their values mean, and whether they fit the network."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given

if TYPE_CHECKING:  # importing these would make every --help wait for torch
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.datasets.label_map import LabelMap
    from trust_seg_ros.segmentation.labels import LabelSet
    from trust_seg_ros.segmentation.protocol import SegmentationNetwork


def add_label_arguments(group: argparse._ActionsContainer, *, judged: bool = True) -> None:
    """--ignore, --label-map and --accept-labels, of commands that read label files.

    Args:
        group: receives the options.
        judged: the labels are compared with a network's predictions; without it there is no --accept-labels.
    """
    group.add_argument(
        "--ignore",
        type=_label_value,
        nargs="*",
        metavar="VALUE",
        help="values in label files that stand for no class (default: the label set's); 255 always does",
    )
    label_map = group.add_argument(
        "--label-map",
        metavar="FILE",
        help="YAML file that maps label values to classes of the network (docs/datasets.md#label-maps), or from-1: ids "
        "count from 1 and 0 is no class",
    )
    given.expects(label_map, given.label_map)
    if judged:
        group.add_argument(
            "--accept-labels",
            action="store_true",
            help="go on although the labels contradict the network on nearly every pixel",
        )


def label_values(args: argparse.Namespace, labels: LabelSet) -> tuple[tuple[int, ...] | None, LabelMap | None]:
    """Values without a class (None = the label set's) and the label map (None = values are class ids).

    Args:
        args: parsed options of :func:`add_label_arguments`.
        labels: classes of the network.

    Raises:
        DatasetError: the label map cannot be read, or is malformed.
    """
    from trust_seg_ros.datasets.label_map_file import label_map

    ignore = None if args.ignore is None else tuple(args.ignore)
    return ignore, None if args.label_map is None else label_map(args.label_map, labels)


def label_remarks(
    args: argparse.Namespace, network: SegmentationNetwork, folders: Mapping[str, LabelledFolder]
) -> list[str]:
    """Compare labels and predictions on the first images, see ``datasets.label_check``.

    Args:
        args: parsed options of :func:`add_label_arguments`.
        network: the network.
        folders: name -> labelled images.

    Returns:
        Remarks on labels that fit the network badly.

    Raises:
        LabelsContradictError: the labels are numbered in another way than the network's classes, and --accept-labels
            was not given.
    """
    from trust_seg_ros.datasets.label_check import check_labels, classes_of

    predict = classes_of(network)
    names, accept = network.labels.names, args.accept_labels
    found = (check_labels(predict, folder, names, name, accept) for name, folder in folders.items())
    return [text for text in found if text]


def _label_value(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a label value; expected whole numbers from 0 to 65535")
    return int(text)
