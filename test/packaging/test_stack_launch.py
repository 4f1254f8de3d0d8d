"""The launch files for Nav2 and Autoware: whole without ROS, and what they start where launch_ros is installed."""

import ast
from pathlib import Path

import launch_stand_in
import pytest
import yaml
from places import ROOT
from test_launch_files import needs_launch, remappings, stand_in, started  # noqa: F401 - the last but one is a fixture

from trust_seg_ros.messages.ground import GROUND_OUTPUTS
from trust_seg_ros.node.parameters import BY_NAME

ARGUMENTS = {
    "nav2_example.launch.py": {
        "image",
        "camera_info",
        "base_frame",
        "fixed_frame",
        "costmap",
        "output_size",
        "params_file",
        "nav2",
        "nav2_params",
        "use_sim_time",
    },
    "autoware.launch.py": {
        "camera",
        "image",
        "camera_info",
        "hazards",
        "caution",
        "base_frame",
        "fixed_frame",
        "params_file",
        "use_sim_time",
    },
}


def asked(name, **given):
    """The nodes that a launch file asks for with these arguments, loaded with stand-ins for launch."""
    module = launch_stand_in.load(ROOT / "launch" / name)
    description = module.generate_launch_description()
    entities = description.args[0]
    defaults = {e.args[0]: e.named["default_value"] for e in entities if type(e).__name__ == "DeclareLaunchArgument"}
    assert set(defaults) == ARGUMENTS[name]
    assert given.keys() <= defaults.keys()
    context = defaults | given
    functions = [e.named["function"] for e in entities if type(e).__name__ == "OpaqueFunction"]
    with launch_stand_in.modules():
        return [action for function in functions for action in function(context)], module


def parameters(node):
    found = {}
    for given in node.parameters:
        if isinstance(given, str):
            given = yaml.safe_load(Path(given).read_text("utf-8"))[node.named["name"]]["ros__parameters"]
        found |= given
    return found


@pytest.mark.parametrize("name", ARGUMENTS)
def test_parameters_and_topics_exist(name):
    ast.parse((ROOT / "launch" / name).read_text("utf-8"))
    nodes, _ = asked(name, **({"nav2": "false"} if name.startswith("nav2") else {}))
    node = nodes[0]
    assert (node.executable, node.named["name"]) == ("trust_seg_node", "trust_seg")
    for key, value in parameters(node).items():
        if key != "use_sim_time":
            assert BY_NAME[key].check(value) == value
    topics = {rule[0].removeprefix("~/") for rule in node.remappings}
    assert {"image", "camera_info"} <= topics <= {"image", "camera_info", *GROUND_OUTPUTS}


def test_autowares_names_follow_the_camera():
    (node,), _ = asked("autoware.launch.py", camera="camera3", hazards="/perception/obstacle_segmentation/pointcloud")
    assert dict(node.remappings) == {
        "~/image": "/sensing/camera/camera3/image_raw",
        "~/camera_info": "/sensing/camera/camera3/camera_info",
        "~/hazards": "/perception/obstacle_segmentation/pointcloud",
        "~/caution": "/perception/occupancy_grid_map/trust_seg/map",
    }
    (node,), _ = asked("autoware.launch.py", image="/mine", params_file=str(ROOT / "config/trust_seg.yaml"))
    assert ("~/image", "/mine") in node.remappings
    assert node.parameters[-1] == str(ROOT / "config/trust_seg.yaml"), "the file wins"
    with pytest.raises(FileNotFoundError, match="params_file:=/nowhere does not exist"):
        asked("autoware.launch.py", params_file="/nowhere")


def test_nav2s_parameters_get_our_sections_over_them(tmp_path, monkeypatch):
    own = {
        "collision_monitor": {"ros__parameters": {"base_frame_id": "x", "FootprintApproach": {"enabled": True}}},
        "local_costmap": {"local_costmap": {"ros__parameters": {"update_frequency": 5.0, "plugins": ["voxel_layer"]}}},
        "controller_server": {"ros__parameters": {"controller_frequency": 20.0}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
    module = launch_stand_in.load(ROOT / "launch/nav2_example.launch.py")
    monkeypatch.setattr(module, "share_of_nav2", lambda: tmp_path)
    with launch_stand_in.modules():
        context = {
            "nav2": "true",
            "nav2_params": str(tmp_path / "mine.yaml"),
            "costmap": "caution",
            "use_sim_time": "true",
        }
        said, servers = module.nav2(context)
    made = dict(servers.named["launch_arguments"])["params_file"]
    assert made in said.named["msg"]
    merged = yaml.safe_load(Path(made).read_text("utf-8"))
    costmap = merged["local_costmap"]["local_costmap"]["ros__parameters"]
    assert costmap["update_frequency"] == 5.0
    assert costmap["plugins"] == ["caution_layer", "hazard_layer", "inflation_layer"]
    monitor = merged["collision_monitor"]["ros__parameters"]
    assert monitor["observation_sources"] == ["hazards", "trust"]
    assert monitor["base_frame_id"] == "base_link"
    assert merged["controller_server"] == own["controller_server"]


def test_what_is_missing_is_said_before_anything_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nav2_bringup is not installed; sudo apt install .*nav2:=false"):
        asked("nav2_example.launch.py")
    with pytest.raises(FileNotFoundError, match="nav2_params:=/nowhere does not exist"):
        asked("nav2_example.launch.py", nav2_params="/nowhere")


@pytest.fixture
def both_executables(stand_in):  # noqa: F811
    program = stand_in / "lib/trust_seg_ros/trust_seg_speed_limit"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    return stand_in


@needs_launch
def test_the_example_for_nav2_starts_both_processes(both_executables):
    code, commands = started("nav2_example.launch.py", nav2="false", image="/cam", base_frame="base_footprint")
    assert code == 0
    by_name = {command[0].rsplit("/", 1)[1]: (command, found) for command, _, found in commands}
    command, found = by_name["trust_seg_node"]
    assert "~/image:=/cam" in remappings(command)
    assert (found["caution"], found["caution.base_frame"], found["output_size"]) == ("on", "base_footprint", "image")
    command, found = by_name["trust_seg_speed_limit"]
    assert (found["base_frame"], found["stop_points"]) == ("base_footprint", 16)


@needs_launch
def test_the_launch_for_autoware_starts_one_node(both_executables):
    code, [(command, _, found)] = started("autoware.launch.py", camera="camera1")
    assert code == 0
    assert "~/image:=/sensing/camera/camera1/image_raw" in remappings(command)
    assert found["caution"] == "on"
    assert found["caution.fixed_frame"] == "map"
