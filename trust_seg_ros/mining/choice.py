"""Choosing the frames that teach most and repeat each other least.

First of frames that repeat each other only the one with most to learn is kept (:func:`distinct`); then the
:func:`representatives` of the rest are found: a coreset, the frames nearest to all there is to learn. The problem is
weighted facility location, the greedy solution reaches 63 % of the best possible one or more.

Source: Wei, Iyer, Bilmes, Submodularity in Data Subset Selection and Active Learning, ICML 2015, section 3; lazy
evaluation: Minoux, Accelerated Greedy Algorithms for Maximizing Submodular Set Functions, 1978.
"""

from __future__ import annotations

import heapq

import numpy as np

FARTHEST = 2.0
"""Largest distance of two vectors of length 1: how far a frame is from the chosen ones before one is chosen."""


def representatives(vectors: np.ndarray, weights: np.ndarray, number: int) -> list[int]:
    """Choose frames one after the other, each the one that lessens the most

        sum over all frames i of weight_i · (distance of i to the nearest chosen frame).

    Of equally good ones always the earliest. What a frame brings can only become less as others are chosen, so most
    need not be looked at again: about n² · d steps, and n · d for each chosen one and the few that rivalled it.

    Args:
        vectors: (n, d), of length 1, what the frames are like.
        weights: (n,) 0 or more, what there is to learn from each.
        number: how many to choose.

    Returns:
        Positions in the order of choice; all of them where there are no more.
    """
    nearest = np.full(len(vectors), FARTHEST)
    gains = [(-_gain(vectors, weights, nearest, k), k) for k in range(len(vectors) if number > 0 else 0)]
    heapq.heapify(gains)
    chosen: list[int] = []
    while gains and len(chosen) < number:
        _, best = heapq.heappop(gains)
        now = (-_gain(vectors, weights, nearest, best), best)
        if gains and now > gains[0]:  # another may be better
            heapq.heappush(gains, now)
            continue
        chosen.append(best)
        np.minimum(nearest, distances(vectors, vectors[best]), out=nearest)
    return chosen


def representatives_reference(vectors: np.ndarray, weights: np.ndarray, number: int) -> list[int]:
    """The same as :func:`representatives`, word by word from the definition; number² · n² · d steps."""
    chosen: list[int] = []
    while len(chosen) < min(number, len(vectors)):
        gains = np.full(len(vectors), -1.0)
        for k in set(range(len(vectors))) - set(chosen):
            before = [min((_distance(vector, vectors[c]) for c in chosen), default=FARTHEST) for vector in vectors]
            away = [_distance(vector, vectors[k]) for vector in vectors]
            gains[k] = np.sum([w * max(b - a, 0.0) for w, b, a in zip(weights, before, away, strict=True)])
        chosen.append(int(np.argmax(gains)))
    return chosen


def distinct(
    vectors: np.ndarray,
    weights: np.ndarray,
    times: np.ndarray,
    recordings: np.ndarray,
    *,
    apart_s: float,
    alike: float,
) -> np.ndarray:
    """Of frames that repeat each other keep the one with most to learn (non-maximum suppression in time and likeness).

    Frames are taken by weight, the largest first, of equal ones the earliest; a frame is left out if it repeats one
    that was kept before.

    Args:
        vectors: (n, d) what the frames are like.
        weights: (n,) what there is to learn from each.
        times: (n,) seconds; NaN where a frame has no time.
        recordings: (n,) int, number of the recording of each frame.
        apart_s: two frames of one recording that are nearer in time repeat each other.
        alike: so do two frames, of whichever recordings, at this distance or nearer; below 0: none do.

    Returns:
        (n,) bool, the frames that are kept.
    """
    kept = np.zeros(len(vectors), bool)
    left = np.argsort(-weights, kind="stable")
    while len(left):
        best, left = left[0], left[1:]
        kept[best] = True
        close = (recordings[left] == recordings[best]) & (np.abs(times[left] - times[best]) < apart_s)
        left = left[~close & (distances(vectors[left], vectors[best]) > alike)]
    return kept


def distinct_reference(
    vectors: np.ndarray,
    weights: np.ndarray,
    times: np.ndarray,
    recordings: np.ndarray,
    *,
    apart_s: float,
    alike: float,
) -> np.ndarray:
    """The same as :func:`distinct`, comparing every frame with every kept one."""
    kept: list[int] = []
    for k in sorted(range(len(vectors)), key=lambda k: (-weights[k], k)):
        near_in_time = (recordings[c] == recordings[k] and abs(times[c] - times[k]) < apart_s for c in kept)
        if not any(near_in_time) and not any(_distance(vectors[c], vectors[k]) <= alike for c in kept):
            kept.append(k)
    return np.isin(np.arange(len(vectors)), kept)


def distances(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(n,) float64, Euclidean distances of vectors (n, d) to one (d,)."""
    gaps = vectors.astype(np.float64) - one
    found: np.ndarray = np.sqrt((gaps * gaps).sum(1))
    return found


def _gain(vectors: np.ndarray, weights: np.ndarray, nearest: np.ndarray, k: int) -> float:
    """What choosing a frame would bring."""
    gains = weights * np.maximum(nearest - distances(vectors, vectors[k]), 0.0)
    return float(gains.sum())


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(distances(one[None], other)[0])
