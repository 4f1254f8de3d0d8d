"""Decides when to report, and gives the statuses of camera and processing their level and message."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trust_seg_ros.node import findings
from trust_seg_ros.node.levels import OK, Steady
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.timeline import Ages
from trust_seg_ros.node.view import NodeView

TICK_S = 0.1
"""Seconds between two looks at the ages; a report is made at once when one of them becomes stale."""

_LATE_S = 0.2
"""A tick that is late by more means that the node stood still."""

Status = tuple[bytes, str]


@dataclass(frozen=True)
class Verdict:
    """Level and message of the statuses of which liveness decides."""

    camera: Status
    processing: Status


@dataclass(frozen=True)
class Look:
    """What one report needs to know, counted since the one before.

    Attributes:
        ages: of images, the frame in hand, and results.
        clock_still_s: as in :class:`NodeView`.
        stood_still_s: as in :class:`NodeView`.
        before: counters at the report before.
    """

    ages: Ages
    clock_still_s: float
    stood_still_s: float
    before: dict[str, int]


class Liveness:
    """Looks at the ages at every tick. Used by the executor only.

    Args:
        statistics: counters and times of the node.
        period_s: seconds between two reports if nothing becomes stale.
    """

    def __init__(self, statistics: Statistics, period_s: float) -> None:
        self._statistics, self._period_s = statistics, period_s
        self.tick_s = min(TICK_S, period_s)
        now = statistics.now()
        self._ticked, self._reported = now, now - period_s
        self._active = False
        self._stood_still_s = 0.0
        self._told = OK, OK
        self._before: dict[str, int] = {}
        self._clock_ns, self._clock_since = -1, now
        self._camera, self._processing = Steady(), Steady()

    def due(self, settings: NodeSettings, taken: float | None, open_s: float | None, active: bool) -> bool:
        """Tick; whether a report is due.

        Args:
            settings: the current parameters.
            taken: when the frame in hand was taken; None while there is none.
            open_s: seconds since the camera was subscribed to; None while it is not.
            active: whether the node is active.
        """
        now, was_active = self._statistics.now(), self._active
        late_s = now - self._ticked - self.tick_s
        if was_active and active and late_s > _LATE_S:
            self._statistics.stood_still(self._ticked + self.tick_s, now)
            self._stood_still_s += late_s
        self._ticked, self._active = now, active
        if now - self._reported >= self._period_s - self.tick_s / 2:
            return True
        levels = self._levels(self._statistics.ages(self._reported, taken), settings, open_s) if active else (OK, OK)
        return any(level > told for level, told in zip(levels, self._told, strict=True))

    def look(self, settings: NodeSettings, taken: float | None, open_s: float | None, clock_ns: int | None) -> Look:
        """What the report that is made now needs to know; for the arguments see ``due``.

        Args:
            settings, taken, open_s: as in ``due``.
            clock_ns: simulated time; None if time is not simulated.
        """
        now, ages = self._statistics.now(), self._statistics.ages(self._reported, taken)
        if clock_ns != self._clock_ns:
            self._clock_ns, self._clock_since = -1 if clock_ns is None else clock_ns, now
        look = Look(ages, now - self._clock_since, self._stood_still_s, self._before)
        self._told = self._levels(ages, settings, open_s) if self._active else (OK, OK)
        self._reported, self._stood_still_s = now, 0.0
        return look

    def judge(self, view: NodeView) -> Verdict:
        """Level and message of camera and processing."""
        self._before = dict(view.summary.counts)
        now = self._statistics.now()
        if view.idle:
            self._camera.clear()
        if view.state != "active":
            self._processing.clear()
        return verdict(view, self._camera, self._processing, now)

    @staticmethod
    def _levels(ages: Ages, settings: NodeSettings, open_s: float | None) -> tuple[bytes, bytes]:
        limits = settings.liveness
        camera = OK if open_s is None else findings.image_level(ages, open_s, limits)
        return camera, findings.result_level(ages, limits)


def verdict(view: NodeView, camera: Steady, processing: Steady, now: float) -> Verdict:
    """Level and message of camera and processing, held by the two."""
    hold_s = view.settings.liveness.hold_s
    if not view.idle:
        return Verdict(
            camera.judge(findings.camera_findings(view), findings.camera_fine(view), now, hold_s),
            processing.judge(findings.processing_findings(view), findings.processing_fine(view), now, hold_s),
        )
    found = findings.processing_findings(_in_hand_only(view)) if view.state == "active" else ()
    return Verdict(
        (OK, f"not listening: {view.idle}"), processing.judge(found, f"not processing: {view.idle}", now, hold_s)
    )


def _in_hand_only(view: NodeView) -> NodeView:
    """The view of a node that is disabled: a frame in hand must still end, images are not waited for."""
    return replace(view, ages=replace(view.ages, owed=0.0))
