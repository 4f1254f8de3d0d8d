"""``~/feedback``: labels, or any reference, of earlier frames, for the pixel policy ``adaptive``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from trust_seg_ros.messages.image_bytes import ImageError
from trust_seg_ros.messages.image_pixels import to_class_ids
from trust_seg_ros.node.conversions import read_image
from trust_seg_ros.node.slot import FrameSlot
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.adaptation import NO_ERRORS, OUTCOMES, USED, FeedbackError
from trust_seg_ros.thresholds.policies.adaptive import Adaptive

TOPIC = "~/feedback"
REFUSED = "feedback refused"
"""Counter of messages that are no class ids of the network."""
_WAITING, _AT_ONCE = 64, 4
"""Messages that may wait for the next frame, and how many a frame reads: a burst must not hold up one frame."""


class FeedbackTopic:
    """The raw subscription to ``~/feedback``, which exists while the policy wants it. Thread-safe.

    Args:
        node: owner of the subscription.
        on_message: called in the executor with the serialised message.
    """

    def __init__(self, node: Node, on_message: Callable[[bytes], None]) -> None:
        self._node, self._on_message = node, on_message
        self._lock = threading.Lock()
        self._subscription: Any = None

    def apply(self, settings: ThresholdSettings, active: bool) -> None:
        """Subscribe while the node is active and the pixel policy is ``adaptive``; else stop."""
        with self._lock:
            wanted = active and settings.pixel.policy == Adaptive.name
            if wanted and self._subscription is None:
                qos = QoSProfile(
                    history=HistoryPolicy.KEEP_LAST, depth=_WAITING, reliability=ReliabilityPolicy.RELIABLE
                )
                self._subscription = self._node.create_subscription(Image, TOPIC, self._on_message, qos, raw=True)
            elif not wanted and self._subscription is not None:
                self._node.destroy_subscription(self._subscription)
                self._subscription = None


class FeedbackInbox:
    """Messages between the executor, which puts them in, and the worker, which learns from them between frames.

    Args:
        pipeline: learns from them.
        statistics: counts those that are refused.
        warn: logs a warning, given its kind and text.
    """

    def __init__(self, pipeline: TrustPipeline, statistics: Statistics, warn: Callable[[str, str], None]) -> None:
        self._pipeline, self._statistics, self._warn = pipeline, statistics, warn
        self._slot: FrameSlot[bytes] = FrameSlot(_WAITING)

    def put(self, raw: bytes) -> None:
        """Add a message without ever waiting; of too many the oldest are dropped."""
        if dropped := self._slot.put(raw):
            self._refuse(f"{dropped} dropped: more than {_WAITING} arrived before the next frame")

    def learn(self, max_pixels: int) -> None:
        """Learn from a few waiting messages; what cannot be used is counted and said, never raised."""
        for _ in range(_AT_ONCE):
            raw = self._slot.take(0.0)
            if raw is None:
                return
            self._learn(raw, max_pixels)

    def _learn(self, raw: bytes, max_pixels: int) -> None:
        try:
            message = read_image(raw)
            outcome = self._pipeline.feedback(message.header.stamp_ns, to_class_ids(message, max_pixels))
        except (ImageError, FeedbackError) as error:
            self._refuse(str(error).removeprefix("image refused: "))
            return
        if outcome not in (USED, NO_ERRORS):
            stamp = f"{message.header.sec}.{message.header.nanosec:09d}"
            self._warn("feedback", f"{TOPIC} of stamp {stamp} is not used, it is {OUTCOMES[outcome]}")

    def _refuse(self, why: str) -> None:
        self._statistics.count(REFUSED, why)
        self._warn("feedback", f"{TOPIC} refused: {why}")
