"""Compiled parts of the sums over perturbed passes, row by row like ``fast``."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty.class_sums import LEAST, NO_CLASS, invert, log_ratio
from trust_seg_ros.uncertainty.kernels import (
    CONTRACT,
    EXP_MIN,
    ONE,
    exp_in_range,
    hold_rows,
    log_positive,
)
from trust_seg_ros.uncertainty.tiles import tile_rows, two_largest

_ZERO = np.float32(0.0)


@jit
def add_pass(
    logits: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    first: int,
    last: int,
    tile: int,
    fresh: bool,
    linear: bool,
    total: np.ndarray,
    entropies: np.ndarray,
    votes: np.ndarray,
) -> None:
    """Add the distribution of one pass, its entropy and its votes to rows first .. last - 1 of the sums.

    Args:
        logits: (q, h, w) float32, finite, C-contiguous.
        top, bottom, mix, left, right, weight: ``taps(h, H)``, ``taps(w, W)``.
        first, last, tile: rows, and columns at a time.
        fresh: the sums hold nothing yet and are overwritten.
        linear: the logits are class sums, to be divided by their sum; where no query claims a pixel, its distribution
            is uniform and no class gets a vote.
        total: (H, q, W) float32, sum of distributions.
        entropies: (H, W) float32, sum of entropies in nats; (0, 0) when not wanted.
        votes: (H, q, W) uint8, how often each class was predicted; (0, 0, 0) when not wanted.
    """
    q = logits.shape[0]
    rows = tile_rows(q, tile)
    e = np.empty((q, tile), np.float32)
    best, second = np.empty(tile, np.float32), np.empty(tile, np.float32)
    z, moment = np.empty(tile, np.float32), np.empty(tile, np.float32)
    index = np.empty(tile, np.int32)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        n = stop - start
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(logits, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            upper, lower = rows[top[y] & 1], rows[bottom[y] & 1]
            two_largest(upper, lower, mix[y], n, best, second, index)
            if linear:
                invert(best, second, n)
                _ratios(upper, lower, mix[y], n, second, index, e, z, moment)
            else:
                _exponentials(upper, lower, mix[y], n, best, e, z, moment)
            if entropies.shape[0] > 0:
                _add_entropy(z, moment, entropies[y][start:stop], fresh)
            for x in range(n):
                z[x] = ONE / z[x]
            for c in range(q):
                _add_scaled(e[c], z, total[y, c][start:stop], fresh)
            if votes.shape[0] > 0:
                for c in range(q):
                    _add_votes(index, np.int32(c), votes[y, c][start:stop], fresh)


@jit(fastmath=CONTRACT)
def _exponentials(
    upper: np.ndarray,
    lower: np.ndarray,
    mix: np.float32,
    n: int,
    best: np.ndarray,
    e: np.ndarray,
    z: np.ndarray,
    moment: np.ndarray,
) -> None:
    """e^d of every class, their sum and sum e^d d, with d = logit - best."""
    rest = ONE - mix
    for x in range(n):
        z[x], moment[x] = _ZERO, _ZERO
    for c in range(e.shape[0]):
        above, below, out = upper[c], lower[c], e[c]
        for x in range(n):
            d = min(max(rest * above[x] + mix * below[x] - best[x], EXP_MIN), _ZERO)
            power = exp_in_range(d)
            out[x] = power
            z[x] += power
            moment[x] += power * d


@jit(fastmath=CONTRACT)
def _ratios(
    upper: np.ndarray,
    lower: np.ndarray,
    mix: np.float32,
    n: int,
    inverse: np.ndarray,
    index: np.ndarray,
    e: np.ndarray,
    z: np.ndarray,
    moment: np.ndarray,
) -> None:
    """The same for class sums: r = sum / largest in place of e^d, and log r in place of d."""
    rest = ONE - mix
    for x in range(n):
        z[x], moment[x] = _ZERO, _ZERO
        index[x] = index[x] if inverse[x] > _ZERO else NO_CLASS
    for c in range(e.shape[0]):
        above, below, out = upper[c], lower[c], e[c]
        for x in range(n):
            r = min(max((rest * above[x] + mix * below[x]) * inverse[x], LEAST), ONE)
            r = r if inverse[x] > _ZERO else ONE
            out[x] = r
            z[x] += r
            moment[x] += r * log_ratio(r)


@jit(fastmath=CONTRACT)
def _add_entropy(z: np.ndarray, moment: np.ndarray, entropies: np.ndarray, fresh: bool) -> None:
    for x in range(entropies.shape[0]):
        value = log_positive(z[x]) - moment[x] / z[x]
        entropies[x] = value + (_ZERO if fresh else entropies[x])


@jit(fastmath=CONTRACT)
def _add_scaled(values: np.ndarray, factor: np.ndarray, out: np.ndarray, fresh: bool) -> None:
    if fresh:
        for x in range(out.shape[0]):
            out[x] = values[x] * factor[x]
    else:
        for x in range(out.shape[0]):
            out[x] += values[x] * factor[x]


@jit
def _add_votes(index: np.ndarray, c: int, votes: np.ndarray, fresh: bool) -> None:
    if fresh:
        for x in range(votes.shape[0]):
            votes[x] = np.uint8(index[x] == c)
    else:
        for x in range(votes.shape[0]):
            votes[x] += np.uint8(index[x] == c)


@jit(fastmath=CONTRACT)
def finish(
    passes: int,
    first: int,
    last: int,
    total: np.ndarray,
    entropies: np.ndarray,
    votes: np.ndarray,
    classes: np.ndarray,
    entropy: np.ndarray,
    information: np.ndarray,
    variation: np.ndarray,
) -> None:
    """Statistics of rows first .. last - 1 from the sums; those not wanted are (0, 0) arrays.

    Args:
        passes: K.
        first, last: rows.
        total, entropies, votes: sums of ``add_pass``.
        classes: (H, W) uint8, the lowest class with the largest mean softmax.
        entropy, information, variation: (H, W) float32 in [0, 1].
    """
    q, width = total.shape[1], total.shape[2]
    share, scale = np.float32(1.0 / passes), np.float32(1.0 / math.log(q))
    best, spread, most = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.int32)
    index = np.empty(width, np.int32)
    for y in range(first, last):
        best[:], index[:] = _ZERO, 0
        for c in range(q):
            row = total[y, c]
            for x in range(width):
                index[x] = c if row[x] > best[x] else index[x]
                best[x] = max(best[x], row[x])
        for x in range(width):
            classes[y, x] = np.uint8(index[x])
        if entropy.shape[0] > 0 or information.shape[0] > 0:
            spread[:] = _ZERO
            for c in range(q):
                row = total[y, c]
                for x in range(width):
                    p = max(row[x] * share, LEAST)
                    spread[x] -= p * log_positive(p)
        if entropy.shape[0] > 0:
            for x in range(width):
                entropy[y, x] = min(max(spread[x] * scale, _ZERO), ONE)
        if information.shape[0] > 0:
            for x in range(width):
                information[y, x] = min(max((spread[x] - entropies[y, x] * share) * scale, _ZERO), ONE)
        if variation.shape[0] > 0:
            most[:] = 0
            for c in range(q):
                count = votes[y, c]
                for x in range(width):
                    most[x] = max(most[x], np.int32(count[x]))
            for x in range(width):
                variation[y, x] = np.float32(passes - most[x]) * share
