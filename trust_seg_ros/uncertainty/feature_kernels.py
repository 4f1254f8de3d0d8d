"""Compiled part of the feature scores: reduces a product of bank and features, over many pixels at a time."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty.kernels import CONTRACT
from trust_seg_ros.uncertainty.threads import run_bands

_BLOCK = 128


def reduce_product(
    product: np.ndarray,
    lengths: np.ndarray,
    bank: int,
    shift: np.ndarray,
    distance: np.ndarray,
    residual: np.ndarray,
) -> None:
    """Nearest neighbours and residual of every pixel.

    Args:
        product: (n + r, pixels) float32, the bank and the residual directions times the features.
        lengths: (pixels,) float32, length of the features.
        bank: n >= 3.
        shift: (r,) float32, the residual directions times the origin.
        distance: (pixels,) float32, overwritten: 1 - mean of the 3 largest cosines; NaN where the length is not finite.
        residual: (pixels,) float32, overwritten: length of the rest; NaN likewise.
    """
    blocks = -(-len(lengths) // _BLOCK)
    run_bands(lambda first, last: _reduce(product, lengths, bank, shift, distance, residual, first, last), blocks)


@jit(fastmath=CONTRACT)
def _reduce(
    product: np.ndarray,
    lengths: np.ndarray,
    bank: int,
    shift: np.ndarray,
    distance: np.ndarray,
    residual: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Blocks first .. last - 1 of pixels; rows of the product are added to running values, so that loops vectorise."""
    running = np.empty((4, _BLOCK), np.float32)
    a, b, c, rest = running[0], running[1], running[2], running[3]
    for block in range(first, last):
        start = block * _BLOCK
        count = min(_BLOCK, lengths.shape[0] - start)
        a[:], b[:], c[:], rest[:] = -np.inf, -np.inf, -np.inf, 0.0
        for row in range(bank):
            values = product[row, start : start + count]
            for i in range(count):
                value = values[i]
                low = min(a[i], value)
                a[i] = max(a[i], value)
                third = min(b[i], low)
                b[i] = max(b[i], low)
                c[i] = max(c[i], third)
        for row in range(bank, product.shape[0]):
            values, offset = product[row, start : start + count], shift[row - bank]
            for i in range(count):
                value = values[i] - offset
                rest[i] += value * value
        _finish(a, b, c, rest, lengths[start : start + count], distance[start:], residual[start:])


@jit
def _finish(
    a: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    rest: np.ndarray,
    lengths: np.ndarray,
    distance: np.ndarray,
    residual: np.ndarray,
) -> None:
    for i in range(lengths.shape[0]):
        length = lengths[i]
        if not np.isfinite(length):
            distance[i] = residual[i] = np.nan
            continue
        cosine = (a[i] + b[i] + c[i]) / (np.float32(3.0) * length) if length > 0 else np.float32(0.0)
        distance[i] = min(max(np.float32(1.0) - cosine, np.float32(0.0)), np.float32(2.0))
        residual[i] = np.sqrt(rest[i])
