"""Passes over id images, compiled; the readable NumPy versions stay beside them and are tested to agree."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit

SEGMENT_FLAG = 255


def paint(ids: np.ndarray, flagged: np.ndarray, others: int = 0) -> np.ndarray:
    """255 on the pixels of flagged segments, ``others`` on those of all other segments, 0 where there is none.

    Args:
        ids: (H, W) int32, 0 = none, else 1..n.
        flagged: (n,) bool.
        others: value of a segment that is not flagged, 0 to 255.

    Returns:
        (H, W) uint8.
    """
    table = flag_table(flagged, others)
    if not table.any():
        return np.zeros(ids.shape, np.uint8)
    return look_up(ids, table)


def paint_reference(ids: np.ndarray, flagged: np.ndarray, others: int = 0) -> np.ndarray:
    """As :func:`paint`."""
    painted: np.ndarray = flag_table(flagged, others)[ids]
    return painted


def look_up(ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    """``table[ids]`` for (H, W) int32 ids from 0 on; the result has the table's type."""
    return _look_up(np.ascontiguousarray(ids), table)


def overlap(
    ids: np.ndarray, count: int, other_ids: np.ndarray, kept: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How much of each segment lies on kept segments of another partition.

    Args:
        ids: (H, W) int32, 0 = none, else 1..count.
        count: n.
        other_ids: (H, W) int32, 0 = none, else 1..m.
        kept: (m,) bool.
        score: (m,) float64.

    Returns:
        (n,) int64 pixels on kept ones, and (n,) float64 sum of their scores over those pixels.
    """
    pixels, total = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.float64)
    if kept.any():
        _add_overlap(np.ascontiguousarray(ids), np.ascontiguousarray(other_ids), kept, score, pixels, total)
    return pixels[1:], total[1:]


def overlap_reference(
    ids: np.ndarray, count: int, other_ids: np.ndarray, kept: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`overlap`."""
    on_kept = paint_reference(other_ids, kept) > 0
    segment, other = ids[on_kept], other_ids[on_kept]
    pixels = np.bincount(segment, minlength=count + 1)[1:]
    return pixels, np.bincount(segment, weights=score[other - 1], minlength=count + 1)[1:]


def flag_table(flagged: np.ndarray, others: int = 0) -> np.ndarray:
    """(n + 1,) uint8, what :func:`paint` paints for each id."""
    table = np.zeros(len(flagged) + 1, dtype=np.uint8)
    table[1:] = np.where(flagged, SEGMENT_FLAG, others)
    return table


@jit
def _look_up(ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    out = np.empty(ids.shape, table.dtype)
    flat_in, flat_out = ids.reshape(-1), out.reshape(-1)
    for i in range(flat_in.size):
        flat_out[i] = table[flat_in[i]]
    return out


@jit
def _add_overlap(
    ids: np.ndarray,
    other_ids: np.ndarray,
    kept: np.ndarray,
    score: np.ndarray,
    pixels: np.ndarray,
    total: np.ndarray,
) -> None:
    flat, other = ids.reshape(-1), other_ids.reshape(-1)
    for i in range(flat.size):
        k = other[i]
        if k > 0 and kept[k - 1]:
            pixels[flat[i]] += 1
            total[flat[i]] += score[k - 1]
