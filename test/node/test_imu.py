import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Imu

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.node.imu import ImuTopic

pytestmark = pytest.mark.ros
LEAN = np.radians(20.0)


@pytest.fixture
def wire():
    """The topic, and a function that publishes a message and waits until it has arrived."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("imu_test", context=context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    topic = ImuTopic(node)
    arrived = []
    node.create_subscription(Imu, "~/imu", arrived.append, 5)
    publisher = node.create_publisher(Imu, "~/imu", 5)

    def send(acceleration=(0.0, 0.0, 0.0), orientation=(0.0, 0.0, 0.0, 0.0), none=True):
        message = Imu()
        message.header.frame_id = "imu"
        message.linear_acceleration.x, message.linear_acceleration.y, message.linear_acceleration.z = acceleration
        q = message.orientation
        q.x, q.y, q.z, q.w = orientation
        message.orientation_covariance[0] = -1.0 if none else 0.0
        count, end = len(arrived), time.monotonic() + 20
        while len(arrived) == count:
            assert time.monotonic() < end
            publisher.publish(message)
            executor.spin_once(timeout_sec=0.05)
        for _ in range(5):
            executor.spin_once(timeout_sec=0.0)

    yield topic, send
    topic.close()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_up_is_against_what_is_felt_in_even_motion(wire):
    topic, send = wire
    with pytest.raises(GroundError, match="no message on /imu_test/imu for 1 s"):
        topic.up()
    for _ in range(25):
        send((0.0, 9.81 * np.sin(LEAN), 9.81 * np.cos(LEAN)))
        send((5.0, 9.81 * np.sin(LEAN), 9.81 * np.cos(LEAN)))  # braking
        send((np.nan, 0.0, 0.0))
    frame, up = topic.up()
    assert frame == "imu"
    np.testing.assert_allclose(up, [0.0, np.sin(LEAN), np.cos(LEAN)], atol=1e-6)


def test_an_orientation_says_it_better(wire):
    topic, send = wire
    send((5.0, 0.0, 9.81), (np.sin(LEAN / 2), 0.0, 0.0, np.cos(LEAN / 2)), none=False)
    np.testing.assert_allclose(topic.up()[1], [0.0, np.sin(LEAN), np.cos(LEAN)], atol=1e-6)
    for _ in range(25):
        send((0.0, 0.0, 9.81), none=False)  # all zero: the driver gives none
    np.testing.assert_allclose(topic.up()[1], [0.0, 0.0, 1.0], atol=1e-6)


def test_free_fall_and_silence_say_nothing(wire):
    topic, send = wire
    send((0.0, 0.0, 0.1))
    with pytest.raises(GroundError, match="0 measurements of even motion"):
        topic.up()
    time.sleep(1.1)
    with pytest.raises(GroundError, match="no message"):
        topic.up()
