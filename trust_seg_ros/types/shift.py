"""What the shift monitor found."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ShiftState:
    """State of the shift monitor after a frame.

    Attributes:
        fired: the data no longer resemble the calibration data; guarantees are void.
        frames: number of frames since the start of the drive.
        known: whether these are enough for an answer.
        p_value: in (0, 1]: the monitor fires where it is at most its level, false alarms in 24 hours.
        statistic: name of the statistic that moved most, of ``STATISTICS``; "" if none is known yet.
        title: what it is, in words.
        value: its mean over the last seconds; NaN if none is known yet.
        usual, spread: mean and standard deviation of the calibration images.
        others: what else gives evidence while it has fired, in words.
        void: promises of thresholds that do not hold now, because the monitor has fired, in words.
        holds: what holds nevertheless, in words; () while it has not fired.
    """

    fired: bool
    frames: int
    known: bool
    p_value: float
    statistic: str = ""
    title: str = ""
    value: float = math.nan
    usual: float = math.nan
    spread: float = math.nan
    others: tuple[str, ...] = ()
    void: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()

    @property
    def difference(self) -> float:
        """By how much ``value`` differs from the calibration data, in their standard deviations; positive: higher now.

        NaN if none is known yet.
        """
        return (self.value - self.usual) / self.spread

    @property
    def text(self) -> str:
        """The statistic that moved most, in which direction and by how much, in words."""
        if not self.known:
            return f"{self.frames} frames so far, more are needed"
        also = f"; also {', '.join(self.others)}" if self.others else ""
        return (
            f"{self.title} is {self.value:.3g}, {abs(self.difference):.1f} standard deviations "
            f"{'above' if self.difference >= 0 else 'below'} the calibration data "
            f"({self.usual:.3g} ± {self.spread:.2g}){also}"
        )
