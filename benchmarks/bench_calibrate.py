"""Times calibration: ``python benchmarks/bench_calibrate.py``; made-up answers, so that no network is in the way.

Per image: class statistics, the sample for the temperature, the curves of a score; the standardised max logit, compiled
and from its definition. Once: the temperature of the whole sample, writing and reading the file.

    python benchmarks/bench_calibrate.py
    python benchmarks/bench_calibrate.py --size 1920x1080 --classes 19 --repeat 20
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.fitting.calibrate import Calibrator
from trust_seg_ros.thresholds.calibration import load_calibration
from trust_seg_ros.thresholds.temperature import LogitSample
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import max_logit, uncertainty_maps
from trust_seg_ros.uncertainty.standardized import (
    StatisticsBuilder,
    reference_standardized_max_logit,
    standardized_max_logit,
)


def answer(size: tuple[int, int], q: int, seed: int) -> tuple[LogitMaps, np.ndarray]:
    """Smooth random logits at a quarter of the size, and labels that differ where the softmax is unsure."""
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.normal(0.0, 3.0, (1, q, size[0] // 32 + 2, size[1] // 32 + 2)).astype(np.float32))
    logits = torch.nn.functional.interpolate(small, (size[0] // 4, size[1] // 4), mode="bilinear")[0]
    maps = LogitMaps(logits, size)
    found = uncertainty_maps(maps)
    truth = found.classes.numpy().copy()
    wrong = rng.random(size, np.float32) < 0.5 * found.entropy.numpy()
    truth[wrong] = (truth[wrong] + 1) % q
    return maps, truth


def run(size: tuple[int, int], q: int, repeat: int) -> Table:
    """The table for images of one size (H, W)."""
    examples = [answer(size, q, seed) for seed in range(4)]
    maps = [uncertainty_maps(example[0]) for example in examples]
    table = Table(title=f"{size[1]}x{size[0]}, {q} classes, {torch.get_num_threads()} torch threads, ms")
    for column in ("step", "median", "largest"):
        table.add_column(column, justify="left" if column == "step" else "right")

    def row(name: str, call: Callable[[int], object], times: int = repeat) -> None:
        taken = []
        for n in range(times + 1):
            start = time.perf_counter()
            call(n % len(examples))
            taken.append(1e3 * (time.perf_counter() - start))
        table.add_row(name, f"{statistics.median(taken[1:]):.2f}", f"{max(taken[1:]):.2f}")

    builder, sample = StatisticsBuilder(q), LogitSample()
    row("class statistics of an image", lambda n: builder.add(examples[n][0], maps[n].classes))
    known = builder.statistics()
    row("max logit", lambda n: max_logit(examples[n][0]))
    row("standardised max logit", lambda n: standardized_max_logit(examples[n][0], maps[n].classes, known))
    row(
        "standardised max logit, from its definition",
        lambda n: reference_standardized_max_logit(examples[n][0], maps[n].classes, known),
        min(repeat, 5),
    )
    row("2,000 logits of an image for the temperature", lambda n: sample.add(*examples[n]))
    names = tuple(f"class {k}" for k in range(q))
    for scores in (("entropy",), ("entropy", "margin"), ("energy",)):
        calibrator = Calibrator("made up", names, scores)
        text = f"all of an image, with curves of {' and '.join(scores)}"
        row(text, lambda n, c=calibrator: c.add(examples[n][0], maps[n], examples[n][1]), max(repeat, 10))
    for _ in range(200 - sample.temperature().pixels // 2000):
        sample.add(*examples[0])
    row(f"temperature of {len(sample):,} pixels", lambda n: sample.temperature(), 2)
    found = calibrator.result()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.json"
        row("writing the file", lambda n: found.save(path), 5)
        row(f"reading the file ({path.stat().st_size / 1e3:.0f} kB)", lambda n: load_calibration(path), 5)
    return table


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="2048x1024", help="WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--classes", type=int, default=19, help="default: %(default)s")
    parser.add_argument("--repeat", type=int, default=15, help="images per step (default: %(default)s)")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    Console().print(run((height, width), args.classes, args.repeat))


if __name__ == "__main__":
    main()
