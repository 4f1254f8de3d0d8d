"""Shifted images: another data set, or the same images corrupted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.corruption_words import split_corruption, wished_corruptions
from trust_seg_ros.datasets.corruptions.names import CORRUPTIONS, Corruption
from trust_seg_ros.evaluation.errors import TrustStudyError

if TYPE_CHECKING:
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.evaluation.trust.study import Condition
    from trust_seg_ros.segmentation.labels import LabelSet


def add_shift_arguments(parser: argparse.ArgumentParser) -> None:
    """--shifted, --shifted-split, --corrupt and --corrupt-seed."""
    group = parser.add_argument_group("shifted images", "thresholds of clean images tried on shifted ones")
    shifted = group.add_argument(
        "--shifted",
        action="append",
        default=[],
        metavar="DATASET[:KIND[:SEVERITY]]",
        help="another labelled data set of the same classes, clean or corrupted; may be given several times",
    )
    given.expects(shifted, given.shifted)
    group.add_argument(
        "--shifted-split", metavar="SPLIT", help="split of --shifted (default: --split, or all if it has no splits)"
    )
    label_map = group.add_argument(
        "--shifted-label-map", metavar="FILE", help="label map of --shifted, as --label-map (default: the same)"
    )
    given.expects(label_map, given.label_map)
    group.add_argument(
        "--corrupt",
        nargs="+",
        default=[],
        metavar="KIND[:SEVERITY]",
        help=f"the judged images, corrupted: {', '.join(CORRUPTIONS)}; severity 1 to 5, or all: fog:all is fog in five "
        "severities, all is every kind in all severities (docs/corruptions.md); each takes one pass over the images",
    )
    group.add_argument(
        "--corrupt-seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of the noise, rain and so on (default: %(default)s)",
    )
    group.add_argument(
        "--window",
        type=int,
        default=30,
        metavar="FRAMES",
        help="number of consecutive frames of a drive in each test for a shift (default: %(default)s)",
    )
    group.add_argument(
        "--shift-level",
        type=float,
        default=0.01,
        metavar="P",
        help="p-value below which a window counts as shifted (default: %(default)s)",
    )


def conditions(args: argparse.Namespace, images: LabelledFolder, labels: LabelSet) -> list[Condition]:
    """The shifted conditions given by the options; opens folders, but reads no image.

    Raises:
        TrustSegError: no such corruption or data set.
    """
    from trust_seg_ros.datasets.corruptions.folder import corrupted
    from trust_seg_ros.evaluation.trust.study import Condition

    found = []
    for word in args.shifted:
        root, wished = split_corruption(word, args.corrupt_seed)
        folder = _opened(args, root, labels)
        name = root.name or str(root)
        corruptions: list[Corruption | None] = [*wished] or [None]
        for wish in corruptions:
            kind, severity = ("", 0) if wish is None else (wish.kind, wish.severity)
            title = name if wish is None else f"{name} {kind}:{severity}"
            found.append(Condition(title, corrupted(folder, wish), f"{name} {kind}" if kind else "", severity))
    for each in wished_corruptions(args.corrupt, args.corrupt_seed):
        found.append(Condition(f"{each.kind}:{each.severity}", corrupted(images, each), each.kind, each.severity))
    names = [condition.name for condition in found]
    twice = next((name for name in names if names.count(name) > 1 or name == args.split), None)
    if twice is not None:
        raise TrustStudyError(f"--shifted, --corrupt: {twice!r} is given twice; expected different data")
    return found


def distinct(shifted: Sequence[Condition], images: LabelledFolder) -> dict[str, LabelledFolder]:
    """The other data sets among the conditions by name, each once, whatever its corruptions."""
    from trust_seg_ros.datasets.folders import LabelledFolder

    folders = {images.samples: ("", images)}
    for condition in shifted:
        if isinstance(condition.images, LabelledFolder):
            folders.setdefault(condition.images.samples, (condition.name, condition.images))
    return {name: folder for name, folder in folders.values() if name}


def _opened(args: argparse.Namespace, root: Path, labels: LabelSet) -> LabelledFolder:
    from trust_seg_ros.commands.data_options import WHOLE, open_split
    from trust_seg_ros.datasets.layouts import has_splits

    split = args.shifted_split
    if split is None:
        split = args.split if has_splits(root.expanduser()) else WHOLE
    label_map = args.label_map if args.shifted_label_map is None else args.shifted_label_map
    return open_split(argparse.Namespace(dataset=root, ignore=args.ignore, label_map=label_map), split, labels)
