"""Times `trust-seg evaluate` and `trust-seg fit` from a stored segment table as large as Cityscapes val gives.

    python benchmarks/bench_evaluate.py [--images 500] [--segments 45000] [--classes 19] [--runs 10]

A table of random segments (those of bench_meta.py) is written as Parquet; then the commands run on it as a user
would call them, each in a process of its own: reading, fitting, the LASSO path of 50 penalties in every run with its
inner cross-validation, tables, figures and report. Peak is the largest resident memory of that process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_meta import random_segments
from rich.console import Console
from rich.table import Table

from trust_seg_ros.fitting.store import SegmentStore, SplitEntry
from trust_seg_ros.fitting.store_identity import NetworkIdentity, package_version
from trust_seg_ros.fitting.store_rows import row_schema
from trust_seg_ros.meta.data import SegmentData

PART_IMAGES = 64


def write_store(path: Path, data: SegmentData) -> None:
    """The segments as one split, in parts of 64 images."""
    identity = NetworkIdentity(data.network, data.class_names, {}, {}, "")
    entry = SplitEntry("random", data.images, data.drives, (255,), PART_IMAGES, True, {}, len(data), len(data))
    folder = path / "split=val"
    folder.mkdir(parents=True)
    schema = row_schema(data.names)
    for number in range(entry.parts):
        rows = np.flatnonzero(data.image // PART_IMAGES == number)
        pq.write_table(part(data.rows(rows), schema), folder / f"part-{number:05d}.parquet", compression="zstd")
    SegmentStore(path, identity, {"val": entry}, package_version()).save_manifest()


def part(data: SegmentData, schema: pa.Schema) -> pa.Table:
    """Rows of some images; boxes are not used by what is timed."""
    column = {name: data.metrics[:, k] for k, name in enumerate(data.names)}
    zeros = np.zeros(len(data), np.int32)
    fixed = {
        "image": [data.images[k] for k in data.image],
        "image_index": data.image,
        "drive": [data.drives[k] for k in data.image],
        "segment": np.arange(1, len(data) + 1, dtype=np.int32),
        "class_id": data.class_ids,
        **dict.fromkeys(("left", "top", "right", "bottom"), zeros),
        "size": column["S"].astype(np.int64),
        "interior_size": column["S_in"].astype(np.int64),
        "iou": data.iou,
        "iou_adj": data.iou_adj,
        "iou_adj_released": data.iou_adj,
    }
    return pa.table([pa.array((fixed | column)[f.name], f.type) for f in schema], schema=schema)


def call(words: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MiB of one command; its output is shown when it fails."""
    begin = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "trust_seg_ros.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(output.decode())
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--segments", type=int, default=45_000)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--runs", type=int, default=10)
    args = parser.parse_args()
    table = Table(
        "command", "s", "peak, MiB", title=f"{args.segments:,} segments of {args.images} images, from Parquet"
    )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_store(home / "table", random_segments(args.segments, args.images, args.classes))
        size = sum(p.stat().st_size for p in (home / "table").rglob("*.parquet")) / 2**20
        stored = ["--table", str(home / "table"), "--split", "val"]
        judge = ["evaluate", *stored, "--runs", str(args.runs), "--out", str(home / "report")]
        commands = {
            "fit": ["fit", *stored, "--out", str(home / "meta.json")],
            "evaluate by_image": judge,
            "evaluate by_image, one worker": [*judge, "--workers", "1"],
            "evaluate by_image by_segment": [*judge, "--arrangement", "by_image", "by_segment"],
            "evaluate, meta_ood and class": [*judge, "--features", "meta_ood", "--class-input", "both"],
            "evaluate with boosting": [*judge, "--gradient-boosting"],
        }
        for name, words in commands.items():
            seconds, peak = call(words)
            table.add_row(name, f"{seconds:.1f}", f"{peak:.0f}")
    console = Console()
    console.print(table)
    console.print(f"table on disk: {size:.0f} MiB; {args.runs} runs, 50 penalties each")


if __name__ == "__main__":
    main()
