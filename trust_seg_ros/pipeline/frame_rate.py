"""How often frames come, by their stamps."""

from __future__ import annotations

from collections import deque
from statistics import median

_FRAMES = 20
_LEAST = 5


class FrameRate:
    """The rate of the last frames: the inverse of the median step of their stamps; steps of 0 and back do not count."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._steps: deque[float] = deque(maxlen=_FRAMES)

    def add(self, stamp_ns: int) -> None:
        """Count a frame, by its stamp in nanoseconds; 0 = not stamped."""
        if stamp_ns > self._last_ns > 0:
            self._steps.append((stamp_ns - self._last_ns) / 1e9)
        self._last_ns = stamp_ns

    @property
    def hz(self) -> float | None:
        """Frames per second; None after fewer than five steps."""
        return 1.0 / median(self._steps) if len(self._steps) >= _LEAST else None
