"""Per-pixel maps and scores of raw logits on the CPU: from low-resolution logits, never holding the upsampled ones.

The image is cut into bands of rows, which worker threads take one after the other. Within a band, tiles of columns are
small enough for the cache: the two low-resolution rows around an output row are resized horizontally once, and every
output row between them is a mix of the two. Per row: one pass over the classes for the two largest logits, a second
for Z = sum e^d and S = sum e^d d with d = l - max l; then E = (log Z - S/Z) / log q, V = 1 - 1/Z and
D = V + e^(l(2) - l(1)) / Z.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import LogitMaps, Placement, UncertaintyMaps
from trust_seg_ros.uncertainty.class_sums import fill_maps
from trust_seg_ros.uncertainty.kernels import (
    CONTRACT,
    EXP_MIN,
    ONE,
    exp_in_range,
    exp_negative,
    grid_taps,
    hold_rows,
    log_positive,
)
from trust_seg_ros.uncertainty.logits import Prepared, prepare, prepare_sums
from trust_seg_ros.uncertainty.reference import overwrite_faulty
from trust_seg_ros.uncertainty.threads import run_bands
from trust_seg_ros.uncertainty.tiles import blend, largest, tile_rows, tile_width, two_largest

_ZERO = np.float32(0.0)


def fast_maps(maps: LogitMaps, *, threads: int | None = None) -> UncertaintyMaps:
    """Entropy, margin, variation ratio and class of every pixel (Rottmann et al., MetaSeg, eq. 2 and 3), on the CPU.

    Equal to ``reference_maps`` within 1e-5. Safe to call from any thread and from several at once.

    Args:
        maps: logits, or class sums, on the CPU.
        threads: how many threads work; None for one per core this process may use, at most 8.

    Returns:
        Maps on the CPU, (H, W).

    Raises:
        LogitsError: the logits cannot be used.
    """
    prepared = prepare_sums(maps) if maps.linear else prepare(maps)
    out = _allocate(prepared.size)
    (fill_maps if maps.linear else _fill)(prepared, out, threads)
    return overwrite_faulty(out, prepared)


def _allocate(size: tuple[int, int]) -> UncertaintyMaps:
    entropy, margin, variation = (torch.empty(size, dtype=torch.float32) for _ in range(3))
    return UncertaintyMaps(torch.empty(size, dtype=torch.uint8), entropy, margin, variation)


def _fill(prepared: Prepared, out: UncertaintyMaps, threads: int | None) -> None:
    logits = prepared.array()
    height, width = prepared.size
    rows, columns = grid_taps(logits.shape[1:], prepared.size, prepared.placement)
    arrays = (out.classes.numpy(), out.entropy.numpy(), out.margin.numpy(), out.variation_ratio.numpy())
    tile = tile_width(logits.shape[0], width)

    def band(first: int, last: int) -> None:
        _maps_band(logits, *rows, *columns, first, last, tile, *arrays)

    run_bands(band, height, threads)


def fill_scores(
    logits: np.ndarray,
    out: np.ndarray,
    *,
    energy: bool,
    temperature: float = 1.0,
    placement: Placement | None = None,
    threads: int | None = None,
) -> None:
    """Write -max l or, with ``energy``, -T logsumexp(l / T) of the upsampled logits.

    Args:
        logits: (q, h, w) float32, finite, C-contiguous, *already divided by T*.
        out: (H, W) float32, overwritten.
        energy: which of the two.
        temperature: T.
        placement: where the output lies on the grid of the logits; None = it is that grid, stretched.
        threads: how many threads work; None for one per core, at most 8.
    """
    height, width = out.shape
    rows, columns = grid_taps(logits.shape[1:], (height, width), placement)
    tile = tile_width(logits.shape[0], width)

    def band(first: int, last: int) -> None:
        _logit_scores_band(logits, *rows, *columns, first, last, tile, energy, np.float32(-temperature), out)

    run_bands(band, height, threads)


@jit
def _maps_band(
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
    classes: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    variation: np.ndarray,
) -> None:
    """Rows first .. last - 1 of all four maps."""
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
            _sums(q, upper, lower, mix[y], n, best, total, moment)
            # two steps, row then columns: numba then knows that the result is contiguous
            e, d, v = entropy[y][start:stop], margin[y][start:stop], variation[y][start:stop]
            _scores(q, best, second, total, moment, e, d, v)
            _store_classes(index, classes[y][start:stop])


@jit
def _logit_scores_band(
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
    best = np.empty(tile, np.float32)
    total, moment = np.empty(tile, np.float32), np.empty(tile, np.float32)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        n = stop - start
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(logits, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            upper, lower = rows[top[y] & 1], rows[bottom[y] & 1]
            largest(upper, lower, mix[y], n, best)
            if energy:
                _sums(q, upper, lower, mix[y], n, best, total, moment)
            target = out[y][start:stop]
            for x in range(n):
                target[x] = factor * (best[x] + (log_positive(total[x]) if energy else np.float32(0.0)))


@jit(fastmath=CONTRACT)
def _sums(
    q: int,
    upper: np.ndarray,
    lower: np.ndarray,
    mix: np.float32,
    n: int,
    best: np.ndarray,
    total: np.ndarray,
    moment: np.ndarray,
) -> None:
    """Z = sum e^d and S = sum e^d d over the q classes, d = logit - best; mixing again is cheaper than keeping."""
    rest = ONE - mix
    for x in range(n):
        total[x], moment[x] = _ZERO, _ZERO
    for c in range(q):
        above, below = upper[c], lower[c]
        for x in range(n):
            d = max(blend(rest, above[x], mix, below[x]) - best[x], EXP_MIN)
            e = exp_in_range(d)
            total[x] += e
            moment[x] += e * d


@jit(fastmath=CONTRACT)
def _scores(
    q: int,
    best: np.ndarray,
    second: np.ndarray,
    total: np.ndarray,
    moment: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    variation: np.ndarray,
) -> None:
    """The three scores of a row of pixels from their sums."""
    n = entropy.shape[0]
    scale, most = np.float32(1.0 / math.log(q)), np.float32(1.0 - 1.0 / q)
    for x in range(n):
        share = ONE / total[x]
        entropy[x] = min(max((log_positive(total[x]) - moment[x] * share) * scale, _ZERO), ONE)
    for x in range(n):
        share = ONE / total[x]
        variation[x] = min(max(ONE - share, _ZERO), most)
        margin[x] = min(max(ONE - share + exp_negative(second[x] - best[x]) * share, _ZERO), ONE)


@jit
def _store_classes(index: np.ndarray, classes: np.ndarray) -> None:
    for x in range(classes.shape[0]):
        classes[x] = np.uint8(index[x])
