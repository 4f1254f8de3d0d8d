"""Times perturbation scores: ``python benchmarks/bench_perturbation.py``.

First the sums over passes alone, compiled against the straightforward torch path (interpolate, log_softmax, exp, add
up, one_hot), per pass. Then whole scores of the embedded network with K passes beside one pass of it. Smallest of
repeated times; the ways take turns, so that other processes slow all alike.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from trust_seg_ros.segmentation import load_network
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.perturbation import pass_cost, perturbation_score, predicted_ms
from trust_seg_ros.uncertainty.perturbation_passes import add_noise
from trust_seg_ros.uncertainty.perturbation_settings import KINDS, STATISTICS, PerturbationSettings
from trust_seg_ros.uncertainty.perturbation_sums import PassSums

CASES = (((360, 480), (104, 136), 11), ((360, 480), (90, 120), 11), ((1024, 2048), (256, 512), 19))


def torch_sums(passes: list[LogitMaps]) -> dict[str, torch.Tensor]:
    """As one would write it down, streaming."""
    total = entropy = votes = 0
    for maps in passes:
        logits = F.interpolate(maps.logits[None], size=maps.size, mode="bilinear", align_corners=False)[0]
        log_f = logits.log_softmax(0)
        f = log_f.exp()
        total, entropy = total + f, entropy - (f * log_f).sum(0)
        votes = votes + F.one_hot(logits.argmax(0), len(logits)).permute(2, 0, 1)
    k, q = len(passes), len(total)
    mean = total / k
    predictive = -(mean * mean.clamp_min(1e-38).log()).sum(0)
    return {
        "entropy": predictive / math.log(q),
        "mutual_information": (predictive - entropy / k) / math.log(q),
        "vote_variation": 1 - votes.amax(0) / k,
    }


def compiled_sums(passes: list[LogitMaps], statistics: tuple[str, ...]) -> dict[str, torch.Tensor]:
    sums = PassSums(statistics)
    for maps in passes:
        sums.add(maps)
    return sums.statistics()


def best(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Name -> smallest time in ms."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: min(values[1:]) for name, values in times.items()}


def bench_sums(console: Console, rounds: int) -> None:
    k = 4
    table = Table("image", "logits", "torch", "compiled, all three", "entropy only", title=f"ms per pass, K = {k}")
    for size, low, q in CASES:
        generator = torch.Generator().manual_seed(0)
        passes = [LogitMaps(4 * torch.randn(q, *low, generator=generator), size) for _ in range(k)]
        ways: dict[str, Callable[[], object]] = {
            "torch": lambda p=passes: torch_sums(p),
            "all": lambda p=passes: compiled_sums(p, STATISTICS),
            "entropy": lambda p=passes: compiled_sums(p, ("entropy",)),
        }
        found = best(ways, rounds)
        shown = [f"{found[name] / k:.2f}" for name in ways]
        table.add_row(f"{size[0]}x{size[1]}", f"{q}x{low[0]}x{low[1]}", *shown)
    console.print(table)


def bench_scores(console: Console, rounds: int, k: int) -> None:
    network = load_network()
    image = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    settings = {kind: PerturbationSettings(kind, passes=k) for kind in KINDS}
    ways: dict[str, Callable[[], object]] = {"one pass": lambda: network.infer(image)}
    ways["noise of a pass"] = lambda: add_noise(image, 4.0, 0)
    ways |= {kind: lambda s=s: perturbation_score(network, image, s) for kind, s in settings.items()}
    answer = network.infer(image)
    ways["mc_dropout, answer given"] = lambda: perturbation_score(network, image, settings["mc_dropout"], answer=answer)
    found = best(ways, rounds)
    table = Table("", "ms", "predicted", title=f"embedded network, 360x480, K = {k}")
    for name, value in found.items():
        known = settings.get(name)
        cost = None if known is None else pass_cost(network, known)
        said = "" if cost is None else f"{predicted_ms(found['one pass'], k, cost=cost):.0f} with the frame's own pass"
        table.add_row(name, f"{value:.1f}", said)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--passes", type=int, default=8)
    args = parser.parse_args()
    console = Console()
    bench_sums(console, args.rounds)
    bench_scores(console, max(2, args.rounds // 2), args.passes)


if __name__ == "__main__":
    main()
