"""Compiled kernels for segments that share a key instead of touching each other; see ``run_kernels`` for runs."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def write_keys(classes: np.ndarray, owner: np.ndarray, queries: int, keys: np.ndarray) -> None:
    """``keys`` (H, W) int32 = class * queries + query; -1 where a pixel has no query."""
    for y in range(classes.shape[0]):
        for x in range(classes.shape[1]):
            keys[y, x] = classes[y, x] * queries + owner[y, x] if owner[y, x] >= 0 else -1


@jit
def find_key_runs(keys: np.ndarray, y0: int, y1: int, starts: np.ndarray, ends: np.ndarray, first: np.ndarray) -> int:
    """Write the runs of rows y0..y1 of ``keys`` (int32); negative pixels are in no run. Returns their number."""
    width = keys.shape[1]
    n = 0
    for y in range(y0, y1):
        first[y - y0] = n
        x = 0
        while x < width:
            key = keys[y, x]
            begin = x
            x += 1
            while x < width and keys[y, x] == key:
                x += 1
            if key >= 0:
                starts[n] = begin
                ends[n] = x
                n += 1
    first[y1 - y0] = n
    return n


@jit
def label_keys(
    keys: np.ndarray,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    table: np.ndarray,
    labels: np.ndarray,
    part_keys: np.ndarray,
    boxes: np.ndarray,
    sizes: np.ndarray,
) -> int:
    """Number the keys of one band 0..m-1 in raster order of their first run. Returns m.

    Writes ``labels`` (per run) and, per key, its value, box (left, top, right, bottom) and size. ``table`` (int32, one
    entry per possible key) starts as -1.
    """
    m = 0
    for r in range(len(first) - 1):
        y = y0 + r
        for run in range(first[r], first[r + 1]):
            begin, end = starts[run], ends[run]
            key = keys[y, begin]
            label = table[key]
            if label < 0:
                label = m
                m += 1
                table[key] = label
                part_keys[label] = key
                boxes[label, 0], boxes[label, 1], boxes[label, 2] = begin, y, end
                sizes[label] = 0
            else:
                boxes[label, 0] = min(boxes[label, 0], begin)
                boxes[label, 2] = max(boxes[label, 2], end)
            boxes[label, 3] = y + 1
            sizes[label] += end - begin
            labels[run] = label
    return m
