"""When images came, frames were in hand and results went out; and from that, ages. Times are those of one clock."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile

FLOOR_S = 0.1
"""Shortest usual period between two images: jitter of a fast camera is no fault."""

UNKNOWN_S = 1.0
"""Usual period assumed while fewer than ``_ENOUGH`` gaps between images have been seen."""

_ENOUGH = 5
_RECENT = 50
_RING = 4096

Span = tuple[float, float]


@dataclass(frozen=True)
class Ages:
    """Ages and longest waits in seconds.

    "Since the last look" includes what is not over yet. Time in which the whole node stood still counts for ``longest``
    only: images that came meanwhile still wait to be received.

    Attributes:
        image: age of the last image; None before the first.
        image_gap: longest wait for an image since the last look; 0 before the first image.
        hand: longest time a frame has been in hand since the last look; 0 if none was.
        longest: the same, with the time in which the node stood still.
        owed: longest time that images have gone unanswered since the last look.
        result: age of the last result; None before the first.
        period: usual time between two images; assumed until enough have come.
        took: usual time a frame is in hand until its result is published; 0 before the first.
    """

    image: float | None = None
    image_gap: float = 0.0
    hand: float = 0.0
    longest: float = 0.0
    owed: float = 0.0
    result: float | None = None
    period: float = UNKNOWN_S
    took: float = 0.0


class Timeline:
    """Remembers recent times. Not thread-safe."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=_RING)
        self._in_hand: deque[Span] = deque(maxlen=_RING)
        self._unanswered: deque[Span] = deque(maxlen=_RING)
        self._took: deque[float] = deque(maxlen=_RECENT)
        self._standstills: deque[Span] = deque(maxlen=_RECENT)
        self._owed_since: float | None = None
        self._last_result: float | None = None

    def arrived(self, now: float) -> None:
        """An image came."""
        self._arrivals.append(now)
        if self._owed_since is None:
            self._owed_since = now

    def answered(self, now: float, taken: float | None = None) -> None:
        """All that was due for a frame is done.

        Args:
            now: the time.
            taken: when it was taken in hand, if its result was published; None if nobody wanted one.
        """
        if self._owed_since is not None:
            self._unanswered.append((self._owed_since, now))
        self._owed_since = None
        if taken is not None:
            self._last_result = now
            self._took.append(now - taken)

    def let_go(self, taken: float, now: float) -> None:
        """A frame taken in hand at ``taken`` is no longer in hand, whatever became of it."""
        self._in_hand.append((taken, now))

    def stood_still(self, start: float, end: float) -> None:
        """The whole node did nothing from ``start`` to ``end``."""
        self._standstills.append((start, end))

    def ages(self, now: float, since: float, taken: float | None) -> Ages:
        """The ages at ``now``.

        Args:
            now: the time.
            since: time of the last look.
            taken: when the frame in hand was taken; None while there is none.
        """
        arrivals = self._arrivals
        gaps = [*pairwise(_ending_at(arrivals, since))]
        if arrivals:
            gaps.append((arrivals[-1], now))
        in_hand = _since(self._in_hand, since) + ([] if taken is None else [(taken, now)])
        owed = _since(self._unanswered, since) + ([] if self._owed_since is None else [(self._owed_since, now)])
        return Ages(
            image=self._net(arrivals[-1], now) if arrivals else None,
            image_gap=self._longest(gaps),
            hand=self._longest(in_hand),
            longest=max((end - start for start, end in in_hand), default=0.0),
            owed=self._longest(owed),
            result=None if self._last_result is None else now - self._last_result,
            period=self._period(),
            took=statistics.median(self._took) if self._took else 0.0,
        )

    def _period(self) -> float:
        recent = list(islice(reversed(self._arrivals), _RECENT + 1))
        gaps = [self._net(before, after) for after, before in pairwise(recent)]
        usual = statistics.median(gaps) if gaps else 0.0
        return max(FLOOR_S if len(gaps) >= _ENOUGH else UNKNOWN_S, usual)

    def _longest(self, spans: Iterable[Span]) -> float:
        return max((self._net(*span) for span in spans), default=0.0)

    def _net(self, start: float, end: float) -> float:
        """Length of a span without the time in which the node stood still."""
        if not self._standstills:
            return end - start
        still = sum(max(0.0, min(end, last) - max(start, first)) for first, last in self._standstills)
        return max(0.0, end - start - still)


def _ending_at(times: deque[float], since: float) -> list[float]:
    """The times after ``since`` and the one before them, in order."""
    found = []
    for time in reversed(times):
        found.append(time)
        if time <= since:
            break
    return found[::-1]


def _since(spans: deque[Span], since: float) -> list[Span]:
    """The spans that ended after ``since``."""
    return list(takewhile(lambda span: span[1] > since, reversed(spans)))
