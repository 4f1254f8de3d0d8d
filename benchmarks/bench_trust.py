"""Counting the pixels of an image for ``trust-seg trust``: by bin, class, distance and policy, against NumPy.

usage: python benchmarks/bench_trust.py [HEIGHT WIDTH]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from trust_seg_ros.evaluation.trust.distance import ranges
from trust_seg_ros.evaluation.trust.gather import ScoreGatherer
from trust_seg_ros.evaluation.trust.grid import score_grid
from trust_seg_ros.evaluation.trust.policy_words import DEFAULTS, parse_policies

CLASSES = 19


def with_numpy(score, predicted, truth, far, edges, thresholds):
    valid = truth != 255
    wrong = (predicted != truth)[valid]
    place = np.searchsorted(edges, score[valid], side="right") - 1
    k = len(edges)
    for group, size in ((np.zeros_like(predicted), 1), (predicted, CLASSES), (truth, CLASSES), (far, 5)):
        np.bincount((group[valid].astype(np.int64) * 2 + wrong) * k + place, minlength=size * 2 * k)
    for threshold in thresholds:
        flagged = score[valid] >= np.float32(threshold)
        for group in (predicted, truth, far):
            np.bincount(group[valid].astype(np.int64) * 4 + 2 * wrong + flagged, minlength=4)


def best(run: Callable[[], object], times: int = 7) -> float:
    run()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


def main() -> None:
    height, width = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (1024, 2048)
    rng = np.random.default_rng(0)
    predicted = np.kron(rng.integers(0, CLASSES, (height // 32, width // 32)), np.ones((32, 32))).astype(np.uint8)
    size = predicted.shape
    truth = np.where(rng.random(size) < 0.9, predicted, rng.integers(0, CLASSES, size)).astype(np.uint8)
    truth[rng.random(size) < 0.04] = 255
    score = (rng.random(size) ** 4).astype(np.float32)
    wrong = predicted != truth
    edges = score_grid(score[wrong], score[~wrong])
    policies = parse_policies(DEFAULTS, ("entropy",))
    gatherer = ScoreGatherer("entropy", edges, CLASSES, policies)
    far = ranges(predicted)
    print(
        f"{size[1]}x{size[0]}, {CLASSES} classes, {len(edges)} bins, {len(gatherer.policies)} policies; best of 7, ms"
    )
    print(f"distance to the boundary      {best(lambda: ranges(predicted)):8.1f}")
    print(f"one score, its thresholds too {best(lambda: gatherer.add(score, predicted, truth, far)):8.1f}")
    print(
        f"NumPy, thresholds given       {best(lambda: with_numpy(score, predicted, truth, far, edges, [0.5] * 6)):8.1f}"
    )


if __name__ == "__main__":
    main()
