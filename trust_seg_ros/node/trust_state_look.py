"""What the trust state is made of: a look at counters, ages, the shift monitor and the lifecycle, as reasons found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trust_seg_ros.node.findings import image_level, image_period, result_level, result_period
from trust_seg_ros.node.frame_checks import USELESS
from trust_seg_ros.node.levels import ERROR, OK
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Glance, Statistics
from trust_seg_ros.trust_state.clocks import StepWatch
from trust_seg_ros.trust_state.missing import MissingImages
from trust_seg_ros.trust_state.reasons import ROWS
from trust_seg_ros.trust_state.state import Found, TrustJudge, TrustState
from trust_seg_ros.types import ShiftState

DROPPED = 0.25
"""Missing share of the images from which some are dropped."""

_WORSE = {"bad_outputs": "blind"}
"""Reason -> the counter of its worse level, where it is not the counter's name with ``USELESS``."""


@dataclass(frozen=True)
class NodeNow:
    """What the node is doing, beside what its statistics know.

    Attributes:
        settings: its parameters.
        phase: lifecycle state in a word, and what goes on there.
        active: whether it is active and listens to the camera.
        problem: why the last transition failed; "" if it did not.
        mismatch: that this was because files do not belong together.
        open_s: seconds since the camera was subscribed to; None while it is not.
        taken_at: when the frame in hand was taken; None without one.
        shift: state of the shift monitor; None = nothing is watched, or no frame was judged.
        notes: settings without effect, in sentences.
        clock_s: the node's clock; None where time is simulated.
    """

    settings: NodeSettings
    phase: str
    active: bool
    problem: str = ""
    mismatch: bool = False
    open_s: float | None = None
    taken_at: float | None = None
    shift: ShiftState | None = None
    notes: tuple[str, ...] = ()
    clock_s: float | None = None


class TrustLook:
    """Looks at the node many times a second. One caller at a time.

    Args:
        statistics: counters and times of the node.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._statistics, self._judge = statistics, TrustJudge()
        self._counts: Mapping[str, int] = {}
        self._looked: float | None = None
        self._was_active = False
        self._missing, self._steps = MissingImages(), StepWatch()

    def look(self, node: NodeNow) -> tuple[TrustState, Glance]:
        """The state now, and what it was made from."""
        now = self._statistics.now()
        if node.active != self._was_active:
            self._judge.clear()
        if node.active and not self._was_active:
            self._missing, self._counts = MissingImages(), self._statistics.glance(now).counts
        self._was_active = node.active
        last = now if self._looked is None else self._looked
        glance = self._statistics.glance(last, node.taken_at)
        settings = node.settings.trust_state
        self._judge.hold, self._judge.ignore = settings.hold, settings.ignore
        found = [*self._always(node, now), *(self._active(node, glance, now) if node.active else _inactive(node))]
        self._looked, self._counts = now, glance.counts
        period = image_period(glance.ages, node.settings.liveness)
        return self._judge.look(found, now, 2.0 * period), glance

    def _always(self, node: NodeNow, now: float) -> Iterator[Found]:
        if node.notes:
            yield Found("settings", "; ".join(node.notes))
        if jump := self._steps.see(node.clock_s, now):
            yield Found("clock_jump", f"the node's clock jumped by {jump:+.3f} s")
        silent = 0.0 if self._looked is None else now - self._looked
        if silent > node.settings.trust_state.deadline_s:
            yield Found("stood_still", f"the node stood still for {silent:.1f} s")

    def _active(self, node: NodeNow, glance: Glance, now: float) -> Iterator[Found]:
        yield from self._counted(glance)
        yield from self._dropped(node, glance, now)
        yield from _camera(node, glance)
        yield from _results(node, glance, now)
        if node.shift is not None and node.shift.fired:
            yield Found("shifted", f"the data no longer resembles the calibration data, {node.shift.text}")
            if node.shift.void:
                yield Found("guarantee_void", f"void by shift: {'; '.join(node.shift.void)}")

    def _counted(self, glance: Glance) -> Iterator[Found]:
        for row in ROWS:
            if row.counter and self._new(glance, row.counter):
                worse = self._new(glance, _WORSE.get(row.key, f"{row.counter}{USELESS}")) > 0
                yield Found(row.key, glance.reasons.get(row.counter, row.text), worse)

    def _new(self, glance: Glance, counter: str) -> int:
        return glance.counts.get(counter, 0) - self._counts.get(counter, 0)

    def _dropped(self, node: NodeNow, glance: Glance, now: float) -> Iterator[Found]:
        share = self._missing.see(glance.counts.get("received", 0), now)
        lost = node.open_s is None or image_level(glance.ages, node.open_s, node.settings.liveness) == ERROR
        if share >= DROPPED and not lost:
            yield Found("dropped", f"{100 * share:.0f} % of the usual images are missing")
        if node.settings.mode == "every" and (full := self._new(glance, "overwritten")):
            yield Found("dropped", f"mode every: the queue is full, {full} frames were dropped")


def _inactive(node: NodeNow) -> Iterator[Found]:
    problem = f": {node.problem}" if node.problem else ""
    if node.mismatch:
        yield Found("model_mismatch", f"the files of the network do not fit{problem}")
    yield Found("inactive", f"the node is {node.phase}{'' if node.mismatch else problem}")


def _camera(node: NodeNow, glance: Glance) -> Iterator[Found]:
    ages, limits = glance.ages, node.settings.liveness
    if node.open_s is None:
        yield Found("camera_lost", "the camera's topic could not be subscribed to", worst=True)
        return
    level = image_level(ages, node.open_s, limits)
    if level != OK:
        seconds = node.open_s if ages.image is None else ages.image_gap
        usual = "" if ages.image is None else f", usually {image_period(ages, limits):.2g} s"
        yield Found("camera_lost", f"{seconds:.1f} s without an image{usual}", worst=level == ERROR)


def _results(node: NodeNow, glance: Glance, now: float) -> Iterator[Found]:
    ages, limits, newest = glance.ages, node.settings.liveness, glance.newest
    if glance.unwatched:
        yield Found("unwatched", "nobody subscribes to an output, so nothing is computed")
    elif newest is None:
        yield Found("no_result", "no frame has been judged yet")
    level = result_level(ages, limits)
    if level != OK:
        usual = f"usually {result_period(ages, limits):.2g} s"
        in_hand = ages.hand >= ages.owed / 2
        if level == ERROR and in_hand:
            yield Found("hung", f"a frame has been in hand for {ages.hand:.1f} s, {usual}")
        yield Found("slow", f"{max(ages.hand, ages.owed):.1f} s for a result, {usual}")
    oldest_s = node.settings.max_age_ms / 1e3
    if newest is not None and 0 < oldest_s < now - newest.taken:
        yield Found("stale", f"the newest result is {now - newest.taken:.1f} s old, max_age_ms = {1e3 * oldest_s:g}")
