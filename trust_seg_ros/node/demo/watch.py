"""Subscribes to the camera and to all outputs of the node; counts and times messages, and matches them by stamp."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import TransitionEvent
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from trust_seg_ros.messages.image_bytes import ImageError, peek_header
from trust_seg_ros.messages.outputs import DETECTIONS, IMAGE, OUTPUTS

CAMERA = "camera"
SHOWN = (CAMERA, "segmentation", "entropy", "unreliable", "ood", "segments")
"""The messages that one panel is drawn from."""

_RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_PENDING_BYTES = 256 << 20
_FEWEST_PENDING = 12
_RECENT_S = 5.0


@dataclass(frozen=True)
class FrameSet:
    """The serialised messages of one stamp, by name of ``SHOWN``."""

    stamp_ns: int
    latency_ms: float
    raw: Mapping[str, bytes]

    def __len__(self) -> int:
        """Total size of the messages in bytes."""
        return sum(map(len, self.raw.values()))


@dataclass
class TopicCount:
    """Number, size and times of the messages of one topic."""

    messages: int = 0
    total_bytes: int = 0
    first: float = 0.0
    last: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=512))

    def add(self, size: int, now: float) -> None:
        """Count one message."""
        self.first = self.first if self.messages else now
        self.messages += 1
        self.total_bytes += size
        self.last = now
        self.recent.append(now)

    @property
    def rate(self) -> float:
        """Mean messages per second, from the first to the last message."""
        return (self.messages - 1) / (self.last - self.first) if self.last > self.first else 0.0

    def recent_rate(self, now: float) -> float:
        """Recent messages per second."""
        times = [t for t in self.recent if now - t < _RECENT_S]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


@dataclass(frozen=True)
class Report:
    """One diagnostic status: level (0 fine, 1 warning, 2 error, 3 stale), its message, and its values."""

    level: int
    message: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Status:
    """Snapshot of the demo, for the panel and the summary.

    Attributes:
        state: the node's lifecycle state, "" before the first transition.
        camera_rate: recent frames per second from the camera.
        rate: recent results per second.
        p50: median of now - stamp on arrival of the class map over recent frames, in ms; None before the first.
        p99: 99th percentile of the same.
        results: frames answered.
        complete: answered frames for which every message of the panel has arrived.
        drops: frames without an answer although a later frame has one; counted from the first answer on.
        flagged: flagged segments of the newest frame.
        flagged_mean: their mean over all frames.
        latencies: recent latencies in ms, oldest first.
        reports: the node's last diagnostics: part ("camera", "processing", "thresholds", "model") -> report.
        topics: name of the topic -> (messages, recent rate, mean rate, mean bytes).
    """

    state: str = ""
    camera_rate: float = 0.0
    rate: float = 0.0
    p50: float | None = None
    p99: float | None = None
    results: int = 0
    complete: int = 0
    drops: int = 0
    flagged: int = 0
    flagged_mean: float = 0.0
    latencies: tuple[float, ...] = ()
    reports: Mapping[str, Report] = field(default_factory=dict)
    topics: Mapping[str, tuple[int, float, float, float]] = field(default_factory=dict)


class Watcher(Node):
    """Subscribes to everything; messages stay serialised, so that watching costs the demo next to nothing.

    Args:
        camera_topic: name of the camera's topic.
        node_name: name of the node to watch.
        on_set: called in the executor's thread with every complete :class:`FrameSet`; must return at once.
    """

    def __init__(self, camera_topic: str, node_name: str, on_set: Callable[[FrameSet], None]) -> None:
        super().__init__("trust_seg_demo")
        self._lock = threading.Lock()
        self._on_set = on_set
        self._counts: dict[str, TopicCount] = {}
        self._sets: OrderedDict[int, dict[str, bytes]] = OrderedDict()
        self._unanswered: OrderedDict[int, None] = OrderedDict()
        self._latencies: deque[float] = deque(maxlen=600)
        self._latency_of: dict[int, float] = {}
        self._drops = self._flagged = self._flagged_total = self._complete = 0
        self._state = ""
        self._reports: dict[str, Report] = {}
        self.names: tuple[str, ...] = ()
        prefix = f"/{node_name}"
        self._camera_topic = camera_topic
        self._watch(camera_topic, Image, CAMERA)
        kinds = {IMAGE: Image, DETECTIONS: Detection2DArray}
        for name, output in OUTPUTS.items():
            if output.type in kinds:
                self._watch(f"{prefix}/{name}", kinds[output.type], name)
        self._watched = node_name
        self._hear(f"{prefix}/label_info", LabelInfo, self._on_labels, _LATCHED)
        self._hear("/diagnostics", DiagnosticArray, self._on_diagnostics, QoSProfile(depth=10))
        self.create_subscription(TransitionEvent, f"{prefix}/transition_event", self._on_transition, 10)

    def _watch(self, topic: str, kind: type, name: str) -> None:
        self._counts[topic] = TopicCount()
        self.create_subscription(kind, topic, partial(self._on_message, topic, name), _RELIABLE, raw=True)

    def _hear(self, topic: str, kind: type, heed: Callable[[Any], bool], qos: QoSProfile) -> None:
        """Subscribe to a small topic and count the messages for which ``heed`` returns True: those from the node."""
        self._counts[topic] = TopicCount()

        def heard(raw: bytes) -> None:
            if heed(deserialize_message(raw, kind)):
                with self._lock:
                    self._counts[topic].add(len(raw), time.monotonic())

        self.create_subscription(kind, topic, heard, qos, raw=True)

    def status(self) -> Status:
        """The current status; may be called from any thread."""
        now = time.monotonic()
        with self._lock:
            latencies = tuple(self._latencies)
            results = next(c for t, c in self._counts.items() if t.endswith("/segmentation"))
            spread = np.percentile(latencies, [50, 99]).tolist() if latencies else [None, None]
            return Status(
                state=self._state,
                camera_rate=self._counts[self._camera_topic].recent_rate(now),
                rate=results.recent_rate(now),
                p50=spread[0],
                p99=spread[1],
                results=results.messages,
                complete=self._complete,
                drops=self._drops,
                flagged=self._flagged,
                flagged_mean=self._flagged_total / max(1, results.messages),
                latencies=latencies[-60:],
                reports=dict(self._reports),
                topics={
                    topic: (c.messages, c.recent_rate(now), c.rate, c.total_bytes / max(1, c.messages))
                    for topic, c in self._counts.items()
                },
            )

    def _on_message(self, topic: str, name: str, raw: bytes) -> None:
        now_ns, now = time.time_ns(), time.monotonic()
        try:
            stamp = peek_header(raw).stamp_ns
        except ImageError:
            return
        flagged = len(deserialize_message(raw, Detection2DArray).detections) if name == "segments" else 0
        with self._lock:
            self._counts[topic].add(len(raw), now)
            if name == CAMERA:
                self._unanswered[stamp] = None
            elif name == "segmentation":
                self._answered(stamp, (now_ns - stamp) * 1e-6)
            elif name == "segments":
                self._flagged = flagged
                self._flagged_total += flagged
            complete = self._collect(stamp, name, raw)
        if complete is not None:
            self._on_set(complete)

    def _answered(self, stamp: int, latency_ms: float) -> None:
        self._latencies.append(latency_ms)
        self._latency_of[stamp] = latency_ms
        first = len(self._latencies) == 1
        for earlier in [s for s in self._unanswered if s <= stamp]:
            del self._unanswered[earlier]
            self._drops += earlier < stamp and not first

    def _collect(self, stamp: int, name: str, raw: bytes) -> FrameSet | None:
        if name not in SHOWN:
            return None
        parts = self._sets.setdefault(stamp, {})
        parts[name] = raw
        if len(parts) == len(SHOWN):
            complete = FrameSet(stamp, self._latency_of.pop(stamp, 0.0), parts)
            self._complete += 1
            for earlier in [s for s in self._sets if s <= stamp]:  # answers come in order: these were overtaken
                self._forget(earlier)
            return complete
        # An image must wait here as long as its answer takes, which on a busy machine is many frames.
        room = max(_FEWEST_PENDING, _PENDING_BYTES // max(1, max(map(len, parts.values()))))
        while len(self._sets) > room:
            self._forget(next(iter(self._sets)))
        return None

    def _forget(self, stamp: int) -> None:
        del self._sets[stamp]
        self._latency_of.pop(stamp, None)

    def _on_labels(self, message: LabelInfo) -> bool:
        ordered = sorted(message.class_map, key=lambda entry: entry.class_id)
        self.names = tuple(entry.class_name for entry in ordered)
        return True

    def _on_diagnostics(self, message: DiagnosticArray) -> bool:
        own = [status for status in message.status if self._watched in status.name]
        for status in own:
            values = {value.key: value.value for value in status.values}
            part = status.name.replace("/", " ").split()[-1]
            with self._lock:
                self._reports[part] = Report(_level(status.level), status.message, values)
        return bool(own)

    def _on_transition(self, message: TransitionEvent) -> None:
        self._state = message.goal_state.label


def _level(value: Any) -> int:
    return value[0] if isinstance(value, bytes) else int(value)
