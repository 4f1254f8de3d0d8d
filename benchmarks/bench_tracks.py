"""What tracking and calm flags add to a frame, beside the segments of the same frames, in one run.

The drawn street at 10 Hz through the embedded network; the default grid. Every step is timed on each frame in turn;
the median and the largest over the drive, and the share of the time that the segments take.

    python benchmarks/bench_tracks.py
    python benchmarks/bench_tracks.py --size 1920x1080 --frames 60
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros import segments
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.pipeline.following import Following
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame

T = TypeVar("T")
HZ = 10
SKIPPED = 5  # frames before the first that counts: everything is warm then


def run(size: tuple[int, int], frames: int, repeat: int) -> Table:
    """Time the steps on images of ``size`` (H, W)."""
    pipeline, settings = TrustPipeline.load(PipelineSettings()), ThresholdSettings()
    limit = pipeline.resolved(settings)
    drive = SyntheticDrive(DriveSettings(size=size, fps=HZ, seed=5))
    following = Following(TrackingSettings(on=True))
    times: dict[str, list[float]] = {}

    def timed(step: str, call: Callable[[], T], fresh: Callable[[], None] = lambda: None) -> T:
        best = float("inf")
        for _ in range(repeat):
            fresh()
            start = time.perf_counter()
            found = call()
            best = min(best, time.perf_counter() - start)
        times.setdefault(step, []).append(1e3 * best)
        return found

    for k in range(frames + SKIPPED):
        picture = drive.frame(k).image
        frame = Frame(picture, 10**9 + k * 10**9 // HZ)
        answer = pipeline.infer(picture)
        result = pipeline.with_answer(frame, answer, settings)
        maps, state = result.on_grid.maps, following.state()

        def again(state: object = state) -> None:
            following.load_state(state)  # every repetition goes on from the frame before

        table = timed("segments and metrics", lambda m=maps, a=answer: pipeline.segment_table(m, a))
        tracks = timed("tracks of segments", lambda t=table, f=frame: following.segments(t, f), again)
        found = segments.ood_segments(maps.entropy, limit.ood.value, settings.ood_min_size)
        timed("tracks of OoD segments", lambda o=found, f=frame: following.ood(o, f), again)
        again()
        following.segments(table, frame)
        following.ood(found, frame)
        p = result.trust.p_wrong if result.trust is not None else np.zeros(len(table))

        def calm(t: object = tracks, p: np.ndarray = p) -> None:
            values, _ = following.wrong(t, p, 0.5)
            following.remember(values >= 0.5)

        timed("evidence over time", calm)
    shown = Table(title=f"{size[1]}x{size[0]}, grid {table.ids.shape[1]}x{table.ids.shape[0]}, ms")
    for column in ("step", "median", "largest", "of the segments' time"):
        shown.add_column(column, justify="left" if column == "step" else "right")
    whole = statistics.median(times["segments and metrics"][SKIPPED:])
    for step, values in times.items():
        kept = values[SKIPPED:]
        shown.add_row(
            step, f"{statistics.median(kept):.2f}", f"{max(kept):.2f}", f"{statistics.median(kept) / whole:.0%}"
        )
    return shown


def main() -> None:
    """Run with the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT of the images (480x360)")
    parser.add_argument("--frames", type=int, default=40, help="frames that count (40)")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions on each frame, of which the best counts (5)")
    options = parser.parse_args()
    width, height = (int(part) for part in options.size.split("x"))
    Console(width=100).print(run((height, width), options.frames, options.repeat))


if __name__ == "__main__":
    main()
