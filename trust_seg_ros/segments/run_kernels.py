"""Compiled kernels on runs: maximal stretches of one class in one row, the atoms of components.

A band keeps its runs in arrays ``starts`` and ``ends`` (columns, end exclusive), with ``first[r] : first[r + 1]``
the runs of its r-th row. All kernels are serial and release the GIL.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit

UNLABELLED = 255


@jit
def find_runs(classes: np.ndarray, y0: int, y1: int, starts: np.ndarray, ends: np.ndarray, first: np.ndarray) -> int:
    """Write the runs of rows y0..y1 of ``classes`` (uint8); pixels of class 255 are in no run. Returns their number."""
    width = classes.shape[1]
    n = 0
    for y in range(y0, y1):
        first[y - y0] = n
        x = 0
        while x < width:
            c = classes[y, x]
            begin = x
            x += 1
            while x < width and classes[y, x] == c:
                x += 1
            if c != UNLABELLED:
                starts[n] = begin
                ends[n] = x
                n += 1
    first[y1 - y0] = n
    return n


@jit
def find_root(parent: np.ndarray, i: int) -> int:
    """The smallest member of i's set, halving the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@jit
def join(parent: np.ndarray, i: int, j: int) -> None:
    """Unite the sets of i and j; the smaller root stays, so a root is the first of its set in raster order."""
    a = find_root(parent, i)
    b = find_root(parent, j)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@jit
def link_rows(
    classes: np.ndarray,
    y: int,
    upper: tuple[int, int],
    lower: tuple[int, int],
    starts_u: np.ndarray,
    ends_u: np.ndarray,
    starts_l: np.ndarray,
    ends_l: np.ndarray,
    names_u: np.ndarray,
    names_l: np.ndarray,
    parent: np.ndarray,
) -> None:
    """Unite the runs ``upper`` of row y - 1 with the runs ``lower`` of row y that touch them, diagonals included.

    ``upper`` and ``lower`` are (first, past the last) run numbers; ``names_*`` map a run to its element of ``parent``.
    """
    i, i_end = upper
    for j in range(lower[0], lower[1]):
        begin, end = starts_l[j], ends_l[j]
        c = classes[y, begin]
        while i < i_end and ends_u[i] < begin:
            i += 1
        k = i
        while k < i_end and starts_u[k] <= end:
            if classes[y - 1, starts_u[k]] == c:
                join(parent, names_u[k], names_l[j])
            k += 1


@jit
def label_runs(
    classes: np.ndarray,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    parent: np.ndarray,
    labels: np.ndarray,
    class_ids: np.ndarray,
    boxes: np.ndarray,
    sizes: np.ndarray,
) -> int:
    """Unite the runs of one band and number its sets 0..m-1 in raster order. Returns m.

    Writes ``labels`` (per run) and, per set, its class, box (left, top, right, bottom) and size.
    """
    rows = len(first) - 1
    for run in range(first[rows]):
        parent[run] = run
        labels[run] = run
    for r in range(1, rows):
        upper, lower = (first[r - 1], first[r]), (first[r], first[r + 1])
        link_rows(classes, y0 + r, upper, lower, starts, ends, starts, ends, labels, labels, parent)
    m = 0
    for r in range(rows):
        y = y0 + r
        for run in range(first[r], first[r + 1]):
            begin, end = starts[run], ends[run]
            if parent[run] == run:
                label = m
                m += 1
                class_ids[label] = classes[y, begin]
                boxes[label, 0], boxes[label, 1], boxes[label, 2] = begin, y, end
                sizes[label] = 0
            else:
                label = labels[parent[run]]
                boxes[label, 0] = min(boxes[label, 0], begin)
                boxes[label, 2] = max(boxes[label, 2], end)
            boxes[label, 3] = y + 1
            sizes[label] += end - begin
            labels[run] = label
    return m


@jit
def number_sets(parent: np.ndarray, numbers: np.ndarray) -> int:
    """Number the sets of ``parent`` 1..n in the order of their first element. Returns n."""
    n = 0
    for i in range(len(parent)):
        if parent[i] == i:
            n += 1
            numbers[i] = n
        else:
            numbers[i] = numbers[parent[i]]
    return n


@jit
def write_ids(
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    numbers: np.ndarray,
    ids: np.ndarray,
) -> None:
    """Paint every run with the number of its set; ``ids`` starts as zeros."""
    for r in range(len(first) - 1):
        for run in range(first[r], first[r + 1]):
            number = numbers[labels[run]]
            begin = np.int64(starts[run])
            for i in range(np.int64(ends[run]) - begin):
                ids[y0 + r, np.uint64(begin + i)] = number


@jit
def merge_outlines(
    numbers: np.ndarray,
    part_classes: np.ndarray,
    part_boxes: np.ndarray,
    part_sizes: np.ndarray,
    class_ids: np.ndarray,
    boxes: np.ndarray,
    sizes: np.ndarray,
) -> None:
    """Add what one band knows of its sets to the components they belong to."""
    for label in range(len(numbers)):
        k = numbers[label] - 1
        if sizes[k] == 0:
            class_ids[k] = part_classes[label]
            boxes[k] = part_boxes[label]
        else:
            boxes[k, 0] = min(boxes[k, 0], part_boxes[label, 0])
            boxes[k, 2] = max(boxes[k, 2], part_boxes[label, 2])
            boxes[k, 3] = max(boxes[k, 3], part_boxes[label, 3])
        sizes[k] += part_sizes[label]
