"""``~/trust_state`` and the same on /diagnostics: in every lifecycle state, by a thread beside executor and network."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.node.parameter_notes import ParameterNotes
from trust_seg_ros.node.qos import latched_qos
from trust_seg_ros.node.reporter import NodeState
from trust_seg_ros.node.statistics import Glance, Statistics
from trust_seg_ros.node.trust_state_look import NodeNow, TrustLook
from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.thresholds.calibration import CalibrationError
from trust_seg_ros.trust_state.reasons import ROWS, Level
from trust_seg_ros.trust_state.state import Found, TrustState
from trust_seg_ros.types import ShiftState

TOPIC = "~/trust_state"
_LOOK_S = 0.04
"""Seconds between two looks."""
_OTHER_CLOCK_S = 60.0
"""An age by the stamp beyond this, or below 0, is that of another clock."""
_END_S = 0.2

MISMATCHES = (ModelFileError, MetaModelError, CalibrationError)
"""Errors of configure that say that the files of the network do not belong together, or cannot be used."""


class TrustStateTopic:
    """The thread and the topic.

    Args:
        node: owner of the topic.
        state: what the node is doing now.
        doing: what it is loading, in words; "" = nothing.
        alive: whether anything may still be published.
        statistics, notes: what is looked at.
    """

    def __init__(
        self,
        node: Node,
        state: Callable[[], NodeState],
        doing: Callable[[], str],
        alive: Callable[[], bool],
        statistics: Statistics,
        notes: ParameterNotes,
    ) -> None:
        self._node, self._state, self._doing, self._alive, self._notes = node, state, doing, alive, notes
        self._statistics, self._look = statistics, TrustLook(statistics)
        settings = state().settings.trust_state
        self._period_s = 1.0 / settings.rate_hz
        self._publisher = node.create_publisher(DiagnosticStatus, TOPIC, trust_state_qos(settings.deadline_s))
        # aggregators, such as Autoware's diagnostic graph, look there
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._name = f"{node.get_fully_qualified_name().lstrip('/')}: trust state"
        self._hardware = node.resolve_topic_name("~/image")
        self._current, self._sequence, self._said = TrustState(), 0, -math.inf
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="trust state", daemon=True)
        self._thread.start()

    @property
    def current(self) -> TrustState:
        """The state at the last look."""
        return self._current

    def end(self) -> None:
        """Say that the node is being ended, and nothing more; safe from any thread and more than once."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
            try:
                now = self._statistics.now()
                since = self._current.since if self._current.level == Level.UNTRUSTED else now
                last = TrustState(Level.UNTRUSTED, (Found("inactive", "the node is being ended"),), since)
                self._say(last, self._statistics.glance(now), now)
            except Exception:
                return  # the context is gone already
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_S)

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            with self._lock:
                if self._ended.is_set() or not self._alive():
                    return
                try:
                    self._step()
                except Exception as error:  # one look must not end all others; a node that is destroyed ends them
                    if not self._alive():
                        return
                    self._node.get_logger().error(f"trust state: {error!r}", throttle_duration_sec=5.0)

    def _step(self) -> None:
        before = self._current
        state, glance = self._look.look(self._now())
        self._current, now = state, self._statistics.now()
        changed = (state.level, state.reasons) != (before.level, before.reasons)
        if changed or now - self._said >= self._period_s - _LOOK_S / 2:
            self._say(state, glance, now)

    def _now(self) -> NodeNow:
        at = self._state()
        loaded = at.loaded
        clock = self._node.get_clock()
        simulated = isinstance(clock, ROSClock) and clock.ros_time_is_active
        phase = f"{at.phase}: {doing}" if (doing := self._doing()) else at.phase
        active = at.phase == "active"
        return NodeNow(
            settings=at.settings,
            phase=phase if at.enabled or not active else "disabled by ~/enable",
            active=active and at.enabled,
            problem=at.problem,
            mismatch=isinstance(at.failure, MISMATCHES),
            open_s=at.open_s,
            taken_at=at.taken_at,
            shift=None if loaded is None else loaded.watch.shift,
            notes=self._notes.warnings,
            clock_s=None if simulated else clock.now().nanoseconds / 1e9,
        )

    def _say(self, state: TrustState, glance: Glance, now: float) -> None:
        self._said, self._sequence = now, self._sequence + 1
        clock, shift = self._node.get_clock().now(), self._shift()
        message = trust_state_message(
            state, glance, now, clock.nanoseconds, self._sequence, shift, self._name, self._hardware
        )
        self._publisher.publish(message)
        array = DiagnosticArray(status=[message])
        array.header.stamp = clock.to_msg()
        self._diagnostics.publish(array)

    def _shift(self) -> ShiftState | None:
        loaded = self._state().loaded
        return None if loaded is None else loaded.watch.shift


def trust_state_qos(deadline_s: float) -> QoSProfile:
    """Latched, with a deadline: whoever asks for one as long, or longer, is told when a message is late."""
    profile = latched_qos()
    profile.deadline = Duration(seconds=deadline_s)
    return profile


def trust_state_message(
    state: TrustState,
    glance: Glance,
    now: float,
    clock_ns: int,
    sequence: int,
    shift: ShiftState | None,
    name: str,
    hardware: str,
) -> DiagnosticStatus:
    """The message; docs/trust_state.md explains its keys.

    Args:
        state: the state.
        glance: what it was made from.
        now: time of the statistics in seconds.
        clock_ns: the node's clock.
        sequence: number of the message.
        shift: state of the shift monitor.
        name, hardware: of the status.
    """
    newest, fired = glance.newest, shift is not None and shift.fired
    values = {
        "state": state.level.name,
        "reasons": " ".join(state.reasons),
        "since_s": f"{max(0.0, now - state.since):.3f}",
        "stamp": _seconds(clock_ns),
        "sequence": str(sequence),
        "frame_stamp": _seconds(newest.stamp_ns) if newest is not None and newest.stamp_ns else "",
        "age_s": f"{_age(glance, now, clock_ns):.3f}",
        "void": "; ".join(shift.void) if fired and shift is not None else "",
        "holds": "; ".join(shift.holds) if fired and shift is not None else "",
    }
    texts = {found.key: found.text for found in state.found}
    values |= {row.key: texts.get(row.key, "") for row in ROWS}
    return DiagnosticStatus(
        level=bytes([state.level]),
        name=name,
        message=state.message,
        hardware_id=hardware,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _age(glance: Glance, now: float, clock_ns: int) -> float:
    """Age of the newest result: by its stamp if that is plausible, else since it was taken; NaN before the first."""
    if glance.newest is None:
        return math.nan
    by_stamp = (clock_ns - glance.newest.stamp_ns) / 1e9
    if glance.newest.stamp_ns and clock_ns and 0 <= by_stamp <= _OTHER_CLOCK_S:
        return by_stamp
    return now - glance.newest.taken


def _seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns % 1_000_000_000:09d}"
