"""Times what calibration and the shift monitor do per image, against NumPy: ``python benchmarks/bench_curves.py``.

One thread. NumPy's way of a curve: ``searchsorted`` of the wrong pixels in the grid and ``bincount``; same counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.evaluation.trust.conformal_simulation import conformal_simulation
from trust_seg_ros.fitting.curve_builder import UNIT_GRID, CurveBuilder, quantile_grid
from trust_seg_ros.fitting.segment_risk import segment_risk_curve
from trust_seg_ros.thresholds.frame_statistics import frame_mean
from trust_seg_ros.thresholds.shift import ShiftMonitor
from trust_seg_ros.thresholds.shift_statistic import ShiftReference


def numpy_loss(score: np.ndarray, wrong: np.ndarray, valid: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """As one would write it down, for scores without NaN."""
    bins = np.bincount(np.searchsorted(grid, score[wrong & valid], side="right"), minlength=len(grid) + 1)
    return np.cumsum(bins)[:-1] / max(bins.sum(), 1)


def times_ms(*jobs: Callable[[], object], seconds: float = 2.0) -> list[tuple[float, float]]:
    """Smallest and median time of each, in turns."""
    found: list[list[float]] = [[] for _ in jobs]
    for job in jobs:
        job()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found[0]) < 5:
        for job, times in zip(jobs, found, strict=True):
            start = time.perf_counter()
            job()
            times.append(1e3 * (time.perf_counter() - start))
    return [(min(times), statistics.median(times)) for times in found]


def curves(size: tuple[int, int], seconds: float) -> Table:
    """Adding one image to the curves of a score."""
    rng = np.random.default_rng(0)
    score = rng.beta(0.5, 3.0, size).astype(np.float32)
    valid, classes = rng.random(size) < 0.95, rng.integers(0, 19, size).astype(np.uint8)
    table = Table(title=f"{size[0]}×{size[1]}, one image added, ms", title_justify="left")
    for column in (
        "wrong pixels",
        "grid",
        "NumPy",
        "compiled",
        "median",
        "ratio",
        "with 19 classes",
        "largest difference",
    ):
        table.add_column(column, justify="left" if column == "grid" else "right")
    for share in (0.05, 0.1, 0.3, 1.0):
        wrong = rng.random(size) < share
        for name, grid in (("even, 1,025", UNIT_GRID), ("quantiles, 1,025", quantile_grid(score))):
            plain, by_class = CurveBuilder(grid), CurveBuilder(grid, 19)
            found = times_ms(
                lambda w=wrong, g=grid: numpy_loss(score, w, valid, g),
                lambda b=plain, w=wrong: b.add(score, w, valid),
                lambda b=by_class, w=wrong: b.add(score, w, valid, classes),
                seconds=seconds,
            )
            (before, _), (best, median), (with_classes, _) = found
            error = np.abs(plain.add(score, wrong, valid) - numpy_loss(score, wrong, valid, grid)).max()
            cells = [f"{share:.0%}", name, f"{before:.1f}", f"{best:.2f}", f"{median:.2f}", f"{before / best:.1f}"]
            table.add_row(*cells, f"{with_classes:.2f}", f"{error:.0e}")
    return table


def others(size: tuple[int, int], seconds: float) -> Table:
    """The rest."""
    rng = np.random.default_rng(1)
    score = rng.random(size, np.float32)
    monitor = ShiftMonitor({"entropy": ShiftReference(rng.normal(0.1, 0.02, 400))})
    stamps = iter(np.arange(1, 10_000_000) * 0.1)
    p_wrong, image = rng.random(40_000), rng.integers(0, 400, 40_000)
    wrong, losses = rng.random(40_000) < 0.3, np.sort(rng.random((400, 1025)), axis=1)
    jobs: dict[str, Callable[[], object]] = {
        f"mean of a frame, {size[0]}×{size[1]}": lambda: frame_mean(score),
        "shift monitor, a frame into a window of 300": lambda: monitor.update("entropy", 0.1, next(stamps)),
        "risk curve of 40,000 segments": lambda: segment_risk_curve(p_wrong, wrong, image, 400),
        "1,000 splits of 400 images, 1,025 thresholds, 4 alphas": lambda: conformal_simulation(
            losses, UNIT_GRID, [0.01, 0.05, 0.1, 0.2]
        ),
    }
    table = Table("work", title="Other work, ms", title_justify="left")
    for column in ("smallest", "median"):
        table.add_column(column, justify="right")
    for name, job in jobs.items():
        ((best, median),) = times_ms(job, seconds=seconds)
        table.add_row(name, f"{best:.3g}", f"{median:.3g}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each comparison (default 1)")
    arguments = parser.parse_args()
    console, size = Console(width=120), tuple(arguments.size)
    console.print(curves(size, arguments.seconds))
    console.print(others(size, arguments.seconds))
    console.print(f"NumPy {np.__version__}; load of the machine {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
