"""What the shift monitor compares with, out of a calibration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trust_seg_ros.thresholds.frame_statistics import OLDER, STATISTICS, title
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.calibration import Calibration

NOT_HELD = "the calibration does not hold it"


def shift_references(calibration: Calibration | None) -> tuple[dict[str, ShiftReference], dict[str, str]]:
    """References of the shift monitor; and statistic -> why it is not watched.

    A file that was made before the statistics were kept has means of scores only: of these, the ones that are
    statistics, too, are watched.
    """
    found: dict[str, ShiftReference] = {}
    if calibration is None:
        return found, dict.fromkeys(STATISTICS, "there is no calibration")
    missing = {}
    for name in STATISTICS:
        try:
            if numbers := numbers_of(calibration, name):
                found[name] = ShiftReference.from_means(numbers)
            else:
                missing[name] = NOT_HELD
        except ShiftError as error:
            missing[name] = str(error)
    return found, missing


def numbers_of(calibration: Calibration, name: str) -> tuple[float, ...]:
    """A statistic of the calibration images; () if the calibration does not hold it."""
    score = calibration.scores.get(name) if name in OLDER else None
    return calibration.statistics_of_frames.get(name, () if score is None else score.frame_means)


def lacking_words(missing: dict[str, str], names: Iterable[str] = STATISTICS) -> str:
    """Which statistics are not watched and why, in words; "" = all are."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        if name in missing:
            reasons.setdefault(missing[name], []).append(title(name))
    return "; ".join(f"{', '.join(titles)}: {reason}" for reason, titles in reasons.items())
