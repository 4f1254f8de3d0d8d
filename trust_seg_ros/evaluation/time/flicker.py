"""Flicker: how often a flag changes on what it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

LONGEST_STEP_S = 2.0
"""Sightings further apart are not compared: what happened between them is not known."""


@dataclass(frozen=True)
class FlickerCounts:
    """Counts of one drive, or the sum of several.

    Attributes:
        toggles: changes of the flag between two sightings of the same owner.
        seconds: time between the sightings compared, summed over the owners.
        flagged: of it, after a sighting with the flag set.
    """

    toggles: int = 0
    seconds: float = 0.0
    flagged: float = 0.0

    def __add__(self, other: FlickerCounts) -> FlickerCounts:
        return FlickerCounts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def per_minute(self) -> float:
        """Toggles per minute and owner; NaN if nothing was seen twice."""
        return 60.0 * self.toggles / self.seconds if self.seconds else float("nan")

    @property
    def flagged_share(self) -> float:
        """Share of the time with the flag set."""
        return self.flagged / self.seconds if self.seconds else float("nan")


class Flicker:
    """Follows one flag on every owner: a track, or an object.

    Example:
        >>> flicker = Flicker()
        >>> for frame in drive:
        ...     flicker.add(frame.tracks.ids, frame.trust.unreliable, frame.tracks.stamp_ns)
        >>> flicker.counts.per_minute
    """

    def __init__(self) -> None:
        self.counts = FlickerCounts()
        self._last: dict[int, tuple[int, bool, bool]] = {}

    def add(self, owners: np.ndarray, flags: np.ndarray, stamp_ns: int, counted: np.ndarray | None = None) -> None:
        """The next frame.

        Args:
            owners: (n,) integers; 0 = no owner. The first of several with the same number is taken.
            flags: (n,) bool.
            stamp_ns: when it was taken.
            counted: (n,) bool; a pair of sightings counts if either does. None = all.
        """
        toggles, seconds, flagged, here = 0, 0.0, 0.0, set[int]()
        for k, owner in enumerate(owners.tolist()):
            if not owner or owner in here:
                continue
            here.add(owner)
            flag, counts = bool(flags[k]), counted is None or bool(counted[k])
            if owner in self._last:
                stamp, before, counted_before = self._last[owner]
                step = (stamp_ns - stamp) / 1e9
                if (counts or counted_before) and step <= LONGEST_STEP_S:
                    toggles, seconds, flagged = toggles + (flag != before), seconds + step, flagged + step * before
            self._last[owner] = stamp_ns, flag, counts
        self.counts += FlickerCounts(toggles, seconds, flagged)
