"""replay.launch.py: what it plays, starts and refuses; where launch is installed, also run for real."""

import os
import subprocess

import pytest
import yaml
from launch_stand_in import load
from places import ROOT
from test_launch_files import needs_launch

LAUNCH = ROOT / "launch"
FILE = load(LAUNCH / "replay.launch.py")
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
DEFAULTS = {"image": "", "rate": "1.0", "start": "", "duration": "", "loop": "false", "qos_overrides": "", "model": "",
            "params_file": "", "namespace": "", "rviz": "true", "log_level": "info"}  # fmt: skip


def write_bag(path, **topics):
    """A bag's metadata as rosbag2 writes it; topics are name=type, with __ for /."""
    path.mkdir()
    listed = [
        {"topic_metadata": {"name": name.replace("__", "/"), "type": kind, "serialization_format": "cdr"},
         "message_count": 3}
        for name, kind in topics.items()
    ]  # fmt: skip
    content = {"rosbag2_bagfile_information": {"version": 5, "topics_with_message_count": listed}}
    (path / "metadata.yaml").write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / "my town", __front__image_raw=IMAGE, __imu="sensor_msgs/msg/Imu")


def asked(bag, **arguments):
    """(bag's command, arguments handed to trust_seg.launch.py)."""
    _, include, after_waiting, waiting = FILE.replay({**DEFAULTS, "bag": str(bag), **arguments})
    handler = after_waiting.args[0]
    assert handler.target_action is waiting
    (playing,) = handler.on_exit(type("Exited", (), {"returncode": 0}), None)
    assert handler.on_exit(type("Exited", (), {"returncode": -2}), None) == [], "Ctrl-C while waiting plays nothing"
    assert include.args[0].args == (str(LAUNCH / "trust_seg.launch.py"),)
    return playing.cmd, dict(include.launch_arguments)


def test_the_declared_defaults_are_those_of_these_tests():
    declared = {
        a.args[0]: a.named.get("default_value")
        for a in FILE.generate_launch_description().args[0]
        if type(a).__name__ == "DeclareLaunchArgument"
    }
    assert declared == {**DEFAULTS, "bag": None}


def test_a_bag_alone_is_enough(bag):
    command, node = asked(bag)
    assert command == ["ros2", "bag", "play", str(bag), "--clock", "40", "--rate", "1.0"]
    assert (node["image"], node["input"], node["use_sim_time"]) == ("/front/image_raw", "raw", "true")
    assert (node["rviz"], node["namespace"], node["params_file"]) == ("true", "", "")


def test_arguments_reach_the_bag_and_the_node(bag, tmp_path):
    qos = tmp_path / "qos.yaml"
    qos.touch()
    command, node = asked(
        bag, rate="0.5", start="3", duration="5.5", loop="True", qos_overrides=str(qos), namespace="/front/",
        rviz="false", params_file="mine.yaml", model="compact", image="front/image_raw",
    )  # fmt: skip
    assert command[4:] == ["--clock", "40", "--loop", "--rate", "0.5", "--start-offset", "3", "--playback-duration",
                           "5.5", "--qos-profile-overrides-path", str(qos)]  # fmt: skip
    assert node["image"] == "/front/image_raw"
    assert [node[n] for n in ("namespace", "rviz", "params_file", "model")] == [
        "/front/",
        "false",
        "mine.yaml",
        "compact",
    ]


def test_compressed_images_set_the_nodes_input(tmp_path):
    bag = write_bag(tmp_path / "b", __cam__image__compressed=COMPRESSED)
    assert asked(bag)[1]["input"] == "compressed"


def test_several_image_topics_are_listed_and_one_can_be_named(tmp_path):
    bag = write_bag(tmp_path / "b", __front=IMAGE, __rear=COMPRESSED, __imu="sensor_msgs/msg/Imu")
    with pytest.raises(
        ValueError, match=r"2 topics of images; name one with image:=; its topics: /front \(sensor_msgs"
    ):
        asked(bag)
    assert asked(bag, image="/rear")[1]["input"] == "compressed"


@pytest.mark.parametrize(
    ("image", "words"), [("/imu", r"holds sensor_msgs/msg/Imu in .*/front/image_raw \("), ("/rear", "/rear is not in")]
)
def test_a_topic_that_is_none_is_refused(bag, image, words):
    with pytest.raises(ValueError, match=words):
        asked(bag, image=image)


def test_a_bag_without_images(tmp_path):
    with pytest.raises(ValueError, match=r"has no topic of images.*/imu \(sensor_msgs/msg/Imu\)"):
        asked(write_bag(tmp_path / "b", __imu="sensor_msgs/msg/Imu"))


def test_bags_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        asked(tmp_path / "nowhere")
    (tmp_path / "my bag").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no metadata.yaml; make it with: ros2 bag reindex '.*my bag'"):
        asked(tmp_path / "my bag")
    (tmp_path / "my bag/metadata.yaml").write_text("rosbag2_bagfile_information: 3")
    with pytest.raises(ValueError, match=r"is not what rosbag2 writes \(TypeError"):
        asked(tmp_path / "my bag")


def test_a_storage_file_has_its_topic_named(tmp_path):
    file = tmp_path / "town.mcap"
    file.touch()
    with pytest.raises(ValueError, match="no topic of images; name one with image:="):
        asked(file)
    command, node = asked(file, image="cam")
    assert (command[3], node["image"], node["input"]) == (str(file), "/cam", "")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("rate", "0", "rate:=0; expected a number above 0"), ("rate", "fast", "fast"), ("rate", "inf", "above 0"),
     ("start", "-1", "start:=-1; expected a number of at least 0"), ("duration", "0", "duration:=0"),
     ("qos_overrides", "/no/such.yaml", "/no/such.yaml does not exist")],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(bag, name, text, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        asked(bag, **{name: text})


def test_what_an_earlier_run_of_the_node_said_is_not_played(tmp_path):
    topics = {"__cam": IMAGE, "__front__trust_seg__overlay": IMAGE, "__clock": "rosgraph_msgs/msg/Clock",
              "__diagnostics": "diagnostic_msgs/msg/DiagnosticArray", "__tf": "tf2_msgs/msg/TFMessage"}  # fmt: skip
    bag = write_bag(tmp_path / "b", **topics)
    here = asked(bag, image="/cam", namespace="front")[0]
    assert here[here.index("--topics") + 1 :] == ["/cam", "/tf"]
    elsewhere = asked(bag, image="/cam")[0]
    assert elsewhere[elsewhere.index("--topics") + 1 :] == ["/cam", "/front/trust_seg/overlay", "/diagnostics", "/tf"]


def test_the_camera_is_found_among_what_a_node_said(tmp_path):
    bag = write_bag(tmp_path / "b", __trust_seg__overlay=IMAGE, __cam=COMPRESSED, __front__trust_seg__entropy=IMAGE)
    assert asked(bag)[1]["image"] == "/cam"


def test_images_may_be_recorded_under_the_nodes_own_name(tmp_path):
    bag = write_bag(tmp_path / "b", __trust_seg__image=IMAGE)
    assert "--topics" not in asked(bag)[0]


def test_the_end_of_the_node_ends_everything_and_that_of_rviz_does_not():
    def ended(*command):
        return FILE.end_with_node(type("Exited", (), {"cmd": list(command), "returncode": 1}), None)

    (shutdown,) = ended("/opt/ros/lib/trust_seg_ros/trust_seg_node", "--ros-args")
    assert shutdown.reason == "the node ended with 1"
    assert ended("/opt/ros/lib/rviz2/rviz2") == []
    assert ended("ros2", "bag", "play", "trust_seg_node") == []


def test_the_end_of_the_recording_ends_everything_unless_it_is_ending_already():
    def ended(code, shutdown):
        context = type("Context", (), {"is_shutdown": shutdown})
        return FILE.last_results(type("Exited", (), {"returncode": code}), context)

    (timer,) = ended(0, False)
    assert [action.reason for action in timer.actions] == ["the recording has been played"]
    assert timer.period > 0
    assert "exit code 2" in ended(2, False)[0].actions[0].reason
    assert ended(-2, True) == []


ROS2 = """#!/bin/sh
echo "$@" >> {log}
[ "$1" = lifecycle ] || exit 0
[ $(grep -c lifecycle {log}) -lt 3 ] && echo "inactive [2]" || echo "active [3]"
"""


@pytest.fixture
def ros2(tmp_path, monkeypatch):
    """A `ros2` on PATH that notes what it is asked; the node becomes active at the third question."""
    program, log = tmp_path / "bin/ros2", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(ROS2.format(log=log))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return log


def test_waiting_ends_when_the_node_is_active_and_not_when_it_is_inactive(ros2):
    done = subprocess.run(FILE.waiting_for("/front/trust_seg"), timeout=30, check=False)
    assert done.returncode == 0
    assert ros2.read_text().splitlines() == ["lifecycle get /front/trust_seg"] * 3


def installed(prefix, *packages):
    """Packages of an installation, as ament's index lists them."""
    index = prefix / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True, exist_ok=True)
    for package in packages:
        (index / package).touch()


@pytest.mark.parametrize("missing", ["ros2", "ros2bag", "ros2lifecycle"])
def test_what_plays_and_asks_is_looked_for_first(ros2, tmp_path, monkeypatch, missing):
    installed(tmp_path / "a", "ros2bag")
    installed(tmp_path / "b", "ros2lifecycle")
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join((str(tmp_path / "a"), str(tmp_path / "b"))))
    assert FILE.what_is_needed({}) == []
    if missing == "ros2":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        next(tmp_path.rglob(f"packages/{missing}")).unlink()
    with pytest.raises(FileNotFoundError, match=f"{missing} is not"):
        FILE.what_is_needed({})


def test_nothing_is_started_before_it_is_looked_for():
    actions = FILE.generate_launch_description().args[0]
    functions = [action.function for action in actions if type(action).__name__ == "OpaqueFunction"]
    assert functions == [FILE.what_is_needed, FILE.replay]
    assert not [action for action in actions if type(action).__name__ == "ExecuteProcess"]


@needs_launch
def test_run_for_real_it_plays_once_the_node_is_active_and_ends_after_it(bag, ros2, tmp_path, monkeypatch):
    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    installed(tmp_path, "trust_seg_ros", "ros2bag", "ros2lifecycle")
    node = tmp_path / "lib/trust_seg_ros/trust_seg_node"
    node.parent.mkdir(parents=True)
    node.write_text("#!/bin/sh\nexec sleep 60\n")
    node.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    service = LaunchService(noninteractive=True)
    included = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH / "replay.launch.py")),
        launch_arguments={"bag": str(bag), "rviz": "false", "rate": "2"}.items(),
    )
    service.include_launch_description(LaunchDescription([included]))
    assert service.run() == 0, "it ends by itself"
    *questions, play = ros2.read_text().splitlines()
    assert questions == ["lifecycle get /trust_seg"] * 3
    assert play == f"bag play {bag} --clock 40 --rate 2"
