"""Times the columns over time of a frame's segments, on the CPU; a tenth of the tracks are new in every frame.

python benchmarks/bench_history.py [--frames 120]
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.segments.history import MetricHistory, TimeWindow
from trust_seg_ros.types.tracks import SegmentTracks

SIZES = ((50, 26), (200, 26), (200, 59), (2000, 26))
"""Segments and metrics."""
RATE, NEW, WARM = 10, 0.1, 20


def times(n: int, m: int, frames: int) -> list[float]:
    """Milliseconds of every frame after the first ones."""
    rng, history = np.random.default_rng(0), MetricHistory(tuple(f"m{k}" for k in range(m)), TimeWindow(1.0))
    ids, following, found = np.arange(1, n + 1), n + 1, []
    for k in range(frames):
        new = rng.random(n) < NEW
        ids = np.where(new, following + np.cumsum(new), ids)
        following += n + 1
        stamp = 10**18 + k * 10**9 // RATE
        shape = np.ones(n, np.int32), np.full(n, 10**18), np.zeros((n, 2)), np.zeros(n)
        tracks, metrics = SegmentTracks(rng.permutation(ids), *shape, stamp), rng.normal(size=(n, m))
        begin = time.process_time()
        history.update(metrics, tracks, ids)
        found.append((time.process_time() - begin) * 1e3)
    return found[WARM:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=120)
    arguments = parser.parse_args()
    table = Table("segments", "metrics", title="columns over time, CPU ms a frame")
    for head in ("median", "95 %"):
        table.add_column(head, justify="right")
    for n, m in SIZES:
        found = times(n, m, arguments.frames)
        table.add_row(f"{n:,}", str(m), f"{median(found):.2f}", f"{np.percentile(found, 95):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
