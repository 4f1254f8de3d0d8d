"""Where frames wait between the executor and the worker."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class FrameSlot(Generic[_Item]):
    """A bounded waiting place that never blocks the one who brings: when full, the oldest item is given up.

    With capacity 1 it holds the newest frame, which keeps the age of results under two processing times however
    slow the processing is.
    """

    def __init__(self, capacity: int = 1) -> None:
        self._items: deque[_Item] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: _Item) -> int:
        """Leave an item; returns how many older ones were given up for it (0 or 1)."""
        with self._changed:
            if self._closed:
                return 0
            overwritten = 0
            if len(self._items) >= self._capacity:
                self._items.popleft()
                overwritten = 1
            self._items.append(item)
            self._changed.notify()
            return overwritten

    def take(self, timeout: float | None = None) -> _Item | None:
        """The oldest item, waiting for one; None when closed, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            return self._items.popleft() if self._items and not self._closed else None

    def close(self) -> None:
        """Give up everything that waits and wake the worker."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed
