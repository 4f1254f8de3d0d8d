"""Counters and times of the node; written by the worker, read by the diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from trust_seg_ros.node.timeline import Ages, Timeline

WINDOW_S = 10.0
"""Length of the window for rates, times and shares in seconds."""

_RING = 4096
"""Most frames in a window: 400 frames/s."""

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Spread:
    """Median and 99th percentile of recent values in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Summary:
    """Snapshot of the counters and times.

    Attributes:
        counts: received, overwritten, processed, unwatched, refused, failed, faulty, blind (mostly faulty), frozen,
            still, unfilled, late (old or ahead), time_jumps, tracks_lost, and those of ``trust_state.reasons``.
        input_rate: frames/s that arrived recently.
        output_rate: frames/s that were finished recently.
        processing: milliseconds from taking a frame to its last message; None if there was none recently. The age of
            the frame in hand counts, if it is above the median.
        latency: milliseconds from the stamp to the last message; None when the clock does not run. Likewise.
        steps: name -> median milliseconds of each step of the pipeline.
        flagged_pixels: mean share of pixels flagged in recent frames; None if it was not computed.
        flagged_segments: the same for segments.
        unwatched: nobody subscribed to an output when the last frame was taken.
        reasons: counter -> why it was last raised, for ``refused``, ``failed``, ``faulty``, ``frozen``, ….
        image_remarks: what is to be known about how the camera's images are read.
    """

    counts: Mapping[str, int]
    input_rate: float = 0.0
    output_rate: float = 0.0
    processing: Spread | None = None
    latency: Spread | None = None
    steps: Mapping[str, float] = field(default_factory=dict)
    flagged_pixels: float | None = None
    flagged_segments: float | None = None
    unwatched: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)
    image_remarks: tuple[str, ...] = ()

    def reason(self, name: str) -> str:
        """Why a counter was last raised, or ""."""
        return self.reasons.get(name, "")


@dataclass(frozen=True)
class _Finished:
    """A frame whose messages are published."""

    at: float
    processing_ms: float
    latency_ms: float | None
    steps: Mapping[str, float]


@dataclass(frozen=True)
class Glance:
    """What is known at one moment without going through times and shares: cheap enough for many times a second.

    Attributes:
        counts, reasons, unwatched: as in :class:`Summary`.
        ages: as of :meth:`Statistics.ages`.
        newest: the newest frame whose results were published; None before the first.
    """

    counts: Mapping[str, int]
    reasons: Mapping[str, str]
    unwatched: bool
    ages: Ages
    newest: Newest | None


@dataclass(frozen=True)
class Newest:
    """The newest frame whose results were published.

    Attributes:
        stamp_ns: its stamp; 0 = it has none.
        taken: when it was taken in hand, by the clock of the statistics.
        at: when its last message was published.
    """

    stamp_ns: int
    taken: float
    at: float


class Statistics:
    """Counters, and times of the last ``WINDOW_S`` seconds. Thread-safe.

    Args:
        clock: gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._image_remarks: tuple[str, ...] = ()
        self._flagged: deque[tuple[float, float | None, float | None]] = deque(maxlen=_RING)
        self._forget_times()

    def _forget_times(self) -> None:
        self._timeline = Timeline()
        self._arrivals: deque[float] = deque(maxlen=_RING)
        self._finished: deque[_Finished] = deque(maxlen=_RING)
        self._unwatched = False
        self._newest: Newest | None = None

    def now(self) -> float:
        """The time by the clock of everything here, in seconds."""
        return self._clock()

    def arrived(self, overwritten: int) -> None:
        """Count a received frame, and the older frames that it overwrote."""
        with self._lock:
            now = self._clock()
            self._counts["received"] += 1
            self._counts["overwritten"] += overwritten
            self._arrivals.append(now)
            self._timeline.arrived(now)

    def count(self, name: str, why: str = "") -> None:
        """Add one to a counter, with a reason for ``refused``, ``failed``, ``faulty``, ``unfilled``, …."""
        with self._lock:
            self._counts[name] += 1
            if why:
                self._reasons[name] = why

    def nothing_due(self, unwatched: bool = False) -> None:
        """Record a frame for which nothing has to be published; ``unwatched``: since nobody subscribes."""
        with self._lock:
            self._counts["unwatched"] += unwatched
            self._unwatched = unwatched
            self._timeline.answered(self._clock())

    def passed_over(self) -> None:
        """Record a frame that was received in order, but is not judged, as a newer one waits."""
        with self._lock:
            self._counts["overwritten"] += 1
            self._timeline.answered(self._clock())

    def remark(self, texts: tuple[str, ...]) -> None:
        """Keep what is to be known about how the camera's images are read."""
        with self._lock:
            self._image_remarks = texts

    def finished(
        self, processing_ms: float, latency_ms: float | None, steps: Mapping[str, float], stamp_ns: int = 0
    ) -> None:
        """Record the times of a frame whose messages are published, and its stamp."""
        with self._lock:
            now = self._clock()
            self._counts["processed"] += 1
            self._unwatched = False
            self._finished.append(_Finished(now, processing_ms, latency_ms, steps))
            self._newest = Newest(stamp_ns, now - processing_ms / 1e3, now)
            self._timeline.answered(now, taken=self._newest.taken)

    def let_go(self, taken: float) -> None:
        """Record that a frame taken in hand at ``taken`` is no longer in hand, whatever became of it."""
        with self._lock:
            self._timeline.let_go(taken, self._clock())

    def stood_still(self, start: float, end: float) -> None:
        """Record that the whole node did nothing for a while: it was stopped, or had no processor time."""
        with self._lock:
            self._timeline.stood_still(start, end)

    def flagged(self, pixels: float | None, segments: float | None) -> None:
        """Record the shares of a frame that were flagged, 0 to 1; None is ignored."""
        with self._lock:
            self._flagged.append((self._clock(), pixels, segments))

    def forget_flagged(self) -> None:
        """Discard the flagged shares, which belong to earlier thresholds."""
        with self._lock:
            self._flagged.clear()

    def forget_times(self) -> None:
        """Restart rates, times, shares and ages, for a new activation; the counters continue."""
        self.forget_flagged()
        with self._lock:
            self._forget_times()

    def ages(self, since: float, taken: float | None = None) -> Ages:
        """Ages, and longest waits since ``since``; ``taken``: when the frame in hand was taken, None without one."""
        with self._lock:
            return self._timeline.ages(self._clock(), since, taken)

    def glance(self, since: float, taken: float | None = None) -> Glance:
        """Counters, ages and the newest frame; the arguments are those of :meth:`ages`."""
        with self._lock:
            ages = self._timeline.ages(self._clock(), since, taken)
            return Glance(dict(self._counts), dict(self._reasons), self._unwatched, ages, self._newest)

    def summary(self, taken: float | None = None) -> Summary:
        """Snapshot of everything; ``taken``: when the frame in hand was taken, None while there is none."""
        with self._lock:
            now = self._clock()
            _drop(self._arrivals, now - WINDOW_S, lambda at: at)
            _drop(self._finished, now - WINDOW_S, lambda frame: frame.at)
            _drop(self._flagged, now - WINDOW_S, lambda row: row[0])
            arrivals, frames, flagged = list(self._arrivals), list(self._finished), list(self._flagged)
            counts, reasons, unwatched = dict(self._counts), dict(self._reasons), self._unwatched
        in_hand = None if taken is None else 1e3 * (now - taken)
        latencies = [frame.latency_ms for frame in frames if frame.latency_ms is not None]
        return Summary(
            counts=counts,
            input_rate=_rate(arrivals, now),
            output_rate=_rate([frame.at for frame in frames], now),
            processing=_spread([frame.processing_ms for frame in frames], in_hand),
            latency=_spread(latencies, in_hand) if latencies else None,
            steps=_medians([frame.steps for frame in frames]),
            flagged_pixels=_mean(pixels for _, pixels, _ in flagged),
            flagged_segments=_mean(segments for *_, segments in flagged),
            unwatched=unwatched,
            reasons=reasons,
            image_remarks=self._image_remarks,
        )


def _drop(rows: deque[_Row], before: float, time_of: Callable[[_Row], float]) -> None:
    """Discard rows that are too old."""
    while rows and time_of(rows[0]) < before:
        rows.popleft()


def _rate(times: Sequence[float], now: float) -> float:
    """Events per second, up to the last one; up to now, if more than two usual gaps have passed since."""
    if len(times) < 2 or times[-1] <= times[0]:
        return 0.0
    span, gaps = times[-1] - times[0], len(times) - 1
    waiting = now - times[-1] > 2 * span / gaps
    return gaps / (now - times[0] if waiting else span)


def _spread(values: list[float], in_hand: float | None) -> Spread | None:
    if in_hand is not None and (not values or in_hand > np.median(values)):
        values = [*values, in_hand]
    return Spread(*np.percentile(values, [50, 99]).tolist()) if values else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.median([row[name] for row in rows if name in row])) for name in names}
