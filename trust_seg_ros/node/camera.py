"""The camera's topic: the subscription, its reliability, and how the camera is doing."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.arrivals import COMPRESSED, PACKETS, RAW, TYPES, Arrived, chosen_kind
from trust_seg_ros.node.qos import camera_qos, choose_reliability, incompatibility
from trust_seg_ros.node.settings import NodeSettings

try:  # the module is called qos_event up to Humble
    from rclpy.event_handler import SubscriptionEventCallbacks
except ModuleNotFoundError:
    from rclpy.qos_event import SubscriptionEventCallbacks

TOPIC = "~/image"
_DEPTH = 30
"""Messages that may wait in the middleware where they may be packets of video, of which none may be lost."""
_HAS_MATCHED = "matched" in inspect.signature(SubscriptionEventCallbacks.__init__).parameters


@dataclass(frozen=True)
class CameraView:
    """State of the camera topic in the ROS graph at one moment.

    Attributes:
        topic: resolved name.
        wanted_type: type the node subscribes to.
        types: types that publishers of the topic offer, sorted.
        publishers: number of publishers.
        reliability: reliability requested by the subscription; "" while there is none.
        incompatible: why no publisher can reach the subscription, or "".
    """

    topic: str
    wanted_type: str
    types: tuple[str, ...]
    publishers: int
    reliability: str
    incompatible: str


class Camera:
    """The raw subscription to ``~/image``. Thread-safe: a transition opens and closes it beside the executor.

    Args:
        node: owner of the subscription.
        on_frame: called in the executor with every message.
    """

    def __init__(self, node: Node, on_frame: Callable[[Arrived], None]) -> None:
        self._node, self._on_frame = node, on_frame
        self._kind = RAW
        # An event callback must not destroy its own subscription; the guard condition runs the review right after it.
        self._guard = node.create_guard_condition(self.review)
        self._lock = threading.RLock()
        self._settings: NodeSettings | None = None
        self._subscription: Any = None
        self._qos: QoSProfile | None = None

    @property
    def is_open(self) -> bool:
        """Whether the camera is subscribed to."""
        return self._subscription is not None

    def open(self, settings: NodeSettings) -> None:
        """Subscribe with these settings."""
        with self._lock:
            self.close()
            self._settings = settings
            self._kind = kind = self._wanted_kind(settings)
            self._subscribe(kind, self._wanted_qos(settings, kind))

    def close(self) -> None:
        """Stop receiving."""
        with self._lock:
            if self._subscription is not None:
                self._node.destroy_subscription(self._subscription)
            self._subscription, self._settings, self._qos = None, None, None

    def review(self) -> None:
        """Subscribe again if the current publishers call for another reliability, or have another type."""
        with self._lock:
            self._review()

    def _review(self) -> None:
        if self._settings is None or self._qos is None:
            return
        if not self._node.get_publishers_info_by_topic(self.topic):
            return  # no publisher; the next one raises a "matched" or an "incompatible QoS" event
        kind = self._wanted_kind(self._settings)
        qos = self._wanted_qos(self._settings, kind)
        if kind != self._kind or qos.reliability != self._qos.reliability:
            what = qos.reliability.name.lower() if kind == self._kind else TYPES[kind]
            self._node.get_logger().info(f"{self.topic}: asking for {what} now, as its publishers offer it")
            self._node.destroy_subscription(self._subscription)
            self._subscribe(kind, qos)

    @property
    def topic(self) -> str:
        """Name of the topic after remapping."""
        with self._lock:
            if self._subscription is not None:
                name: str = self._subscription.topic_name
                return name
            return self._node.resolve_topic_name(TOPIC)

    def view(self, message_type: str) -> CameraView:
        """State of the camera topic; ``message_type``, the parameter ``input``, is used only while not subscribed."""
        with self._lock:
            return self._view(message_type)

    def _view(self, message_type: str) -> CameraView:
        topic = self.topic
        infos = self._node.get_publishers_info_by_topic(topic)
        offered = {info.topic_type for info in infos}
        wanted = TYPES[chosen_kind(message_type, offered, RAW) if self._settings is None else self._kind]
        fitting = [info for info in infos if info.topic_type == wanted]
        return CameraView(
            topic=topic,
            wanted_type=wanted,
            types=tuple(sorted({info.topic_type for info in infos})),
            publishers=len(infos),
            reliability="" if self._qos is None else self._qos.reliability.name.lower(),
            incompatible="" if self._qos is None else incompatibility(fitting, self._qos),
        )

    def _wanted_kind(self, settings: NodeSettings) -> str:
        offered = {info.topic_type for info in self._node.get_publishers_info_by_topic(self.topic)}
        kind = chosen_kind(settings.input, offered, self._kind)
        # found by itself, but not readable here: the type is reported instead
        return RAW if kind == PACKETS != settings.input and not _has_packets() else kind

    def _wanted_qos(self, settings: NodeSettings, kind: str) -> QoSProfile:
        topic = self.topic
        infos = [i for i in self._node.get_publishers_info_by_topic(topic) if i.topic_type == TYPES[kind]]
        reliability = choose_reliability(settings.image_reliability, infos)
        depth = settings.capacity if kind == RAW else max(settings.capacity, _DEPTH)
        return camera_qos(self._node, topic, reliability, depth)

    def _subscribe(self, kind: str, qos: QoSProfile) -> None:
        events: dict[str, Any] = {"incompatible_qos": self._publishers_changed}
        if _HAS_MATCHED:
            events["matched"] = self._publishers_changed
        message, self._kind, self._qos = _message_type(kind), kind, qos

        def received(raw: bytes) -> None:
            self._on_frame(Arrived.of(kind, raw))

        self._subscription = self._node.create_subscription(
            message, TOPIC, received, qos, raw=True, event_callbacks=SubscriptionEventCallbacks(**events)
        )

    def _publishers_changed(self, _: Any) -> None:
        self._guard.trigger()


def _has_packets() -> bool:
    return importlib.util.find_spec(TYPES[PACKETS].split("/")[0]) is not None


def _message_type(kind: str) -> type:
    found: type = CompressedImage if kind == COMPRESSED else Image
    if kind != PACKETS:
        return found
    try:
        packets = importlib.import_module("ffmpeg_image_transport_msgs.msg")
    except ModuleNotFoundError as error:
        raise TrustSegError(
            "parameter input: packets needs the messages of ffmpeg_image_transport; install "
            "ros-$ROS_DISTRO-ffmpeg-image-transport-msgs, source ROS again and start the node anew"
        ) from error
    found = packets.FFMPEGPacket
    return found
