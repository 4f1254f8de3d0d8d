"""``~/imu``: where up is, for the plane of the ground."""

from __future__ import annotations

import time

import numpy as np
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.gravity import Gravity
from trust_seg_ros.ground.placing import Pose

TOPIC = "~/imu"
_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
_STALE_S = 1.0


class ImuTopic:
    """The subscription to ``~/imu``. Messages come in the executor, ``up`` may be asked by any thread.

    Args:
        node: owner of the subscription.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._gravity = Gravity()
        self._newest: tuple[float, str, np.ndarray | None] | None = None
        self._subscription = node.create_subscription(Imu, TOPIC, self._take, _QOS)

    def close(self) -> None:
        """Stop."""
        self._node.destroy_subscription(self._subscription)

    def up(self) -> tuple[str, np.ndarray]:
        """The frame of the IMU, and the (3,) unit vector against gravity in it.

        Raises:
            GroundError: no message, or none for a second, or none that says where up is.
        """
        newest = self._newest
        if newest is None or time.monotonic() - newest[0] > _STALE_S:
            raise GroundError(f"no message on {self._subscription.topic_name} for {_STALE_S:g} s")
        _, frame, up = newest
        return frame, self._gravity.up(time.monotonic_ns()) if up is None else up

    def _take(self, message: Imu) -> None:
        up = self._of_orientation(message)
        if up is None:  # in the IMU's own frame: whoever asks knows how it is mounted
            a, turn = message.linear_acceleration, message.angular_velocity
            felt, turned = np.array([a.x, a.y, a.z]), np.array([turn.x, turn.y, turn.z])
            self._gravity.add(felt, turned, Pose(), time.monotonic_ns())
        self._newest = (time.monotonic(), message.header.frame_id, up)

    @staticmethod
    def _of_orientation(message: Imu) -> np.ndarray | None:
        """From the orientation, where the IMU gives one: the first number of its covariance is then not -1."""
        q = message.orientation
        if message.orientation_covariance[0] == -1:
            return None
        try:
            found: np.ndarray = Pose.from_quaternion(np.array([q.x, q.y, q.z, q.w]), np.zeros(3)).rotation[2]
        except GroundError:  # drivers that give none also leave it at zero
            return None
        return found
