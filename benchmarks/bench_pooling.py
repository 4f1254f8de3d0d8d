"""Memory, time and error of pooling pixel scores: ``python benchmarks/bench_pooling.py [--images 1000]``.

Made-up score maps of 2 MP with about 1 % anomalies: 16 drawn once, and shifted a little for every image.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from trust_seg_ros.evaluation.anomaly.curves import average_precision, fpr_at_tpr
from trust_seg_ros.evaluation.anomaly.pooling import BoundedScores, pooled_scores

SIZE = (1024, 2048)
Image = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Two tables: the pool of ``trust-seg benchmark`` over many images, and errors against exact curves over few."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000, help="of 2 MP (default: %(default)s)")
    parser.add_argument("--few", type=int, default=12, help="images for the errors (default: %(default)s)")
    args = parser.parse_args()
    images = drawn(np.random.default_rng(0), 16)
    shifts = np.random.default_rng(1).normal(0.0, 0.02, args.images).astype(np.float32)
    before = memory()
    pool, started = BoundedScores(12_000_000), time.perf_counter()
    for number, shift in enumerate(shifts):
        score, truth = images[number % len(images)]
        pool.add(score + shift, truth)
    counts = pool.counts()
    seconds = time.perf_counter() - started
    print(
        f"{args.images} images of {SIZE[1]}x{SIZE[0]}: {seconds:.0f} s, {1e3 * seconds / args.images:.0f} ms each, "
        f"peak {memory()} MiB, {memory() - before} MiB of it since the images were drawn; "
        f"AuPRC {100 * average_precision(counts):.2f} %"
    )
    print("\n| pool | AuPRC, % | off by | FPR95, % | off by |\n|---|---|---|---|---|")
    exact = None
    for method in ("exact", "histogram", "binned"):
        few = pooled_scores(method)
        for number in range(args.few):
            score, truth = images[number % len(images)]
            few.add(score + shifts[number % len(shifts)], truth)
        counts = few.counts()
        found = np.array([average_precision(counts), fpr_at_tpr(counts)])
        exact = found if exact is None else exact
        (ap, fpr), (ap_off, fpr_off) = 100 * found, np.abs(found - exact)
        print(f"| {method} | {ap:.3f} | {ap_off:.1e} | {fpr:.3f} | {fpr_off:.1e} |")


def drawn(rng: np.random.Generator, count: int) -> list[Image]:
    """Entropy-like maps in [0, 1], higher in one rectangle."""
    found = []
    for _ in range(count):
        score = rng.beta(0.4, 3.0, SIZE).astype(np.float32)
        truth = np.zeros(SIZE, np.uint8)
        top, left = rng.integers(0, SIZE[0] - 128), rng.integers(0, SIZE[1] - 160)
        place = (slice(top, top + 128), slice(left, left + 160))
        truth[place] = 1
        score[place] = rng.beta(2.0, 1.5, (128, 160))
        found.append((score, truth))
    return found


def memory() -> int:
    """Most resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
