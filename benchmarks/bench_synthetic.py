"""Times the synthetic drive on one core: frames per second by size and weather, and training samples.

    python benchmarks/bench_synthetic.py [--frames 15] [--seeds 3] [--ground]

Frames are taken two seconds apart, so that every one shows another piece of street; making that street is part of
the time, drawing the cut-outs and textures that a process keeps is not (the first line says what that takes).
Processor seconds are counted, not wall time, so other work on the machine hardly shows.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.synthetic import WEATHERS, DriveSettings, GroundSettings, SyntheticDrive, training_sample

SIZES = ((240, 320), (360, 480), (384, 640), (540, 960), (720, 1280), (1080, 1920))
CAMERAS = (("pinhole", 60.0), ("pinhole", 90.0), ("fisheye", 120.0))
GROUND_SIZE = (360, 480)
GOAL_SIZE, GOAL_FPS = (384, 640), 20.0


def drive_fps(size: tuple[int, int], weather: str, seeds: int, frames: int) -> list[float]:
    """Frames per second of each seed."""
    rates = []
    for seed in range(seeds):
        drive = SyntheticDrive(DriveSettings(size=size, seed=seed, weather=weather))
        drive.frame(0)
        start = time.process_time()
        for i in range(frames):
            drive.frame(40 * i)
        rates.append(frames / (time.process_time() - start))
    return rates


def ground_ms(ground: GroundSettings | None, seeds: int, frames: int) -> list[float]:
    """Milliseconds of each frame with exact geometry; None = without."""
    found = []
    for seed in range(seeds):
        drive = SyntheticDrive(DriveSettings(size=GROUND_SIZE, seed=seed, objects=True, ground=ground))
        drive.frame(0)
        for i in range(frames):
            start = time.process_time()
            drive.frame(40 * i)
            found.append(1e3 * (time.process_time() - start))
    return found


def sample_fps(size: tuple[int, int], samples: int) -> float:
    """Training samples per second, each another street."""
    start = time.process_time()
    for seed in range(samples):
        training_sample(10_000 + seed, size)
    return samples / (time.process_time() - start)


def _ground(console: Console, options: argparse.Namespace) -> None:
    table = Table(title=f"Frames of {GROUND_SIZE[1]}×{GROUND_SIZE[0]} with exact geometry, milliseconds on one core")
    for column in ("camera", "median", "95 %", "slowest"):
        table.add_column(column, justify="left" if column == "camera" else "right")
    for lens, degrees in ((None, 0.0), *CAMERAS):
        ground = None if lens is None else GroundSettings(lens=lens, fov_deg=degrees, slope=0.05, sway=True)
        times = ground_ms(ground, options.seeds, options.frames)
        cells = (f"{value:.0f}" for value in (np.median(times), np.percentile(times, 95), max(times)))
        table.add_row("without exact geometry" if lens is None else f"{lens} {degrees:.0f}°", *cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=15, help="frames per seed and weather")
    parser.add_argument("--seeds", type=int, default=3, help="streets per weather")
    parser.add_argument("--ground", action="store_true", help="only frames with exact geometry")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    console = Console()
    if options.ground:
        _ground(console, options)
        return

    start = time.process_time()
    for seed in range(60):
        training_sample(seed, unknowns=None)
    console.print(f"first 60 samples, with what a process keeps: {time.process_time() - start:.1f} s")

    table = Table(title="Synthetic drive, frames per second on one core (slowest … fastest street)")
    table.add_column("size")
    for weather in WEATHERS:
        table.add_column(weather, justify="right")
    table.add_column("training samples", justify="right")
    slowest = float("inf")
    for size in SIZES:
        frames = max(3, options.frames * 384 * 640 // max(size[0] * size[1], 384 * 640))
        cells = []
        for weather in WEATHERS:
            rates = drive_fps(size, weather, options.seeds, frames)
            cells.append(f"{min(rates):.0f} … {max(rates):.0f}")
            slowest = min(slowest, *rates) if size == GOAL_SIZE else slowest
        table.add_row(f"{size[1]}×{size[0]}", *cells, f"{sample_fps(size, frames):.0f}")
    console.print(table)
    console.print(f"slowest at 640×384: {slowest:.1f} frames/s = {slowest / GOAL_FPS:.1f} × the {GOAL_FPS:.0f} wanted")


if __name__ == "__main__":
    main()
