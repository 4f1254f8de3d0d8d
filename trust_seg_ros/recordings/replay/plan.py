"""A recording cut into chunks: by its own time, so that the cuts do not depend on who works on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.recordings.replay.errors import ReplayError


@dataclass(frozen=True)
class Chunk:
    """A piece of a recording: messages received in [start_ns, stop_ns).

    Attributes:
        index: from 0, in the order of time.
        start_ns, stop_ns: nanoseconds since the epoch.
    """

    index: int
    start_ns: int
    stop_ns: int


def plan_chunks(start_ns: int, end_ns: int, frames: int, chunk_frames: int) -> tuple[Chunk, ...]:
    """Pieces of equal length, of about ``chunk_frames`` frames each.

    Args:
        start_ns, end_ns: of the recording, [start, end).
        frames: how many it holds.
        chunk_frames: >= 1.
    """
    count = max(1, min(math.ceil(frames / chunk_frames), end_ns - start_ns))
    edges = [start_ns + (end_ns - start_ns) * k // count for k in range(count + 1)]
    return tuple(Chunk(k, edges[k], edges[k + 1]) for k in range(count))


def section(start_ns: int, end_ns: int, start_s: float, duration_s: float | None) -> tuple[int, int]:
    """The [start, end) of a part of a recording, in nanoseconds.

    Raises:
        ReplayError: it begins beyond the end.
    """
    first = start_ns + round(start_s * 1e9)
    if first >= end_ns:
        raise ReplayError(
            f"the start is {start_s:g} s, but the recording is {(end_ns - start_ns) * 1e-9:.3f} s long; expected less"
        )
    return first, end_ns if duration_s is None else min(end_ns, first + round(duration_s * 1e9))
