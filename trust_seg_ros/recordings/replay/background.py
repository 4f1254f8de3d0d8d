"""Writing beside the work: compression and the disk keep no frame waiting, and the order stays as it was."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trust_seg_ros.bags.reader import BagTopic
from trust_seg_ros.recordings.replay.bag_parts import PartWriter

_AHEAD_BYTES = 64 << 20
"""That may wait to be written; beyond, the work waits for the disk."""

_Item = tuple[BagTopic, int, "bytes | bytearray"]


class BackgroundWriter:
    """A part that is written by a thread of its own, in the order in which messages are handed over.

    Args:
        opened: makes the part; called in that thread, since SQLite serves only the thread that opened it.
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
        """Hand a message over; it must not be changed afterwards.

        Raises:
            OSError: an earlier one could not be written.
        """
        with self._room:
            while self._waiting > _AHEAD_BYTES and self._failure is None:
                self._room.wait()
            self.check()
            self._waiting += len(data)
        self._items.put((topic, recorded_ns, data))

    def close(self) -> Path:
        """Write what waits, finish the file, and return it.

        Raises:
            OSError: it could not be written.
        """
        self._stop()
        self.check()
        assert self._file is not None
        return self._file

    def abort(self) -> None:
        """Leave the file unfinished; what waits is dropped."""
        with self._room:
            self._failure = self._failure or InterruptedError("given up")
        self._stop()

    def check(self) -> None:
        """Raise what went wrong with what was handed over, if anything."""
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
        except BaseException as error:  # handed to the thread that waits
            with self._room:
                self._failure = self._failure or error
                self._room.notify_all()
        if part is not None and self._failure is not None:
            with suppress(Exception):  # it says again what is known: the file stays unfinished
                part.abort()
