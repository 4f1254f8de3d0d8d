"""Compiled kernels over the masks of queries, row by row like ``fast``: the masks on the output grid are never held."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty.kernels import CONTRACT, ONE, hold_rows, taps
from trust_seg_ros.uncertainty.threads import run_bands
from trust_seg_ros.uncertainty.tiles import tile_rows, tile_width, two_largest

NO_QUERY = np.int32(-1)


def fill_second_largest(planes: np.ndarray, out: np.ndarray, threads: int | None = None) -> None:
    """Write the second largest of the upsampled planes.

    Args:
        planes: (Q, h, w) float32, Q >= 2, finite, C-contiguous.
        out: (H, W) float32, overwritten.
        threads: how many threads work; None for one per core, at most 8.
    """
    height, width = out.shape
    rows, columns = taps(planes.shape[1], height), taps(planes.shape[2], width)
    tile = tile_width(planes.shape[0], width)

    def band(first: int, last: int) -> None:
        _second_band(planes, *rows, *columns, first, last, tile, out)

    run_bands(band, height, threads)


def fill_owners(
    masks: np.ndarray,
    weights: np.ndarray,
    classes: np.ndarray,
    owner: np.ndarray,
    mask: np.ndarray,
    threads: int | None = None,
) -> None:
    """Write the query that gives each pixel most of its class, argmax_q weights[q, class] mask_q, the lowest of equals.

    Args:
        masks: (Q, h, w) float32 in [0, 1], C-contiguous.
        weights: (Q, 256) float32, P(class) of each query; -1 for ids that are no class.
        classes: (H, W) uint8.
        owner: (H, W) int32, receives the query; -1 where the pixel has no class.
        mask: (H, W) float32, receives the upsampled mask of that query; 0 where there is none.
        threads: how many threads work; None for one per core, at most 8.
    """
    height, width = classes.shape
    rows, columns = taps(masks.shape[1], height), taps(masks.shape[2], width)
    tile = tile_width(masks.shape[0], width)

    def band(first: int, last: int) -> None:
        _owners_band(masks, *rows, *columns, first, last, tile, weights, classes, owner, mask)

    run_bands(band, height, threads)


@jit
def _second_band(
    planes: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    first: int,
    last: int,
    tile: int,
    out: np.ndarray,
) -> None:
    """Rows first .. last - 1 of the second largest."""
    rows = tile_rows(planes.shape[0], tile)
    best, second, index = np.empty(tile, np.float32), np.empty(tile, np.float32), np.empty(tile, np.int32)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(planes, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            two_largest(rows[top[y] & 1], rows[bottom[y] & 1], mix[y], stop - start, best, second, index)
            out[y][start:stop] = second[: stop - start]


@jit
def _owners_band(
    masks: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    first: int,
    last: int,
    tile: int,
    weights: np.ndarray,
    classes: np.ndarray,
    owner: np.ndarray,
    mask: np.ndarray,
) -> None:
    """Rows first .. last - 1 of the owners."""
    rows = tile_rows(masks.shape[0], tile)
    best = np.empty(tile, np.float32)
    for start in range(0, left.shape[0], tile):
        stop = min(start + tile, left.shape[0])
        held = np.full(2, -1, np.int64)
        for y in range(first, last):
            hold_rows(masks, top[y], bottom[y], start, stop, left, right, weight, rows, held)
            named, own, value = classes[y][start:stop], owner[y][start:stop], mask[y][start:stop]
            best[:], own[:], value[:] = -ONE, NO_QUERY, np.float32(0.0)
            for q in range(masks.shape[0]):
                claim(q, weights[q], rows[top[y] & 1, q], rows[bottom[y] & 1, q], mix[y], named, best, own, value)


@jit(fastmath=CONTRACT)
def claim(
    q: int,
    weights: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    mix: np.float32,
    named: np.ndarray,
    best: np.ndarray,
    own: np.ndarray,
    value: np.ndarray,
) -> None:
    """Give a query the pixels of a row that it contributes more to than the queries before it."""
    rest, number = ONE - mix, np.int32(q)
    for x in range(named.shape[0]):
        m = rest * above[x] + mix * below[x]
        part = weights[named[x]] * m if weights[named[x]] >= np.float32(0.0) else -ONE
        value[x] = m if part > best[x] else value[x]
        own[x] = number if part > best[x] else own[x]
        best[x] = max(best[x], part)
