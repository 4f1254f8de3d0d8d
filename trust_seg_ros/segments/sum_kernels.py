"""Compiled kernels that add per-pixel maps up over the parts of one band; serial, without the GIL.

``starts``, ``ends``, ``first`` and ``labels`` are a band's runs (see :mod:`trust_seg_ros.segments.run_kernels`).
Sums are float64 and taken run by run, so they do not depend on how many threads work on other bands.
Where a loop should become vector code it counts from 0 in int64 and indexes unsigned: numba otherwise guards
against negative indices and wraps int32.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit

UNLABELLED = 255
_REORDER = {"reassoc", "contract"}  # lets a sum be taken in vector lanes; fixed order for one machine


@jit
def mark_interior(classes: np.ndarray, y0: int, y1: int, inner: np.ndarray) -> None:
    """1 where all 8-neighbours inside the image have the pixel's class, else 0; ``inner`` is (y1 - y0, W) uint8.

    A pixel's equal 8-neighbours are always of its own component, so classes alone decide. If a pixel and its
    left and right neighbours are equal, and each agrees with the pixels above and below it, all nine agree.
    """
    height, width = classes.shape
    agrees = np.ones(width + 2, np.uint8)
    for y in range(y0, y1):
        row = classes[y]
        above, below = classes[max(y - 1, 0)], classes[min(y + 1, height - 1)]
        for x in range(width):
            agrees[np.uint64(x + 1)] = (above[x] == row[x]) & (below[x] == row[x])
        out = inner[y - y0]
        if width == 1:
            out[0] = agrees[1]
            continue
        out[0] = agrees[1] & agrees[2] & (row[0] == row[1])
        out[width - 1] = agrees[width - 1] & agrees[width] & (row[width - 2] == row[width - 1])
        for i in range(width - 2):
            x = np.uint64(i + 1)
            left, right = np.uint64(i), np.uint64(i + 2)
            upright = agrees[x] & agrees[right] & agrees[np.uint64(i + 3)]
            out[x] = upright & (row[left] == row[x]) & (row[x] == row[right])


@jit
def add_sizes(
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    inner: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add interior pixels, sum of rows and sum of columns of every part to ``out`` (m, 3) float64."""
    for r in range(len(first) - 1):
        mask = inner[r]
        for run in range(first[r], first[r + 1]):
            begin = np.int64(starts[run])
            length = np.int64(ends[run]) - begin
            inside = np.int64(0)
            for i in range(length):
                inside += mask[np.uint64(begin + i)]
            sums = out[labels[run]]
            sums[0] += inside
            sums[1] += length * (y0 + r)
            sums[2] += (length * (2 * begin + length - 1)) // 2


@jit(fastmath=_REORDER)
def add_map(
    values: np.ndarray,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    inner: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add a map (H, W) float32 to ``out`` (m, 4): sums over interior and boundary, sums of squares over both."""
    for r in range(len(first) - 1):
        row, mask = values[y0 + r], inner[r]
        for run in range(first[r], first[r + 1]):
            inside, outside, inside_squares, outside_squares = 0.0, 0.0, 0.0, 0.0
            begin = np.int64(starts[run])
            for i in range(np.int64(ends[run]) - begin):
                x = np.uint64(begin + i)
                h = np.float64(row[x])
                within = h * mask[x]
                beyond = h - within
                inside += within
                outside += beyond
                inside_squares += within * within
                outside_squares += beyond * beyond
            sums = out[labels[run]]
            sums[0] += inside
            sums[1] += outside
            sums[2] += inside_squares
            sums[3] += outside_squares


@jit(fastmath=_REORDER)
def add_total(
    values: np.ndarray,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add a map (H, W) float32 to ``out`` (m, 1)."""
    for r in range(len(first) - 1):
        row = values[y0 + r]
        for run in range(first[r], first[r + 1]):
            total = 0.0
            begin = np.int64(starts[run])
            for i in range(np.int64(ends[run]) - begin):
                total += np.float64(row[np.uint64(begin + i)])
            out[labels[run], 0] += total


@jit(fastmath=_REORDER)
def add_probabilities(
    prob: np.ndarray,
    begin_run: int,
    end_run: int,
    starts: np.ndarray,
    ends: np.ndarray,
    labels: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add one row of class probabilities (q, W) float32 to ``out`` (m, q)."""
    for c in range(len(prob)):
        values = prob[c]
        for run in range(begin_run, end_run):
            total = 0.0
            begin = np.int64(starts[run])
            for i in range(np.int64(ends[run]) - begin):
                total += np.float64(values[np.uint64(begin + i)])
            out[labels[run], c] += total


@jit
def add_neighbours(
    classes: np.ndarray,
    named: np.ndarray,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    inner: np.ndarray,
    out: np.ndarray,
) -> None:
    """Count (pixel, 8-neighbour outside its segment) pairs in ``out`` (m, q + 1): by the neighbour's class, and all.

    ``classes`` tells what is outside, ``named`` the neighbour's class: one map for segments of equal class, two for
    segments that span classes. A neighbour without a class (255) counts in the last column only.
    """
    height, width = classes.shape
    n_classes = out.shape[1] - 1
    for r in range(len(first) - 1):
        y = y0 + r
        for run in range(first[r], first[r + 1]):
            sums = out[labels[run]]
            for x in range(starts[run], ends[run]):
                if inner[r, x]:
                    continue
                for v in range(max(y - 1, 0), min(y + 2, height)):
                    for u in range(max(x - 1, 0), min(x + 2, width)):
                        if classes[v, u] != classes[y, x]:
                            c = named[v, u]
                            sums[n_classes] += 1
                            if c < n_classes:
                                sums[c] += 1


@jit
def merge_sums(numbers: np.ndarray, part: np.ndarray, total: np.ndarray) -> None:
    """Add the sums of a band's parts (m, K) to those of the components (n, K) they belong to."""
    for label in range(len(numbers)):
        k = numbers[label] - 1
        for column in range(part.shape[1]):
            total[k, column] += part[label, column]
