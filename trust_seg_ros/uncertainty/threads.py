"""Shares bands of rows among threads that outlive the call; for kernels that release the GIL.

numba's own parallel loops are not used: their default threading layer aborts the process when two threads enter it at
once, and the others compete with torch's OpenMP threads.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_BANDS_PER_THREAD = 4
_MIN_ROWS = 8
_MOST_THREADS = 8  # by default; more gain little on work of a few milliseconds

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_bands(work: Callable[[int, int], None], rows: int, threads: int | None = None) -> None:
    """Call ``work(first, last)`` for bands that cover 0 .. rows - 1, in this thread and helpers.

    The calling thread works too and never waits for a band that nobody has begun, so that a busy pool, a pool that
    shuts down with the interpreter, or many callers at once only mean fewer helpers. An exception of any band is
    raised here, after all helpers have stopped.

    Args:
        work: called with a half-open range of rows; must release the GIL to gain anything.
        rows: number of rows, >= 1.
        threads: threads that work, the caller included, >= 1; None for one per core, at most 8.
    """
    count = max(1, min(threads or min(cores(), _MOST_THREADS), rows // _MIN_ROWS))
    bands = 1 if count == 1 else min(count * _BANDS_PER_THREAD, rows // _MIN_ROWS)
    numbers = itertools.count()

    def take() -> None:
        while (k := next(numbers)) < bands:
            work(k * rows // bands, (k + 1) * rows // bands)

    helpers = [helper for _ in range(count - 1) if (helper := _submit(take)) is not None]
    try:
        take()
    finally:
        begun = [helper for helper in helpers if not helper.cancel()]
        failures = [error for helper in begun if (error := helper.exception()) is not None]
    if failures:
        raise failures[0]


def _submit(task: Callable[[], None]) -> Future[None] | None:
    try:
        return _executor().submit(task)
    except RuntimeError:  # the interpreter is shutting down, or no thread can be started
        return None


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, cores() - 1), thread_name_prefix="trust_seg_bands")
        return _pool


def _forget_pool() -> None:
    """A forked child has the pool object but not its threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
