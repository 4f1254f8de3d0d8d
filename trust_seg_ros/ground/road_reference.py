"""The definition of ``road_kernels``, readable and slower, with the same signatures."""

from __future__ import annotations

import numpy as np


def outermost(
    ground: np.ndarray,
    beside: np.ndarray,
    any_beside: bool,
    index: np.ndarray,
    level: np.ndarray,
    column: np.ndarray,
    border: np.ndarray,
) -> int:
    """Write level, column and border of the outermost ground pixels of each level; gives their number.

    Args:
        ground: (H W,) bool.
        beside: (H W,) bool.
        any_beside: whether ``beside`` says anything; else no border is hidden.
        index: (K, W) flat pixel of each level and column, -1 outside the image.
        level, column, border: (2 K,) int64, written.
    """
    inside = index >= 0
    road = ground[index] & inside
    columns = index.shape[1]
    n = 0
    for side in range(2):
        sign = 2 * side - 1
        at = columns - 1 - road[:, ::-1].argmax(axis=1) if side else road.argmax(axis=1)
        outside = at[:, None] + sign * np.array([2, 3])  # other ground must be seen there
        there = road.any(axis=1) & (outside >= 0).all(axis=1) & (outside < columns).all(axis=1)
        rows = np.flatnonzero(there)
        rows = rows[inside[rows[:, None], outside[rows]].all(axis=1)]
        hidden = any_beside & ~beside[index[rows[:, None], outside[rows]]].any(axis=1)
        part = slice(n, n + len(rows))
        level[part], column[part], border[part] = rows, at[rows], side + 2 * hidden
        n += len(rows)
    return n


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
    """Add the information and gradient of the points at ``mean``; write which of them are used.

    Args:
        q, p, border: (N,), of ``BorderPoints``.
        mean: (7,) of ``RoadState``.
        noise: of a border in p and in q.
        wavy: (4,) how straight each border is, in heights of the camera.
        alike: (4,) how many neighbouring points count as one.
        nearest: q + t from which on a point is used.
        cut: standard deviations from which on it is not (Tukey's weights).
        information: (7, 7), added to.
        gradient: (7,), added to.
        used: (N,) bool, written.
    """
    above = q + mean[6]
    used[:] = above > nearest
    above = np.maximum(above, nearest)
    r = p - (mean[border] * above + mean[4] + mean[5] / above)
    sigma = np.hypot(noise * np.hypot(1.0, mean[border]), wavy[border] * above)  # up and down counts by its slope
    used &= np.abs(r) < cut * sigma
    weight = np.where(used, (1 - (r / (cut * sigma)) ** 2) ** 2, 0.0) / (alike[border] * sigma**2)
    derivative = np.zeros((len(r), 7))
    derivative[np.arange(len(r)), border] = above
    derivative[:, 4] = 1.0
    derivative[:, 5] = 1.0 / above
    derivative[:, 6] = mean[border] - mean[5] / above**2
    information += (derivative * weight[:, None]).T @ derivative
    gradient += derivative.T @ (weight * r)
