"""Images that are missing: fewer come than usual, though they come."""

from __future__ import annotations

import math
from collections import deque

_WINDOW_S, _WINDOW_FRAMES = 3.0, 20
"""Length of the window in which images are counted: in seconds, or in usual images, whichever is longer."""
_USUAL_S = 60.0
"""For so long rates are remembered; the usual one is their upper quartile."""
_EVERY_S = 0.5
_FEWEST = 6
"""Rates that must be known before one is usual."""


class MissingImages:
    """Which share of the usual images is missing from the last seconds. One caller at a time."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()
        self._rates: deque[tuple[float, float]] = deque()

    def see(self, received: int, now: float) -> float:
        """Share that is missing, 0 to 1; 0 while it is not known.

        Args:
            received: images that have come so far.
            now: time in seconds.
        """
        usual = self._usual()
        window = max(_WINDOW_S, _WINDOW_FRAMES / usual) if usual else _WINDOW_S
        self._counts.append((now, received))
        while len(self._counts) > 2 and self._counts[1][0] <= now - window:
            self._counts.popleft()
        since, before = self._counts[0]
        if now - since < _WINDOW_S * 0.99:
            return 0.0
        rate = (received - before) / (now - since)
        if not self._rates or now - self._rates[-1][0] >= _EVERY_S:
            self._rates.append((now, rate))
            while self._rates[0][0] < now - _USUAL_S:
                self._rates.popleft()
        if not usual or now - since < window * 0.99:
            return 0.0
        return max(0.0, 1.0 - rate / usual)

    def _usual(self) -> float:
        """Images per second; 0 = not known."""
        if len(self._rates) < _FEWEST:
            return 0.0
        rates = sorted(rate for _, rate in self._rates)
        return rates[math.floor(0.75 * (len(rates) - 1))]
