"""Times thresholds of score maps, threshold and flags, against NumPy: ``python benchmarks/bench_thresholds.py``.

Every version takes its turn in rounds, so that other processes slow all alike; the ratio is that of the smallest times.
NumPy's way: ``partition`` of the finite scores, ``mean`` and ``std`` in float64, ``histogram`` with running sums, a
look-up table of the classes; then a comparison. What both flag is the same, but for rounding in mean and deviation.

The maps: like an entropy (most of it near 0, smooth, as a network gives it), noise of a normal distribution, and a
constant one, where neighbours always fall into the same bin.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.thresholds.engine import ThresholdEngine
from trust_seg_ros.thresholds.flags import ClassThresholds, flags, flags_by_class
from trust_seg_ros.thresholds.policies import Fixed, MeanStd, Otsu, Policy, PolicySettings, Quantile, resolve
from trust_seg_ros.thresholds.policy_fast import best_split
from trust_seg_ros.thresholds.regions import RegionThresholds, flags_by_region, region_ids
from trust_seg_ros.thresholds.warm import warm_up

POLICIES: dict[str, Policy] = {
    "fixed": Fixed(0.6),
    "quantile": Quantile(0.95),
    "mean_std": MeanStd(2.0),
    "otsu": Otsu(),
}
Way = Callable[[], np.ndarray]


def score_maps(size: tuple[int, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(size).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 12) + 0.1 * cv2.GaussianBlur(noise, (0, 0), 2)
    smooth /= smooth.std()
    entropy = np.exp(2 * smooth - 4).clip(0, 1)
    return {"like an entropy": entropy, "normal noise": noise, "constant": np.full(size, 0.3, np.float32)}


def numpy_threshold(policy: Policy, score: np.ndarray) -> float:
    """As one would write it down."""
    if isinstance(policy, Fixed):
        return policy.value
    values = score[np.isfinite(score)]
    if isinstance(policy, Quantile):
        place = math.ceil(policy.quantile * values.size) - 1
        return float(np.nextafter(np.partition(values, place)[place], np.float32(np.inf)))
    if isinstance(policy, MeanStd):
        return float(values.mean(dtype=np.float64) + policy.k * values.std(dtype=np.float64))
    counts, edges = np.histogram(values, 256)
    split = best_split(counts) if np.count_nonzero(counts) > 1 else 256
    return float(edges[int(split)])


def ways(score: np.ndarray, classes: np.ndarray, threads: int) -> dict[str, tuple[Way, Way]]:
    """Name -> (NumPy, ours)."""
    found: dict[str, tuple[Way, Way]] = {}
    for name, policy in POLICIES.items():
        found[name] = (
            partial(lambda p: score >= np.float32(numpy_threshold(p, score)), policy),
            partial(lambda p: flags(score, resolve(p, score, classes=classes, threads=threads), classes), policy),
        )
    values = np.linspace(0.1, 0.9, 19)
    table = np.append(values, np.zeros(256 - 19)).astype(np.float32)
    by_class = ClassThresholds(values, 0.5)
    found["per class"] = (
        lambda: score >= table[classes],
        lambda: flags_by_class(score, classes, by_class, threads=threads),
    )
    by_region = RegionThresholds(np.linspace(0.1, 0.9, 9).reshape(3, 3), 0.5)
    limits, regions = by_region.table().ravel().astype(np.float32), region_ids((score.shape[0], score.shape[1]))
    found["per region"] = (
        lambda: score >= limits[regions],
        lambda: flags_by_region(score, by_region, classes, threads=threads),
    )
    shifted = ThresholdEngine(PolicySettings("fixed", on_shift="conservative", smoothing_s=1.0))

    def conservative() -> np.ndarray:
        return shifted.update(score, 1.0, classes=classes, shifted=True, threads=threads).flags(score, classes)

    quantile = POLICIES["quantile"]
    found["conservative, shifted"] = (
        lambda: score >= np.float32(min(0.6, numpy_threshold(quantile, score))),
        conservative,
    )
    return found


def times_ms(jobs: Mapping[tuple[str, int], Way], seconds: float) -> dict[tuple[str, int], tuple[float, float]]:
    """Smallest and median time of each job, in rounds of all."""
    times: dict[tuple[str, int], list[float]] = {key: [] for key in jobs}
    for work in jobs.values():
        work()
    end, rounds = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or rounds < 5:
        rounds += 1
        for key, work in jobs.items():
            start = time.perf_counter()
            work()
            times[key].append((time.perf_counter() - start) * 1e3)
    return {key: (min(found), statistics.median(found)) for key, found in times.items()}


def run_case(title: str, score: np.ndarray, threads: int, seconds: float) -> Table:
    # in patches, as a prediction has them
    patches = np.random.default_rng(1).integers(0, 19, (score.shape[0] // 32 + 1, score.shape[1] // 32 + 1), np.uint8)
    classes = np.kron(patches, np.ones((32, 32), np.uint8))[: score.shape[0], : score.shape[1]].copy()
    pairs = ways(score, classes, threads)
    table = Table(title=title, title_justify="left")
    for column in (
        "threshold and flags",
        "NumPy, ms",
        f"{threads} threads, ms",
        "median ms",
        "ratio",
        "flagged",
        "differ",
    ):
        table.add_column(column, justify="left" if column == "threshold and flags" else "right")
    found = times_ms({(name, k): pair[k] for name, pair in pairs.items() for k in (0, 1)}, seconds)
    for name, (plain, ours) in pairs.items():
        before, (best, median) = found[name, 0][0], found[name, 1]
        differ, share = np.count_nonzero(plain() != ours()), ours().mean()
        cells = [f"{before:.2f}", f"{best:.2f}", f"{median:.2f}", f"{before / best:.1f}", f"{share:.2%}", f"{differ}"]
        table.add_row(name, *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of the compiled versions (default 2)")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each map (default 4)")
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("ROWS", "COLUMNS"))
    arguments = parser.parse_args()
    warm_up()
    console = Console(width=110)
    rows, columns = arguments.size
    for name, score in score_maps((rows, columns)).items():
        title = f"{rows}×{columns}, {name}"
        console.print(run_case(title, score, arguments.threads, arguments.seconds))
    console.print(f"NumPy {np.__version__}; load of the machine {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
