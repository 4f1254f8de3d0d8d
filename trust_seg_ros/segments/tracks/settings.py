"""Settings of tracking."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.segments.errors import TrackingError

LONGEST = 100
"""Most rows of metrics that are kept of a track."""
LONGEST_GAP_S = 60.0


@dataclass(frozen=True)
class TrackingSettings:
    """Whether segments are followed from frame to frame, and for how long.

    Attributes:
        on: whether to track.
        length: most rows of metrics kept of a track over the window of a time-dynamic meta model, 2 to 100; never more
            than it was fitted with.
        max_gap_s: longest time between two sightings of a track, seconds of message time, in (0, 60]; also the longest
            step between two frames that tracks live through. It must be above the time between frames.

    Raises:
        TrackingError: a value is out of range.
    """

    on: bool = False
    length: int = 10
    max_gap_s: float = 1.2

    def __post_init__(self) -> None:
        if not 2 <= self.length <= LONGEST:
            raise TrackingError(f"tracking.length = {self.length}: expected 2 to {LONGEST} rows")
        if not (math.isfinite(self.max_gap_s) and 0.0 < self.max_gap_s <= LONGEST_GAP_S):
            raise TrackingError(
                f"tracking.max_gap_s = {self.max_gap_s}: expected seconds above 0, at most {LONGEST_GAP_S:g}"
            )

    def __str__(self) -> str:
        return f"on, {self.length} frames, gaps up to {self.max_gap_s:g} s" if self.on else "off"
