"""The node's reports on /diagnostics: when one is due, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType, ROSClock
from rclpy.node import Node

from trust_seg_ros.node.camera import Camera
from trust_seg_ros.node.configured import Configured
from trust_seg_ros.node.diagnostics import NodeView, parameters_status, report, with_model
from trust_seg_ros.node.liveness import Liveness
from trust_seg_ros.node.parameter_notes import ParameterNotes
from trust_seg_ros.node.progress import Progress
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Statistics


@dataclass(frozen=True)
class NodeState:
    """What the node is doing at one moment.

    Attributes:
        settings: its parameters.
        phase: its lifecycle state in a word.
        enabled: whether ``~/enable`` lets it listen to the camera.
        problem: why the last transition failed; "" if it did not.
        loaded: everything that configure has loaded; None before.
        open_s: seconds since the camera was subscribed to; None while it is not.
        failure: the error of the last transition; None if it succeeded.
    """

    settings: NodeSettings
    phase: str
    enabled: bool
    problem: str
    loaded: Configured | None
    open_s: float | None
    failure: BaseException | None = None

    @property
    def taken_at(self) -> float | None:
        """When the frame in hand was taken; None without one."""
        processor = None if self.loaded is None else self.loaded.processor
        return None if processor is None else processor.taken_at


class Reporter:
    """Publishes /diagnostics in every lifecycle state.

    Args:
        node: owner of the topic and the timer.
        state: what the node is doing now.
        alive: whether anything may still be published.
        statistics, camera, progress, notes: what is reported on.
    """

    def __init__(
        self,
        node: Node,
        state: Callable[[], NodeState],
        alive: Callable[[], bool],
        statistics: Statistics,
        camera: Camera,
        progress: Progress,
        notes: ParameterNotes,
    ) -> None:
        self._node, self._state, self._alive = node, state, alive
        self._statistics, self._camera, self._progress, self._notes = statistics, camera, progress, notes
        # A steady clock, so that a paused bag or a dead camera is still reported; a plain publisher instead of a
        # lifecycle one, so that every state is reported.
        self.clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._liveness = Liveness(statistics, state().settings.diagnostics_period_s)
        node.create_timer(self._liveness.tick_s, self._tick, clock=self.clock)

    def _tick(self) -> None:
        if not self._alive():
            return
        now = self._state()
        if self._liveness.due(now.settings, now.taken_at, now.open_s, now.phase == "active"):
            self._report()

    def _report(self) -> None:
        self._camera.review()
        now = self._state()
        clock = self._node.get_clock()
        clock_ns = clock.now().nanoseconds if isinstance(clock, ROSClock) and clock.ros_time_is_active else None
        look = self._liveness.look(now.settings, now.taken_at, now.open_s, clock_ns)
        view = NodeView(
            name=self._node.get_fully_qualified_name(),
            state=f"{now.phase}: {doing}" if (doing := self._progress.text()) else now.phase,
            enabled=now.enabled,
            working=now.loaded is not None and now.loaded.worker.is_serving,
            settings=now.settings,
            camera=self._camera.view(now.settings.input),
            summary=self._statistics.summary(now.taken_at),
            ages=look.ages,
            open_s=now.open_s,
            clock_still_s=look.clock_still_s,
            stood_still_s=look.stood_still_s,
            problem=now.problem,
            before=look.before,
        )
        if now.loaded is not None:
            view = with_model(view, now.loaded.pipeline, now.loaded.watch.view(now.settings.thresholds))
            if now.loaded.caution is not None:
                view = replace(view, caution=now.loaded.caution.report)
        notes = parameters_status(view, self._notes)
        message = DiagnosticArray(status=[*report(view, self._liveness.judge(view)), notes])
        message.header.stamp = clock.now().to_msg()
        self._publisher.publish(message)
