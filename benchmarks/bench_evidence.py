"""What a replay adds to every frame besides the pipeline: rows of its tables, numbers, sums, objects, pictures.

    OMP_NUM_THREADS=1 python benchmarks/bench_evidence.py [--frames 40] [--size 360 480] [--rows 1000000]

Frames of the synthetic drive with unknown objects, one thread. Milliseconds per frame, median of passes over all
frames; tables of the rows of these frames again and again. ``--rows`` are joined from parts, with the peak of memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.replay import frame_highlights, frame_numbers, segment_rows
from trust_seg_ros.recordings.replay.segment_tables import SegmentTableWriter, merge_tables
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.types import Frame, TrustFrame

PASSES = 9


def results(size: tuple[int, int], count: int) -> tuple[tuple[str, ...], list[TrustFrame], np.ndarray]:
    """Class names, frames and palette."""
    pipeline = TrustPipeline.load(PipelineSettings(device="cpu", threads=1))
    pipeline.warm_up(size)
    drive = SyntheticDrive(DriveSettings(size=size, seed=3, unknown_rate=4.0))
    frames = [Frame(np.ascontiguousarray(drive.frame(8 * i).image), stamp_ns=i) for i in range(count)]
    return tuple(pipeline.labels.names), [pipeline(frame) for frame in frames], pipeline.labels.palette


def milliseconds(work: Callable[[TrustFrame], object], frames: list[TrustFrame]) -> float:
    """Median per frame."""
    work(frames[0])
    times = []
    for _ in range(PASSES):
        start = time.perf_counter()
        for frame in frames:
            work(frame)
        times.append(1e3 * (time.perf_counter() - start) / len(frames))
    return float(np.median(times))


def joined(rows: list[dict[str, np.ndarray]], total: int, folder: Path) -> tuple[float, float, float, float]:
    """Seconds to write and to join ``total`` rows in ten parts, MiB that joining added to the peak, MiB of the file."""
    parts = [folder / f"{k}.parquet" for k in range(10)]
    start = time.perf_counter()
    for part in parts:
        with SegmentTableWriter(part, {}) as table:
            written = 0
            while written < total // len(parts):
                for frame in rows:
                    table.add(frame)
                    written += len(frame["id"])
    middle, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    merge_tables(parts, folder / "all.parquet")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = (folder / "all.parquet").stat().st_size / 2**20
    return middle - start, time.perf_counter() - middle, (after - before) / 1024, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=40, help="different frames")
    parser.add_argument("--size", type=int, nargs=2, default=(360, 480), help="height and width")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of segments to join")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    names, frames, palette = results(tuple(options.size), options.frames)
    q, look = len(names), MessageOptions(names, palette)
    kept = np.mean([frame.ood.kept.sum() for frame in frames])
    works: dict[str, Callable[[TrustFrame], object]] = {
        "segment_rows": lambda f: segment_rows.segment_rows(f, names, "/camera", 1),
        "frame_numbers": lambda f: frame_numbers.frame_numbers(f, f.maps.entropy.numpy()),
        "class_sums": lambda f: frame_numbers.class_sums(f, q),
        "ood_objects without crops": lambda f: frame_highlights.ood_objects(f, names, "/camera", 1, 0, with_crop=False),
        f"ood_objects, {kept:.1f} crops a frame": lambda f: frame_highlights.ood_objects(f, names, "/camera", 1, 0),
        "frame_picture, few frames only": lambda f: frame_highlights.frame_picture(Rendering(f, look), "/camera", 1),
    }
    table = Table(
        title=f"{options.size[1]} x {options.size[0]}, {np.mean([len(f.segments) for f in frames]):.0f} segments"
    )
    table.add_column("step")
    table.add_column("ms a frame", justify="right")
    for name, work in works.items():
        table.add_row(name, f"{milliseconds(work, frames):.3f}")
    rows = [segment_rows.segment_rows(frame, names, "/camera", 1) for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        write_s, join_s, extra, size = joined(rows, options.rows, Path(folder))
    count = options.rows / np.mean([len(r["id"]) for r in rows])
    table.add_row("SegmentTableWriter", f"{1e3 * write_s / count:.3f}")
    table.add_row("merge_tables", f"{1e3 * join_s / count:.3f}")
    console = Console()
    console.print(table)
    console.print(
        f"{options.rows} rows of {len(rows[0])} columns: {size:.1f} MiB, joined in {join_s:.1f} s with "
        f"{extra:.0f} MiB more memory than writing a part"
    )


if __name__ == "__main__":
    main()
