"""The segment table of a command that was given a data set: made or gone on with, with a bar."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trust_seg_ros.commands.collect_progress import collection_bar
from trust_seg_ros.commands.data_options import network_settings, open_split
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.fitting.store_folder import discard
from trust_seg_ros.fitting.store_rows import metric_names
from trust_seg_ros.meta.features import chosen_features


def collected(args: argparse.Namespace, splits: Sequence[str], table: Path, console: Console) -> SegmentStore:
    """The table with all ``splits`` of ``args.dataset`` in it.

    Args:
        args: options of ``trust-seg fit`` or ``evaluate``.
        splits: at least one.
        table: folder of the table; what holds it is made.
        console: where the bars are drawn.

    Raises:
        TrustSegError: as ``meta.collect.collect``; a mistake in the metrics or the data set is said before the work.
    """
    settings = network_settings(args)
    labels = settings.label_set()
    chosen_features(args.features, metric_names(len(labels)), args.class_input)
    folders = {split: open_split(args, split, labels) for split in splits}
    table.parent.mkdir(parents=True, exist_ok=True)
    if args.fresh:
        discard(table)
    try:
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
                )
    except KeyboardInterrupt:
        console.print(
            f"stopped; what is done is kept in {table}, the same command goes on with the rest", soft_wrap=True
        )
        raise
    return store
