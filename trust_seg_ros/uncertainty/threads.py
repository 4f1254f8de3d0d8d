"""Shares bands of rows among threads, cut so that every thread has a few."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from trust_seg_ros.support.parallel import cores, work_together

_BANDS_PER_THREAD = 4
_MIN_ROWS = 8
_MOST_THREADS = 8  # by default; more gain little on work of a few milliseconds


def run_bands(work: Callable[[int, int], None], rows: int, threads: int | None = None) -> None:
    """Call ``work(first, last)`` for bands that cover 0 .. rows - 1, in this thread and helpers.

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

    work_together(take, count)
