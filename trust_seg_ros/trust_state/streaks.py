"""What single images show counts once enough of them in a row have shown it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trust_seg_ros.trust_state.image_checks import ImageFault
from trust_seg_ros.trust_state.reasons import REASONS


@dataclass
class _Streak:
    """Images in a row: how many, since when, and how many of these were useless to the end."""

    frames: int
    since: float
    useless: int


class Streaks:
    """Counts for each reason the images in a row that show it; one caller at a time."""

    def __init__(self) -> None:
        self._streaks: dict[str, _Streak] = {}

    def see(self, faults: Iterable[ImageFault], now: float) -> tuple[ImageFault, ...]:
        """The faults of an image that count: as many images as the reason's row says have shown them, for its seconds.

        A fault is useless only if so many images in a row were.

        Args:
            faults: of the image.
            now: time in seconds.
        """
        counting = []
        before, self._streaks = self._streaks, {}
        for fault in faults:
            streak = before.get(fault.key) or _Streak(0, now, 0)
            streak.frames += 1
            streak.useless = streak.useless + 1 if fault.useless else 0
            self._streaks[fault.key] = streak
            row = REASONS[fault.key]
            if streak.frames >= row.frames and now - streak.since >= row.seconds:
                counting.append(ImageFault(fault.key, fault.text, streak.useless >= row.frames))
        return tuple(counting)

    def clear(self) -> None:
        """Start anew."""
        self._streaks.clear()
