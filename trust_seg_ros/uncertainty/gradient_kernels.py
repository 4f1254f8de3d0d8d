"""Kernels of the gradient scores on the CPU: sums of |φ|^p over channels, and norms of f - y over classes.

All run over blocks of pixels in float32, without a branch in the inner loops. There is one kernel for each way of
taking a power, compiled when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty.kernels import (
    CONTRACT,
    EXP_MIN,
    ONE,
    exp_in_range,
    exp_negative,
    log_positive,
)

ANY, ROOT, FIRST, SECOND = 0, 1, 2, 3
"""How a power is taken: any p by logarithm and exponential, or the short ways for p = 0.5, 1 and 2."""

BLOCK = 4096
"""Pixels at a time: their sums stay in the first-level cache, a run of one channel is four pages of memory."""

PIXELS, LABEL_BLOCK = 16, 512
"""Fewer for features that lie pixel by pixel, and for classes: what is read again must still be in the cache."""

_ZERO, _HALF = np.float32(0.0), np.float32(0.5)
_LEAST_NORMAL = np.float32(2.0**-126)


def mode_of(p: float) -> int:
    """Which way a power with exponent ``p`` is taken."""
    return {0.5: ROOT, 1.0: FIRST, 2.0: SECOND}.get(p, ANY)


@jit(fastmath=CONTRACT, inline="always")
def power(x: np.float32, p: np.float32) -> np.float32:
    """|x|^p without a branch, limited to e^±87; 0 where |x| < 2^-126, NaN where x is not finite.

    Relative error 1e-6 + 1e-7 |log x^p|.
    """
    magnitude = abs(x)
    result = exp_in_range(min(max(p * log_positive(magnitude), EXP_MIN), -EXP_MIN))
    found: np.float32 = (result if magnitude >= _LEAST_NORMAL else _ZERO) + x * _ZERO
    return found


@jit(fastmath=CONTRACT, inline="always")
def _term(x: np.float32, p: np.float32, mode: int) -> np.float32:
    """|x|^p; ``mode`` is a constant where this is called."""
    if mode == ROOT:
        root: np.float32 = np.sqrt(abs(x))
        return root
    if mode == FIRST:
        return abs(x)
    return x * x if mode == SECOND else power(x, p)


def _make_sums_by_channel(mode: int) -> Callable[..., None]:
    @jit(fastmath=CONTRACT)
    def sums_by_channel(values: np.ndarray, first: int, last: int, p: np.float32, sums: np.ndarray) -> None:
        """Σ_d |φ_d|^p of pixels first .. last - 1.

        Args:
            values: (D, pixels) float32.
            first, last: which pixels.
            p: exponent.
            sums: (pixels,) float64, overwritten there; each is the value of a float32 sum.
        """
        total = np.empty(min(BLOCK, last - first), np.float32)
        whole = values.shape[0] // 8 * 8
        for start in range(first, last, BLOCK):
            n = min(BLOCK, last - start)
            for x in range(n):
                total[x] = _ZERO
            for d in range(0, whole, 8):  # eight at a time: sums are loaded and stored, and rounded, less often
                a, b, c, e = values[d][start:], values[d + 1][start:], values[d + 2][start:], values[d + 3][start:]
                f, g, h, i = values[d + 4][start:], values[d + 5][start:], values[d + 6][start:], values[d + 7][start:]
                for x in range(n):
                    left = (_term(a[x], p, mode) + _term(b[x], p, mode)) + (_term(c[x], p, mode) + _term(e[x], p, mode))
                    right = (_term(f[x], p, mode) + _term(g[x], p, mode)) + (
                        _term(h[x], p, mode) + _term(i[x], p, mode)
                    )
                    total[x] += left + right
            for d in range(whole, values.shape[0]):
                a = values[d][start:]
                for x in range(n):
                    total[x] += _term(a[x], p, mode)
            for x in range(n):
                sums[start + x] = total[x]

    return sums_by_channel


def _make_sums_by_pixel(mode: int) -> Callable[..., None]:
    @jit(fastmath=CONTRACT)
    def sums_by_pixel(values: np.ndarray, first: int, last: int, p: np.float32, sums: np.ndarray) -> None:
        """The same for features (pixels, D), channels last."""
        flat, channels = values.reshape(-1), values.shape[1]
        terms = np.empty(PIXELS * channels, np.float32)
        for start in range(first, last, PIXELS):
            n = min(PIXELS, last - start)
            source = flat[start * channels :]
            if mode == ANY:  # fetched ahead: the long computation below would let the memory wait
                for i in range(n * channels):
                    terms[i] = source[i]
                source = terms
            for i in range(n * channels):
                terms[i] = _term(source[i], p, mode)
            for x in range(n):
                sums[start + x] = _sum(terms[x * channels : (x + 1) * channels])

    return sums_by_pixel


@jit(fastmath={"reassoc"})
def _sum(values: np.ndarray) -> np.float32:
    """Sum in any order, which lets the compiler use whole vectors."""
    total: np.float32 = _ZERO
    for i in range(values.shape[0]):
        total += values[i]
    return total


@jit
def _two_largest(logits: np.ndarray, start: int, n: int, best: np.ndarray, second: np.ndarray) -> None:
    """Largest and second largest of the logits; equal where two classes tie."""
    for x in range(n):
        best[x], second[x] = -np.inf, -np.inf
    for c in range(logits.shape[0]):
        row = logits[c][start:]
        for x in range(n):
            value, old = row[x], best[x]
            second[x] = max(second[x], min(value, old))
            best[x] = max(old, value)


@jit(fastmath=CONTRACT, inline="always")
def _sums_of_others(
    logits: np.ndarray,
    start: int,
    n: int,
    second: np.ndarray,
    p: np.float32,
    mode: int,
    ones: np.ndarray,
    powers: np.ndarray,
) -> None:
    """Sums over all classes but the predicted of g and g^p, g = e^(l - second); 1 <= both <= q - 1."""
    for x in range(n):
        ones[x], powers[x] = -ONE, -ONE  # the predicted class takes part with g = 1
    for c in range(logits.shape[0]):
        row = logits[c][start:]
        for x in range(n):
            d = min(row[x] - second[x], _ZERO)
            if mode == ROOT:
                root = exp_negative(_HALF * d)
                powers[x] += root
                ones[x] += root * root
            else:
                g = exp_negative(d)
                ones[x] += g
                if mode == FIRST:
                    powers[x] += g
                elif mode == SECOND:
                    powers[x] += g * g
                else:
                    powers[x] += exp_negative(p * d)


@jit(fastmath=CONTRACT, inline="always")
def _sums_from_uniform(
    logits: np.ndarray,
    start: int,
    n: int,
    best: np.ndarray,
    total: np.ndarray,
    p: np.float32,
    mode: int,
    powers: np.ndarray,
) -> None:
    """Sum over all classes of |q f - 1|^p, with total = Σ e^(l - best)."""
    q = np.float32(logits.shape[0])
    for x in range(n):
        powers[x] = _ZERO
    for c in range(logits.shape[0]):
        row = logits[c][start:]
        for x in range(n):
            e = exp_in_range(max(row[x] - best[x], EXP_MIN))
            powers[x] += _term((q * e - total[x]) / total[x], p, mode)


@jit(fastmath=CONTRACT, inline="always")
def _log_onehot(
    d: np.float32, ones: np.float32, powers: np.float32, total: np.float32, p: np.float32, published: bool
) -> np.float32:
    """log of the one-hot label's factor; (T + S^p)^(1/p) is written so that S^p stays in range."""
    log_ones = log_positive(ones)
    exact = log_ones + log_positive(ONE + powers * exp_negative(-p * log_ones)) / p
    found: np.float32 = d + (log_positive(powers) / p if published else exact) - log_positive(total)
    return found


def _make_label_norms(mode: int) -> Callable[..., None]:
    @jit(fastmath=CONTRACT)
    def label_norms(
        logits: np.ndarray,
        first: int,
        last: int,
        p: np.float32,
        published: bool,
        wanted: tuple[bool, bool],
        onehot: np.ndarray,
        uniform: np.ndarray,
    ) -> None:
        """Logarithms of the factor of the one-hot label and of that of the uniform label.

        With d = second - best, S = Σ g, T = Σ g^p over all classes but the predicted and Z = 1 + e^d S, the softmax
        is e^d g / Z there and 1 / Z at the predicted class, 1 - f of which is e^d S / Z: no digits are lost.

        Args:
            logits: (q, pixels) float32, finite.
            first, last: which pixels.
            p: the norm's p.
            published: take the factors of the published code.
            wanted: which of the two are wanted.
            onehot, uniform: (pixels,) float64; what is wanted is overwritten there.
        """
        q, size = np.float32(logits.shape[0]), min(LABEL_BLOCK, last - first)
        best, second, ones, powers, total = np.empty((5, size), np.float32)
        log_q = log_positive(q)
        for start in range(first, last, LABEL_BLOCK):
            n = min(LABEL_BLOCK, last - start)
            _two_largest(logits, start, n, best, second)
            _sums_of_others(logits, start, n, second, p, mode, ones, powers)
            for x in range(n):
                total[x] = ONE + exp_negative(second[x] - best[x]) * ones[x]
            if wanted[0]:
                for x in range(n):
                    onehot[start + x] = _log_onehot(second[x] - best[x], ones[x], powers[x], total[x], p, published)
            if wanted[1] and published:
                for x in range(n):
                    of_f = log_positive(ONE + exp_negative(p * (second[x] - best[x])) * powers[x]) / p
                    uniform[start + x] = of_f - log_positive(total[x]) + log_positive((q - ONE) / q)
            elif wanted[1]:
                _sums_from_uniform(logits, start, n, best, total, p, mode, powers)
                for x in range(n):
                    log_norm = log_positive(powers[x]) / p - log_q
                    uniform[start + x] = log_norm if powers[x] > _ZERO else -np.inf

    return label_norms


SUMS_BY_CHANNEL = tuple(_make_sums_by_channel(mode) for mode in (ANY, ROOT, FIRST, SECOND))
SUMS_BY_PIXEL = tuple(_make_sums_by_pixel(mode) for mode in (ANY, ROOT, FIRST, SECOND))
LABEL_NORMS = tuple(_make_label_norms(mode) for mode in (ANY, ROOT, FIRST, SECOND))
"""Kernels by the way of taking a power."""
