"""Processes one frame, from the serialised message to the published outputs; runs in the worker thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.fields import HeaderFields, MessageOptions
from trust_seg_ros.messages.image_bytes import ImageError, is_plain, peek_header
from trust_seg_ros.messages.outputs import rendering, unfillable, wanted
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.messages.summary import Circumstances
from trust_seg_ros.node.arrivals import Arrived
from trust_seg_ros.node.budget import FrameBudget
from trust_seg_ros.node.caution import Caution
from trust_seg_ros.node.device_faults import DeviceFaults
from trust_seg_ros.node.feedback import FeedbackInbox
from trust_seg_ros.node.frame_checks import FrameChecks
from trust_seg_ros.node.image_reader import ImageReader
from trust_seg_ros.node.outputs import Outputs
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.summary import with_summary
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.pipeline.warm_up import EVERYTHING
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.trust_state.state import TrustState
from trust_seg_ros.types import Frame, TrustFrame

_OTHER_CLOCK_MS = 60e3
"""Results that seem to be older than this were hardly on the way for so long."""

_AHEAD_MS = 1e3
"""Stamps that are ahead by less may be those of a camera whose clock is not quite the node's."""


@dataclass(frozen=True)
class Surroundings:
    """What frame processing needs from the node.

    Attributes:
        settings: returns the current settings.
        now_ns: returns the node's time in nanoseconds; 0 before simulated time starts.
        warn: logs a warning, given its kind and text; at most one of each kind every few seconds.
        alive: returns False once the node is shutting down, when nothing may be published any more.
        judged: called with the threshold settings and the result of every finished frame.
        timed: called with the milliseconds and the result of every finished frame.
        inform: logs a text.
        trust: returns the trust state.
        lost: called with a text when the GPU is lost; no frame is processed any more.
    """

    settings: Callable[[], NodeSettings]
    now_ns: Callable[[], int]
    warn: Callable[[str, str], None]
    alive: Callable[[], bool]
    judged: Callable[[ThresholdSettings, TrustFrame], None] = lambda *_: None
    timed: Callable[[float, TrustFrame], None] = lambda *_: None
    inform: Callable[[str], None] = lambda _: None
    trust: Callable[[], TrustState] = TrustState
    lost: Callable[[str], None] = lambda _: None


class FrameProcessor:
    """Reads, judges and publishes one frame at a time; computes only what subscribers need."""

    def __init__(
        self,
        pipeline: TrustPipeline,
        outputs: Outputs,
        statistics: Statistics,
        surroundings: Surroundings,
        reader: ImageReader,
        caution: Caution | None = None,
    ) -> None:
        self._pipeline, self._outputs, self._statistics = pipeline, outputs, statistics
        self._around, self._reader, self._caution = surroundings, reader, caution
        self._remarks: tuple[str, ...] = ()
        self._reset_asked = self._retired = False
        self._circumstances, self._faults = Circumstances(), DeviceFaults(surroundings.lost)
        self._checks = FrameChecks(statistics, self._notice, pipeline.shift_references)
        self.feedback = FeedbackInbox(pipeline, statistics, surroundings.warn)
        """Labels of earlier frames, which the next frame learns from."""
        self.taken_at: float | None = None
        """When the frame in hand was taken, by the clock of the statistics; None while there is none."""

    def ask_reset(self) -> None:
        """Forget earlier frames before the next one; may be called from any thread."""
        self._reset_asked = True

    def retire(self) -> None:
        """Publish and count nothing from now on, not even the current frame; may be called from any thread."""
        self._retired = True

    def __call__(self, arrived: Arrived) -> None:
        """Process one message. Refused frames are counted and logged; no exception is raised for them."""
        self.taken_at = taken = self._statistics.now()
        try:
            if self._faults.lost:  # the node is on its way to inactive
                self._statistics.count("failed", self._faults.lost)
                return
            self._process(arrived)
            self._faults.ended_well()
        finally:
            self.taken_at = None
            if not self._retired:
                self._statistics.let_go(taken)

    def _process(self, arrived: Arrived) -> None:
        started = time.perf_counter()
        settings = self._around.settings()
        try:
            self._keep_time(arrived.data)
            self.feedback.learn(settings.max_image_pixels)
            topics, summary, mapped = self._outputs.watched(), self._outputs.summary.watched, self._mapped()
            if not (topics or summary or mapped):
                self._statistics.nothing_due(unwatched=True)
                self._reader.skip(arrived)
                return
            read = self._read(arrived, settings)
        except ImageError as error:
            self._statistics.count("refused", str(error))
            self._around.warn("refused", str(error))
            return
        if read is None:  # a packet of video with a newer one behind it
            self._statistics.passed_over()
            return
        header, frame = read
        self._checks.image(frame.image, settings.liveness.frozen_s, settings.trust_state)
        topics = self._possible(topics, settings)
        if not (topics or summary or mapped):
            self._statistics.nothing_due()
            return
        parts = wanted(topics, settings.gradient_label)
        parts = with_summary(parts) if summary else parts
        parts = replace(parts, segments=True, ood=True) if mapped else parts
        result = self._pipeline(frame, settings.thresholds, parts)
        self._checks.answer(result, settings.liveness.frozen_s)
        if forgot := self._pipeline.forgot_tracks:
            self._notice("tracks_lost", f"all tracks are forgotten: {forgot}")
        if self._publish(topics, rendering(result, self._options(settings), topics), header):
            ground = {} if self._caution is None else self._caution.process(result, header, settings.caution)
            self._finish(started, header, result, settings, ground)
            if summary and self._alive():
                self._outputs.summary.publish(result, header, self._circumstances)

    def _mapped(self) -> bool:
        """Whether a map of the ground is wanted."""
        return self._caution is not None and self._caution.watched()

    def _read(self, arrived: Arrived, settings: NodeSettings) -> tuple[HeaderFields, Frame] | None:
        """As :meth:`ImageReader.read`; what is to be said is logged once and kept for diagnostics."""
        read, remarks = self._reader.read(arrived, settings), self._reader.remarks
        if remarks != self._remarks:
            for text in remarks:
                if text not in self._remarks:
                    self._around.inform(text)
            self._remarks = remarks
            self._statistics.remark(remarks)
        return read

    def failed(self, error: BaseException) -> None:
        """Count and log a frame that ended in an exception; one of the GPU's, see ``DeviceFaults``."""
        if not self._alive():
            return  # publishing during a shutdown may raise
        expected = isinstance(error, TrustSegError)
        text = self._faults.described(error) or (str(error) if expected else f"{type(error).__name__}: {error}")
        self._statistics.count("failed", text)
        self._around.warn("failed", f"frame lost: {text}")

    def rehearse_all(self, size: tuple[int, int], budget: FrameBudget) -> None:
        """Warm up: run noise images of ``size`` (H, W) through everything except publishing.

        Raises:
            PassesRefusedError: the configured perturbed passes do not fit into the budget.
        """
        for _ in range(2):
            budget.forget()  # the first run is slow and must not count
            self._rehearse(size)
        settings = self._around.settings()
        budget.check(settings)
        if settings.thresholds.perturbed is not None:
            self._rehearse(size, perturbed=True)

    def _rehearse(self, size: tuple[int, int], perturbed: bool = False) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        settings = self._around.settings()
        everything = EVERYTHING
        if perturbed:
            t = settings.thresholds
            everything = replace(everything, pixel_score=t.pixel_score, perturbation=t.perturbation)
        started = time.perf_counter()
        lacking = unfillable(self._outputs.names, self._pipeline.unavailable, settings.gradient_label)
        topics = tuple(name for name in self._outputs.names if name not in lacking)
        result = self._pipeline(Frame(noise), everything, wanted(topics, settings.gradient_label))
        view = rendering(result, self._options(settings), topics)
        for name in topics:
            self._outputs.fill(name, view, HeaderFields())
        if self._caution is not None:
            self._caution.rehearse(result)
        self._around.timed((time.perf_counter() - started) * 1e3, result)

    def _options(self, settings: NodeSettings) -> MessageOptions:
        labels = self._pipeline.labels
        return MessageOptions.of(labels.names, labels.palette, settings)

    def _possible(self, topics: tuple[str, ...], settings: NodeSettings) -> tuple[str, ...]:
        """The topics that this network can fill; for the others the reason is counted and logged."""
        lacking = unfillable(topics, self._pipeline.unavailable, settings.gradient_label)
        for name, reason in lacking.items():
            self._notice("unfilled", f"~/{name} stays empty: {reason}")
        return tuple(name for name in topics if name not in lacking)

    def _keep_time(self, raw: bytes) -> None:
        """Forget earlier frames if time jumped back (a bag was restarted) or a reset was requested."""
        # an unstamped frame (0) says nothing about time
        stamp = (peek_header(raw).stamp_ns or None) if is_plain(raw) else None
        jumped_s = 0.0 if stamp is None else self._checks.stamp(stamp, self._around.now_ns())
        jumped = jumped_s < 0
        if jumped:
            self._statistics.count("time_jumps")
            self._around.warn("time", f"time jumped back by {-jumped_s:.3f} s: earlier frames are forgotten")
        if jumped or self._reset_asked:
            self._reset_asked = False
            self._pipeline.reset()
            if self._caution is not None:
                self._caution.reset()

    def _notice(self, kind: str, text: str) -> None:
        """Count and log what is wrong, unless ``text`` is empty."""
        if text and self._alive():
            self._statistics.count(kind, text)
            self._around.warn(kind, text)

    def _publish(self, topics: tuple[str, ...], view: Rendering, header: HeaderFields) -> bool:
        for name in topics:
            if not self._alive():
                return False
            self._outputs.publish(name, view, header)
        return True

    def _alive(self) -> bool:
        return self._around.alive() and not self._retired

    def _finish(
        self,
        started: float,
        header: HeaderFields,
        result: TrustFrame,
        settings: NodeSettings,
        ground: Mapping[str, float],
    ) -> None:
        now = self._around.now_ns()
        # the stamp is 0 if the camera sets none, the time is 0 before simulated time starts: the age is then unknown
        latency = (now - header.stamp_ns) / 1e6 if now and header.stamp_ns else None
        processing = (time.perf_counter() - started) * 1e3
        self._statistics.finished(processing, latency, {**result.timings_ms, **ground}, header.stamp_ns)
        state = self._around.trust()
        self._circumstances = Circumstances(
            processing, math.nan if latency is None else latency, state.level.name, state.reasons
        )
        self._around.timed(processing, result)
        self._statistics.flagged(
            _share(result.on_grid.pixel_flags), _share(None if result.trust is None else result.trust.unreliable)
        )
        self._around.judged(settings.thresholds, result)
        if latency is not None and settings.max_age_ms and (why := _wrong_age(latency, settings.max_age_ms)):
            self._statistics.count("late", why)
            self._statistics.count("ahead" if latency < 0 else "old", why)


def _wrong_age(latency_ms: float, limit_ms: float) -> str:
    """What is wrong with the age of a result by its stamp, or ""."""
    if latency_ms < -_AHEAD_MS:
        return f"stamps are {-latency_ms / 1e3:.1f} s ahead of the node's clock, so the age of results is not known"
    if latency_ms <= limit_ms:
        return ""
    hint = " (stamps of another clock, or a recording without use_sim_time?)" if latency_ms > _OTHER_CLOCK_MS else ""
    return f"results are older than max_age_ms = {limit_ms:g}: {latency_ms / 1e3:.1f} s{hint}"


def _share(flags: np.ndarray | None) -> float | None:
    """Share of flags that are set, 0 to 1; None if there are no flags."""
    return None if flags is None or not flags.size else np.count_nonzero(flags) / flags.size
