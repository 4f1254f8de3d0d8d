"""Times fitting, the LASSO path and predicting on segments of the number that Cityscapes val gives.

    python benchmarks/bench_meta.py [--segments 45000] [--classes 19] [--repeat 5] [--threads 1] [--cpu]

The segments are random but shaped like real ones: sizes over five decades, boundaries that grow with the root of the
size, dispersions that depend on size and on a hidden quality, class probabilities that sum to 1, S = S_in + S_bd. A
model is fitted on half of them, as in the published protocol, and a run of it is what evaluating repeats 10 times.
"Gap" is the largest violation of the conditions of optimality along the path, in units of the gradient.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from trust_seg_ros.fitting.fit import fit, fit_linear, fit_logistic, statistics
from trust_seg_ros.fitting.lasso import LassoPath, lasso_path
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.features import chosen_features, design_matrix
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.segments import FEATURE_SETS
from trust_seg_ros.types import SegmentTable

CHOICES = (("E", "none"), ("metaseg", "probabilities"), ("meta_ood", "probabilities"), ("all", "both"))
NODE_SEGMENTS = (100, 2000)


def random_segments(n: int, images: int, q: int, seed: int = 0) -> SegmentData:
    """``n`` segments of ``images`` images with the columns of the set ``all`` for ``q`` classes."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(q, n, p=rng.dirichlet(np.ones(q)))
    quality = rng.normal(size=n) + rng.normal(0, 0.5, q)[classes]
    columns = _sizes(rng, quality)
    for name, level in (("E", 0.35), ("D", 0.45), ("V", 0.3)):
        columns |= _dispersion(rng, name, level, quality, columns)
    columns |= {"row": rng.uniform(0, 1024, n), "column": rng.uniform(0, 2048, n)}
    columns |= _shares(rng, "cprob", classes, 1 - columns["V"], q)
    columns |= _shares(rng, "ndist", rng.integers(0, q, n), rng.uniform(0.3, 1, n), q)
    logit = 3 * (columns["E"] - 0.4) - 0.4 * np.log(columns["S"]) - 0.8 * quality + 0.3
    wrong = rng.random(n) < 1 / (1 + np.exp(-logit))
    iou = np.where(wrong, 0.0, np.clip(0.6 + 0.2 * quality - 0.3 * columns["E"] + rng.normal(0, 0.1, n), 0.01, 1))
    names = FEATURE_SETS["all"].names(q)
    return SegmentData(
        names,
        np.stack([columns[name] for name in names], 1),
        iou * rng.uniform(0.6, 1, n),
        iou,
        classes.astype(np.uint8),
        np.sort(rng.integers(0, images, n)).astype(np.int32),
        tuple(f"image_{k:04d}" for k in range(images)),
        ("",) * images,
        "random",
        tuple(f"class {c}" for c in range(q)),
    )


def _sizes(rng: np.random.Generator, quality: np.ndarray) -> dict[str, np.ndarray]:
    size = np.ceil(np.exp(rng.normal(4.5 + 0.4 * quality, 2.0))) + 8
    boundary = np.minimum(np.ceil(np.sqrt(size) * rng.uniform(3.5, 8, len(size))), size - 1)
    inner = size - boundary
    return {"S": size, "S_in": inner, "S_bd": boundary, "S_rel": size / boundary, "S_in_rel": inner / boundary}


def _dispersion(
    rng: np.random.Generator, name: str, level: float, quality: np.ndarray, columns: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The ten columns of one map; the mean is that of interior and boundary, as by the definition."""
    n = len(quality)
    within = 1 / (1 + np.exp(1.2 * quality + 2.5 - 4 * level + rng.normal(0, 0.3, n)))
    outside = within + (1 - within) * rng.beta(4, 6, n)
    share = columns["S_in"] / columns["S"]
    means = {"": share * within + (1 - share) * outside, "_in": within, "_bd": outside}
    found = {name + part: values for part, values in means.items()}
    found |= {f"{name}{part}_var": means[part] * (1 - means[part]) * rng.beta(2, 6, n) for part in means}
    for part, rel in (("", "S_rel"), ("_in", "S_in_rel")):
        for kind in ("", "_var"):
            found[f"{name}{part}_rel{kind}"] = found[f"{name}{part}{kind}"] * columns[rel]
    return found


def _shares(
    rng: np.random.Generator, name: str, first: np.ndarray, largest: np.ndarray, q: int
) -> dict[str, np.ndarray]:
    """Columns that sum to 1, with ``largest`` for the class ``first``."""
    rest = rng.gamma(0.3, size=(len(first), q)) + 1e-9
    rest[np.arange(len(first)), first] = 0
    rest *= ((1 - largest) / rest.sum(1))[:, None]
    rest[np.arange(len(first)), first] = largest
    return {f"{name}_{c}": rest[:, c] for c in range(q)}


def table_of(data: SegmentData, n: int) -> SegmentTable:
    """The first ``n`` segments as the node sees them."""
    zeros, boxes = np.zeros(n, np.int64), np.zeros((n, 4), np.int32)
    return SegmentTable(
        np.zeros((1, 1), np.int32), data.class_ids[:n], boxes, zeros, zeros, data.names, data.metrics[:n]
    )


def gap(x: np.ndarray, wrong: np.ndarray, path: LassoPath) -> float:
    """Largest violation of the conditions of optimality: |gradient| <= λ, and -λ·sign(w) where w is not 0."""
    p = 0.5 * (1 + np.tanh(0.5 * path.logits(x)))
    gradient, w, penalty = (p - wrong) @ x / len(x), path.coefficients, path.lambdas[:, None]
    metrics = np.where(w != 0, np.abs(gradient + penalty * np.sign(w)), np.maximum(np.abs(gradient) - penalty, 0))
    return float(max(metrics.max(), np.abs((p - wrong).mean(1)).max()))


def timed(work: Callable[[], object], repeat: int, clock: Callable[[], float]) -> str:
    """Smallest and median time in ms; the first call is not counted."""
    work()
    times = []
    for _ in range(repeat):
        begin = clock()
        work()
        times.append((clock() - begin) * 1e3)
    return f"{min(times):.3g} / {median(times):.3g}" if min(times) < 1 else f"{min(times):.0f} / {median(times):.0f}"


def measure(data: SegmentData, choice: str, class_input: str, repeat: int, clock: Callable[[], float]) -> list[str]:
    names = chosen_features(choice, data.names, class_input)
    half = data.rows(np.arange(len(data)) % 2 == 0)
    x, wrong = design_matrix(half, names), half.false_positive
    means, scales = statistics(x)
    x = (x - means) / scales
    model: MetaModel = fit(half, names)
    path = lasso_path(x, wrong)
    works = [lambda: fit_logistic(x, wrong), lambda: fit_linear(x, half.iou_adj), lambda: fit(half, names)]
    cells = [f"{choice}, {class_input}", f"{x.shape[0]:,} × {x.shape[1]}"]
    cells += [timed(work, repeat, clock) for work in (*works, lambda: lasso_path(x, wrong))]
    cells += [f"{gap(x, wrong, path):.0e}", timed(lambda: model.predict(data), repeat, clock)]
    for n in NODE_SEGMENTS:
        table = table_of(data, n)
        cells.append(timed(lambda table=table: model.predict(table), 20 * repeat, clock))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--segments", type=int, default=45_000)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of BLAS (default: %(default)s)")
    parser.add_argument("--cpu", action="store_true", help="time of the processor instead of the clock's")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # a class of few segments is one that metrics tell without error
    clock = time.process_time if arguments.cpu else time.perf_counter
    data = random_segments(arguments.segments, 500, arguments.classes)
    console = Console(width=170)
    title = f"Meta models, {'CPU ' * arguments.cpu}ms (smallest / median of {arguments.repeat}), "
    title += f"{arguments.threads} BLAS threads"
    table = Table(title=f"{title}; {data.false_positive.mean():.0%} of {len(data):,} segments are false positives")
    heads = ("metrics, class input", "fitted on", "logistic", "linear", "fit", "LASSO path, 50 λ", "gap")
    heads += (f"predict {len(data):,}", *(f"predict {n:,}" for n in NODE_SEGMENTS))
    for head in heads:
        table.add_column(head, justify="right")
    with threadpool_limits(arguments.threads):
        for choice in CHOICES:
            table.add_row(*measure(data, *choice, arguments.repeat, clock))
    console.print(table)


if __name__ == "__main__":
    main()
