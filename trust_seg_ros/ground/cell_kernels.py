"""Compiled kernels of the cells of one frame; ``reference.observe`` is their definition."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit

_GROUND, _FOOT, _HIDDEN = 1, 2, 3
HINT_M = 0.05
"""``hints[k]`` is the sample at a distance of k times this."""
_OUT_OF_IMAGE = -1.5  # samples below it


@jit
def observe_rows(
    ground: np.ndarray,
    first_azimuth: float,
    azimuth_step: float,
    borders: np.ndarray,
    hints: np.ndarray,
    closed: bool,
    matrix: np.ndarray,
    offset: np.ndarray,
    x: int,
    y: int,
    resolution: float,
    range_m: float,
    first_row: int,
    kind: np.ndarray,
    p: np.ndarray,
) -> None:
    """Write which cells of some rows are seen as ground, with their P(hazard), and which are hidden."""
    azimuths, depressions = ground.shape
    half = 0.5 * resolution
    last_azimuth = first_azimuth + (azimuths - 1) * azimuth_step
    narrow = not closed and last_azimuth - first_azimuth < 3.0
    cosine0, sine0 = math.cos(first_azimuth - azimuth_step), math.sin(first_azimuth - azimuth_step)
    cosine1, sine1 = math.cos(last_azimuth + azimuth_step), math.sin(last_azimuth + azimuth_step)
    for r in range(kind.shape[0]):
        py = (y + first_row + r + 0.5) * resolution
        for c in range(kind.shape[1]):
            kind[r, c], p[r, c] = 0, np.float32(0.0)
            px = (x + c + 0.5) * resolution
            along = matrix[0, 0] * px + matrix[0, 1] * py + offset[0]
            left = matrix[1, 0] * px + matrix[1, 1] * py + offset[1]
            distance = math.sqrt(along * along + left * left)
            if distance > range_m or distance < resolution:
                continue
            if narrow and (sine0 * along > cosine0 * left or sine1 * along < cosine1 * left):
                continue  # its middle is out of the image
            azimuth = math.atan2(left, along)
            wide = half / distance
            a0 = math.floor((azimuth - wide - first_azimuth) / azimuth_step + 0.5)
            a1 = math.floor((azimuth + wide - first_azimuth) / azimuth_step + 0.5)
            if not closed and (a0 < 0 or a1 >= azimuths):
                continue
            j0, j1 = _sample(borders, hints, distance - half), _sample(borders, hints, distance + half)
            if j0 < 0 or j1 >= depressions:
                continue
            out, hidden, worst = False, False, np.float32(0.0)
            for a in range(a0, a1 + 1):
                row = ground[a + azimuths if a < 0 else (a - azimuths if a >= azimuths else a)]
                for j in range(j0, j1 + 1):
                    out |= row[j] < _OUT_OF_IMAGE
                    hidden |= _OUT_OF_IMAGE < row[j] < 0.0
                    worst = max(worst, row[j])
                if hidden:
                    break
            if hidden:
                kind[r, c] = _HIDDEN
            elif not out:
                kind[r, c], p[r, c] = _GROUND, worst


@jit
def _sample(borders: np.ndarray, hints: np.ndarray, distance: float) -> int:
    """The last of the ``borders`` (ascending) that is not above a distance; -1 before the first."""
    j = int(hints[min(int(distance / HINT_M), len(hints) - 1)])
    while j + 1 < len(borders) and borders[j + 1] <= distance:
        j += 1
    return j


@jit
def mark_feet(
    feet: np.ndarray, values: np.ndarray, x: int, y: int, resolution: float, kind: np.ndarray, p: np.ndarray
) -> None:
    """Mark the cells that hold feet, each with the largest P of them."""
    for m in range(feet.shape[0]):
        c, r = math.floor(feet[m, 0] / resolution) - x, math.floor(feet[m, 1] / resolution) - y
        if 0 <= r < kind.shape[0] and 0 <= c < kind.shape[1]:
            p[r, c] = max(p[r, c], values[m]) if kind[r, c] == _FOOT else values[m]
            kind[r, c] = _FOOT
