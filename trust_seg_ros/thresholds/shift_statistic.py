"""Does a window of frames still look like the calibration images? A two-sample test for frames that follow each other.

Frames of a drive are alike for seconds, so a window holds far fewer independent observations than frames, and nobody
knows how many. The test therefore estimates them from the window: by the law of total variance, if frames within one
window vary less than the calibration images do, the missing variance must lie between windows. The calibration images
may be one clip, too: how far their mean can be trusted is estimated from their order. Formulas and false-alarm rates:
docs/methods/thresholds.md.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from trust_seg_ros.errors import TrustSegError

LEAST_IMAGES = 10
"""Least number of calibration images for a reference of frame means."""
LEAST_INDEPENDENT = 2.0
"""Least number of independent images that they must count for."""
_LIMIT = 0.99  # confidence of the upper limit on the variance of the reference's mean
_FEWEST_BLOCKS = 6
_TAIL = 0.25  # share of the reference that its tail is extrapolated from


class ShiftError(TrustSegError, ValueError):
    """A reference or setting of the shift monitor cannot be used."""


@dataclass(frozen=True)
class ShiftTest:
    """Comparison of a window with the reference.

    Attributes:
        difference: difference of the means, in standard deviations of the reference; positive: the score is higher now.
        statistic: T, about Student's t; its sign is that of the mean normal score.
        p_value: two-sided, in [0, 1].
        effective: number of independent observations the window counted for.
    """

    difference: float
    statistic: float
    p_value: float
    effective: float


@dataclass(frozen=True, eq=False)
class ShiftReference:
    """Mean of a score over each calibration image.

    Attributes:
        means: (m,) float64, in the unit of the score, in the order in which the images were taken; or ascending, if
            that order is not known.

    Raises:
        ShiftError: fewer than ``LEAST_IMAGES``, not finite, all the same, or so much alike from one to the next that
            they count for fewer than ``LEAST_INDEPENDENT`` independent ones.
    """

    means: np.ndarray

    def __post_init__(self) -> None:
        means = np.array(self.means, np.float64)
        object.__setattr__(self, "means", means)
        if means.ndim != 1 or len(means) < LEAST_IMAGES or not np.isfinite(means).all():
            raise ShiftError(
                f"reference of the shift monitor: {np.isfinite(means).sum()} finite frame means of {means.size}; "
                f"expected at least {LEAST_IMAGES}, all finite: calibrate with more images"
            )
        if not means.std() > 1e-12 * np.abs(means).max():
            raise ShiftError(
                f"reference of the shift monitor: the score has the mean {means[0]:g} in each of {len(means)} images; "
                "expected images that differ"
            )
        if self.effective < LEAST_INDEPENDENT:
            raise ShiftError(
                f"reference of the shift monitor: neighbours among the {len(means)} images are so much alike (one "
                f"clip?) that all of them count for {self.effective:.1f} independent images; expected at least "
                f"{LEAST_INDEPENDENT:g}: calibrate with images from more places"
            )

    @classmethod
    def from_means(cls, means: Iterable[float]) -> ShiftReference:
        """From the means of all images; means that are not finite (an image without a usable score) are left out."""
        values = np.fromiter(means, np.float64)
        return cls(values[np.isfinite(values)])

    @cached_property
    def mean(self) -> float:
        """Mean of the means."""
        return float(self.means.mean())

    @cached_property
    def std(self) -> float:
        """Standard deviation of the means, > 0."""
        return float(self.means.std(ddof=1))

    @cached_property
    def effective(self) -> float:
        """m', the number of independent images that the means safely count for, in [1, m].

        Neighbours in a recording are alike, so m' = 1 + v/V with V an upper limit on the variance of the mean
        (:func:`mean_variance_limit`). It is m if their order is not known.
        """
        m = float(len(self.means))
        if (np.diff(self.means) >= 0.0).all():
            return m
        scores = self.normal_scores(self.means)
        return min(m, 1.0 + float(scores.var()) / mean_variance_limit(scores))

    def normal_score(self, value: float) -> float:
        """:meth:`normal_scores` of one value, in a microsecond."""
        x, z, low, high = self._lists
        if value <= x[0]:
            return z[0] + low * (value - x[0])
        if value >= x[-1]:
            return z[-1] + high * (value - x[-1])
        k = bisect_right(x, value)
        return z[k - 1] + (z[k] - z[k - 1]) * (value - x[k - 1]) / (x[k] - x[k - 1])

    def normal_scores(self, values: np.ndarray | float) -> np.ndarray:
        """The standard normal quantile of each value's rank in the reference; outside it, extrapolated along the tail.

        Without ranks a skewed score would be decided by its few largest values; without the tails every value outside
        the reference would count the same, however far away.
        """
        x, z, low, high = self._map
        values = np.asarray(values, np.float64)
        inside = np.interp(values, x, z)
        found: np.ndarray = inside + low * np.minimum(values - x[0], 0.0) + high * np.maximum(values - x[-1], 0.0)
        return found

    def compare(self, values: np.ndarray, independent: int = 5) -> ShiftTest:
        """Test whether a window of frames has the mean level of the reference.

        Args:
            values: (n,) frame means of the window, n >= 1, finite.
            independent: c, the most independent observations that the window may count for, >= 2.

        Returns:
            T = mean of the normal scores g / sqrt(v (max(1 - s²/v, 1/min(c, n)) + 1/m')), s² the variance of the
            window's g, m' the effective size of the reference, v the variance of its g times m'/(m' - 1); its p-value
            is Student's with min(c, m') - 1 degrees of freedom.
        """
        from scipy.special import stdtr

        scores, v = self.normal_scores(values), self._variance
        spread = max(1.0 - float(scores.var()) / v, 1.0 / min(independent, len(scores)))
        statistic = float(scores.mean()) / math.sqrt(v * (spread + 1.0 / self.effective))
        p_value = min(1.0, 2.0 * float(stdtr(min(independent, self.effective) - 1.0, -abs(statistic))))
        return ShiftTest((float(np.mean(values)) - self.mean) / self.std, statistic, p_value, 1.0 / spread)

    @cached_property
    def _variance(self) -> float:
        """Variance of single images around the true mean: their spread around their own mean is too small."""
        return float(self.normal_scores(self.means).var()) * self.effective / (self.effective - 1.0)

    @cached_property
    def _lists(self) -> tuple[list[float], list[float], float, float]:
        x, z, low, high = self._map
        return x.tolist(), z.tolist(), low, high

    @cached_property
    def _map(self) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Distinct values, their normal scores, and the slopes below and above them."""
        m = len(self.means)
        ranks = np.array([NormalDist().inv_cdf((i + 0.5) / m) for i in range(m)])
        x, group, count = np.unique(self.means, return_inverse=True, return_counts=True)
        group = np.sort(group.reshape(-1))  # in the order of the ranks
        z = np.bincount(group, ranks) / count
        ordered, k = np.sort(self.means), max(1, round(_TAIL * m))
        usual = 1.0 / self.std

        def slope(a: int, b: int) -> float:
            width = ordered[b] - ordered[a]
            return float((ranks[b] - ranks[a]) / width) if width > 1e-3 * self.std else usual

        return x, z, slope(0, k), slope(m - 1 - k, m - 1)


def mean_variance_limit(values: np.ndarray) -> float:
    """Upper limit on the variance of the mean of a series whose neighbours are alike, by the method of batch means.

    The series is cut into B = 6, 12, 24, ... blocks of equal length; the means of blocks longer than the correlation
    are independent, so their sum of squares over B, divided by a lower quantile of chi-square with B - 1 degrees of
    freedom, is a limit at 99 %. Shorter blocks give too small a value, hence the largest of all.

    Args:
        values: (n,) in order of time, n >= 6.

    Returns:
        The limit, > 0 unless all values are the same.
    """
    from scipy.special import chdtri

    n, limit, blocks = len(values), 0.0, _FEWEST_BLOCKS
    while blocks <= n:
        length = n // blocks
        means = values[n - blocks * length :].reshape(blocks, length).mean(axis=1)
        limit = max(limit, float(means.var() / chdtri(blocks - 1, _LIMIT)))
        blocks *= 2
    return limit
