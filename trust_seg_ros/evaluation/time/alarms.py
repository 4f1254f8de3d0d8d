"""Alarms of unknown objects over a drive: false ones per minute, and how soon objects are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.evaluation.tracking.overlaps import FrameOverlap

WITHIN_S = 0.5
"""An object should be found so soon after it has become visible."""
VISIBLE = 50
"""An object is visible from the first frame in which it has so many pixels on the grid."""
COVERED = 0.5
"""A known object is taken for unknown while so much of it lies in OoD segments."""


@dataclass(frozen=True)
class AlarmCounts:
    """Counts of one drive, or of several.

    Attributes:
        minutes: length of the drive.
        alarms: times that an OoD segment begins to be kept: in no frame without a break before.
        false: those of them in which it never meets an unknown object.
        false_segments: kept OoD segments that meet none, summed over the frames.
        delays: seconds from becoming visible to being met by a kept OoD segment, of every unknown object that was
            visible for at least ``WITHIN_S``, or met sooner; inf = never met.
        known_seconds: time that known objects were visible, summed over them.
        known_flagged: of it, with ``COVERED`` of them in kept OoD segments.
        known_longest: longest stretch of that, seconds.
    """

    minutes: float = 0.0
    alarms: int = 0
    false: int = 0
    false_segments: int = 0
    delays: tuple[float, ...] = ()
    known_seconds: float = 0.0
    known_flagged: float = 0.0
    known_longest: float = 0.0

    def __add__(self, other: AlarmCounts) -> AlarmCounts:
        return AlarmCounts(
            self.minutes + other.minutes,
            self.alarms + other.alarms,
            self.false + other.false,
            self.false_segments + other.false_segments,
            self.delays + other.delays,
            self.known_seconds + other.known_seconds,
            self.known_flagged + other.known_flagged,
            max(self.known_longest, other.known_longest),
        )

    @property
    def false_per_minute(self) -> float:
        """False alarms per minute."""
        return self.false / self.minutes if self.minutes else float("nan")

    @property
    def found_soon(self) -> float:
        """Share of the unknown objects found within ``WITHIN_S``; NaN without objects."""
        return float(np.mean(np.array(self.delays) <= WITHIN_S + 1e-9)) if self.delays else float("nan")

    @property
    def found(self) -> float:
        """Share of the unknown objects found at all."""
        return float(np.mean(np.isfinite(self.delays))) if self.delays else float("nan")

    @property
    def median_delay(self) -> float:
        """Median of the delays of the objects that are found, seconds."""
        met = [delay for delay in self.delays if np.isfinite(delay)]
        return float(np.median(met)) if met else float("nan")


@dataclass
class _Seen:
    """What became of one object so far; times in ns."""

    visible: int
    last: int
    met: int = -1
    flagged_since: int = -1


@dataclass
class Alarms:
    """Follows the OoD segments of one drive.

    Args:
        unknown: whether each object, from number 1 on, is an unknown one.
    """

    unknown: Sequence[bool] = ()
    _frame: int = 0
    _runs: dict[int, tuple[int, bool]] = field(default_factory=dict)  # track -> last frame, met an unknown object
    _alarms: int = 0
    _false: int = 0
    _false_segments: int = 0
    _objects: dict[int, _Seen] = field(default_factory=dict)
    _known: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    _stamps: list[int] = field(default_factory=list)

    def add(self, overlap: FrameOverlap, kept: np.ndarray, tracks: np.ndarray, stamp_ns: int) -> None:
        """The next frame.

        Args:
            overlap: of all OoD segments, kept or not, with the objects.
            kept: (n,) bool.
            tracks: (n,) integers.
            stamp_ns: when it was taken.
        """
        unknown = np.array([self._is_unknown(number) for number in overlap.numbers.tolist()], bool)
        pairs = kept[overlap.segments] & unknown[overlap.objects]
        meets = np.zeros(len(kept), bool)
        meets[overlap.segments[pairs]] = True
        self._false_segments += int((kept & ~meets).sum())
        self._follow_runs(tracks[kept], meets[kept])
        covered = np.bincount(overlap.objects, overlap.pixels * kept[overlap.segments], minlength=len(overlap.numbers))
        for k, number in enumerate(overlap.numbers.tolist()):
            share = covered[k] / overlap.object_sizes[k]
            self._follow_object(number, int(overlap.object_sizes[k]), bool(covered[k]), share, stamp_ns)
        self._stamps.append(stamp_ns)
        self._frame += 1

    def counts(self) -> AlarmCounts:
        """The counts of the frames so far."""
        n, stamps = len(self._stamps), self._stamps
        seconds = (stamps[-1] - stamps[0]) / 1e9 * n / (n - 1) if n > 1 else 0.0
        open_false = sum(not met for _, met in self._runs.values())
        delays = []
        for number, seen in self._objects.items():
            if self._is_unknown(number):
                delay = (seen.met - seen.visible) / 1e9 if seen.met >= 0 else np.inf
                if delay <= WITHIN_S or (seen.last - seen.visible) / 1e9 >= WITHIN_S - 1e-9:
                    delays.append(float(delay))
        return AlarmCounts(
            seconds / 60, self._alarms, self._false + open_false, self._false_segments, tuple(delays), *self._known
        )

    def _is_unknown(self, number: int) -> bool:
        return number <= len(self.unknown) and bool(self.unknown[number - 1])

    def _follow_runs(self, tracks: np.ndarray, meets: np.ndarray) -> None:
        ended = [track for track, (last, _) in self._runs.items() if last < self._frame - 1]
        for track in ended:
            self._false += not self._runs.pop(track)[1]
        for track, met in zip(tracks.tolist(), meets.tolist(), strict=True):
            if track not in self._runs:
                self._alarms += 1
            self._runs[track] = self._frame, met or self._runs.get(track, (0, False))[1]

    def _follow_object(self, number: int, size: int, met: bool, share: float, stamp_ns: int) -> None:
        seen = self._objects.get(number)
        if seen is None:
            if size < VISIBLE:
                return
            seen = self._objects[number] = _Seen(stamp_ns, stamp_ns)
        if met and seen.met < 0:
            seen.met = stamp_ns
        if self._stamps and seen.last < self._stamps[-1]:  # it was hidden meanwhile
            seen.flagged_since = -1
        elif not self._is_unknown(number) and seen.last < stamp_ns:
            step = (stamp_ns - seen.last) / 1e9
            self._known[0] += step
            if seen.flagged_since >= 0:
                self._known[1] += step
                self._known[2] = max(self._known[2], (stamp_ns - seen.flagged_since) / 1e9)
        flagged = share >= COVERED and size >= VISIBLE
        seen.flagged_since = (seen.flagged_since if seen.flagged_since >= 0 else stamp_ns) if flagged else -1
        seen.last = stamp_ns
