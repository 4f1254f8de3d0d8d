"""How far metrics over time look back, and the names of their columns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.support import json_parts
from trust_seg_ros.types import Json

LENGTH = 10
"""Rows of metrics kept of every track."""
LONGEST = 100
SLACK = 0.25
"""Share of the time between two rows that frames may come early, and reach back further."""
PREFIX = "time."
KINDS = ("change", "trend", "std")
"""Columns of every metric: ``time.change.E`` and so on."""
OF_TRACK = (f"{PREFIX}rows", f"{PREFIX}age_s", f"{PREFIX}gap_s")
"""Columns of the track itself."""
_MOST_AGES = 10.0
_RATE_SLACK = 1.25


@dataclass(frozen=True)
class TimeWindow:
    """How far metrics over time look back; in seconds, so that they mean the same at any frame rate.

    Attributes:
        window_s: seconds, above 0.
        length: rows of metrics kept of a track within them, 2 to 100. A frame becomes a row only if at least
            (1 - ``SLACK``) · window_s / length have passed since the last: so they span the window at any frame rate.
        rate_hz: smallest and largest frame rate of the sequences fitted on; (0, 0) = not known.

    Raises:
        FeatureError: a value is out of range.
    """

    window_s: float
    length: int = LENGTH
    rate_hz: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.window_s) and self.window_s > 0.0):
            raise FeatureError(f"window_s = {self.window_s}: expected seconds above 0")
        if not 2 <= self.length <= LONGEST:
            raise FeatureError(f"length = {self.length}: expected 2 to {LONGEST} rows")
        low, high = self.rate_hz
        if not (math.isfinite(high) and 0.0 <= low <= high):
            raise FeatureError(f"rate_hz = {self.rate_hz}: expected the smallest and the largest frame rate in Hz")

    @property
    def spacing_ns(self) -> int:
        """Least time between two rows of a track, nanoseconds."""
        return round((1.0 - SLACK) * self.window_s / self.length * 1e9)

    @property
    def reach_ns(self) -> int:
        """Age of the oldest row that counts, nanoseconds: the window, and a little for frames that come late."""
        return round((self.window_s + SLACK * self.window_s / self.length) * 1e9)

    @property
    def longest_s(self) -> float:
        """Ages and gaps are cut off here, seconds: a parked car is not another kind of car after an hour."""
        return _MOST_AGES * self.window_s

    def rate_gap(self, rate_hz: float | None) -> str:
        """Why a frame rate is unlike those fitted on, in words; "" = it is alike, or not known."""
        low, high = self.rate_hz
        if rate_hz is None or not high or low / _RATE_SLACK <= rate_hz <= high * _RATE_SLACK:
            return ""
        fitted = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
        return f"frames come at {rate_hz:.3g} Hz, metrics over time were fitted at {fitted} Hz"

    def to_json(self) -> Json:
        """For a model file."""
        return {"window_s": float(self.window_s), "length": self.length, "rate_hz": [float(r) for r in self.rate_hz]}

    @classmethod
    def from_json(cls, data: Json) -> TimeWindow:
        """The window of a model file.

        Raises:
            JsonError, FeatureError: an entry is missing or cannot be used.
        """
        low, high = json_parts.pair(data, "rate_hz")
        length = json_parts.number(data, "length")
        if length != int(length):
            raise FeatureError(f"length = {length}: expected a whole number of rows")
        return cls(json_parts.number(data, "window_s"), int(length), (low, high))


def time_names(metrics: Iterable[str]) -> tuple[str, ...]:
    """Names of the columns over time of some metrics: changes, trends, deviations, then those of the track itself."""
    names = tuple(metrics)
    return (*(f"{PREFIX}{kind}.{name}" for kind in KINDS for name in names), *OF_TRACK)


def is_time_name(name: str) -> bool:
    """Whether a column is one over time."""
    return name.startswith(PREFIX)


def base_names(names: Iterable[str]) -> tuple[str, ...]:
    """Metrics of a single frame that columns are made of: themselves, and what columns over time look back at."""
    return tuple(dict.fromkeys(base for name in names if (base := _base(name))))


def past_names(names: Iterable[str]) -> tuple[str, ...]:
    """Metrics that the columns over time among some names look back at, each once, in order."""
    return base_names(name for name in names if is_time_name(name))


def _base(name: str) -> str:
    """Name of the metric; "" for a column of the track itself."""
    if not is_time_name(name):
        return name
    return "" if name in OF_TRACK else name.removeprefix(PREFIX).partition(".")[2]
