"""How often frames come, by their stamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import accumulate
from statistics import median

_FRAMES = 20
_LEAST = 5


class FrameRate:
    """The rate of the last frames: the inverse of the median step of their stamps; steps of 0 and back do not count."""

    def __init__(self, stamps_ns: Iterable[int] = ()) -> None:
        self._last_ns = 0
        self._steps: deque[int] = deque(maxlen=_FRAMES)  # nanoseconds
        for stamp_ns in stamps_ns:
            self.add(stamp_ns)

    def add(self, stamp_ns: int) -> None:
        """Count a frame, by its stamp in nanoseconds; 0 = not stamped."""
        if stamp_ns > self._last_ns > 0:
            self._steps.append(stamp_ns - self._last_ns)
        self._last_ns = stamp_ns

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Stamps that another one must be given to go on like this one."""
        if not self._steps:
            return (self._last_ns,)
        first = 1  # where it begins does not matter, only the steps do
        stamps = accumulate(self._steps, initial=first)
        return (*stamps, 0, self._last_ns)

    @property
    def hz(self) -> float | None:
        """Frames per second; None after fewer than five steps."""
        return 1e9 / median(self._steps) if len(self._steps) >= _LEAST else None
