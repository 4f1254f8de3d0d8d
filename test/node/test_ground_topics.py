"""/tf, /tf_static and ``~/camera_info`` with real rclpy, by the QoS that others publish with."""

import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.newest_camera import NewestCamera
from trust_seg_ros.ground.transforms import TransformBuffer
from trust_seg_ros.node.camera_info import CameraInfoTopic, camera_info_fields
from trust_seg_ros.node.transforms import TransformTopics

tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="no tf2_msgs: make test builds interfaces/tf2_msgs")
pytestmark = pytest.mark.ros
S = 1_000_000_000
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


@pytest.fixture
def nodes():
    context = rclpy.Context()
    rclpy.init(args=["--ros-args", "-r", "__ns:=/front"], context=context)
    listener = rclpy.create_node("perception", context=context)
    other = rclpy.create_node("driver", context=context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)

    def until(done, what):
        end = time.monotonic() + 20
        while not done():
            assert time.monotonic() < end, what
            executor.spin_once(timeout_sec=0.05)

    yield listener, other, until
    executor.shutdown()
    for node in (listener, other):
        node.destroy_node()
    rclpy.shutdown(context=context)


def transform(parent, child, stamp_s, x, w=1.0):
    found = TransformStamped(child_frame_id=child)
    found.header.frame_id, found.header.stamp.sec = parent, stamp_s
    found.transform.translation.x, found.transform.rotation.w = x, w
    return found


def latched(depth=1):
    """Of tf2_ros's static broadcaster."""
    return QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_transforms_of_both_topics_reach_the_buffer(nodes):
    listener, other, until = nodes
    static = other.create_publisher(tf2_msgs.TFMessage, "/tf_static", latched())
    static.publish(tf2_msgs.TFMessage(transforms=[transform("base_link", "camera", 0, 1.5)]))  # before anyone listens
    second = other.create_publisher(tf2_msgs.TFMessage, "/tf_static", latched())
    second.publish(tf2_msgs.TFMessage(transforms=[transform("base_link", "lidar", 0, 2.5)]))
    moving = other.create_publisher(tf2_msgs.TFMessage, "/tf", QoSProfile(depth=100))
    buffer, refused = TransformBuffer(), []
    topics = TransformTopics(listener, buffer, refused.append)
    until(lambda: {"camera", "lidar"} <= set(buffer.frames()), "static transforms, latched, of two publishers")
    until(lambda: moving.get_subscription_count() > 0, "a subscription to /tf")
    moving.publish(tf2_msgs.TFMessage(transforms=[transform("odom", "base_link", 10, 4.0)]))
    broken = [transform("odom", "wheel", 10, float("nan")), transform("odom", "base_link", 11, 6.0)]
    moving.publish(tf2_msgs.TFMessage(transforms=broken))
    until(lambda: refused, "the refused transform")
    assert "wheel" in refused[0]
    assert "finite" in refused[0]
    assert np.allclose(buffer.lookup("odom", "camera", 10 * S + S // 2).translation, [6.5, 0, 0])
    topics.close()
    assert [
        name for name, _ in listener.get_subscriber_names_and_types_by_node("perception", "/front") if "tf" in name
    ] == []


@pytest.mark.parametrize("reliability", [RELIABLE, BEST_EFFORT])
def test_camera_infos_of_either_reliability_are_received(nodes, reliability):
    listener, other, until = nodes
    newest = NewestCamera("/front/perception/camera_info", rectified=False)
    topic = CameraInfoTopic(listener, newest.put)
    assert topic.name == "/front/perception/camera_info"
    publisher = other.create_publisher(CameraInfo, topic.name, QoSProfile(depth=1, reliability=reliability))
    until(lambda: publisher.get_subscription_count() > 0, "a subscription")
    message = CameraInfo(height=48, width=64, distortion_model="plumb_bob", d=[-0.1, 0.01, 0.0, 0.0, 0.0])
    message.k = [50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0]
    message.header.stamp.sec, message.header.frame_id = 5, "camera"
    for _ in range(20):  # the first of a best-effort publisher may be lost
        publisher.publish(message)
        try:
            until(lambda: newest.info is not None, "a CameraInfo")
            break
        except AssertionError:
            continue
    camera = newest.camera((48, 64), 5 * S)
    assert camera.distortion == "plumb_bob"
    with pytest.raises(GroundError, match="wrong size"):
        newest.camera((96, 128), 5 * S)
    topic.close()


def test_every_field_of_the_message_arrives():
    message = CameraInfo(height=480, width=640, distortion_model="rational_polynomial", binning_x=2, binning_y=4)
    message.d, message.k = [0.1] * 8, [float(n) for n in range(9)]
    message.r, message.p = [float(n) for n in range(10, 19)], [float(n) for n in range(20, 32)]
    message.roi.x_offset, message.roi.y_offset, message.roi.height, message.roi.width = 1, 2, 3, 4
    message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id = 7, 8, "camera"
    fields = camera_info_fields(message)
    assert (fields.height, fields.width, fields.distortion_model) == (480, 640, "rational_polynomial")
    assert (fields.binning_x, fields.binning_y, fields.roi) == (2, 4, (1, 2, 3, 4))
    assert (fields.d, fields.k, fields.r, fields.p) == tuple(map(tuple, (message.d, message.k, message.r, message.p)))
    assert (fields.frame_id, fields.stamp_ns) == ("camera", 7 * S + 8)
