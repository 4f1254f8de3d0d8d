"""Logs warnings that may occur with every frame only every few seconds."""

from __future__ import annotations

import threading
import time
from typing import Protocol

PERIOD_S = 5.0


class Logger(Protocol):
    """The part of a logger that is used here."""

    def warning(self, message: str) -> object:
        """Log at level warning."""
        ...


class Throttle:
    """Logs one warning of each kind per period, with the number of suppressed ones. Thread-safe."""

    def __init__(self, logger: Logger, period_s: float = PERIOD_S) -> None:
        self._logger, self._period_s = logger, period_s
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def warn(self, kind: str, text: str) -> None:
        """Log ``text`` unless one of this kind was logged within the period."""
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(kind, -self._period_s) < self._period_s:
                self._kept_back[kind] = self._kept_back.get(kind, 0) + 1
                return
            self._last[kind] = now
            kept_back = self._kept_back.pop(kind, 0)
        self._logger.warning(text + (f" ({kept_back} more like this before)" if kept_back else ""))
