"""``trust-seg check``: every line has a state and, where something is missing, a way out."""

import json
import subprocess
import sys

import pytest
from places import HELPERS, ROOT
from ros_bench import start

from trust_seg_ros.node.check import ros
from trust_seg_ros.node.check.camera import of_camera

FASTRTPS = "rmw_fastrtps_cpp"
NO_ROS = """
import sys
for name in ("rclpy", "sensor_msgs", "vision_msgs"):
    sys.modules[name] = None
from trust_seg_ros import cli
sys.exit(cli.main(["check", "--json"]))
"""


def profile(shared_memory, rmw=FASTRTPS, **environment):
    return {finding.name: finding for finding in ros.profile(rmw, environment, shared_memory)}


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "mine.xml"
    made.write_text("<dds/>")
    return str(made)


def test_without_a_profile_the_variable_to_set_is_named(tmp_path):
    found = profile(tmp_path)["Fast DDS profile"]
    assert found.state == "warning"
    assert found.way_out.startswith(f"export FASTDDS_DEFAULT_PROFILES_FILE={ROOT / 'config' / 'fastdds_shm.xml'}")
    assert profile(tmp_path, ROS_DISTRO="humble")["Fast DDS profile"].way_out.startswith("export FASTRTPS_")


def test_a_profile_that_is_there_is_well(tmp_path, file):
    assert profile(tmp_path, FASTDDS_DEFAULT_PROFILES_FILE=file)["Fast DDS profile"].state == "ok"


def test_a_profile_that_is_not_there_fails(tmp_path):
    found = profile(tmp_path, FASTDDS_DEFAULT_PROFILES_FILE="/no/such.xml")["Fast DDS profile"]
    assert (found.state, found.found) == ("failed", "FASTDDS_DEFAULT_PROFILES_FILE=/no/such.xml: no such file")


def test_an_older_fast_dds_does_not_read_the_new_name(tmp_path, file):
    found = profile(tmp_path, FASTDDS_DEFAULT_PROFILES_FILE=file, ROS_DISTRO="jazzy")["Fast DDS profile"]
    assert (found.state, found.way_out) == ("warning", f"export FASTRTPS_DEFAULT_PROFILES_FILE={file}")


def test_another_middleware_has_no_profile(tmp_path):
    assert profile(tmp_path, rmw="rmw_cyclonedds_cpp")["Fast DDS profile"].state == "skipped"


def test_little_shared_memory_is_told(tmp_path):
    found = profile(tmp_path / "absent")["shared memory"]
    assert found.state == "warning"
    assert "--shm-size" in found.way_out


@pytest.mark.slow
def test_it_works_without_ros():
    run = [sys.executable, "-c", NO_ROS]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)["findings"]}
    assert found["network"]["state"] == "ok"
    assert found["ROS 2"]["state"] == "warning"
    assert found["ROS 2"]["way_out"]
    assert [name for name, row in found.items() if row["state"] == "skipped"] == [
        "RMW", "Fast DDS profile", "topic", "QoS", "first frame"
    ]  # fmt: skip


def with_a_camera(topic, reliability, looked_at):
    """Findings by name, while a camera sends on ``topic``."""
    camera = start(str(HELPERS / "camera_process.py"), topic, reliability, "-", "front")
    try:
        camera.stdout.readline()  # it sends
        return {finding.name: finding for finding in of_camera(*looked_at)}
    finally:
        camera.kill()
        camera.wait()


@pytest.mark.ros
@pytest.mark.parametrize("reliability", ["RELIABLE", "BEST_EFFORT"])
def test_a_camera_that_sends_is_well(reliability):
    found = with_a_camera("/looked_at/image", reliability, looked_at=("looked_at/image", 30.0))
    assert [finding.state for finding in found.values()] == ["ok", "ok", "ok"]
    assert found["QoS"].found == f"camera: {reliability.lower()}; the node asks for {reliability.lower()}"
    assert "rgb8, frame_id front" in found["first frame"].found


@pytest.mark.ros
def test_a_camera_elsewhere_is_named():
    found = with_a_camera("/elsewhere/image", "RELIABLE", looked_at=("/nowhere/image", 2.0))
    assert found["topic"].state == "failed"
    assert "topics with images: /elsewhere/image" in found["topic"].found
    assert "trust-seg check --topic /elsewhere/image" in found["topic"].way_out
    assert found["first frame"].state == "skipped"
