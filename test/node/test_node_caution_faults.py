"""What is wrong with CameraInfo, tf, images or the plane is a reason and an empty map, never a free cell."""

import math

import numpy as np
import pytest
from ground_bench import HEIGHT, GroundBench, ground_node, scene
from ros_bench import watched

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def bench():
    node, bench = ground_node("odd", **{"caution.fixed_frame": "odom"}), GroundBench("odd")
    with watched(node, bench):
        bench.listen("caution", "hazards", "free_space")
        bench.camera(depth=10)
        bench.fresh("caution", good=known)
        yield bench


@pytest.fixture
def fault(bench):
    """The bench, with which everything is right again afterwards."""
    yield bench
    bench.changes, bench.place = {}, lambda sec: (0.0, 0.0, 0.0)
    bench.mount((0.0, 0.0, HEIGHT))
    bench.fresh("caution", good=known, what="a map when all is well again")


def known(grid):
    return max(grid.data) >= 0


def refused(bench, words, picture=None):
    """The map becomes empty, the report says why, and nothing else is published of that frame."""
    grid = bench.fresh("caution", picture, good=lambda m: not known(m), what="an empty map")
    assert set(grid.data) == {-1}
    clouds = {name: len(bench.received[name]) for name in ("hazards", "free_space")}
    status = bench.says("caution", words, each=lambda: bench.send(picture))
    assert status.level == b"\x02"
    assert status.message.startswith("no caution map: ")
    late = [m.header.stamp.sec for name, n in clouds.items() for m in bench.received[name][n:]]
    assert not [sec for sec in late if sec > grid.header.stamp.sec], "clouds of a frame without a map"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"height": 480, "width": 640}, "wrong size: CameraInfo is for images of 640x480, this one has 320x240"),
        ({"k": [0.0] * 9}, "K of CameraInfo is all zero: the camera is not calibrated"),
        ({"k": [math.nan] * 9}, "expected finite numbers"),
        ({"distortion_model": "thin_prism", "d": [0.1] * 5}, "distortion model 'thin_prism' of CameraInfo is unknown"),
    ],
)
def test_a_camera_info_of_another_camera_or_none_at_all(fault, changes, words):
    fault.changes = changes
    refused(fault, words)


def test_a_stale_camera_info(fault):
    info, fault.info = fault.info, type("Nobody", (), {"publish": lambda *_: None})()
    try:
        refused(fault, "stale: the newest CameraInfo on /odd/camera_info")
    finally:
        fault.info = info


def test_two_cameras_on_one_topic(fault):
    fault.changes = {"frame": "rear"}
    refused(fault, "the image is of frame 'front' and CameraInfo on /odd/camera_info of 'rear'")


def test_a_camera_below_the_ground(fault):
    fault.mount((0.0, 0.0, -0.5))
    refused(fault, "the camera is -0.5 m above the ground")


def test_a_camera_that_looks_up(fault):
    fault.mount((0.0, 0.0, HEIGHT), (0.0, 0.0, 0.0, 1.0))
    refused(fault, "the camera sees no ground within 200 m: it looks up")


def test_a_camera_that_is_somewhere_else_in_the_next_frame(fault):
    fault.mount((30.0, 0.0, HEIGHT))
    fault.until(
        lambda: "the camera on the vehicle jumped" in (fault.value("caution", "last reason") or ""),
        "the jump",
        each=fault.send,
    )


def test_a_plane_above_the_camera(bench):
    assert bench.set("caution.ground_height", 2.0).successful
    refused(bench, "the camera is -0.5 m above the ground")
    assert bench.set("caution.ground_height", 0.0).successful
    bench.fresh("caution", good=known)
    answer = bench.set("caution.ground_height", math.nan)
    assert not answer.successful
    assert "caution.ground_height" in answer.reason
    assert bench.set("caution.ground_normal", [1.0, 0.0, 0.0]).successful
    refused(bench, "expected a vector that points up")
    assert bench.set("caution.ground_normal", [0.0, 0.0, 1.0]).successful
    bench.fresh("caution", good=known)


def test_a_vehicle_that_jumps_begins_the_map_anew(fault):
    count = int(fault.value("caution", "started anew") or 0)
    fault.place = lambda sec: (500.0, 0.0, 0.0)
    fault.until(lambda: int(fault.value("caution", "started anew") or 0) > count, "a new map", each=fault.send)
    assert "the vehicle moved 500 m" in fault.value("caution", "last reason to start anew")
    grid = fault.fresh("caution", good=known)
    assert grid.header.frame_id == "odom"
    assert grid.info.origin.position.x > 480.0


def test_an_image_without_a_stamp(fault):
    grid = fault.until(
        lambda: [m for m in fault.received["caution"][-3:] if m.header.stamp.sec == 0 and not known(m)],
        "an empty map",
        each=lambda: fault.send(stamp=(0, 0)),
    )[0]
    assert set(grid.data) == {-1}
    fault.says("caution", "the image has no stamp (0)", each=lambda: fault.send(stamp=(0, 0)))


def test_tf_that_ends(fault):
    tf, fault.tf = fault.tf, None
    try:
        refused(fault, "tf: base_link in odom is known from ")
    finally:
        fault.tf = tf


def test_all_ground_unlabelled_is_no_free_ground(bench):
    """Black images make this network answer NaN everywhere."""
    black = np.zeros_like(scene())
    bench.pause(20)  # what was seen before is forgotten
    cloud = bench.fresh("free_space", black, good=lambda m: m.header.stamp.sec == bench._stamp)
    assert cloud.width == 0
    bench.pause(20)
    bench.fresh("free_space", good=lambda m: m.width > 0)
