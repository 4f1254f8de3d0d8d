"""Tiles of resized rows, small enough for the cache, and what is read off them."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty.kernels import CONTRACT, ONE

TILE_BYTES = 384 * 1024
"""Two resized rows of all classes, a tile wide, take at most this much: less than a core's second-level cache."""

UNROLL = 4
"""Classes that are worked on at a time; the rows of a tile are a multiple of it."""
_LOWEST = np.float32(-(2.0**127))  # below all logits, see LARGEST


def tile_width(classes: int, width: int) -> int:
    """Columns to work on at a time."""
    return min(width, max(64, TILE_BYTES // (8 * classes) // 64 * 64))


@jit
def tile_rows(classes: int, tile: int) -> np.ndarray:
    """(2, classes, tile) scratch for ``hold_rows``, with classes up to a multiple of four that can never win."""
    return np.full((2, (classes + UNROLL - 1) // UNROLL * UNROLL, tile), _LOWEST, np.float32)


@jit
def blend(rest: np.float32, above: np.float32, mix: np.float32, below: np.float32) -> np.float32:
    """A mixed logit. Never fused into its surroundings: rounded differently in two places, it could exceed ``best``."""
    mixed: np.float32 = rest * above + mix * below
    return mixed


@jit(fastmath=CONTRACT)
def two_largest(
    upper: np.ndarray,
    lower: np.ndarray,
    mix: np.float32,
    n: int,
    best: np.ndarray,
    second: np.ndarray,
    index: np.ndarray,
) -> None:
    """Largest and second largest of the mixed logits and the lowest class that has the largest, without a branch.

    Four classes at a time, so that the running values are loaded and stored a quarter as often.
    """
    rest = ONE - mix
    for x in range(n):
        best[x], second[x], index[x] = -np.inf, -np.inf, 0
    for c in range(0, upper.shape[0], UNROLL):
        u0, u1, u2, u3 = upper[c], upper[c + 1], upper[c + 2], upper[c + 3]
        l0, l1, l2, l3 = lower[c], lower[c + 1], lower[c + 2], lower[c + 3]
        c0, c1, c2, c3 = np.int32(c), np.int32(c + 1), np.int32(c + 2), np.int32(c + 3)
        for x in range(n):
            a, b = blend(rest, u0[x], mix, l0[x]), blend(rest, u1[x], mix, l1[x])
            high, low, i = max(a, b), min(a, b), c1 if b > a else c0
            a, b = blend(rest, u2[x], mix, l2[x]), blend(rest, u3[x], mix, l3[x])
            high2, low2, j = max(a, b), min(a, b), c3 if b > a else c2
            low = max(max(low, low2), min(high, high2))
            i = j if high2 > high else i
            high = max(high, high2)
            old = best[x]
            second[x] = max(max(second[x], low), min(high, old))
            index[x] = i if high > old else index[x]
            best[x] = max(old, high)


@jit(fastmath=CONTRACT)
def largest(upper: np.ndarray, lower: np.ndarray, mix: np.float32, n: int, best: np.ndarray) -> None:
    """The largest of the mixed logits, the same to the last bit as from ``two_largest``, in half the time."""
    rest = ONE - mix
    for x in range(n):
        best[x] = -np.inf
    for c in range(0, upper.shape[0], UNROLL):
        u0, u1, u2, u3 = upper[c], upper[c + 1], upper[c + 2], upper[c + 3]
        l0, l1, l2, l3 = lower[c], lower[c + 1], lower[c + 2], lower[c + 3]
        for x in range(n):
            a, b = blend(rest, u0[x], mix, l0[x]), blend(rest, u1[x], mix, l1[x])
            high, low = blend(rest, u2[x], mix, l2[x]), blend(rest, u3[x], mix, l3[x])
            best[x] = max(best[x], max(max(a, b), max(high, low)))
