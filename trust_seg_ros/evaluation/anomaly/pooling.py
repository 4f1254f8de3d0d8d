"""Scores of many images pooled into counts: exactly, by a fine histogram, or as the public benchmark bins them.

Curves belong to the whole data set; a mean of curves of single images is another number and is not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from trust_seg_ros.evaluation.anomaly.curves import Counts
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import UNLABELLED

Method = Literal["exact", "histogram", "binned"]
METHODS: tuple[Method, ...] = ("exact", "histogram", "binned")
_DROPPED_BITS = 8
_BINS = 1 << (32 - _DROPPED_BITS)


class PooledScores(Protocol):
    """Takes image after image, then gives the counts of all."""

    def add(self, score: np.ndarray, truth: np.ndarray) -> None:
        """Add one image.

        Args:
            score: (H, W) floating point, higher = more likely an anomaly; used in float32.
            truth: (H, W) integer labels: 0 in distribution, 1 anomaly, 255 void.

        Raises:
            AnomalyError: shapes differ, other labels, or a score that is not a number.
        """

    def counts(self) -> Counts:
        """Counts over all images added; raises AnomalyError when anomalies or other pixels are missing."""


def pooled_scores(method: Method = "exact") -> PooledScores:
    """An empty pool.

    ``exact`` keeps every pixel (5 bytes each, three times that while sorting). ``histogram`` rounds scores to their
    leading 24 bits (relative width of a bin 2^-15): at most 270 MB for any number of images, and
    ``average_precision_bounds`` tells how far from exact. ``binned`` is the public benchmark's way (SegmentMeIfYouCan):
    per image, thresholds at up to 384 quantiles of the positive and of the negative scores.

    Raises:
        AnomalyError: unknown method.
    """
    kinds: dict[str, Callable[[], PooledScores]] = {
        "exact": ExactScores,
        "histogram": HistogramScores,
        "binned": QuantileScores,
    }
    if method not in kinds:
        raise AnomalyError(f"no way {method!r} to pool scores; choose one of: {', '.join(METHODS)}")
    return kinds[method]()


class ExactScores:
    """Every pixel is kept."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, score: np.ndarray, truth: np.ndarray) -> None:
        """See ``PooledScores``."""
        self._parts.append(_checked(score, truth))

    @property
    def pixels(self) -> int:
        """Pixels kept."""
        return sum(len(part[0]) for part in self._parts)

    def histogram(self) -> HistogramScores:
        """The same pixels in a histogram; those kept are given free."""
        filled = HistogramScores()
        while self._parts:
            filled.add_pixels(*self._parts.pop())
        return filled

    def counts(self) -> Counts:
        """See ``PooledScores``."""
        score = np.concatenate([part[0] for part in self._parts] or [np.empty(0, np.float32)])
        positive = np.concatenate([part[1] for part in self._parts] or [np.empty(0, bool)])
        order = np.argsort(-score, kind="stable")
        score, positive = score[order], positive[order]
        last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if score.size else np.empty(0, np.int64)
        tp = np.cumsum(positive, dtype=np.int64)[last]
        return Counts(score[last].astype(np.float64), tp, last + 1 - tp)


class HistogramScores:
    """Bins of the leading 24 bits of a float32, which order like the numbers themselves."""

    def __init__(self) -> None:
        self._bins = np.zeros((2, _BINS), np.int64)  # pages never touched cost nothing

    def add(self, score: np.ndarray, truth: np.ndarray) -> None:
        """See ``PooledScores``."""
        self.add_pixels(*_checked(score, truth))

    def add_pixels(self, score: np.ndarray, positive: np.ndarray) -> None:
        """Add pixels, scores (n,) float32 and whether they are anomalies (n,) bool."""
        _count(score.view(np.uint32), positive, self._bins)

    def counts(self) -> Counts:
        """See ``PooledScores``; a bin's threshold is the smallest float32 that falls into it."""
        filled = np.flatnonzero(self._bins[0] | self._bins[1])[::-1]
        keys = (filled.astype(np.uint64) << np.uint64(_DROPPED_BITS)).astype(np.uint32)
        bits = np.where(keys & np.uint32(0x80000000), keys ^ np.uint32(0x80000000), ~keys)
        negative, positive = (np.cumsum(row[filled]) for row in self._bins)
        return Counts(bits.view(np.float32).astype(np.float64), positive, negative)


class BoundedScores:
    """Every pixel is kept up to a number of them, from then on a histogram: small data sets exactly, large ones too.

    Args:
        limit: pixels that are kept, 5 bytes each (three times that while sorting); a histogram takes at most 270 MB,
            0.5 MB for every power of two that scores spread over.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: ExactScores | None = ExactScores()
        self._histogram: HistogramScores | None = None

    @property
    def exact(self) -> bool:
        """Whether every pixel is kept still."""
        return self._histogram is None

    def add(self, score: np.ndarray, truth: np.ndarray) -> None:
        """See ``PooledScores``."""
        if self._histogram is not None:
            self._histogram.add(score, truth)
            return
        assert self._kept is not None
        self._kept.add(score, truth)
        if self._kept.pixels > self.limit:
            self._histogram, self._kept = self._kept.histogram(), None

    def counts(self) -> Counts:
        """See ``PooledScores``."""
        pool = self._histogram or self._kept
        assert pool is not None
        return pool.counts()


class QuantileScores:
    """Per image, counts at up to 384 quantiles of the positive and of the negative scores."""

    def __init__(self, quantiles: int = 384) -> None:
        self.quantiles = quantiles
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, score: np.ndarray, truth: np.ndarray) -> None:
        """See ``PooledScores``."""
        score, positive = _checked(score, truth)
        if not score.size:
            return
        groups = [group.astype(np.float64) for group in (score[positive], score[~positive]) if group.size]
        margin = max(1e-2 * float(score.max() - score.min()), 1e-2)
        levels = [np.quantile(group, np.linspace(0, 1, min(self.quantiles, group.size))) for group in groups]
        edges = np.unique(np.concatenate([[score.min() - margin, score.max() + margin], *levels]))
        hits, misses = (np.histogram(score[chosen], edges)[0] for chosen in (positive, ~positive))
        self._parts.append((edges[:-1], hits, misses))

    def counts(self) -> Counts:
        """See ``PooledScores``; equal thresholds of several images are one point."""
        if not self._parts:
            return Counts(*(np.empty(0),) * 3)
        edges, positive, negative = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        thresholds, where = np.unique(-edges, return_inverse=True)
        tp, fp = (np.bincount(where, weights=row).astype(np.int64).cumsum() for row in (positive, negative))
        return Counts(-thresholds, tp, fp)


def _checked(score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) float32 and positives (n,) bool of the pixels that are not void."""
    score, truth = np.asarray(score), np.asarray(truth)
    if score.shape != truth.shape or score.ndim != 2 or score.dtype.kind != "f":
        raise AnomalyError(
            f"scores are {score.dtype} {score.shape}, labels {truth.shape}; expected floating point (H, W) and the same"
        )
    positive = truth == 1
    foreign = np.unique(truth[~positive & (truth != 0) & (truth != UNLABELLED)])
    if foreign.size:
        raise AnomalyError(f"label values {foreign[:10].tolist()}; expected 0 in distribution, 1 anomaly, 255 void")
    valid = truth != UNLABELLED
    chosen = score[valid].astype(np.float32)
    if np.isnan(chosen).any():
        raise AnomalyError(f"{int(np.isnan(chosen).sum())} scores are not a number; expected one for every pixel")
    return chosen + np.float32(0.0), positive[valid]  # -0.0 becomes 0.0


@jit
def _count(bits: np.ndarray, positive: np.ndarray, bins: np.ndarray) -> None:
    for i in range(len(bits)):
        b = bits[i]
        key = ~b if b & np.uint32(0x80000000) else b | np.uint32(0x80000000)
        bins[np.int64(positive[i]), np.int64(key >> np.uint32(_DROPPED_BITS))] += 1
