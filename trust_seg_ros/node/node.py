"""The lifecycle node: connects parameters, camera, pipeline and outputs; contains no algorithm."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.fields import HeaderFields, LabelFields
from trust_seg_ros.node.arrivals import QUEUE, Arrived
from trust_seg_ros.node.camera import Camera
from trust_seg_ros.node.configured import Configured
from trust_seg_ros.node.feedback import FeedbackTopic
from trust_seg_ros.node.out_of_service import OutOfService
from trust_seg_ros.node.parameter_server import ParameterServer
from trust_seg_ros.node.processing import Surroundings
from trust_seg_ros.node.progress import Progress
from trust_seg_ros.node.reporter import NodeState, Reporter
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.throttle import Throttle
from trust_seg_ros.node.transitions import SUCCESS, EndedError, UnfinishedError, beside_the_rest, guarded
from trust_seg_ros.node.trust_state import TrustStateTopic
from trust_seg_ros.node.worker import Worker
from trust_seg_ros.remarks import pixel_policy
from trust_seg_ros.segmentation.shared import SharingCamera

_STOP_S, _END_S = 5.0, 0.4
"""Seconds to wait for the current frame to finish: in a transition, at the end of the process."""


class TrustSegNode(LifecycleNode):
    """Subscribes to camera images, publishes their segmentation and how far to trust it."""

    def __init__(self, name: str = "trust_seg", *, sharing: SharingCamera | None = None, **options: Any) -> None:
        """Create everything that exists in every lifecycle state.

        Args:
            name: of the node.
            sharing: where its network comes from, if other nodes of the process use it, too.
            options: passed to LifecycleNode.

        Raises:
            ParameterError: an initial parameter value is invalid.
        """
        super().__init__(name, **options)
        self.problem, self.phase, self._enabled = "", "unconfigured", True
        self.failure: BaseException | None = None
        self._statistics = Statistics()
        self._throttle = Throttle(self.get_logger())
        self._configured: Configured | None = None
        self._sharing = sharing
        self._parameter_server = ParameterServer(self, self._on_change, self._check_thresholds)
        for text in self._parameter_server.notes.warnings:
            self.get_logger().warning(text)
        self._camera = Camera(self, self._on_frame)
        self._feedback = FeedbackTopic(self, self._on_feedback)
        self._surroundings = Surroundings(
            settings=lambda: self.settings,
            now_ns=lambda: self.get_clock().now().nanoseconds,
            warn=self._throttle.warn,
            alive=self._is_alive,
            inform=self._say,
            trust=lambda: self._trust.current,
            lost=lambda text: self._out_of_service.lost(text),
        )
        self._ending = threading.Event()
        self._progress = Progress(self._say, self._check_wanted)
        self._lock = threading.RLock()  # the camera and the phase, which transitions and services change
        self._workers: list[Worker[Arrived]] = []
        self._opened_at: float | None = None
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.create_service(Trigger, "~/reset", self._on_reset)
        notes = self._parameter_server.notes
        self._reporter = Reporter(
            self, self._state, self._is_alive, self._statistics, self._camera, self._progress, notes
        )
        self._trust = TrustStateTopic(self, self._state, self._progress.text, self._is_alive, self._statistics, notes)
        beside = beside_the_rest(self)
        self._out_of_service = OutOfService(self, beside, self._state, self._is_alive)
        if self.settings.autostart:
            self._autostart_timer = self.create_timer(0.0, self._autostart, beside, self._reporter.clock)

    @property
    def settings(self) -> NodeSettings:
        """The current parameters."""
        return self._parameter_server.settings

    def set_parameters_atomically(self, parameter_list: list[Parameter[Any]]) -> SetParametersResult:
        """As rclpy's; a name that nothing declares is refused with the nearest ones, where rclpy names none."""
        if reason := self._parameter_server.refusal(parameter_list):
            return SetParametersResult(successful=False, reason=reason)
        result: SetParametersResult = super().set_parameters_atomically(parameter_list)
        return result

    # --- lifecycle ---

    @guarded
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, compile and warm up everything, open the topics."""
        settings, started, worker = self.settings, time.monotonic(), Worker[Arrived]()
        self.phase = "configuring"
        self._workers.append(worker)
        try:
            self._configured = loaded = Configured.load(
                self,
                worker,
                settings,
                self._statistics,
                self._surroundings,
                self._send_labels,
                self._progress,
                self._sharing,
            )
            # parameters may have been set meanwhile
            loaded.pipeline.check(self.settings.thresholds, one_at_a_time=True)
        except BaseException:
            self._release()
            raise
        finally:
            self._progress.end()
        # Everything loaded lives until cleanup; freezing it avoids garbage-collection pauses of 50 ms and more.
        gc.collect()
        gc.freeze()
        self.phase = "inactive"
        self._say(
            f"configured in {time.monotonic() - started:.1f} s: model {settings.pipeline.model}, "
            f"{len(loaded.pipeline.labels.names)} classes, {loaded.pipeline.network.device}; pixel threshold "
            f"{pixel_policy(loaded.pipeline, settings.thresholds)}"
        )
        return super().on_configure(state)

    @guarded
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the camera and start to publish."""
        settings, loaded = self.settings, self._configured
        if loaded is None:
            raise TrustSegError(f"the node is {self.phase}, expected inactive: configure it first")
        if loaded.lost:
            raise TrustSegError(loaded.lost)
        loaded.pipeline.check(settings.thresholds, one_at_a_time=True)
        self._statistics.forget_times()
        loaded.processor = processor = loaded.make_processor(settings, self._statistics, self._surroundings)
        if loaded.caution is not None:
            loaded.caution.open(settings.caution, self._camera.topic)
        result = super().on_activate(state)
        loaded.worker.open(settings.capacity, processor, processor.failed)
        try:
            with self._lock:
                self.phase = "active"
                loaded.watch.settings_changed(settings.thresholds)
                self._feedback.apply(self.settings.thresholds, active=True)
                self._apply_enabled()
        except BaseException:
            self._quieten()
            super().on_deactivate(state)
            raise
        self._say(f"listening to {self._camera.topic}")
        return result

    @guarded
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe from the camera, finish the current frame, stop publishing."""
        if not self._quieten():
            raise UnfinishedError(
                f"the current frame has not finished after {_STOP_S:.0f} s, expected milliseconds: it is abandoned and "
                "the node cleaned up; check the model and its device, then configure again"
            )
        return super().on_deactivate(state)

    @guarded
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the topics."""
        self._release()
        return super().on_cleanup(state)

    @guarded
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, from any state."""
        self._quieten()
        self._release()
        self.phase = "finalized"
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured after an unexpected error, so that configure can be tried again."""
        self._release()  # without waiting: a stuck frame has already had its time to finish
        return SUCCESS

    def note_failure(self, transition: str, text: str) -> None:
        """Log why a transition failed and keep it for /diagnostics."""
        self.problem = f"{transition}: {text.splitlines()[0] if text else 'failed'}"
        if self._is_alive():
            self.get_logger().error(f"{transition} failed: {text}")

    def begin_end(self) -> None:
        """The process is about to end: publish nothing more, and give up what a transition waits for."""
        self._trust.end()
        self._ending.set()
        loaded = self._configured
        if loaded is not None:
            loaded.worker.close(0.0)  # takes no further frame

    def close(self, timeout: float = _END_S) -> bool:
        """Stop the worker before the node is destroyed; safe in every state and more than once.

        Args:
            timeout: seconds to wait for the current frame.

        Returns:
            False if a thread of this node has not ended; Python would wait for it forever at exit.
        """
        self.begin_end()
        if self._configured is not None:
            self._configured.worker.close(timeout)
        self._release()
        return not self._workers

    def _is_alive(self) -> bool:
        return self.context.ok() and not self._ending.is_set()

    def _check_wanted(self) -> None:
        if not self._is_alive():
            raise EndedError("the node is being ended")

    def _say(self, text: str) -> None:
        if self._is_alive():
            self.get_logger().info(text)

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self.phase == "unconfigured" and self._is_alive() and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _quieten(self) -> bool:
        """Close the camera and wait for the current frame; False if it did not finish in time."""
        with self._lock:
            self._camera.close()
            self._feedback.apply(self.settings.thresholds, active=False)
            self._opened_at = None
            if self.phase == "active":
                self.phase = "deactivating"
        loaded = self._configured
        ended = loaded is None or loaded.worker.close(_STOP_S, lambda: not self._is_alive())
        if loaded is not None and loaded.caution is not None:
            loaded.caution.close()
        if ended and self.phase == "deactivating":
            self.phase = "inactive"
        return ended

    def _release(self) -> None:
        with self._lock:
            self._camera.close()
            self._feedback.apply(self.settings.thresholds, active=False)
            self._opened_at = None
            self.phase = "unconfigured"
        loaded, self._configured = self._configured, None
        if loaded is not None:
            loaded.release()
        del loaded
        others = self._sharing is not None and not self._sharing.release()
        self._workers = [worker for worker in self._workers if not worker.stop(0.0)]
        gc.unfreeze()
        if others and self._is_alive():  # which still drive, without pauses
            gc.collect()
            gc.freeze()

    # --- frames ---

    def _on_frame(self, arrived: Arrived) -> None:
        loaded = self._configured  # read once: a transition may release it meanwhile
        if loaded is not None:
            self._statistics.arrived(loaded.worker.put(arrived, QUEUE if arrived.video else 0))

    def _on_feedback(self, raw: bytes) -> None:
        loaded = self._configured
        if loaded is not None and loaded.processor is not None:
            loaded.processor.feedback.put(raw)

    # --- services, parameters, diagnostics ---

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        try:
            self._apply_enabled()
        except TrustSegError as error:
            response.success, response.message = False, str(error)
            return response
        word = "enabled" if request.data else "disabled"
        response.success = True
        response.message = word if self.phase == "active" else f"{word}; it takes effect once the node is active"
        return response

    def _apply_enabled(self) -> None:
        with self._lock:
            if self.phase != "active":
                return
            if self._enabled and not self._camera.is_open:
                self._statistics.forget_times()
                self._camera.open(self.settings)
                self._opened_at = time.monotonic()
            elif not self._enabled:
                self._camera.close()
                self._opened_at = None

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        processor = None if (loaded := self._configured) is None else loaded.processor
        response.success = processor is not None
        response.message = f"nothing to reset: the node is {self.phase}"
        if processor is not None:
            processor.ask_reset()
            response.message = "earlier frames are forgotten before the next frame"
        return response

    def _check_thresholds(self, settings: NodeSettings) -> None:
        loaded = self._configured
        if loaded is not None:  # before, neither the network's scores nor the calibration are known
            loaded.pipeline.check(settings.thresholds, one_at_a_time=True)
            loaded.budget.check(settings, self.settings)

    def _on_change(self, before: NodeSettings, after: NodeSettings) -> None:
        loaded = self._configured
        if self.phase == "active" and loaded is not None and before.thresholds != after.thresholds:
            loaded.watch.settings_changed(after.thresholds)
            self._feedback.apply(after.thresholds, active=True)

    def _send_labels(self, fields: LabelFields) -> None:
        loaded = self._configured  # the worker calls this
        if loaded is not None and self._is_alive():
            sec, nanosec = self.get_clock().now().seconds_nanoseconds()
            loaded.outputs.publish_labels(fields, HeaderFields(sec, nanosec))

    def _state(self) -> NodeState:
        opened_at, loaded = self._opened_at, self._configured
        open_s = None if opened_at is None else time.monotonic() - opened_at
        problem = self.problem or ("" if loaded is None else loaded.lost)
        return NodeState(self.settings, self.phase, self._enabled, problem, loaded, open_s, self.failure)
