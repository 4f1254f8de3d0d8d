"""The process between trust state and Nav2, on real topics."""

import importlib.util
import signal
import sys
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from ros_bench import LATCHED, start
from sensor_msgs.msg import PointCloud2

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.speed_limit import cloud_message, speed_limit_message, stop_points

pytestmark = pytest.mark.ros
HAS_NAV2 = importlib.util.find_spec("nav2_msgs") is not None


class Bench:
    """Says trust states, and collects the clouds."""

    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("planner", context=self.context, use_global_arguments=False)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.clouds = []
        self.states = self.node.create_publisher(DiagnosticStatus, "/trust_seg/trust_state", LATCHED)
        self.node.create_subscription(PointCloud2, "/trust_seg_speed_limit/stop", self.clouds.append, 10)

    def say(self, level, message="as set"):
        self.states.publish(DiagnosticStatus(level=bytes([level]), name="trust_seg: trust state", message=message))

    def until(self, condition, what, each=lambda: None, seconds=30.0):
        end, due = time.monotonic() + seconds, 0.0
        while not condition():
            assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
            if time.monotonic() > due:
                each()
                due = time.monotonic() + 0.1
            self.executor.spin_once(timeout_sec=0.02)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


def process(*parameters):
    given = [word for parameter in parameters for word in ("-p", parameter)]
    return start("-m", "trust_seg_ros.node.speed_limit", "--ros-args", *given)


def test_the_cloud_of_the_collision_monitor_fills_while_there_is_no_trust(bench):
    child = process("speed_limit_topic:=''", "stop_at:=[0.4, -0.1, 0.2]", "base_frame:=base_footprint")
    try:
        bench.until(lambda: bench.clouds, "a cloud before the first state")
        assert bench.clouds[0].width == 16, "no message yet is no trust"
        assert bench.clouds[0].header.frame_id == "base_footprint"
        points = np.frombuffer(bench.clouds[0].data, np.float32).reshape(-1, 3)
        assert np.abs(points - [0.4, -0.1, 0.2]).max() < 0.011
        bench.until(lambda: bench.clouds[-1].width == 0, "trust", each=lambda: bench.say(0))
        assert bench.clouds[-1].header.stamp.sec > 0, "a source with an old stamp stops the robot"
        for _ in range(3):
            bench.say(1)
            bench.executor.spin_once(timeout_sec=0.1)
        assert bench.clouds[-1].width == 0, "DEGRADED slows down, it does not stop"
        bench.until(lambda: bench.clouds[-1].width == 16, "UNTRUSTED", each=lambda: bench.say(2, "frozen"))
        bench.until(lambda: bench.clouds[-1].width == 0, "trust again", each=lambda: bench.say(0))
        fell_silent = time.monotonic()
        bench.until(lambda: bench.clouds[-1].width == 16, "silence")
        assert time.monotonic() - fell_silent > 0.3
    finally:
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=30)
    assert child.returncode == 0, said
    assert "UNTRUSTED: 1 % of the full speed (trust_seg/trust_state: no message yet)" in said
    assert "NOMINAL: 100 % of the full speed" in said
    assert "UNTRUSTED: 1 % of the full speed (trust_seg/trust_state: frozen)" in said
    assert "Traceback" not in said


@pytest.mark.skipif(HAS_NAV2, reason="nav2_msgs is installed")
def test_without_nav2_msgs_the_way_out_is_said():
    child = process()
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "install ros-$ROS_DISTRO-nav2-msgs" in said
    assert "or set the parameter speed_limit_topic to ''" in said
    assert "Traceback" not in said


@pytest.mark.skipif(not HAS_NAV2, reason="nav2_msgs is not installed (it comes with a ROS 2 distribution)")
def test_the_speed_limit_is_a_percentage(bench):
    limits = []
    bench.node.create_subscription(speed_limit_message(), "/speed_limit", limits.append, 10)
    child = process("degraded_percent:=30.0")
    try:
        for level, percent in ((0, 100.0), (1, 30.0), (2, 1.0)):
            bench.until(
                lambda p=percent: limits and limits[-1].speed_limit == p,
                f"{percent} %",
                each=lambda v=level: bench.say(v),
            )
            assert limits[-1].percentage
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [("untrusted_percent:=0.0", "to Nav2, 0 is no limit"), ("stop_points:=0", "expected 1 to 10000"),
     ("trust_states:=['']", "expected at least one name"), ("stop_at:=[1.0]", "expected three finite numbers")],
)  # fmt: skip
def test_wrong_parameters_end_with_a_sentence(parameter, words):
    child = process("speed_limit_topic:=''", parameter)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 2
    assert words in said
    assert "Traceback" not in said


def test_the_points_are_those_of_a_cloud():
    """Nav2 reads float32 x, y and z by name."""
    message = cloud_message(stop_points([1, 2, 3], 5))
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [
        ("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1)]  # fmt: skip
    assert (message.width, message.height, message.row_step, len(message.data)) == (5, 1, 60, 60)
    assert message.is_bigendian == (sys.byteorder == "big")
    with pytest.raises(ParameterError, match="three finite numbers"):
        stop_points([1, 2, float("nan")], 5)
