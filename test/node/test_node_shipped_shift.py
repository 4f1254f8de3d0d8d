"""The drive of the demo through the real node as it is shipped: its shift monitor watches, and fires in rain."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from ros_bench import Bench, NodeProcess, watched

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.segmentation.compact import SHIPPED
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(not SHIPPED.is_file(), reason=f"needs the embedded network, {SHIPPED}"),
]

FRAMES = 30
"""2 s apart."""


@pytest.fixture
def bench():
    more = {"ood.meta_model": "none", "threads": 1}
    node = NodeProcess("shipped", model="embedded", **more)
    bench = Bench("shipped")
    with watched(node, bench):
        bench.listen("unreliable")
        bench.camera()
        yield bench


def test_the_drive_of_the_demo_is_quiet_and_rain_is_told(bench):
    drive = SyntheticDrive(DriveSettings(seed=0))  # as trust-seg demo --seed 0
    frames = [drive.frame(15 * k).image for k in range(FRAMES)]

    def answered(pictures):
        for picture in pictures:
            bench.pause(1)
            stamp = bench.send(picture)
            bench.until(lambda stamp=stamp: bench.received["unreliable"][-1].header.stamp.sec == stamp, "the frame")

    bench.answer("unreliable", frames[0])
    bench.pause(1000)  # a fresh window
    answered(frames)
    bench.until(lambda: bench.value("thresholds", "calibration shift").startswith("none: mean "), "it watches")
    assert bench.value("thresholds", "pixel policy") == "auto: target_recall 0.8"
    assert bench.statuses["thresholds"].level == b"\x00"
    bench.pause(1000)
    answered([corrupt(frame, "rain", 5, name=str(k)) for k, frame in enumerate(frames)])
    status = bench.says("thresholds", "the data no longer resembles the calibration data, mean ")
    assert status.level == b"\x01"
    assert bench.value("thresholds", "calibration shift").startswith("fired: ")
    assert "pixel flags target_recall 0.8: the share of errors" in bench.value("thresholds", "void by shift")
    assert "unreliable segments fixed: the threshold is the constant" in bench.value("thresholds", "still holds")
