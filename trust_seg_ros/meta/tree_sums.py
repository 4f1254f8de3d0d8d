"""Sums of the leaves that segments reach in boosted trees: a kernel, and the readable reference beside it.

Both give the same numbers to the last bit: metrics are compared as float32, and leaves are added in the order of the
trees.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def tree_sums(
    x: np.ndarray,
    roots: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> np.ndarray:
    """(n,) float64, for metrics (n, m) float32: tree by tree, all segments a level at a time.

    So nothing waits for the node before it, and there is no branch that the processor would have to guess: half the
    time of walking down segment by segment.

    Args:
        x: metrics, C-contiguous.
        roots, feature, threshold, left, right, value: as in ``meta.trees.Trees``.
    """
    n = len(x)
    total, at = np.zeros(n), np.empty(n, np.uint32)
    for tree in range(len(roots)):
        at[:] = roots[tree]
        moved = True
        while moved:
            moved = False
            for row in range(n):
                node = np.uint64(at[row])  # without a sign, an index needs no check for counting from the end
                goes_left = np.uint64(x[row, np.uint64(feature[node])] <= threshold[node])
                child = np.uint64(right[node])
                child += (np.uint64(left[node]) - child) * goes_left
                moved |= child != node
                at[row] = child
        for row in range(n):
            total[row] += value[np.uint64(at[row])]
    return total


def tree_sums_reference(
    x: np.ndarray,
    roots: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> np.ndarray:
    """The same in NumPy: goes down all trees of all segments at once, a level at a time."""
    rows = np.arange(len(x))[:, None]
    at = np.broadcast_to(roots, (len(x), len(roots)))
    while True:
        further = np.where(x[rows, feature[at]] <= threshold[at], left[at], right[at])
        if np.array_equal(further, at):
            total: np.ndarray = np.add.accumulate(value[at], axis=1)[:, -1]
            return total
        at = further
