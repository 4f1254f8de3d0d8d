"""What a long transition is doing, for the log and for /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable

PERIOD_S = 5.0
"""Seconds between two lines of the log about the same step."""


class Progress:
    """The current step of ``configure``; written by the thread that works, read by any.

    Args:
        say: writes a line to the log.
        check: raises an exception where the work is no longer wanted.
        period_s: seconds between two lines.
    """

    def __init__(
        self, say: Callable[[str], None], check: Callable[[], None] = lambda: None, period_s: float = PERIOD_S
    ) -> None:
        self._say, self._check, self._period_s = say, check, period_s
        self._step: tuple[str, float] | None = None
        self._said = 0.0

    def step(self, text: str) -> None:
        """A new step begins, such as ``loading the network``."""
        self._step = text, time.monotonic()

    def end(self) -> None:
        """Nothing is going on any more."""
        self._step = None

    def text(self) -> str:
        """The step and for how long it has been going on, ``loading the network, 6 s``; "" while there is none."""
        step = self._step
        return "" if step is None else f"{step[0]}, {time.monotonic() - step[1]:.0f} s"

    def waiting(self) -> None:
        """Log the step if the last line is long ago; called several times a second by whoever waits for its end.

        Raises:
            Exception: whatever ``check`` raises.
        """
        self._check()
        now = time.monotonic()
        if self._step is not None and now - max(self._said, self._step[1]) >= self._period_s:
            self._said = now
            self._say(f"configuring: {self.text()}")
