"""``trust-seg fit``: fit the meta models of a network on a labelled data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.datasets.arguments import add_data_arguments, open_split

EPILOG = """examples:
  trust-seg fit data/camvid --split val --out meta.json
  trust-seg fit data/camvid --split val --judge test --out meta.json      (also prints how it does on test)
  trust-seg fit data/mine --split train --model mine.net:build --labels mine.yaml --ignore 255 --out meta.json

DATASET holds SPLIT/images/* and SPLIT/labels/*.png with one class id per pixel. The file written is readable JSON:
feature names, means, scales, coefficients, ranges, and how it was fitted. The node loads it as meta_model.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_data_arguments(parser, EPILOG, "val", "fit on")
    parser.add_argument("--judge", default="", help="sub-folder to judge on, e.g. test (default: none)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(args: argparse.Namespace) -> int:
    """Fit; returns the exit status."""
    from trust_seg_ros.meta.data import SegmentData
    from trust_seg_ros.meta.fit import collect, fit, scores
    from trust_seg_ros.segmentation.loader import load_network

    console = Console()
    network = load_network(args.model, labels=args.labels)
    names = tuple(network.labels.names)

    def gather(split: str) -> SegmentData:
        folder = open_split(args, split, len(names), network.labels.without_class)
        bar = iter(track(range(len(folder)), f"segments of {split}", console=console))
        data = collect(network, folder, tick=lambda: next(bar, None))
        next(bar, None)
        return data

    data = gather(args.split)
    model = fit(data, {"data": args.dataset.name, "split": args.split})
    model.summary["fitted_on"] = scores(model, data)
    table = Table("split", "segments", "false positive", "accuracy", "majority", "AUROC", "R²", "σ")
    rows = [(args.split, data, model.summary["fitted_on"])]
    if args.judge:
        judged = gather(args.judge)
        model.summary[f"judged_on_{args.judge}"] = scores(model, judged)
        rows.append((args.judge, judged, model.summary[f"judged_on_{args.judge}"]))
    for split, part, s in rows:
        values = (s["accuracy"], s["majority"], s["auroc"], s["r2"], s["sigma"])
        share = f"{part.false_positive.mean():.1%}"
        table.add_row(split, str(len(part.iou_adj)), share, *(f"{v:.3f}" for v in values))
    model.save(args.out)
    console.print(table)
    console.print(f"wrote {args.out}")
    return 0
