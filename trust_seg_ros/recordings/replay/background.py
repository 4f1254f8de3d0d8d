"""Writing beside the work: compression and the disk keep no frame waiting, and the order stays as it was."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from trust_seg_ros.recordings.bag_reader import BagTopic
from trust_seg_ros.recordings.replay.bag_parts import PartWriter

_AHEAD_BYTES = 64 << 20
"""That may wait to be written; beyond, the work waits for the disk."""

_Item = tuple[BagTopic, int, "bytes | bytearray"]


class BackgroundWriter:
    """A part that is written by a thread of its own, in the order in which messages are handed over.

    Args:
        part: opened; nobody else may use it from now on.
    """

    def __init__(self, part: PartWriter) -> None:
        self._part = part
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._room = threading.Condition()
        self._waiting = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="bag-writer", daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path:
        """Of the part."""
        return self._part.path

    def write(self, topic: BagTopic, recorded_ns: int, data: bytes | bytearray) -> None:
        """Hand a message over; it must not be changed afterwards.

        Raises:
            OSError: an earlier one could not be written.
        """
        with self._room:
            while self._waiting > _AHEAD_BYTES and self._failure is None:
                self._room.wait()
            self._raise()
            self._waiting += len(data)
        self._items.put((topic, recorded_ns, data))

    def close(self) -> Path:
        """Write what waits, finish the file, and return it.

        Raises:
            OSError: it could not be written.
        """
        self._stop()
        self._raise()
        return self._part.close()

    def abort(self) -> None:
        """Leave the file unfinished; what waits is dropped."""
        with self._room:
            self._failure = self._failure or InterruptedError("given up")
        self._stop()
        self._part.abort()

    def _stop(self) -> None:
        self._items.put(None)
        self._thread.join()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            if self._failure is None:
                try:
                    self._part.write(*item)
                except BaseException as error:  # handed to the thread that waits
                    self._failure = error
            with self._room:
                self._waiting -= len(item[2])
                self._room.notify_all()
