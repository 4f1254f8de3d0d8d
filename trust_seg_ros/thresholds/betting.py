"""Bets against "this drive is like the calibration images": evidence that may be looked at after every frame.

A frame's number x gives a p-value against the reference, and the p-value a bet e with mean at most 1 while nothing has
shifted. Frames that follow each other are alike, so a frame that stands for dt seconds multiplies the stake by e to the
power dt / L only: over L seconds this is a geometric mean, a fair bet however the frames depend on each other. L, how
long frames stay alike, is learned from the drive (:class:`Pace`). Method and promise: docs/methods/thresholds.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from trust_seg_ros.thresholds.shift_statistic import ShiftReference

CONFIDENCE = 0.95
"""Of each limit on mean and spread of the reference."""
MOST_Z = 12.0
"""Standard deviations that a frame counts for at most."""
CELL_S = 1.0
"""Shortest span whose variance is compared with the reference's, in seconds."""
LEVELS = 8
"""Spans of 1, 2, 4, ... seconds: up to two minutes."""
RECENT = 16
"""Spans of a length that its mean variance remembers, about."""
DAY_S = 86400.0


def log_bet(p: float) -> float:
    """Natural logarithm of the bet on a p-value: the even mixture of k p^(k - 1) over k in (0, 1).

    (1 - p + p ln p) / (p ln² p): 1/2 at p = 1; its mean over p-values that are uniform, or larger, is at most 1
    (Vovk, Wang, E-values: Calibration, combination and applications, Annals of Statistics 2021).
    """
    if p > 0.999:  # the fraction is 0 / 0 at 1
        return math.log(0.5) + (1.0 - p) / 3.0
    log = math.log(p)
    return math.log(1.0 - p + p * log) - log - 2.0 * math.log(-log)


@dataclass(frozen=True, eq=False)
class Bets:
    """The bets of one statistic against its reference.

    A normal score g counts by what is left of it at the ends of confidence intervals for mean and spread, as if the
    reference were the m' independent images that it safely counts for: z = max(0, |g - mean| - margin) / spread.

    Attributes:
        reference: frame numbers of the calibration images.
    """

    reference: ShiftReference

    def score(self, value: float) -> float:
        """g: normal score of a frame's number."""
        return self.reference.normal_score(value)

    def log_bet(self, score: float) -> float:
        """Logarithm of the bet on a frame with this normal score."""
        margin, spread, centre = self._limits
        z = min(MOST_Z, max(0.0, abs(score - centre) - margin) / spread)
        return log_bet(math.erfc(z / math.sqrt(2.0)))

    @cached_property
    def variance(self) -> float:
        """Variance of the normal scores of single images around the true mean."""
        effective = self.reference.effective
        return float(self.reference.normal_scores(self.reference.means).var()) * effective / (effective - 1.0)

    @cached_property
    def _limits(self) -> tuple[float, float, float]:
        """Margin around the mean, upper limit on the standard deviation, mean."""
        from scipy.special import chdtri, stdtrit

        scores, effective = self.reference.normal_scores(self.reference.means), self.reference.effective
        free = effective - 1.0
        spread = math.sqrt(self.variance * free / float(chdtri(free, CONFIDENCE)))
        margin = math.sqrt(self.variance / effective) * float(stdtrit(free, 0.5 + CONFIDENCE / 2))
        return margin, spread, float(scores.mean())


@dataclass
class Pace:
    """How long frames of a drive stay alike, by the law of total variance.

    Variance of the reference that spans of s seconds lack within must lie between them: such a span counts for
    s (1 - within / v) seconds of one and the same observation. The longest of all spans counts.

    Attributes:
        cell: (frames, sum, sum of squares, seconds) of the cell that is being filled.
        waiting: for each length, the first half of the next span, or () .
        within: for each length, (spans, mean variance within one, mean seconds of one).
    """

    cell: tuple[float, ...] = ()
    waiting: list[tuple[float, ...]] = field(default_factory=lambda: [()] * LEVELS)
    within: list[tuple[float, ...]] = field(default_factory=lambda: [(0, 0.0, 0.0)] * LEVELS)

    def add(self, score: float, seconds: float) -> bool:
        """Add a frame that stands for so many seconds; whether a span became complete with it."""
        frames, total, squares, filled = self.cell or (0, 0.0, 0.0, 0.0)
        cell: tuple[float, ...] = (frames + 1, total + score, squares + score * score, filled + seconds)
        self.cell = cell
        if cell[3] < CELL_S:
            return False
        self.cell = ()
        for level in range(LEVELS):
            self._count(level, cell)
            if not (before := self.waiting[level]):
                self.waiting[level] = cell
                break
            self.waiting[level] = ()
            cell = tuple(x + y for x, y in zip(before, cell, strict=True))
        return True

    def alike_s(self, variance: float) -> float:
        """Seconds for which frames count once: 0 where they vary at once as the reference does, of this variance."""
        found = 0.0
        for spans, within, seconds in self.within:
            if spans:
                found = max(found, seconds * (1.0 - within / variance))
        return found

    def _count(self, level: int, cell: Sequence[float]) -> None:
        frames, total, squares, seconds = cell
        spans, within, mean_s = self.within[level]
        variance = max(0.0, squares / frames - (total / frames) ** 2)
        spans = min(spans + 1, RECENT)
        self.within[level] = (spans, within + (variance - within) / spans, mean_s + (seconds - mean_s) / spans)
