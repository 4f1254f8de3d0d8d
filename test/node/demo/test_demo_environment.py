import socket

import pytest

from trust_seg_ros.node.demo.environment import _in_use, demo_environment, free_domain


def test_a_bare_environment_gets_everything():
    variables = demo_environment({}, prefix="/venv").variables
    assert variables["AMENT_PREFIX_PATH"] == "/venv"
    assert variables["RMW_IMPLEMENTATION"] == "rmw_fastrtps_cpp"
    assert variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert variables["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("fastdds_shm.xml")
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in variables
    assert 1 <= int(variables["ROS_DOMAIN_ID"]) <= 101


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROS_DOMAIN_ID", "7"),
        ("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp"),
        ("AMENT_PREFIX_PATH", "/opt/ros/jazzy"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET"),
        ("FASTDDS_DEFAULT_PROFILES_FILE", "/mine.xml"),
        ("GOMP_SPINCOUNT", "7"),
    ],
)
def test_what_the_user_has_set_stays(name, value):
    assert name not in demo_environment({name: value}).variables


def test_a_users_profile_under_its_old_name_counts_too():
    variables = demo_environment({"FASTRTPS_DEFAULT_PROFILES_FILE": "/mine.xml"}).variables
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in variables


def test_humble_knows_neither_the_range_nor_the_new_name():
    variables = demo_environment({"ROS_DISTRO": "humble"}).variables
    assert variables["ROS_LOCALHOST_ONLY"] == "1"
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in variables
    assert variables["FASTRTPS_DEFAULT_PROFILES_FILE"] == variables["FASTDDS_DEFAULT_PROFILES_FILE"]


def test_too_little_shared_memory_means_default_transports_and_is_said(tmp_path):
    environment = demo_environment({}, shared_memory=tmp_path / "missing")
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in environment.variables
    assert "--shm-size" in environment.notes[0]


def test_a_domain_somebody_listens_in_is_in_use():
    domain = free_domain()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 7400 + 250 * domain + 10))
        assert _in_use(domain)
    assert not _in_use(domain)
