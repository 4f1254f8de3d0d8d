"""The thread that processes frames, so that the executor stays free for services and the next frame."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

from trust_seg_ros.node.slot import FrameSlot

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_LOOK_S = 0.1
"""Seconds between two looks, while waiting, at whether the wait is still wanted."""


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
        self._called: Future[Any] | None = None

    def call(self, function: Callable[[], _Result], waiting: Callable[[], None] = lambda: None) -> _Result:
        """Run a function in the worker's thread and wait for its result; its exception is raised here.

        Args:
            function: what to run.
            waiting: called ten times a second meanwhile; an exception that it raises ends the wait, not the function.
        """
        self._called = result = self._thread.submit(function)
        while not wait([result], _LOOK_S).done:
            waiting()
        return result.result()

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

    def put(self, item: _Item, capacity: int = 0) -> int:
        """Add an item without ever waiting; returns how many older ones were dropped for it.

        Args:
            item: what to process.
            capacity: as in :meth:`FrameSlot.put`.
        """
        slot = self._slot  # closing sets it to None meanwhile
        return 0 if slot is None else slot.put(item, capacity)

    def waiting(self) -> int:
        """How many items wait."""
        slot = self._slot
        return 0 if slot is None else len(slot)

    def close(self, timeout: float, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Drop waiting items and wait for the current one; False if it has not finished.

        Args:
            timeout: seconds to wait.
            hurry: ends the wait early when it returns True.
        """
        slot, serving = self._slot, self._serving  # the end of the process may close it beside a transition
        if slot is None or serving is None:
            return True
        slot.close()
        until = time.monotonic() + timeout
        while not wait([serving], min(_LOOK_S, max(until - time.monotonic(), 0.0))).done:
            if time.monotonic() >= until or hurry():
                return False
        self._slot, self._serving = None, None
        return True

    def stop(self, timeout: float) -> bool:
        """Close and end the thread; False if the current item or call has not finished after ``timeout`` seconds."""
        ended = self.close(timeout) and (self._called is None or bool(wait([self._called], timeout).done))
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
