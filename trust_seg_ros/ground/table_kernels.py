"""Compiled kernels of the polar table."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def fill_pixels(
    nodes: np.ndarray,
    reach: float,
    ahead: np.ndarray,
    left: np.ndarray,
    down: np.ndarray,
    first_azimuth: float,
    azimuth_step: float,
    first_depression: float,
    depression_step: float,
    block: int,
    rows: int,
    columns: int,
    pixels: np.ndarray,
) -> None:
    """Write the pixel that sees each azimuth and depression; every ``block``th is projected, and a line drawn between.

    ``pixels`` (A, D) int32; -1 where the lens does not see, and outside of ``rows`` and ``columns``.
    """
    azimuths, depressions = pixels.shape
    anchors = (depressions + block - 1) // block + 1
    cosines, sines = np.empty(anchors), np.empty(anchors)
    for k in range(anchors):
        cosines[k] = math.cos(first_depression - k * block * depression_step)
        sines[k] = math.sin(first_depression - k * block * depression_step)
    row, column = np.empty(anchors, np.float32), np.empty(anchors, np.float32)
    part, zero, bottom, right = np.float32(1.0 / block), np.float32(0.0), np.float32(rows), np.float32(columns)
    wide, nothing = np.int32(columns), np.int32(-1)
    for a in range(azimuths):
        along, across = math.cos(first_azimuth + a * azimuth_step), math.sin(first_azimuth + a * azimuth_step)
        hx = along * ahead[0] + across * left[0]
        hy = along * ahead[1] + across * left[1]
        hz = along * ahead[2] + across * left[2]
        for k in range(anchors):
            row[k], column[k] = _seen(nodes, reach, hx, hy, hz, down, cosines[k], sines[k])
        for k in range(anchors - 1):
            y, x = row[k], column[k]
            down_by, along_by = (row[k + 1] - y) * part, (column[k + 1] - x) * part
            begin = k * block
            for j in range(begin, min(begin + block, depressions)):
                seen = y >= zero and x >= zero and y < bottom and x < right  # NaN is none of it
                pixels[a, j] = np.int32(y) * wide + np.int32(x) if seen else nothing
                y += down_by
                x += along_by


@jit
def _seen(
    nodes: np.ndarray, reach: float, hx: float, hy: float, hz: float, down: np.ndarray, cosine: float, sine: float
) -> tuple[np.float32, np.float32]:
    """Row and column of a direction, by bilinear interpolation between the nodes of the lens; NaN beyond them."""
    count = nodes.shape[0]
    shrink = (count - 1) / (2.0 * reach) / (1.0 + max(cosine * hz + sine * down[2], -0.999))
    x = (cosine * hx + sine * down[0]) * shrink + 0.5 * (count - 1)
    y = (cosine * hy + sine * down[1]) * shrink + 0.5 * (count - 1)
    if not (x >= 0.0 and y >= 0.0 and x < count - 1 and y < count - 1):
        return np.float32(np.nan), np.float32(np.nan)
    i, k = int(y), int(x)
    fy, fx = np.float32(y - i), np.float32(x - k)
    gy, gx = np.float32(1.0) - fy, np.float32(1.0) - fx
    row = gy * (gx * nodes[i, k, 0] + fx * nodes[i, k + 1, 0]) + fy * (
        gx * nodes[i + 1, k, 0] + fx * nodes[i + 1, k + 1, 0]
    )
    column = gy * (gx * nodes[i, k, 1] + fx * nodes[i, k + 1, 1]) + fy * (
        gx * nodes[i + 1, k, 1] + fx * nodes[i + 1, k + 1, 1]
    )
    return row, column
