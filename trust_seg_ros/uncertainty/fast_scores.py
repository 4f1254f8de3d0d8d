"""Scores of raw logits on the CPU, row by row like ``fast``."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty.fast import sums, tile_rows, tile_width, two_largest
from trust_seg_ros.uncertainty.kernels import hold_rows, log_positive, taps
from trust_seg_ros.uncertainty.threads import run_bands


def fill_scores(
    logits: np.ndarray, out: np.ndarray, *, energy: bool, temperature: float = 1.0, threads: int | None = None
) -> None:
    """Write -max l or, with ``energy``, -T logsumexp(l / T) of the upsampled logits.

    Args:
        logits: (q, h, w) float32, finite, C-contiguous, *already divided by T*.
        out: (H, W) float32, overwritten.
        energy: which of the two.
        temperature: T.
        threads: how many threads work; None for one per core, at most 8.
    """
    height, width = out.shape
    rows, columns = taps(logits.shape[1], height), taps(logits.shape[2], width)
    tile = tile_width(logits.shape[0], width)

    def band(first: int, last: int) -> None:
        _scores_band(logits, *rows, *columns, first, last, tile, energy, np.float32(-temperature), out)

    run_bands(band, height, threads)


@jit
def _scores_band(
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
    energy: bool,
    factor: np.float32,
    out: np.ndarray,
) -> None:
    """Rows first .. last - 1 of one score."""
    q = logits.shape[0]
    rows = tile_rows(q, tile)
    best, second = np.empty(tile, np.float32), np.empty(tile, np.float32)
    total, moment = np.empty(tile, np.float32), np.empty(tile, np.float32)
    index = np.empty(tile, np.int32)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        n = stop - start
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(logits, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            upper, lower = rows[top[y] & 1], rows[bottom[y] & 1]
            two_largest(upper, lower, mix[y], n, best, second, index)
            if energy:
                sums(q, upper, lower, mix[y], n, best, total, moment)
            target = out[y][start:stop]
            for x in range(n):
                target[x] = factor * (best[x] + (log_positive(total[x]) if energy else np.float32(0.0)))
