"""Compiled kernels of metrics over time; ``reference.py`` holds the first in plain NumPy."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit

ENOUGH = 3
"""Rows are counted up to this: how many more there are depends on the frame rate, which must not make another kind of
segment."""


@jit
def look_back(
    current: np.ndarray,
    slots: np.ndarray,
    now: int,
    rows: np.ndarray,
    stamps: np.ndarray,
    reach: int,
    least: int,
    columns: np.ndarray,
) -> None:
    """Change, trend and deviation of every metric against the rows of the segment's track, and their number.

    Args:
        current: (n, m) float64 metrics of this frame.
        slots: (n,) int64 place of each segment's track in ``rows``; -1 = none.
        now: stamp of this frame, nanoseconds.
        rows: (t, L, m) float64 metrics of earlier frames.
        stamps: (t, L) int64 their stamps; 0 = no row.
        reach: age of the oldest row that counts, nanoseconds; later ones than ``now`` do not.
        least: age that the oldest row must have for a trend, nanoseconds.
        columns: (n, 3 m + 1) float64 for the answer: changes, trends per second, deviations, number of rows up to
            ``ENOUGH``; starts as 0, and stays so where there is no history.
    """
    n, m = current.shape
    length = rows.shape[1]
    used, ages = np.empty(length, np.int64), np.empty(length)
    mean, slope = np.empty(m), np.empty(m)
    for i in range(n):
        slot = slots[i]
        if slot < 0:
            continue
        count, total, oldest = 0, 0.0, 0.0
        for k in range(length):
            age = now - stamps[slot, k]
            if stamps[slot, k] > 0 and 0 <= age <= reach:
                used[count] = k
                ages[count] = -1e-9 * age
                total += ages[count]
                oldest = max(oldest, float(age))
                count += 1
        columns[i, 3 * m] = min(count, ENOUGH)
        if count == 0:
            continue
        centre = total / (count + 1)
        spread = centre * centre  # of this frame, at 0
        for k in range(count):
            spread += (ages[k] - centre) ** 2
        mean[:] = 0.0
        for k in range(count):
            for j in range(m):
                mean[j] += rows[slot, used[k], j]
        for j in range(m):
            mean[j] /= count
            difference = current[i, j] - mean[j]
            columns[i, j] = difference
            mean[j] += difference / (count + 1)  # of the rows and this frame
            rest = current[i, j] - mean[j]
            columns[i, 2 * m + j] = rest * rest
            slope[j] = -centre * rest
        for k in range(count):
            weight = ages[k] - centre
            for j in range(m):
                rest = rows[slot, used[k], j] - mean[j]
                columns[i, 2 * m + j] += rest * rest
                slope[j] += weight * rest
        for j in range(m):
            columns[i, 2 * m + j] = np.sqrt(columns[i, 2 * m + j] / (count + 1))
            if oldest >= least:
                columns[i, m + j] = slope[j] / spread


@jit
def store(
    current: np.ndarray,
    slots: np.ndarray,
    now: int,
    spacing: int,
    rows: np.ndarray,
    stamps: np.ndarray,
    heads: np.ndarray,
) -> None:
    """Keep the metrics of this frame in the ring of each segment's track, unless its last row is too young.

    A ring whose last row is younger than this frame is emptied first: time went back.

    Args:
        current, slots, now, rows, stamps: as for :func:`look_back`.
        spacing: least time between two rows, nanoseconds.
        heads: (t,) int64 place of the next row in each ring.
    """
    length = rows.shape[1]
    for i in range(len(slots)):
        slot = slots[i]
        if slot < 0:
            continue
        newest = stamps[slot, (heads[slot] - 1) % length]
        if newest > now:
            stamps[slot] = 0
            newest = 0
        if newest == 0 or now - newest >= spacing:
            head = heads[slot]
            rows[slot, head] = current[i]
            stamps[slot, head] = now
            heads[slot] = (head + 1) % length
