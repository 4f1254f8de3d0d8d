"""A thread pool kept between calls, for kernels that release the GIL.

numba's own parallel loops are not used: their default threading layer aborts the process when two threads enter it at
once, and the others compete with torch's OpenMP threads. Several nodes may share one process, and all share this pool.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def cores() -> int:
    """Cores that this process may use: its affinity mask, not the machine's count."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work_together(take: Callable[[], None], threads: int) -> None:
    """Run ``take`` in this thread and in up to ``threads`` - 1 helpers; it takes pieces of work until none is left.

    The caller never waits for a helper that has not started, so that a busy pool, a pool that shuts down with the
    interpreter, or many callers at once only mean fewer helpers. An exception of a helper is raised here after all have
    stopped.

    Args:
        take: takes pieces of work from a shared place, one after the other; must release the GIL to gain anything.
        threads: threads that work, the caller included, >= 1.
    """
    helpers = [helper for _ in range(threads - 1) if (helper := _submit(take)) is not None]
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
