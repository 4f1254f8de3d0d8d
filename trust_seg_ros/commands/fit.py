"""``trust-seg fit``: fit the meta models of a network on a labelled data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.collected import (
    add_metric_arguments,
    add_table_arguments,
    add_time_arguments,
    check_time,
    collected,
    of_classes,
    opened,
)
from trust_seg_ros.commands.console import say
from trust_seg_ros.commands.data_options import add_data_arguments
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.shared_options import check_counts
from trust_seg_ros.meta.errors import MetaModelError

if TYPE_CHECKING:
    from trust_seg_ros.fitting.store import SegmentStore
    from trust_seg_ros.meta.data import SegmentData
    from trust_seg_ros.types import Json

EPILOG = """examples:
  trust-seg fit data/camvid --split val --out meta.json
  trust-seg fit data/camvid --split val --judge test --out meta.json      (also prints how it does on test)
  trust-seg fit data/camvid --split val --split test --out meta.json      (on both together)
  trust-seg fit data/mine --split train --model mine.net:build --labels mine.yaml --ignore 255 --out meta.json
  trust-seg fit data/drives --split val --time 10 --rate 30 --out meta.json    (looks at the past, too)
  trust-seg fit --cache meta.segments --features E,D_in,S --out small.json          (again, without the network)

The network runs over the images once; metrics and targets of all segments go into a table beside the model file
(meta.json: meta.segments/), a Parquet data set that trust-seg evaluate, pandas or duckdb read as well. If a run stops
early, finished images are kept, and the same command does the rest; the table does not depend on the number of
workers. A table of another network or of other data is refused: --force starts over.

The model file is readable JSON: metrics, means, scales, coefficients, ranges, and how it was fitted. The node loads the
file named by its parameter meta_model. docs/fit.md walks through it.
"""
SPLIT = "val"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, SPLIT, "fit on", several=True, optional=True)
    parser.add_argument("--judge", metavar="SPLIT", default="", help="split to judge on, e.g. test (default: none)")
    out = parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="model file to write, .json")
    given.expects(out, given.new_file("meta.json"))
    add_metric_arguments(parser, timed=True).add_argument(
        "--classifier",
        choices=("logistic", "boosting"),
        default="logistic",
        help="logistic regression for false positives, linear regression for IoU, as published; or boosted trees for "
        "both; --judge says which is better (default: %(default)s)",
    )
    add_time_arguments(parser)
    add_table_arguments(
        parser,
        "folder of the table (default: beside --out; meta.json: meta.segments)",
        "processes that run the network, each with its own copy (default: one per core, fewer for few images; on a "
        "GPU one)",
    )


def run(args: argparse.Namespace) -> int:
    """Fit; returns the exit status."""
    from trust_seg_ros.commands import fit_report as report
    from trust_seg_ros.fitting.fit import fit, scores
    from trust_seg_ros.meta.data import joined

    console = Console()
    check_counts(args, ("workers",), MetaModelError)
    check_time(args)
    table = args.cache or args.out.with_suffix(".segments")
    store = opened(args, table) if args.dataset is None else collected(args, _wanted(args), table, console)
    args.split, wanted = list(dict.fromkeys(args.split)), _wanted(args)
    parts = {split: of_classes(store.read(split), args.only_classes) for split in wanted}
    console.print(report.splits_table(store, parts))
    data = joined([parts[split] for split in args.split])
    _check_segments(data, " and ".join(args.split), "fit on")
    if args.judge:
        _check_segments(parts[args.judge], args.judge, "judge on")
    console.print(report.classes_table(data))
    model = fit(data, args.features, args.class_input, _summary(args, store), args.classifier)
    judged = {"fitted_on": scores(model, data)}
    if args.judge:
        judged[f"judged_on_{args.judge}"] = scores(model, parts[args.judge])
    model.summary.update(judged)
    model.save(args.out)
    console.print(report.scores_table(_titled(args, judged)), report.strongest_table(model), sep="\n")
    if (skipped := report.skipped_table(store, wanted)) is not None:
        console.print(skipped)
    record(
        args,
        out=args.out,
        table=table,
        network=store.network,
        splits={split: {"images": len(store.entry(split).images), "segments": len(parts[split])} for split in wanted},
        skipped={split: store.entry(split).skipped for split in wanted},
        scores=judged,
    )
    say(console, f"wrote {args.out}; the segments are in {table}")
    return 0


def _wanted(args: argparse.Namespace) -> list[str]:
    if args.judge in args.split:
        raise MetaModelError(
            f"--judge {args.judge}: the models are fitted on it, so they know it; expected another split, or none "
            "(scores on fitted data are printed anyway). trust-seg evaluate divides one split honestly"
        )
    return list(dict.fromkeys([*args.split, *([args.judge] if args.judge else [])]))


def _summary(args: argparse.Namespace, store: SegmentStore) -> Json:
    """How the model was made, for the model file: names and settings, but no paths of this machine."""
    import numpy as np
    import sklearn
    import torch

    from trust_seg_ros.fitting.store_identity import package_version
    from trust_seg_ros.meta.segment_scores import features_note, gradient_note
    from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

    entries = [store.entry(split) for split in args.split]
    return {
        "data": " + ".join(dict.fromkeys(entry.data_set for entry in entries)),
        "split": " + ".join(args.split),
        "skipped": sum(len(entry.skipped) for entry in entries),
        "features": args.features,
        "class_input": args.class_input,
        **({"only_classes": args.only_classes} if args.only_classes else {}),
        **gradient_note(store.identity.scores, IN_LOGARITHMS),
        **features_note(store.identity.scores, store.identity.features),
        "network_input": store.identity.input,
        "ignored_labels": sorted({value for entry in entries for value in entry.ignore}),
        **({"label_map": entries[0].label_map} if entries[0].label_map else {}),
        "versions": {
            "trust_seg_ros": package_version(),
            "torch": str(torch.__version__),
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
        },
    }


def _titled(args: argparse.Namespace, judged: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    titles = [f"{' + '.join(args.split)} (fitted)", f"{args.judge} (judged)"]
    return dict(zip(titles, judged.values(), strict=False))


def _check_segments(data: SegmentData, split: str, purpose: str) -> None:
    if not len(data):
        raise MetaModelError(f"no segment of {split} has an interior; there is nothing to {purpose}")
