"""Merge messages of several parts in order of time; each part is opened only when its time comes.

``heapq.merge`` would open every part at once: for the chunks of a drive, all of its data.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from trust_seg_ros.bags.types import BagMessage


@dataclass(frozen=True)
class Part:
    """A stretch of a recording.

    Attributes:
        start_ns: no message of the part is older.
        open: returns its messages in order of time.
    """

    start_ns: int
    open: Callable[[], Iterator[BagMessage]]


def merge_by_time(parts: Iterable[Part]) -> Iterator[BagMessage]:
    """The messages of all parts in order of time; at equal times, in order of the parts.

    Parts may overlap in time; only parts that overlap are open at once.
    """
    waiting = sorted(((part.start_ns, index, part) for index, part in enumerate(parts)), key=lambda w: w[:2])
    waiting.reverse()
    heads: list[tuple[int, int, BagMessage, Iterator[BagMessage]]] = []
    while waiting or heads:
        while waiting and (not heads or waiting[-1][0] <= heads[0][0]):
            _, index, part = waiting.pop()
            _push(heads, index, part.open())
        if not heads:
            continue
        _, index, message, rest = heapq.heappop(heads)
        yield message
        _push(heads, index, rest)


def _push(heads: list[tuple[int, int, BagMessage, Iterator[BagMessage]]], index: int, rest: Iterator) -> None:
    message = next(rest, None)
    if message is not None:
        heapq.heappush(heads, (message.recorded_ns, index, message, rest))
