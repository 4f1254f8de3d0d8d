"""The executable ``trust_seg_speed_limit``: what Nav2 needs to slow down and to stop by the trust state.

A process of its own, so that it also sees a trust_seg node that is gone. It publishes a speed limit (nav2_msgs), and
``~/stop``, a cloud for the collision monitor: empty while there is trust, points in the way while there is none.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation as implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2, PointField

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.speed_rule import SILENCE_S, SpeedRule, TrustWatch
from trust_seg_ros.trust_state.reasons import Level

NAME = "trust_seg_speed_limit"
PERIOD_S = 0.1
_POINTS, _MOST_POINTS = 16, 10_000

PARAMETERS: dict[str, tuple[Any, str]] = {
    "trust_states": (["trust_seg/trust_state"], "Topics of the trust states; the worst one counts."),
    "speed_limit_topic": ("speed_limit", "Topic of nav2_msgs/SpeedLimit; empty: none is published."),
    "degraded_percent": (SpeedRule.degraded, "Percent of the full speed while DEGRADED."),
    "untrusted_percent": (
        SpeedRule.untrusted,
        "Percent of the full speed while UNTRUSTED; above 0: to Nav2, 0 is no limit.",
    ),
    "silence_s": (SILENCE_S, "Seconds without a message until a state counts as UNTRUSTED."),
    "base_frame": ("base_link", "Frame of `~/stop`."),
    "stop_at": (
        [0.1, 0.0, 0.2],
        "x, y, z of the points of `~/stop`; must lie in the stop polygon, and in its heights.",
    ),
    "stop_points": (_POINTS, "How many points there are; at least the polygon's `min_points`."),
}
"""Name -> default and meaning."""


class SpeedLimitNode(Node):
    """Watches trust states; publishes the limit and ``~/stop`` ten times a second.

    Raises:
        ParameterError: a parameter is out of range.
        TrustSegError: a speed limit is wanted, and nav2_msgs is not installed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, **options)
        values = {
            name: self.declare_parameter(name, default, ParameterDescriptor(description=text, read_only=True)).value
            for name, (default, text) in PARAMETERS.items()
        }
        self._rule = SpeedRule(values["degraded_percent"], values["untrusted_percent"], values["silence_s"])
        self._frame, self._points = values["base_frame"], stop_points(values["stop_at"], values["stop_points"])
        topics = list(values["trust_states"])
        if not topics or not all(topics):
            raise ParameterError(f"parameter trust_states is {topics}; expected at least one name of a topic")
        self._kind = speed_limit_message() if values["speed_limit_topic"] else None
        self._watch = TrustWatch(topics, self._rule.silence_s, time.monotonic)
        self._told: Level | None = None
        qos = QoSProfile(depth=1)
        self._limit = (
            None if self._kind is None else self.create_publisher(self._kind, values["speed_limit_topic"], qos)
        )
        self._stop = self.create_publisher(PointCloud2, "~/stop", qos)
        for topic in topics:
            self._listen(topic)
        # a paused bag or simulation must not pause this
        self.create_timer(PERIOD_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _listen(self, topic: str) -> None:
        def heard(message: DiagnosticStatus) -> None:
            self._watch.heard(topic, message.level[0], message.message)

        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(DiagnosticStatus, topic, heard, latched)

    def _tick(self) -> None:
        level, why = self._watch.look()
        if level != self._told:
            self._told = level
            text = f"{level.name}: {self._rule.percent(level):g} % of the full speed ({why})"
            if level == Level.NOMINAL:  # rclpy takes one severity from one place
                self.get_logger().info(text)
            else:
                self.get_logger().warning(text)
        stamp = self.get_clock().now().to_msg()
        if self._limit is not None and self._kind is not None:
            limit = self._kind(percentage=True, speed_limit=float(self._rule.percent(level)))
            limit.header.stamp = stamp
            self._limit.publish(limit)
        cloud = cloud_message(self._points if level == Level.UNTRUSTED else self._points[:0])
        cloud.header.stamp, cloud.header.frame_id = stamp, self._frame
        self._stop.publish(cloud)


def speed_limit_message() -> Any:
    """The class nav2_msgs/SpeedLimit.

    Raises:
        TrustSegError: nav2_msgs is not installed; the text says what to do.
    """
    try:
        return importlib.import_module("nav2_msgs.msg").SpeedLimit
    except ModuleNotFoundError as error:
        raise TrustSegError(
            "nav2_msgs is not installed, so no speed limit can be published; install ros-$ROS_DISTRO-nav2-msgs and "
            "source ROS again, or set the parameter speed_limit_topic to '' and stop by ~/stop alone"
        ) from error


def stop_points(at: Sequence[float], count: int) -> np.ndarray:
    """(count, 3) float32 points, a centimetre around one place in the xy plane.

    Raises:
        ParameterError: the place is none, or the number out of range.
    """
    place = np.asarray(at, np.float64)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise ParameterError(f"parameter stop_at is {list(at)}; expected three finite numbers in metres: x, y, z")
    if not 1 <= count <= _MOST_POINTS:
        raise ParameterError(f"parameter stop_points is {count}; expected 1 to {_MOST_POINTS}")
    turn = np.arange(count) * (2 * np.pi / count)
    around = np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], 1)
    points: np.ndarray = (place + 0.01 * around).astype(np.float32)
    return points


def cloud_message(points: np.ndarray) -> PointCloud2:
    """A cloud of (n, 3) float32 points with the fields x, y and z."""
    fields = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, name in enumerate("xyz")]
    message = PointCloud2(
        height=1, width=len(points), fields=fields, point_step=12, row_step=12 * len(points), is_dense=True
    )
    message.is_bigendian = sys.byteorder == "big"
    message.data.frombytes(np.ascontiguousarray(points).tobytes())
    return message


def main(args: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM.

    Returns:
        Exit status: 0 after an end that was asked for, 2 when the node cannot start; the reason is on stderr.
    """
    try:
        rclpy.init(args=None if args is None else list(args))
        node = SpeedLimitNode()
    except (TrustSegError, implementation.RCLError, implementation.UnknownROSArgsError) as error:
        rclpy.try_shutdown()
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
