"""Times the gradient scores, both maps together: ``python benchmarks/bench_gradient.py``.

Beside them: reading the features once (their sum, by torch), and the straightforward way in torch, which takes the
norms with ``vector_norm`` at the features' resolution and upsamples them. It is not exact at p = 0.1, where float32
overflows. Further tables compare with the embedded network's forward pass and with the float64 reference, and with
``--camvid`` FOLDER tell how well each score finds the pixels that this network gets wrong.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.types import UNLABELLED, Classifier, LogitMaps
from trust_seg_ros.uncertainty import (
    GradientSettings,
    gradient_maps,
    reference_gradients,
    uncertainty_maps,
    warm_up_gradients,
)

Key = TypeVar("Key", bound=Hashable)

NORMS = (0.1, 0.3, 0.5, 1.0, 2.0)
VARIANTS, LABELS = ("exact", "published"), ("onehot", "uniform")
CASES = {  # classes, channels, height and width of the features, height and width of the maps, kernel, channels last
    "1024×2048, 19 classes, 304 features 256×512, kernel 1×1": (19, 304, 256, 512, 1024, 2048, 1, False),
    "the same, features channels last": (19, 304, 256, 512, 1024, 2048, 1, True),
    "the same, kernel 3×3": (19, 304, 256, 512, 1024, 2048, 3, False),
    "360×480, 11 classes, 64 features 104×136, channels last": (11, 64, 104, 136, 360, 480, 1, True),
}


def answer(q: int, d: int, h: int, w: int, height: int, width: int, side: int, last: bool) -> LogitMaps:
    """Logits and rectified features at random."""
    make = torch.Generator().manual_seed(0)
    logits, features = torch.randn(q, h, w, generator=make) * 4, torch.randn(d, h, w, generator=make).relu_()
    if last:
        logits, features = (t.permute(1, 2, 0).contiguous().permute(2, 0, 1) for t in (logits, features))
    classifier = Classifier(torch.zeros(q, d, side, side), torch.zeros(q))
    return LogitMaps(logits, (height, width), features=features, classifier=classifier)


def straightforward(maps: LogitMaps, p: float) -> torch.Tensor:
    """Both maps as one would write them down; kernels of 1×1 and 3×3."""
    f = maps.logits.softmax(0)
    onehot = functional.one_hot(maps.logits.argmax(0), len(f)).permute(2, 0, 1)
    sums = maps.features.abs().pow(p).sum(0, keepdim=True)
    if maps.classifier.weight.shape[-1] == 3:
        sums = functional.avg_pool2d(sums, 3, 1, 1, divisor_override=1)
    patch = (sums + 1.0).pow(1 / p)
    factors = [torch.linalg.vector_norm(f - y, p, dim=0, keepdim=True) for y in (onehot, 1.0 / len(f))]
    return functional.interpolate((torch.cat(factors) * patch)[None], maps.size, mode="bilinear")[0]


def best_ms(jobs: Mapping[Key, Callable[[], object]], seconds: float) -> dict[Key, float]:
    """The shortest call of each job, in rounds of all jobs: other processes only ever add to it, and to all alike."""
    best = dict.fromkeys(jobs, math.inf)
    for work in jobs.values():
        work()
    end, rounds = time.perf_counter() + seconds * len(jobs), 0
    while time.perf_counter() < end or rounds < 3:
        rounds += 1
        for key, work in jobs.items():
            start = time.perf_counter()
            work()
            best[key] = min(best[key], time.perf_counter() - start)
    return {key: value * 1e3 for key, value in best.items()}


def table_of(title: str, columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == "version" else "right")
    return table


def time_case(title: str, shape: tuple[int, ...], threads: int, seconds: float) -> Table:
    maps = answer(*shape)
    several = partial(gradient_maps, maps, threads=threads)
    versions: dict[str, Callable[..., object]] = {
        f"torch, straightforward, {threads} threads": partial(straightforward, maps),
        "compiled, 1 thread": partial(gradient_maps, maps, threads=1),
        f"compiled, {threads} threads": several,
        f"compiled, {threads} threads, published": partial(several, variant="published"),
        f"compiled, {threads} threads, logarithms": partial(several, scale="log"),
    }
    jobs = {(name, p): partial(version, p=p) for name, version in versions.items() for p in NORMS}
    times = best_ms({"read": maps.features.sum, **jobs}, seconds)
    digits = 2 if times["read"] < 1.0 else 1
    table = table_of(f"{title}: ms", ["version", *(f"p = {p:g}" for p in NORMS)])
    table.add_row(f"reading the features once, {threads} threads", *[f"{times['read']:.{digits}f}"] * len(NORMS))
    for name in versions:
        table.add_row(name, *(f"{times[name, p]:.{digits}f}" for p in NORMS))
    return table


def time_network(threads: int, seconds: float) -> Table:
    network = load_network("embedded", device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    maps = network.infer(image)
    jobs = {
        (variant, p): partial(gradient_maps, maps, p=p, variant=variant, threads=threads)
        for variant, p in itertools.product(VARIANTS, NORMS)
    }
    times = best_ms({"forward": partial(network.infer, image), **jobs}, seconds)
    table = table_of(
        f"embedded network, 360×480, {threads} threads: ms",
        ["version", "forward", *(f"p = {p:g}" for p in NORMS), "most, % of forward"],
    )
    for variant in VARIANTS:
        own = [times[variant, p] for p in NORMS]
        share = 100.0 * max(own) / times["forward"]
        table.add_row(f"both maps, {variant}", f"{times['forward']:.1f}", *(f"{t:.2f}" for t in own), f"{share:.1f}")
    return table


def differences() -> Table:
    """Largest relative difference of a norm (that is, of its logarithm) from the float64 reference; (304, 32, 64)."""
    table = table_of(
        "largest difference of a norm from the float64 reference", ["version", *(f"p = {p:g}" for p in NORMS)]
    )
    for variant in VARIANTS:
        rows: dict[str, list[str]] = {"onehot": [], "uniform": []}
        for p in NORMS:
            maps = answer(19, 304, 32, 64, 128, 256, 1, False)
            got = gradient_maps(maps, p=p, variant=variant, scale="log")
            want = reference_gradients(maps, GradientSettings(p, variant, "log"))
            for label, row in rows.items():
                row.append(f"{float((getattr(got, label) - getattr(want, label)).abs().max()):.0e}")
        for label, row in rows.items():
            table.add_row(f"{variant}, {label}", *row)
    return table


def trust_of(root: Path) -> Table:
    """AUROC of finding misclassified pixels on every third image of CamVid test, 4,000 pixels of each."""
    from sklearn.metrics import roc_auc_score

    network, folder = load_network("embedded", device="cpu"), camvid(root, "test")
    wrong: list[np.ndarray] = []
    scores: dict[tuple[str, str, float], list[np.ndarray]] = {}
    dice = np.random.default_rng(0)
    for sample in folder.samples[::3]:
        image, labels = folder.read(sample)
        maps = network.infer(image)
        chosen = dice.choice(np.flatnonzero(labels.reshape(-1) != UNLABELLED), 4000, replace=False)
        wrong.append((uncertainty_maps(maps).classes.numpy() != labels).reshape(-1)[chosen])
        for variant, p in itertools.product(VARIANTS, NORMS):
            found = gradient_maps(maps, p=p, variant=variant, scale="log")
            for label in LABELS:
                scores.setdefault((variant, label, p), []).append(getattr(found, label).reshape(-1)[chosen].numpy())
    table = table_of("AUROC of misclassified pixels, CamVid test", ["version", *(f"p = {p:g}" for p in NORMS)])
    for variant, label in itertools.product(VARIANTS, LABELS):
        rows = (np.concatenate(scores[variant, label, p]) for p in NORMS)
        table.add_row(f"{variant}, {label}", *(f"{roc_auc_score(np.concatenate(wrong), row):.3f}" for row in rows))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each number (default 1)")
    parser.add_argument("--camvid", type=Path, help="folder of CamVid (docs/datasets.md); None = without that table")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for p in (0.3, 0.5, 1.0, 2.0):
        warm_up_gradients(p)
    console = Console(width=120)
    for title, shape in CASES.items():
        console.print(time_case(title, shape, arguments.threads, arguments.seconds))
    console.print(time_network(arguments.threads, arguments.seconds))
    console.print(differences())
    if arguments.camvid:
        console.print(trust_of(arguments.camvid))


if __name__ == "__main__":
    main()
