"""Gradient norms at the resolution of the features to scores at that of the image, on the CPU."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import Placement
from trust_seg_ros.uncertainty.gradient_inputs import FLOAT32_MAX, LOG_LEAST
from trust_seg_ros.uncertainty.kernels import CONTRACT, grid_taps, hold_rows, log_positive
from trust_seg_ros.uncertainty.threads import run_bands

_LOWER, _LIFT = 2.0**-100, 2.0**200
_LOG_LIFT = np.float32(200.0 * math.log(2.0))
_LOG_LEAST = np.float32(LOG_LEAST)


def upsample_scores(
    norms: np.ndarray,
    peaks: np.ndarray,
    signs: np.ndarray,
    logarithm: bool,
    out: np.ndarray,
    threads: int | None,
    placement: Placement | None = None,
) -> None:
    """Write signed norms or their logarithms.

    Args:
        norms: (n, h, w) float64 in [0, 1], in units of e^peak.
        peaks: (n,) float64.
        signs: (n,) float64, 1 or -1.
        logarithm: write log norms, at least LOG_LEAST, instead of norms, at most FLOAT32_MAX.
        out: (n, H, W) float32, overwritten.
        threads: how many threads work; None for one per core, at most 8.
        placement: where the output lies on the grid of the norms; None = it is that grid, stretched.
    """
    height, width = out.shape[1:]
    rows, columns = grid_taps(norms.shape[1:], (height, width), placement)
    units = signs * np.exp(np.clip(peaks, -700.0, 700.0))

    def band(first: int, last: int) -> None:
        _band(norms, *rows, *columns, first, last, peaks, units, signs, logarithm, out)

    run_bands(band, height, threads)


@jit
def _band(
    norms: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    first: int,
    last: int,
    peaks: np.ndarray,
    units: np.ndarray,
    signs: np.ndarray,
    logarithm: bool,
    out: np.ndarray,
) -> None:
    """Rows first .. last - 1 of all maps."""
    width = left.shape[0]
    rows, held = np.empty((2, norms.shape[0], width)), np.full(2, -1, np.int64)
    for y in range(first, last):
        hold_rows(norms, top[y], bottom[y], 0, width, left, right, weight, rows, held)
        into = np.float64(mix[y])
        for k in range(norms.shape[0]):
            upper, lower, target = rows[top[y] & 1][k], rows[bottom[y] & 1][k], out[k][y]
            if logarithm:
                _log_row(upper, lower, into, np.float32(peaks[k]), np.float32(signs[k]), target)
            else:
                _norm_row(upper, lower, units[k] * (1.0 - into), units[k] * into, target)


@jit(fastmath=CONTRACT)
def _norm_row(upper: np.ndarray, lower: np.ndarray, rest: float, into: float, target: np.ndarray) -> None:
    for x in range(target.shape[0]):
        target[x] = max(-FLOAT32_MAX, min(rest * upper[x] + into * lower[x], FLOAT32_MAX))


@jit(fastmath=CONTRACT)
def _log_row(
    upper: np.ndarray, lower: np.ndarray, into: float, peak: np.float32, sign: np.float32, target: np.ndarray
) -> None:
    rest = 1.0 - into
    for x in range(target.shape[0]):
        value, log = rest * upper[x] + into * lower[x], peak
        for _ in range(2):  # what float32 cannot hold is lifted into its range
            low = value < _LOWER
            value = value * _LIFT if low else value
            log = log - _LOG_LIFT if low else log
        target[x] = sign * max(log + log_positive(np.float32(value)), _LOG_LEAST)
