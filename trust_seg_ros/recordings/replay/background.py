"""Writes in the background, in order, so that no frame waits for compression or the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trust_seg_ros.bags.reader import BagTopic
from trust_seg_ros.recordings.replay.bag_parts import PartWriter

_AHEAD_BYTES = 64 << 20
"""Most bytes waiting to be written; beyond that, the caller waits for the disk."""

_Item = tuple[BagTopic, int, "bytes | bytearray"]


class BackgroundWriter:
    """Writes a part in its own thread, in the order of the calls to ``write``.

    Args:
        opened: opens the part; called in that thread, since SQLite serves only the thread that opened it.
    """

    def __init__(self, opened: Callable[[], PartWriter]) -> None:
        self._opened = opened
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._room = threading.Condition()
        self._waiting = 0
        self._failure: BaseException | None = None
        self._file: Path | None = None
        self._thread = threading.Thread(target=self._run, name="bag-writer", daemon=True)
        self._thread.start()

    def write(self, topic: BagTopic, recorded_ns: int, data: bytes | bytearray) -> None:
        """Queue a message; its data must not be changed afterwards.

        Raises:
            OSError: an earlier message could not be written.
        """
        with self._room:
            while self._waiting > _AHEAD_BYTES and self._failure is None:
                self._room.wait()
            self.check()
            self._waiting += len(data)
        self._items.put((topic, recorded_ns, data))

    def close(self) -> Path:
        """Write the waiting messages, finish the file, and return its path.

        Raises:
            OSError: the file could not be written.
        """
        self._stop()
        self.check()
        assert self._file is not None
        return self._file

    def abort(self) -> None:
        """Leave the file unfinished; waiting messages are dropped."""
        with self._room:
            self._failure = self._failure or InterruptedError("given up")
        self._stop()

    def check(self) -> None:
        """Raise the error of an earlier message, if there was one."""
        if self._failure is not None:
            raise self._failure

    def _stop(self) -> None:
        self._items.put(None)
        self._thread.join()

    def _run(self) -> None:
        part: PartWriter | None = None
        try:
            part = self._opened()
            while (item := self._items.get()) is not None:
                if self._failure is not None:
                    break
                part.write(*item)
                with self._room:
                    self._waiting -= len(item[2])
                    self._room.notify_all()
            if self._failure is None:
                self._file = part.close()
        except BaseException as error:  # re-raised in the thread that waits
            with self._room:
                self._failure = self._failure or error
                self._room.notify_all()
        if part is not None and self._failure is not None:
            with suppress(Exception):  # the error is known already; the file stays unfinished
                part.abort()
