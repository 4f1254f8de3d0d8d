"""A stop-watch for the steps of a frame."""

from __future__ import annotations

import time


class LapClock:
    """Milliseconds from lap to lap.

    Attributes:
        laps: name -> milliseconds since the previous lap, or since the clock was created.
    """

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Record the end of a step."""
        now = time.perf_counter()
        self.laps[name] = (now - self._last) * 1e3
        self._last = now
