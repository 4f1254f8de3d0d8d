"""Compiled kernels of the road's borders; ``road_reference`` is their definition."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def outermost(
    ground: np.ndarray,
    beside: np.ndarray,
    any_beside: bool,
    index: np.ndarray,
    level: np.ndarray,
    column: np.ndarray,
    border: np.ndarray,
) -> int:
    """Write level, column and border of the outermost ground pixels of each level; gives their number."""
    levels, columns = index.shape
    n = 0
    for side in range(2):
        sign = 2 * side - 1
        for k in range(levels):
            at = -1
            for step in range(columns):
                c = columns - 1 - step if side else step
                if index[k, c] >= 0 and ground[index[k, c]]:
                    at = c
                    break
            near, far = at + 2 * sign, at + 3 * sign
            if at < 0 or far < 0 or far >= columns or index[k, near] < 0 or index[k, far] < 0:
                continue
            hidden = any_beside and not (beside[index[k, near]] or beside[index[k, far]])
            level[n], column[n], border[n] = k, at, side + 2 * hidden
            n += 1
    return n


@jit
def normal_equations(
    q: np.ndarray,
    p: np.ndarray,
    border: np.ndarray,
    mean: np.ndarray,
    noise: float,
    wavy: np.ndarray,
    alike: np.ndarray,
    nearest: float,
    cut: float,
    information: np.ndarray,
    gradient: np.ndarray,
    used: np.ndarray,
) -> None:
    """Add the information and gradient of the points at ``mean``; write which of them are used."""
    heading, bend, slope = 4, 5, 6
    row = np.empty(4)
    place = np.array([0, heading, bend, slope])
    for n in range(len(q)):
        one = border[n]
        above = q[n] + mean[slope]
        used[n] = False
        if above <= nearest:
            continue
        r = p[n] - (mean[one] * above + mean[heading] + mean[bend] / above)
        sigma = math.hypot(noise * math.hypot(1.0, mean[one]), wavy[one] * above)
        relative = r / (cut * sigma)
        if not abs(relative) < 1.0:
            continue
        used[n] = True
        weight = (1.0 - relative * relative) ** 2 / (alike[one] * sigma * sigma)
        row[0], row[1], row[2], row[3] = above, 1.0, 1.0 / above, mean[one] - mean[bend] / (above * above)
        place[0] = one
        for i in range(4):
            gradient[place[i]] += weight * r * row[i]
            for j in range(4):
                information[place[i], place[j]] += weight * row[i] * row[j]
