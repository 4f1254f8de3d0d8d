"""The demo's watcher, with a real publisher in the same process."""

import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from vision_msgs.msg import LabelInfo, VisionClass

from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.node.demo.watch import CAMERA, SHOWN, Watcher
from trust_seg_ros.node.messages import detections_message, image_message


@pytest.fixture
def wire():
    rclpy.init(args=[])
    watcher = Watcher("/camera/image", "trust_seg", lambda _: None)
    node = rclpy.create_node("publishers", use_global_arguments=False)
    executor = SingleThreadedExecutor()
    executor.add_node(watcher)
    yield watcher, node, executor
    executor.shutdown()
    watcher.destroy_node()
    node.destroy_node()
    rclpy.try_shutdown()


def image_at(stamp, side=8):
    header = HeaderFields(stamp, 0, "camera")
    return bytes(serialize_message(image_message(ImageFields("mono8", np.zeros((side, side), np.uint8)), header)))


def answer(watcher, stamp):
    for name in SHOWN[1:-1]:
        watcher._on_message(f"/trust_seg/{name}", name, image_at(stamp))
    array = detections_message([], HeaderFields(stamp, 0, "camera"))
    watcher._on_message("/trust_seg/segments", "segments", bytes(serialize_message(array)))


def test_an_image_waits_for_its_answer_however_many_frames_that_takes():
    rclpy.init(args=[])
    whole = []
    watcher = Watcher("/camera/image", "trust_seg", whole.append)
    try:
        for stamp in range(1, 101):
            watcher._on_message("/camera/image", CAMERA, image_at(stamp))
        answer(watcher, 2)
        assert [f.stamp_ns for f in whole] == [2_000_000_000]
        assert set(whole[0].raw) == set(SHOWN)
        answer(watcher, 100)
        assert watcher.status().complete == 2
        assert not watcher._sets, "what was overtaken is forgotten"
    finally:
        watcher.destroy_node()
        rclpy.try_shutdown()


def test_what_waits_stays_within_its_memory():
    rclpy.init(args=[])
    watcher = Watcher("/camera/image", "trust_seg", lambda _: None)
    try:
        for stamp in range(1, 41):
            watcher._on_message("/camera/image", CAMERA, image_at(stamp, 3600))
        assert sum(len(raw) for parts in watcher._sets.values() for raw in parts.values()) <= 256 << 20
        assert len(watcher._sets) >= 12
    finally:
        watcher.destroy_node()
        rclpy.try_shutdown()


def spin(executor, condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came"
        executor.spin_once(timeout_sec=0.05)


@pytest.mark.ros
def test_label_info_and_diagnostics_are_counted_and_understood(wire):
    watcher, node, executor = wire
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    labels = node.create_publisher(LabelInfo, "/trust_seg/label_info", latched)
    diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
    labels.publish(LabelInfo(class_map=[VisionClass(class_id=1, class_name="b"), VisionClass(class_name="a")]))
    spin(executor, lambda: diagnostics.get_subscription_count())
    other = DiagnosticStatus(name="lidar: health", level=b"\2")
    own = DiagnosticStatus(
        name="trust_seg: camera", level=b"\1", message="silent", values=[KeyValue(key="k", value="v")]
    )
    for status in (other, own, own):
        diagnostics.publish(DiagnosticArray(status=[status]))
    spin(executor, lambda: watcher.names and watcher.status().topics["/diagnostics"][0] == 2)
    topics = watcher.status().topics
    assert watcher.names == ("a", "b")
    assert topics["/trust_seg/label_info"][0] == 1
    assert topics["/diagnostics"][3] > 20, "mean size in bytes"
    assert list(watcher.status().reports) == ["camera"], "what others report is not the node's"
    assert watcher.status().reports["camera"].values == {"k": "v"}
