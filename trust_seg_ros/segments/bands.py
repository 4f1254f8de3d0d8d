"""Row bands: how an image is cut so that several threads can work on it and the result never depends on their number.

numba's own threading layer must not be entered from two threads at once, and several nodes may share one
process; so the kernels are serial, release the GIL, and run over bands in an ordinary thread pool.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MIN_ROWS = 48
_MAX_BANDS = 16

_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def available_threads() -> int:
    """Processors this process may use (its affinity mask, not the machine's count)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def band_limits(height: int) -> list[tuple[int, int]]:
    """First row and row past the last of every band; depends on the height alone.

    Sums are taken per band and added in the order of the bands, so a partition that followed the number
    of threads would change the last bits of the metrics.
    """
    rows = max(_MIN_ROWS, -(-height // _MAX_BANDS))
    return [(y, min(y + rows, height)) for y in range(0, height, rows)]


def map_bands(work: Callable[[T], R], bands: Sequence[T], threads: int | None = None) -> list[R]:
    """Apply ``work`` to every band on up to ``threads`` threads, the caller's own among them.

    Args:
        work: called once per band; the calls must not depend on each other.
        bands: what it is called with.
        threads: None for all available processors.

    Returns:
        The results in the order of ``bands``. The first exception of a call is raised.
    """
    wanted = min(threads or available_threads(), len(bands))
    if wanted <= 1:
        return [work(band) for band in bands]
    queue = iter(range(len(bands)))
    results: list[R | None] = [None] * len(bands)

    def drain() -> None:
        # next() on a range iterator is one step under the GIL, so no band is taken twice.
        for index in queue:
            results[index] = work(bands[index])

    helpers = [helper for _ in range(wanted - 1) if (helper := _submit(drain)) is not None]
    try:
        drain()
    finally:  # a helper that has not begun (the pool is busy with another caller) has nothing left to do
        begun = [helper for helper in helpers if not helper.cancel()]
        failures = [error for helper in begun if (error := helper.exception()) is not None]
    if failures:
        raise failures[0]
    return results  # type: ignore[return-value]


def _submit(task: Callable[[], None]) -> Future[None] | None:
    try:
        return _shared_pool().submit(task)
    except RuntimeError:  # the interpreter is shutting down, or no thread can be started
        return None


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(available_threads() - 1, 1), thread_name_prefix="segments")
        return _pool


def _forget_pool() -> None:
    """After a fork the child has the pool's bookkeeping but none of its threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
