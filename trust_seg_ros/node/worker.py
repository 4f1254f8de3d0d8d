"""The thread that processes frames, so that the executor stays free for services and the next frame."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from trust_seg_ros.node.slot import FrameSlot

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Worker(Generic[_Item]):
    """One thread from configure to cleanup.

    Loading and warming up also run in it (``call``), because much of what is warmed up belongs to a thread: a thread
    started at activation would pay for it again on the first frame.

    The thread cannot be killed. A worker whose item never finishes can only be abandoned; it uses nothing but what
    ``open`` gave it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trust_seg_worker")
        self._slot: FrameSlot[_Item] | None = None
        self._serving: Future[None] | None = None

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Run a function in the worker's thread and wait for its result; its exception is raised here."""
        return self._thread.submit(function).result()

    @property
    def is_serving(self) -> bool:
        """Whether items are accepted, or one is still being processed."""
        return self._serving is not None and not self._serving.done()

    def open(self, capacity: int, handle: Callable[[_Item], None], on_error: Callable[[BaseException], None]) -> None:
        """Start to process items.

        Args:
            capacity: how many items may wait.
            handle: processes one item.
            on_error: called with an exception raised by ``handle``; the worker continues with the next item, even
                if this raises too.
        """
        self._slot = FrameSlot(capacity)
        self._serving = self._thread.submit(_serve, self._slot, handle, on_error)

    def put(self, item: _Item) -> int:
        """Add an item without ever waiting; returns how many older ones were dropped for it."""
        return 0 if self._slot is None else self._slot.put(item)

    def close(self, timeout: float) -> bool:
        """Drop waiting items and wait for the current one; False if it has not finished after ``timeout`` seconds."""
        if self._slot is None or self._serving is None:
            return True
        self._slot.close()
        if not wait([self._serving], timeout).done:
            return False
        self._slot, self._serving = None, None
        return True

    def stop(self, timeout: float) -> bool:
        """Close and end the thread; False if the current item has not finished after ``timeout`` seconds."""
        ended = self.close(timeout)
        self._thread.shutdown(wait=ended)
        return ended


def _serve(slot: FrameSlot[_Item], handle: Callable[[_Item], None], on_error: Callable[[BaseException], None]) -> None:
    while (item := slot.take()) is not None:
        try:
            handle(item)
        except BaseException as error:  # a network may raise SystemExit, which would end the thread unnoticed
            _tell(on_error, error)


def _tell(on_error: Callable[[BaseException], None], error: BaseException) -> None:
    try:
        on_error(error)
    except BaseException:
        traceback.print_exc()
