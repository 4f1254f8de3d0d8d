"""Tests whether means of scores tell shifts, on windows of consecutive clean and shifted frames.

Images of a study have no stamps and come in any number, so single windows are tested, score by score; the node bets on
several statistics of every frame (``thresholds/shift.py``; ``benchmarks/shift_monitor.py`` measures that).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.meta.study import Spread
from trust_seg_ros.evaluation.report.tabular import ON_SCREEN, Column, Table, Value
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.shift_tables import broken
from trust_seg_ros.evaluation.trust.study import Judged, Study
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference


@dataclass(frozen=True)
class Watch:
    """How windows are tested.

    Attributes:
        frames: frames per window, consecutive judged images of one drive.
        level: p-value below which a window does not resemble the calibration images, in (0, 1).
        independent: most independent observations that a window may count for, >= 2.
        least_frames: frames that a window must have, >= 2.

    Raises:
        ShiftError: a value is out of range.
    """

    frames: int = 30
    level: float = 0.01
    independent: int = 5
    least_frames: int = 10

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise ShiftError(f"shift monitor: level = {self.level}: expected a number in (0, 1)")

    @property
    def step(self) -> int:
        """Frames from the start of one window to the start of the next."""
        return max(1, self.frames // 4)


def windows(means: np.ndarray, drives: Sequence[str], chosen: np.ndarray, watch: Watch) -> list[np.ndarray]:
    """Frame means of each window.

    A drive shorter than a window is one window, if it has the minimum number of frames that the monitor needs.

    Args:
        means: (n,) frame means, in order of time.
        drives: (n,) drive of each frame.
        chosen: (n,) bool, judged frames.
        watch: length of windows.
    """
    found = []
    for drive in dict.fromkeys(drives):
        values = means[chosen & (np.asarray(drives, dtype=str) == drive) & np.isfinite(means)]
        if watch.least_frames <= len(values) < watch.frames:
            found.append(values)
        starts = range(0, len(values) - watch.frames + 1, watch.step)
        found += [values[start : start + watch.frames] for start in starts]
    return found


def alarms(s: Study, arrangement: Arrangement, judged: Judged, score: str, watch: Watch) -> tuple[np.ndarray, str]:
    """Share of windows in which the monitor would fire.

    Returns:
        (d,) share in every draw, NaN without a window; and the reason if no draw has one, else "".
    """
    rates, reason = [], ""
    for draw in arrangement.draws:
        try:
            reference = ShiftReference.from_means(arrangement.calibration.scores[score].means[draw.calibrated])
        except ShiftError as error:
            return np.full(len(arrangement.draws), math.nan), str(error)
        rows = arrangement.rows(draw, judged.images)
        found = windows(judged.means[score], judged.drives, rows, watch)
        tests = [reference.compare(values, watch.independent) for values in found]
        rates.append(np.mean([test.p_value < watch.level for test in tests]) if tests else math.nan)
        if not tests:
            reason = f"no drive of {judged.name} has {watch.least_frames} judged images, which a window needs"
    return np.array(rates, np.float64), reason


def monitor_table(s: Study, arrangement: Arrangement, watch: Watch) -> tuple[Table, list[str]]:
    """Detection rate under every condition, after the false-alarm rate on clean images; and notes."""
    scores = list(s.clean.orderings)
    lost: dict[str, list[str]] = {}
    for policy, condition in broken(s, arrangement):
        lost.setdefault(condition, []).append(policy)
    rows: list[tuple[Value, ...]] = []
    notes: dict[str, None] = {}
    for judged in (s.clean, *s.shifted):
        cells: list[Value] = [judged.name, ", ".join(lost.get(judged.name, [])) or "-"]
        for score in scores:
            rates, reason = alarms(s, arrangement, judged, score, watch)
            cells.append(Spread.of(rates))
            if reason:
                notes.setdefault(f"shift monitor, calibrated on {arrangement.name}: {reason}", None)
        rows.append(tuple(cells))
    columns = (
        Column("data", "text"),
        Column("guarantee broken", "text"),
        *(Column(f"fires {score}, %") for score in scores),
    )
    note = (
        f"Share of windows of {watch.frames} consecutive judged frames of a drive whose frame means differ from the "
        f"calibration images' means (p < {watch.level:g}, {watch.independent} independent observations at "
        "most). On clean data these are false alarms. Guarantee broken: conformal policies on "
        f"{s.best_score} whose mean risk exceeds alpha."
    )
    title = f"Shift monitor, calibrated on {arrangement.name}"
    return Table("monitor", title, columns, tuple(rows), note, ON_SCREEN), list(notes)
