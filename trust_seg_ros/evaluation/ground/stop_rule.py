"""A stop rule as in Nav2's collision monitor: so many points inside a polygon ahead of the vehicle, for some frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class Zone:
    """The rectangle ahead that must be clear, in the base frame.

    Attributes:
        start_m, end_m: from where to where it reaches ahead.
        half_width_m: how far it reaches to each side.

    Raises:
        EvaluationError: it is empty.
    """

    start_m: float
    end_m: float
    half_width_m: float

    def __post_init__(self) -> None:
        if not (self.start_m < self.end_m and self.half_width_m > 0):
            raise EvaluationError(
                f"zone from {self.start_m} to {self.end_m} m, {self.half_width_m} m to each side: it is empty"
            )

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(m, 2 or 3) points of the base frame -> (m,) bool."""
        x, y = points[:, 0], points[:, 1]
        found: np.ndarray = (x >= self.start_m) & (x <= self.end_m) & (np.abs(y) <= self.half_width_m)
        return found


@dataclass(frozen=True)
class StopRule:
    """When to stop, and when to drive on.

    Attributes:
        zone: what must be clear.
        least_p: points below this P(hazard) are left out.
        points: so many points within the zone ask for a stop (``min_points``), >= 1.
        frames: in so many frames one after the other, >= 1.
        release: after so many frames without them it may drive on, >= 1.

    Raises:
        EvaluationError: a number is below 1.
    """

    zone: Zone
    least_p: float = 0.5
    points: int = 3
    frames: int = 2
    release: int = 10

    def __post_init__(self) -> None:
        if min(self.points, self.frames, self.release) < 1:
            raise EvaluationError(
                f"stop rule: {self.points} points, {self.frames} frames, {self.release} to release: expected at least 1"
            )

    def count(self, points: np.ndarray, p: np.ndarray) -> int:
        """How many of (m, 2 or 3) points with (m,) P(hazard) count."""
        return int(np.count_nonzero(self.zone.inside(points) & (p >= self.least_p)))


class StopMonitor:
    """Follows one drive.

    Args:
        rule: when to stop.
    """

    def __init__(self, rule: StopRule) -> None:
        self.rule, self.stop = rule, False
        self._against = 0

    def frame(self, count: int) -> bool:
        """Whether to stop, after a frame with so many points that count."""
        filled = count >= self.rule.points
        self._against = self._against + 1 if filled != self.stop else 0
        if self._against >= (self.rule.release if self.stop else self.rule.frames):
            self.stop, self._against = filled, 0
        return self.stop
