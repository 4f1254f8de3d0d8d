"""Playback time of a recording: when frames are due, and the clock's time in between."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from trust_seg_ros.recordings.files import NANOSECONDS

CLOCK_PERIOD_S = 0.025
"""Seconds between two messages on ``/clock``, as ``ros2 bag play --clock`` by default."""


class Pace:
    """Computes when frames are due from their stamps; a late frame shifts all later ones, which avoids bursts.

    A frame whose stamp does not increase (a loop starts again) is due one period after the frame before it.

    Args:
        speed: how many times as fast as recorded.
        period_s: seconds of the recording from one frame to the next where stamps do not increase.
        slack: how late a frame may be, in seconds of a steady clock, before later ones are shifted.
    """

    def __init__(self, speed: float = 1.0, period_s: float = 0.1, slack: float = 0.05) -> None:
        self._speed, self._period_s, self._slack = speed, period_s, slack
        self._anchor: tuple[int, float] | None = None  # stamp, and when it was due; integers keep nanoseconds whole
        self._last_ns = 0

    def delay(self, stamp_ns: int, now: float) -> float:
        """Seconds to wait from ``now`` (seconds of a steady clock) until the frame with this stamp is due."""
        if self._anchor is None:
            self._anchor = (stamp_ns, now)
        elif stamp_ns <= self._last_ns:
            self._anchor = (stamp_ns, self._due(self._last_ns) + self._period_s / self._speed)
        self._last_ns = stamp_ns
        if now - self._due(stamp_ns) > self._slack:
            self._anchor = (stamp_ns, now)
        return max(0.0, self._due(stamp_ns) - now)

    def at(self, now: float) -> int | None:
        """Time of the recording at ``now`` in nanoseconds, at most the next frame's; None before the first frame."""
        if self._anchor is None:
            return None
        stamp, due = self._anchor
        return min(self._last_ns, stamp + round((now - due) * self._speed * NANOSECONDS))

    def _due(self, stamp_ns: int) -> float:
        assert self._anchor is not None
        stamp, due = self._anchor
        return due + (stamp_ns - stamp) / NANOSECONDS / self._speed


class ClockPublisher:
    """Publishes the recording's time on ``/clock``.

    The time goes back only when the recording starts again, since nodes that follow the clock then reset their state.

    Args:
        node: creates the publisher.
        pace: gives the time.
    """

    def __init__(self, node: Node, pace: Pace) -> None:
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._publisher = node.create_publisher(Clock, "/clock", qos)
        self._pace, self._shown_ns = pace, 0

    def tick(self, now: float) -> None:
        """Publish the time at ``now`` (seconds of a steady clock), while waiting for a frame."""
        time_ns = self._pace.at(now)
        if time_ns is not None and time_ns > self._shown_ns:
            self.publish(time_ns)

    def publish(self, time_ns: int) -> None:
        """Publish this time, in nanoseconds."""
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(time_ns, NANOSECONDS)
        self._publisher.publish(message)
        self._shown_ns = time_ns
