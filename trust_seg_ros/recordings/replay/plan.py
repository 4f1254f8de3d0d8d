"""Cuts a recording into chunks by its own time, so that the cuts do not depend on the workers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

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


@dataclass(frozen=True)
class Chunks(Sequence[Chunk]):
    """Chunks of equal length, computed on demand, since every task carries them and there may be 30,000.

    Attributes:
        start_ns, stop_ns: start and end of all chunks together, nanoseconds since the epoch.
        number: number of chunks.
    """

    start_ns: int
    stop_ns: int
    number: int

    def __len__(self) -> int:
        return self.number

    @overload
    def __getitem__(self, index: int) -> Chunk: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Chunk]: ...

    def __getitem__(self, index: int | slice) -> Chunk | Sequence[Chunk]:
        if isinstance(index, slice):
            return [self[k] for k in range(self.number)[index]]
        k = range(self.number)[index]
        return Chunk(k, self._edge(k), self._edge(k + 1))

    def _edge(self, k: int) -> int:
        return self.start_ns + (self.stop_ns - self.start_ns) * k // self.number


def plan_chunks(start_ns: int, end_ns: int, frames: int, chunk_frames: int) -> Chunks:
    """Chunks of equal length, of about ``chunk_frames`` frames each.

    Args:
        start_ns, end_ns: the recording, [start, end).
        frames: number of frames in it.
        chunk_frames: >= 1.
    """
    return Chunks(start_ns, end_ns, max(1, min(math.ceil(frames / chunk_frames), end_ns - start_ns)))


def section(start_ns: int, end_ns: int, start_s: float, duration_s: float | None) -> tuple[int, int]:
    """Part of a recording as [start, end) in nanoseconds.

    Raises:
        ReplayError: the part begins beyond the end of the recording.
    """
    first = start_ns + round(start_s * 1e9)
    if first >= end_ns:
        raise ReplayError(
            f"the start is {start_s:g} s, but the recording is {(end_ns - start_ns) * 1e-9:.3f} s long; expected less"
        )
    return first, end_ns if duration_s is None else min(end_ns, first + round(duration_s * 1e9))
