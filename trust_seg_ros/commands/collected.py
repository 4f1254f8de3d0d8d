"""The segment table of fit and evaluate: its options; collecting or resuming it under a progress bar; opening it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.collect_progress import collection_bar
from trust_seg_ros.commands.console import say, waiting
from trust_seg_ros.commands.data_options import (
    add_grid_argument,
    add_keep_going_argument,
    add_segments_from_argument,
    network_settings,
    open_split,
)
from trust_seg_ros.commands.score_options import add_file_argument
from trust_seg_ros.commands.shared_options import add_cache_argument, add_features_argument, add_force_argument
from trust_seg_ros.meta.choices import CLASS_INPUT_HELP, CLASS_INPUTS, SEGMENT_SCORES_HELP
from trust_seg_ros.meta.errors import MetaModelError, StoreError
from trust_seg_ros.support.nearest import unknown

if TYPE_CHECKING:
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.fitting.collect_time import TimePlan
    from trust_seg_ros.fitting.store import SegmentStore
    from trust_seg_ros.meta.data import SegmentData


def add_metric_arguments(parser: argparse.ArgumentParser, *, timed: bool = False) -> argparse._ArgumentGroup:
    """--segment-scores, --features and --class-input: which metrics meta models use; returns their group.

    Args:
        parser: parser of the subcommand.
        timed: it has the options of :func:`add_time_arguments`, which the default of --features follows.
    """
    group = parser.add_argument_group("meta models")
    group.add_argument(
        "--segment-scores", nargs="+", default=[], metavar="SCORE", help=f"{SEGMENT_SCORES_HELP} (default: none)"
    )
    add_file_argument(group, "--calibration", "of trust-seg calibrate: what {scores} need (default: none)")
    if timed:
        add_features_argument(group, None, "metaseg, with --time metaseg_time")
    else:
        add_features_argument(group, "metaseg")
    group.add_argument(
        "--class-input",
        choices=CLASS_INPUTS,
        default="probabilities",
        help=f"{CLASS_INPUT_HELP} (default: %(default)s)",
    )
    group.add_argument(
        "--only-classes",
        nargs="+",
        default=[],
        metavar="NAME",
        help="fit on and judge only segments predicted as these classes: where the labels leave the others out, every "
        "segment of them would count as wrong (default: all)",
    )
    return group


def of_classes(data: SegmentData, names: Sequence[str]) -> SegmentData:
    """The segments predicted as some classes; all of them without names.

    Raises:
        MetaModelError: the network has no class of that name.
    """
    import numpy as np

    for name in names:
        if name not in data.class_names:
            raise MetaModelError(unknown("class", name, data.class_names))
    ids = [k for k, name in enumerate(data.class_names) if name in names]
    return data.rows(np.isin(data.class_ids, ids)) if names else data


def add_time_arguments(parser: argparse.ArgumentParser) -> None:
    """--time and --rate: recordings of which only some frames have labels."""
    group = parser.add_argument_group("time")
    group.add_argument(
        "--time",
        type=int,
        metavar="N",
        help="follow segments through the recordings, and let meta models look back over N frames; images of a folder "
        "whose names differ in their last number only are frames of one, and need not all have labels",
    )
    group.add_argument(
        "--rate",
        type=float,
        metavar="HZ",
        help="with --time: how many of these numbers make a second, e.g. 30 where every frame of 30 a second has one",
    )


def check_time(args: argparse.Namespace) -> None:
    """Refuse --time without --rate, or the other way round; fill in the default of --features.

    Raises:
        MetaModelError: the text names the option.
    """
    if args.dataset is None and (args.time is not None or args.rate is not None):
        raise MetaModelError("--time and --rate say how to collect segments; a table that is there has its own")
    if (args.time is None) != (args.rate is None):
        there, missing = ("--time", "--rate") if args.rate is None else ("--rate", "--time")
        raise MetaModelError(f"{there} without {missing}: expected both, or none")
    args.features = args.features or ("metaseg" if args.time is None else "metaseg_time")


def followed(args: argparse.Namespace, folders: Mapping[str, LabelledFolder]) -> dict[str, TimePlan]:
    """The recordings of every split; how far to look back follows from the first.

    Raises:
        DatasetError: as ``fitting.collect_time.time_window``.
    """
    from trust_seg_ros.fitting.collect_time import time_plan, time_window

    window = time_window(next(iter(folders.values())), args.time, args.rate)
    return {split: time_plan(folder, window, args.rate) for split, folder in folders.items()}


def add_table_arguments(parser: argparse.ArgumentParser, place: str, workers: str) -> None:
    """--cache, --force, --workers and --keep-going.

    Args:
        parser: parser of the subcommand.
        place: help of --cache, with its default.
        workers: help of --workers, with its default.
    """
    group = parser.add_argument_group("segment table")
    table = add_cache_argument(group, place)
    given.expects(table, _given_table)
    add_force_argument(group, "first remove an existing table, with all its splits")
    group.add_argument("--workers", type=int, metavar="N", help=workers)
    add_grid_argument(group, "the image's own pixels: no meta model is used here")
    add_segments_from_argument(group, "components, or those of an existing table")
    add_keep_going_argument(group)


def _given_table(name: str, value: Path, args: argparse.Namespace) -> None:
    """A folder that is there where no DATASET is given to make it from."""
    if args.dataset is None and not value.expanduser().is_dir():
        raise StoreError(f"{name} {value}: no segment table; trust-seg fit DATASET writes one")


def opened(args: argparse.Namespace, table: Path) -> SegmentStore:
    """The existing table; without --split, its only split.

    Raises:
        StoreError: --force is given, which leaves nothing to open; or as ``SegmentStore.open``.
    """
    from trust_seg_ros.fitting.store import SegmentStore

    if args.force:
        raise StoreError("--force removes the segment table, but there is no DATASET to make it anew from")
    store = SegmentStore.open(table)
    store.check_scores(args.segment_scores)
    store.check_grid(args.grid)
    store.check_segments_from(args.segments_from)
    if len(store.splits) == 1 and not getattr(args, "split_named", False):
        args.split = list(store.splits) if isinstance(args.split, list) else store.splits[0]
    return store


def collected(args: argparse.Namespace, splits: Sequence[str], table: Path, console: Console) -> SegmentStore:
    """The table with all ``splits`` of ``args.dataset`` in it.

    Args:
        args: options of ``trust-seg fit`` or ``evaluate``.
        splits: at least one.
        table: folder of the table; its parent folders are made.
        console: where the bars are drawn.

    Raises:
        TrustSegError: as ``fitting.collect.collect``; a mistake in the metrics or the data set is found before the
            work starts.
    """
    from trust_seg_ros.fitting.collect import collect
    from trust_seg_ros.fitting.store_folder import discard
    from trust_seg_ros.fitting.store_rows import column_names, metric_names
    from trust_seg_ros.grid import FITTED, parsed_grid
    from trust_seg_ros.meta.features import chosen_features
    from trust_seg_ros.segments.origins import COMPONENTS
    from trust_seg_ros.segments.scores import checked_scores

    settings = network_settings(args)
    with waiting(console, "loading the network"):
        labels = settings.label_set()
    origin = COMPONENTS if args.segments_from == FITTED else args.segments_from
    metrics = metric_names(len(labels), checked_scores(args.segment_scores), origin)
    follow = getattr(args, "time", None) is not None
    folders = {split: open_split(args, split, labels, some=follow) for split in splits}
    plans = followed(args, folders) if follow else {}
    window = plans[splits[0]].window if follow else None
    chosen_features(args.features, column_names(metrics, window), args.class_input)
    table.parent.mkdir(parents=True, exist_ok=True)
    if args.force:
        discard(table)
    args.stopped = (
        f"finished images are kept in {table}, the same command goes on there{' without --force' * args.force}"
    )
    for split, folder in folders.items():
        with collection_bar(console, f"segments of {split}") as progress:
            store = collect(
                settings,
                folder,
                table,
                split,
                workers=args.workers,
                keep_going=args.keep_going,
                progress=progress,
                data_set=args.dataset.resolve().name,
                scores=args.segment_scores,
                grid=parsed_grid(args.grid),
                calibration=args.calibration,
                segments_from=origin,
                accept_labels=args.accept_labels,
                time=plans.get(split),
                remark=lambda text: say(console, f"note: {text}"),
            )
    return store
