"""The queue of frames between the executor and the worker."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from trust_seg_ros.node.arrivals import Arrived

MAX_BYTES = 1 << 29
"""Largest total size of the waiting items: 86 frames of 1920 x 1080 rgb8. A queue of 1000 would be 6 GB."""

_Item = TypeVar("_Item")


class FrameSlot(Generic[_Item]):
    """A bounded queue whose ``put`` never blocks: when it is full, the oldest item is dropped.

    With capacity 1 it holds the newest frame, which keeps the age of results under two processing times however
    slow the processing is.

    Args:
        capacity: how many items may wait.
        max_bytes: largest total size of items of bytes; the newest is kept whatever its size.
    """

    def __init__(self, capacity: int = 1, max_bytes: int = MAX_BYTES) -> None:
        self._items: deque[_Item] = deque()
        self._bytes, self._max_bytes = 0, max_bytes
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._items)

    def put(self, item: _Item, capacity: int = 0) -> int:
        """Add an item; returns how many older ones were dropped for it.

        Args:
            item: what to add.
            capacity: how many items may wait, it included, where that is more than the slot's own capacity.
        """
        with self._changed:
            if self._closed:
                return 0
            overwritten = 0
            size, most = _size(item), max(capacity, self._capacity)
            while self._items and (len(self._items) >= most or self._bytes + size > self._max_bytes):
                self._bytes -= _size(self._items.popleft())
                overwritten += 1
            self._items.append(item)
            self._bytes += size
            self._changed.notify()
            return overwritten

    def take(self, timeout: float | None = None) -> _Item | None:
        """Wait for the oldest item and remove it; None when closed, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            if self._closed or not self._items:
                return None
            item = self._items.popleft()
            self._bytes -= _size(item)
            return item

    def close(self) -> None:
        """Drop all waiting items and wake the worker."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()


def _size(item: object) -> int:
    item = item.data if isinstance(item, Arrived) else item
    return len(item) if isinstance(item, (bytes, bytearray)) else 0
