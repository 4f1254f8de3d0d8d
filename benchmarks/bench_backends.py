"""The embedded network on each library, in turns, alone and beside a busy neighbour.

    python benchmarks/bench_backends.py [--rounds 60]

One frame of 480x360 a turn: the network alone, and everything that the node computes for it. Only ratios within one run
mean something: machines differ, and so does what else runs there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable

import numpy as np

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.types import Frame


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, metavar="N", help="turns of each library (default: 60)")
    args = parser.parse_args()
    image = training_sample(3, (360, 480))[0]
    names = ["torch", *(name for name, row in RUNTIMES.items() if row.there)]
    loaded, start = {}, {}
    for name in names:
        begin = time.perf_counter()
        loaded[name] = TrustPipeline.load(PipelineSettings(device="cpu", backend=name))
        loaded[name].warm_up((360, 480))
        start[name] = time.perf_counter() - begin
    print("| beside | part | " + " | ".join(f"{name}, ms" for name in names) + " | " + _ratios(names) + " |")
    print("|---|---|" + "---:|" * (2 * len(names) - 1))
    for neighbours in (0, 1, 2):
        busy = [multiprocessing.Process(target=_work, daemon=True) for _ in range(neighbours)]
        for process in busy:
            process.start()
        parts: dict[str, dict[str, Callable[[], object]]] = {
            "network": {name: lambda p=p: p.infer(image) for name, p in loaded.items()},
            "whole frame": {name: lambda p=p: p(Frame(image)) for name, p in loaded.items()},
        }
        for part, calls in parts.items():
            medians = _in_turns(calls, args.rounds)
            times = " | ".join(f"{medians[name]:.1f}" for name in names)
            gains = " | ".join(f"{medians['torch'] / medians[name]:.2f}" for name in names[1:])
            print(f"| {neighbours} busy processes | {part} | {times} | {gains} |", flush=True)
        for process in busy:
            process.terminate()
    print("start, with warm-up: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in start.items()))


def _ratios(names: list[str]) -> str:
    return " | ".join(f"torch / {name}" for name in names[1:])


def _in_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 2):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if turn >= 2:
                times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values)) * 1e3 for name, values in times.items()}


def _work() -> None:
    """A neighbour that takes one core."""
    values = np.random.default_rng(0).normal(size=(200, 200))
    while True:
        values = np.tanh(values @ values.T / 200)


if __name__ == "__main__":
    main()
