"""Row bands: cuts an image so that threads can share it and the result never depends on their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from trust_seg_ros.support.parallel import cores, work_together

T = TypeVar("T")
R = TypeVar("R")

_MIN_ROWS = 48
_MAX_BANDS = 16


def band_limits(height: int) -> list[tuple[int, int]]:
    """First row and row past the last of every band; depends on the height alone.

    Sums are taken per band and added in the order of the bands, so if the bands depended on the number of threads,
    the last bits of the metrics would, too.
    """
    rows = max(_MIN_ROWS, -(-height // _MAX_BANDS))
    return [(y, min(y + rows, height)) for y in range(0, height, rows)]


def map_bands(work: Callable[[T], R], bands: Sequence[T], threads: int | None = None) -> list[R]:
    """Apply ``work`` to every band on up to ``threads`` threads, the caller's own among them.

    Args:
        work: called once per band; the calls must not depend on each other.
        bands: the argument of each call.
        threads: None for all available processors.

    Returns:
        The results in the order of ``bands``. The first exception of a call is raised.
    """
    wanted = min(threads or cores(), len(bands))
    if wanted <= 1:
        return [work(band) for band in bands]
    queue = iter(range(len(bands)))
    results: list[R | None] = [None] * len(bands)

    def drain() -> None:
        # next() on a range iterator is one step under the GIL, so no band is taken twice.
        for index in queue:
            results[index] = work(bands[index])

    work_together(drain, wanted)
    return results  # type: ignore[return-value]
