"""/tf and /tf_static into a buffer of our own, with tf2_msgs only.

tf2_ros is not used, though a desktop has it: its Python listener receives the same messages by the same rclpy, and a
second way would give other reasons for the same fault. tf2_ros does not come as a wheel, tf2_msgs is built from
``interfaces/``. Topics, QoS and conventions are those of tf2_ros, so every publisher of transforms is understood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.transforms import TransformBuffer

TOPIC, STATIC_TOPIC = "/tf", "/tf_static"
_DEPTH = 100


def _qos(durability: DurabilityPolicy) -> QoSProfile:
    """Of tf2_ros's listeners (``tf2_ros/qos.hpp``)."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE, durability=durability
    )


def _message_type() -> Any:
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        raise GroundError(
            "tf2_msgs is not installed: apt install ros-$ROS_DISTRO-tf2-msgs, or make setup in a clone without ROS"
        ) from None
    return TFMessage


class TransformTopics:
    """Subscriptions to /tf and /tf_static that fill a buffer.

    Args:
        node: owner of the subscriptions.
        buffer: takes the transforms.
        on_refused: called in the executor with the reason for every transform that the buffer refuses.

    Raises:
        GroundError: tf2_msgs is not installed.
    """

    def __init__(self, node: Node, buffer: TransformBuffer, on_refused: Callable[[str], None] | None = None) -> None:
        self._node, self._buffer, self._on_refused = node, buffer, on_refused
        kind = _message_type()
        self._subscriptions = [
            node.create_subscription(kind, TOPIC, self._take, _qos(DurabilityPolicy.VOLATILE)),
            node.create_subscription(kind, STATIC_TOPIC, self._take_static, _qos(DurabilityPolicy.TRANSIENT_LOCAL)),
        ]

    def close(self) -> None:
        """Stop; the buffer stays as it is."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def _take(self, message: Any) -> None:
        self._add(message, static=False)

    def _take_static(self, message: Any) -> None:
        self._add(message, static=True)

    def _add(self, message: Any, static: bool) -> None:
        for one in message.transforms:
            header, turn, move = one.header, one.transform.rotation, one.transform.translation
            stamp_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
            try:
                self._buffer.add(
                    header.frame_id,
                    one.child_frame_id,
                    stamp_ns,
                    (turn.x, turn.y, turn.z, turn.w),
                    (move.x, move.y, move.z),
                    static,
                )
            except GroundError as error:
                if self._on_refused is not None:
                    self._on_refused(str(error))
