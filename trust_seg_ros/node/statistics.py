"""Counters and times of the node; written by the worker, read by the diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

WINDOW = 200
"""Number of recent frames in averages and percentiles."""

RATE_WINDOW_S = 5.0
"""Length of the window for frame rates in seconds."""


@dataclass(frozen=True)
class Spread:
    """Median and 99th percentile of recent values in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Summary:
    """Snapshot of the counters and times.

    Attributes:
        counts: received, overwritten, processed, unwatched, refused, failed, faulty, unfilled, late, time_jumps.
        input_rate: frames/s that arrived recently.
        output_rate: frames/s that were finished recently.
        silent_s: seconds since the last frame arrived; None before the first.
        processing: milliseconds from taking a frame to its last message; None before the first.
        latency: milliseconds from the stamp to the last message; None when the clock does not run.
        steps: name -> median milliseconds of each step of the pipeline.
        flagged_pixels: mean share of pixels flagged in recent frames; None if it was not computed.
        flagged_segments: the same for segments.
        last_refusal: why the last refused frame was refused, or "".
        last_failure: what went wrong with the last failed frame, or "".
        last_fault: what was wrong with the last faulty result, or "".
        last_unfilled: why a subscribed topic could not be filled last time, or "".
        image_remarks: what is to be known about how the camera's images are read.
    """

    counts: Mapping[str, int]
    input_rate: float = 0.0
    output_rate: float = 0.0
    silent_s: float | None = None
    processing: Spread | None = None
    latency: Spread | None = None
    steps: Mapping[str, float] = field(default_factory=dict)
    flagged_pixels: float | None = None
    flagged_segments: float | None = None
    last_refusal: str = ""
    last_failure: str = ""
    last_fault: str = ""
    last_unfilled: str = ""
    image_remarks: tuple[str, ...] = ()


class Statistics:
    """Counters and recent times. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._arrivals: deque[float] = deque(maxlen=1000)
        self._finishes: deque[float] = deque(maxlen=1000)
        self._processing: deque[float] = deque(maxlen=WINDOW)
        self._latency: deque[float] = deque(maxlen=WINDOW)
        self._steps: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self._flagged: dict[str, deque[float]] = {part: deque(maxlen=WINDOW) for part in ("pixels", "segments")}
        self._last: dict[str, str] = {}
        self._last_arrival: float | None = None
        self._image_remarks: tuple[str, ...] = ()

    def arrived(self, overwritten: int) -> None:
        """Count a received frame, and the older frames that it overwrote."""
        with self._lock:
            self._counts["received"] += 1
            self._counts["overwritten"] += overwritten
            self._last_arrival = time.monotonic()
            self._arrivals.append(self._last_arrival)

    def count(self, name: str, why: str = "") -> None:
        """Add one to a counter, with a reason for ``refused``, ``failed``, ``faulty``, ``unfilled``."""
        with self._lock:
            self._counts[name] += 1
            if why:
                self._last[name] = why

    def remark(self, texts: tuple[str, ...]) -> None:
        """Keep what is to be known about how the camera's images are read."""
        with self._lock:
            self._image_remarks = texts

    def finished(self, processing_ms: float, latency_ms: float | None, steps: Mapping[str, float]) -> None:
        """Record the times of a frame whose messages are published."""
        with self._lock:
            self._counts["processed"] += 1
            self._finishes.append(time.monotonic())
            self._processing.append(processing_ms)
            if latency_ms is not None:
                self._latency.append(latency_ms)
            self._steps.append(steps)

    def flagged(self, pixels: float | None, segments: float | None) -> None:
        """Record the shares of a frame that were flagged, 0 to 1; None is ignored."""
        with self._lock:
            for part, share in (("pixels", pixels), ("segments", segments)):
                if share is not None:
                    self._flagged[part].append(share)

    def forget_flagged(self) -> None:
        """Discard the flagged shares, which belong to earlier thresholds."""
        with self._lock:
            for window in self._flagged.values():
                window.clear()

    def forget_times(self) -> None:
        """Restart rates, times, shares and the camera's silence, for a new activation; the counters continue."""
        self.forget_flagged()
        with self._lock:
            for window in (self._arrivals, self._finishes, self._processing, self._latency, self._steps):
                window.clear()
            self._last_arrival = None

    def summary(self) -> Summary:
        """Snapshot of everything."""
        now = time.monotonic()
        with self._lock:
            return Summary(
                counts=dict(self._counts),
                input_rate=_rate(self._arrivals, now),
                output_rate=_rate(self._finishes, now),
                silent_s=None if self._last_arrival is None else now - self._last_arrival,
                processing=_spread(self._processing),
                latency=_spread(self._latency),
                steps=_medians(self._steps),
                flagged_pixels=_mean(self._flagged["pixels"]),
                flagged_segments=_mean(self._flagged["segments"]),
                last_refusal=self._last.get("refused", ""),
                last_failure=self._last.get("failed", ""),
                last_fault=self._last.get("faulty", ""),
                last_unfilled=self._last.get("unfilled", ""),
                image_remarks=self._image_remarks,
            )


def _rate(times: Iterable[float], now: float) -> float:
    recent = [t for t in times if now - t < RATE_WINDOW_S]
    return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0


def _spread(values: Iterable[float]) -> Spread | None:
    recent = list(values)
    return Spread(*np.percentile(recent, [50, 99]).tolist()) if recent else None


def _mean(values: Collection[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _medians(steps: Iterable[Mapping[str, float]]) -> dict[str, float]:
    rows = list(steps)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.median([row[name] for row in rows if name in row])) for name in names}
