"""A position that follows feedback so that the mean error approaches alpha in the long run, whatever the data do.

Source: Gibbs and Candès, Adaptive Conformal Inference Under Distribution Shift, NeurIPS 2021 (equation 2 and
proposition 4.1), here for a loss in [0, 1] instead of an error of 0 or 1, for feedback that comes rarely and late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from trust_seg_ros.thresholds.policies.base import check_number

MOST_STEP = 0.1
"""Most that one feedback moves the position by, per unit of error: however rare feedback is, no single frame may carry
the threshold through its whole range."""
_GAPS = 10
"""The rate of feedback is the mean over about so many of the last gaps."""


@dataclass(frozen=True)
class LongRunState:
    """What a :class:`LongRun` knows, as plain data.

    Attributes:
        position: where the threshold stands now; within [0, 1] but for a step or two.
        start: where it stood when counting began.
        judged: frames so far.
        newest: number of the newest frame with feedback, counted from 0; -1 = none.
        gap: frames from one feedback to the next, a moving mean; 0 = not known.
        used: feedbacks that told an error.
        before: how many of them came before counting began: alpha or rate was another one.
        outstanding: most feedbacks that were used between a frame and its own feedback.
        weight: frames that the feedbacks stand for, the sum of their weights.
        largest: the largest of these weights.
        missed: the sum of weight times error.
    """

    position: float
    start: float
    judged: int = 0
    newest: int = -1
    gap: float = 0.0
    used: int = 0
    before: int = 0
    outstanding: int = 0
    weight: float = 0.0
    largest: float = 0.0
    missed: float = 0.0

    @property
    def counted(self) -> int:
        """Feedbacks that ``weight`` and ``missed`` are sums of."""
        return self.used - self.before

    @property
    def mean_error(self) -> float | None:
        """Mean error over the frames that feedback stands for, 0 to 1; None before the first."""
        return self.missed / self.weight if self.weight else None


class LongRun:
    """Moves a position p by rate · w · (alpha - error) with each feedback.

    The error of a frame is a loss in [0, 1] under the position that the frame was judged with, 0 at p <= 0 and 1 at
    p >= 1. The weight w is the inverse of the rate of feedback: how many frames each one stands for, a mean over the
    last gaps; at most ``MOST_STEP / rate``. So a lidar that answers every frame moves the threshold as fast as a person
    who labels one in a hundred.

    **What is promised**, for any sequence of frames, however chosen: with D the most feedbacks used between a frame and
    its own feedback, and W the sum of weights,

        |sum w · error / W - alpha| <= (1 + (D + 1) · s) / (rate · W),   s = rate · the largest w <= MOST_STEP

    since the sum of w (alpha - error) telescopes to (p - start) / rate, and p never leaves
    [-(D + 1) s, 1 + (D + 1) s]: beyond 1 it was judged with an error of 1, or at most D steps ago it was inside. With
    equal weights of 1, no delay, and rate gamma this is (1 + gamma) / (gamma T). It is a promise about the mean of a
    long run, not about any frame.

    Args:
        alpha: error that the mean approaches, in (0, 1).
        rate: gamma, how far a frame moves the position per unit of error, in (0, ``MOST_STEP``].
        start: where the position starts, in [0, 1].

    Raises:
        PolicyError: a value is out of its range.
    """

    def __init__(self, alpha: float, rate: float, start: float) -> None:
        check_number("alpha", alpha, 0.0, 1.0, "a number in (0, 1)", open_low=True, open_high=True)
        check_number("rate", rate, 0.0, MOST_STEP, f"a number in (0, {MOST_STEP:g}]", open_low=True)
        check_number("start", start, 0.0, 1.0, "a number in [0, 1]")
        self.alpha, self.rate = float(alpha), float(rate)
        self.state = LongRunState(float(start), float(start))

    @property
    def position(self) -> float:
        """Where the threshold stands now."""
        return self.state.position

    def frame(self) -> tuple[int, int]:
        """Count a judged frame; returns its number and how many feedbacks were used before it, for :meth:`feedback`."""
        s = self.state
        self.state = replace(s, judged=s.judged + 1)
        return s.judged, s.used

    def feedback(self, frame: tuple[int, int], error: float | None) -> None:
        """Learn the error of a frame; once for each frame.

        Args:
            frame: what :meth:`frame` returned for it.
            error: in [0, 1]; None = the feedback tells none, which counts for the rate of feedback only.
        """
        s, (number, used) = self.state, frame
        gap = max(1, number - s.newest)  # of one that arrives out of order: it stands for itself
        known = s.gap or float(gap)
        s = replace(s, gap=known + (gap - known) / _GAPS, newest=max(s.newest, number))
        if error is not None:
            weight = min(s.gap, MOST_STEP / self.rate)
            s = replace(
                s,
                position=s.position + self.rate * weight * (self.alpha - error),
                used=s.used + 1,
                outstanding=max(s.outstanding, s.used - used),
                weight=s.weight + weight,
                largest=max(s.largest, weight),
                missed=s.missed + weight * error,
            )
        self.state = s

    @property
    def bound(self) -> float:
        """What the mean error is off alpha by at most, see above; infinite before the first feedback."""
        s = self.state
        step = self.rate * s.largest
        return (1.0 + (s.outstanding + 1) * step) / (self.rate * s.weight) if s.weight else math.inf

    def aimed_at(self, alpha: float, rate: float) -> LongRun:
        """Another one for new settings, which stands where this one does; a new alpha or rate counts from there."""
        s = self.state
        other = LongRun(alpha, rate, min(max(s.position, 0.0), 1.0))
        if (alpha, rate) == (self.alpha, self.rate):
            other.state = s
        else:
            counts = LongRunState(other.position, other.position, s.judged, s.newest, s.gap)
            other.state = replace(counts, used=s.used, before=s.used)
        return other
