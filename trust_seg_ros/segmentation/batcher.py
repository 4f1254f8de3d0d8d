"""Where callers in several threads meet, so that what they ask for at about the same time is computed together."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from trust_seg_ros.segmentation.errors import ModelError

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

_GAPS = 5
"""Number of gaps between questions in the median that is a caller's period."""
_FEW = 3
"""A caller that has said nothing for so many of its periods is not waited for."""


class LeftError(ModelError):
    """The caller's seat was given up while it waited for its answer."""


class Seat:
    """One caller: how long its items may be held back, and when it will ask next, judged by when it has asked.

    Attributes:
        wait_s: seconds that an item of this caller may be held back for others.
        most: largest number of items that one of this caller is computed together with, itself included.
    """

    def __init__(self, name: str, wait_s: float = 0.0, most: int = 1 << 30) -> None:
        self.name, self.wait_s, self.most, self.left = name, wait_s, most, False
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def asked(self, now: float) -> None:
        """Note a question."""
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = now

    def worth(self, now: float, until: float) -> float:
        """Seconds, from ``now``, that its next question is worth waiting for, at most to ``until``.

        Nothing where its turn comes later, where it has missed several, and where it has asked only once. A question
        that is late by half a period is not waited for any longer.
        """
        if self._last is None or not self._gaps:
            return 0.0
        period = max(statistics.median(self._gaps), 1e-6)
        turn = max(1, round((now - self._last) / period))
        if turn > _FEW or self._last + turn * period > until:
            return 0.0
        return min(until, self._last + (turn + 0.5) * period) - now


class _Asked(Generic[_Item, _Answer]):
    """An item that waits for its answer."""

    def __init__(self, seat: Seat, item: _Item, at: float) -> None:
        self.seat, self.item, self.at = seat, item, at
        self.answer: _Answer | BaseException | None = None


class Batcher(Generic[_Item, _Answer]):
    """Collects items of several callers and computes them together.

    There is no thread of its own: the caller that has waited longest computes for all, once no other computation runs
    and either all have come that are expected, or its time is up. What comes while a computation runs is taken
    together afterwards. So an item waits for two things only: the computation before it, and ``Seat.wait_s`` at most
    for others.

    Args:
        compute: items, at most ``most``, in the order they came -> an answer or an exception for each.
        most: largest number of items that are computed together; 1 = never wait. May be lowered at any time.
    """

    def __init__(self, compute: Callable[[Sequence[_Item]], Sequence[_Answer | BaseException]], most: int) -> None:
        self.most = most
        self._compute = compute
        self._changed = threading.Condition()
        self._seats: set[Seat] = set()
        self._waiting: list[_Asked[_Item, _Answer]] = []
        self._computed: list[_Asked[_Item, _Answer]] = []
        self._alone: list[Seat] = []
        self._busy = False
        self._batches = self._items = 0
        self._held_s = 0.0

    def __str__(self) -> str:
        """How items were answered so far, for people."""
        batches, items, held_s = self.counts
        said = f", {items / batches:.2f} images a pass, waited {1e3 * held_s / items:.1f} ms for it" if batches else ""
        return f"{len(self._seats)} cameras{said}"

    @property
    def counts(self) -> tuple[int, int, float]:
        """Computations so far, items in them, and seconds that items waited altogether before they began."""
        with self._changed:
            return self._batches, self._items, self._held_s

    def join(self, seat: Seat) -> None:
        """A caller that others may wait for from now on."""
        with self._changed:
            self._seats.add(seat)

    def leave(self, seat: Seat) -> bool:
        """A caller is gone: what it still waits for raises ``LeftError``; False if it waited for something."""
        with self._changed:
            seat.left = True
            self._seats.discard(seat)
            self._changed.notify_all()
            return seat not in self._alone and all(
                asked.seat is not seat for asked in (*self._waiting, *self._computed)
            )

    def ask(self, seat: Seat, item: _Item) -> _Answer:
        """The answer to an item; may be called from any thread.

        Raises:
            LeftError: the seat is or was given up.
            BaseException: the item's, as ``compute`` gave it.
        """
        now = time.monotonic()
        asked: _Asked[_Item, _Answer] = _Asked(seat, item, now)
        with self._changed:
            seat.asked(now)
            self._waiting.append(asked)
            self._changed.notify_all()
            batch = self._wait(asked)
        if batch:
            self._answer(batch)
        assert asked.answer is not None
        if isinstance(asked.answer, BaseException):
            raise asked.answer
        return asked.answer

    @contextmanager
    def alone(self, seat: Seat) -> Iterator[None]:
        """While nothing else is computed.

        Raises:
            LeftError: the seat is or was given up.
        """
        with self._changed:
            self._alone.append(seat)
            try:
                self._changed.wait_for(lambda: not self._busy or seat.left)
                _check(seat)
            except BaseException:
                self._alone.remove(seat)
                raise
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._alone.remove(seat)
                self._busy = False
                self._changed.notify_all()

    def _wait(self, asked: _Asked[_Item, _Answer]) -> list[_Asked[_Item, _Answer]]:
        """Wait for the answer, or for the turn to compute what is returned; the lock is held."""
        while asked.answer is None:
            if asked.seat.left:
                if asked in self._waiting:
                    self._waiting.remove(asked)
                    self._changed.notify_all()
                _check(asked.seat)
            left_s: float | None = None
            if not self._busy and self._waiting[0] is asked:
                now = time.monotonic()
                left_s = self._left_s(now)
                if left_s <= 0:
                    return self._take(now)
            self._changed.wait(left_s)
        return []

    def _left_s(self, now: float) -> float:
        """Seconds that those who wait go on waiting for others."""
        if len(self._waiting) >= self._room():
            return 0.0
        until = min(asked.at + asked.seat.wait_s for asked in self._waiting)
        here = {asked.seat for asked in self._waiting}
        return max((seat.worth(now, until) for seat in self._seats - here), default=0.0)

    def _room(self) -> int:
        """How many of those who wait may be computed together."""
        return min(self.most, *(asked.seat.most for asked in self._waiting))

    def _take(self, now: float) -> list[_Asked[_Item, _Answer]]:
        batch = self._computed = self._waiting[: self._room()]
        del self._waiting[: len(batch)]
        self._busy = True
        self._batches += 1
        self._items += len(batch)
        self._held_s += sum(now - asked.at for asked in batch)
        return batch

    def _answer(self, batch: list[_Asked[_Item, _Answer]]) -> None:
        answers: Sequence[_Answer | BaseException] = ()
        try:
            answers = self._compute([asked.item for asked in batch])
        finally:
            lost = ModelError("the pass of several images ended without an answer")
            with self._changed:
                for index, asked in enumerate(batch):
                    asked.answer = answers[index] if index < len(answers) else lost
                self._busy, self._computed = False, []
                self._changed.notify_all()


def _check(seat: Seat) -> None:
    if seat.left:
        raise LeftError(f"{seat.name} has left the shared network and waits for no answer; configure it again")
