"""Choosing the frames that teach most and repeat each other least: k-centre, weighted by what there is to learn.

Source: Sener, Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018,
algorithm 1; here the distance to the nearest chosen frame is multiplied by the information of the frame.
"""

from __future__ import annotations

import numpy as np


def k_centre(vectors: np.ndarray, weights: np.ndarray, number: int, apart: float = 0.0, first: int = -1) -> list[int]:
    """Choose frames one after the other, each the largest in weight · distance to the nearest frame chosen before.

    The first is the one of the largest weight; of equal ones always the earliest. Takes number · n · d steps.

    Args:
        vectors: (n, d) what the frames are like.
        weights: (n,) above or equal to 0, what there is to learn from each.
        number: how many to choose.
        apart: frames at this distance from a chosen one, or nearer, are not chosen: they repeat it.
        first: the frame to begin with; -1 = the one of the largest weight.

    Returns:
        Positions in the order of choice; fewer than ``number`` where all others repeat a chosen one.
    """
    if not len(vectors) or number < 1:
        return []
    chosen = [int(np.argmax(weights)) if first < 0 else first]
    nearest = distances(vectors, vectors[chosen[0]])
    while len(chosen) < number:
        worth = np.where(nearest > apart, weights * nearest, -1.0)
        best = int(np.argmax(worth))
        if worth[best] < 0:
            break
        chosen.append(best)
        np.minimum(nearest, distances(vectors, vectors[best]), out=nearest)
    return chosen


def k_centre_reference(
    vectors: np.ndarray, weights: np.ndarray, number: int, apart: float = 0.0, first: int = -1
) -> list[int]:
    """The same as :func:`k_centre`, word by word from the definition; number² · n · d steps."""
    chosen: list[int] = []
    while len(chosen) < min(number, len(vectors)):
        best, best_worth = -1, -1.0
        for k, vector in enumerate(vectors):
            away = min((float(distances(vectors[[c]], vector)[0]) for c in chosen), default=np.inf)
            if away <= apart:
                continue
            worth = float(weights[k]) * (away if chosen else 1.0)
            if first >= 0 and not chosen:
                worth = float(k == first)
            if worth > best_worth:
                best, best_worth = k, worth
        if best < 0:
            break
        chosen.append(best)
    return chosen


def distances(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(n,) float64, Euclidean distances of vectors (n, d) to one (d,)."""
    gaps = vectors.astype(np.float64) - one
    return np.sqrt((gaps * gaps).sum(1))


def peaks(times: np.ndarray, recordings: np.ndarray, weights: np.ndarray, apart: float) -> np.ndarray:
    """Keep of frames that follow each other closely the one with most to learn (non-maximum suppression in time).

    Frames are taken by weight, the largest first, of equal ones the earliest; each keeps away all others of its
    recording that are nearer in time than ``apart``.

    Args:
        times: (n,) seconds; NaN where a frame has no time, which keeps it out of all this.
        recordings: (n,) int, number of the recording of each frame.
        weights: (n,) what there is to learn from each.
        apart: in seconds.

    Returns:
        (n,) bool, the frames that are kept.
    """
    kept, taken = np.zeros(len(times), bool), np.zeros(len(times), bool)
    ordered = np.lexsort((times, recordings))  # so that the neighbours of a frame in time are a slice
    place = np.empty(len(times), np.intp)
    place[ordered] = np.arange(len(times))
    for k in np.argsort(-weights, kind="stable"):
        if taken[k]:
            continue
        kept[k] = True
        for step in (-1, 1):
            at = place[k] + step
            while 0 <= at < len(times):
                other = ordered[at]
                if recordings[other] != recordings[k] or not abs(times[other] - times[k]) < apart:
                    break
                taken[other] = True
                at += step
    return kept


def peaks_reference(times: np.ndarray, recordings: np.ndarray, weights: np.ndarray, apart: float) -> np.ndarray:
    """The same as :func:`peaks`, comparing every frame with every kept one."""
    kept: list[int] = []
    for k in sorted(range(len(times)), key=lambda k: (-weights[k], k)):
        if not any(recordings[c] == recordings[k] and abs(times[c] - times[k]) < apart for c in kept):
            kept.append(k)
    return np.isin(np.arange(len(times)), kept)
