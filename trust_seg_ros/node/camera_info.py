"""``~/camera_info``: the calibration of the camera, beside its images."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from trust_seg_ros.ground.camera_info import CameraInfoFields

TOPIC = "~/camera_info"
_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Best effort receives from reliable and from best-effort publishers."""


def camera_info_fields(message: CameraInfo) -> CameraInfoFields:
    """The message as plain numbers."""
    roi = message.roi
    return CameraInfoFields(
        height=message.height,
        width=message.width,
        k=tuple(map(float, message.k)),
        d=tuple(map(float, message.d)),
        distortion_model=message.distortion_model,
        r=tuple(map(float, message.r)),
        p=tuple(map(float, message.p)),
        binning_x=message.binning_x,
        binning_y=message.binning_y,
        roi=(roi.x_offset, roi.y_offset, roi.height, roi.width),
        frame_id=message.header.frame_id,
        stamp_ns=message.header.stamp.sec * 10**9 + message.header.stamp.nanosec,
    )


class CameraInfoTopic:
    """The subscription to ``~/camera_info``.

    Args:
        node: owner of the subscription.
        on_info: called in the executor with every message, say ``NewestCamera.put``.
    """

    def __init__(self, node: Node, on_info: Callable[[CameraInfoFields], None]) -> None:
        self._node, self._on_info = node, on_info
        self._subscription = node.create_subscription(CameraInfo, TOPIC, self._take, _QOS)

    @property
    def name(self) -> str:
        """Name of the topic after remapping."""
        return str(self._subscription.topic_name)

    def close(self) -> None:
        """Stop."""
        self._node.destroy_subscription(self._subscription)

    def _take(self, message: CameraInfo) -> None:
        self._on_info(camera_info_fields(message))
