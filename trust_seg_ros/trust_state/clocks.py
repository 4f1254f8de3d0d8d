"""Clocks that jump: stamps against the time that passed, and the node's clock against a steady one."""

from __future__ import annotations

import math

LIMIT_S = 0.5
"""A smaller difference may be jitter of the transport or a clock that is slowly corrected."""


_LEARNED = 10
"""Frames after which it is known how young frames can be."""


class StampWatch:
    """Notices stamps that jump. One caller at a time.

    Stamps that go back have jumped. Stamps that go forward have jumped if a frame is younger, by so much, than any
    before it: waiting, in a queue or for the processor, only makes frames older.
    """

    def __init__(self) -> None:
        self._last, self._youngest, self._frames = -math.inf, math.inf, 0

    def see(self, stamp_s: float, now_s: float | None) -> float:
        """By how many seconds the stamps have jumped with this frame: positive forward, negative back, 0 not at all.

        Args:
            stamp_s: stamp of the frame.
            now_s: when it came, by a clock that runs as the stamps do; None = such a clock is not known.
        """
        jump = min(0.0, stamp_s - self._last) if self._last > -math.inf else 0.0
        self._last = stamp_s
        if now_s is None:
            return jump
        age = now_s - stamp_s
        if jump == 0.0 and self._frames >= _LEARNED and self._youngest - age > LIMIT_S:
            jump = self._youngest - age
        self._youngest = age if jump else min(self._youngest, age)
        self._frames = 0 if jump else self._frames + 1
        return jump


class StepWatch:
    """Notices steps of one clock against a steady one. One caller at a time."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def see(self, clock_s: float | None, steady_s: float) -> float:
        """By how many seconds the clock has jumped since the last look; 0 = not.

        Args:
            clock_s: what it shows; None = it does not run by itself (simulated time).
            steady_s: the steady clock at the same moment.
        """
        before = self._ahead
        self._ahead = None if clock_s is None else clock_s - steady_s
        if before is None or self._ahead is None or abs(self._ahead - before) <= LIMIT_S:
            return 0.0
        return self._ahead - before
