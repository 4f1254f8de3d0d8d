"""What the shift monitor found."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class ShiftState:
    """State of the shift monitor for one score.

    Attributes:
        score: name of the score.
        fired: the data no longer resemble the calibration data; guarantees are void.
        frames: number of frames in the window.
        test: comparison of the window with the reference; None with too few frames.
        text: the same in words: the score, and in which direction and by how much it shifted.
    """

    score: str
    fired: bool
    frames: int
    test: ShiftTest | None
    text: str
