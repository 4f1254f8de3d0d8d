"""Launch files: their arguments always, the node's command line where launch_ros is installed."""

import ast
import importlib.util
import itertools
import os
from pathlib import Path

import launch_stand_in
import pytest
import yaml
from places import ROOT

LAUNCH = ROOT / "launch"
ARGUMENTS = {
    "trust_seg.launch.py": {
        "namespace",
        "image",
        "input",
        "model",
        "params_file",
        "use_sim_time",
        "rviz",
        "autostart",
        "log_level",
    },
    "multi_camera.launch.py": {
        "cameras",
        "input",
        "model",
        "params_file",
        "use_sim_time",
        "autostart",
        "log_level",
        "batch",
    },
    "replay.launch.py": {
        "bag",
        "image",
        "rate",
        "start",
        "duration",
        "loop",
        "qos_overrides",
        "model",
        "params_file",
        "namespace",
        "rviz",
        "log_level",
    },
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_launch_file_is_whole_without_ros(name):
    tree = ast.parse((LAUNCH / name).read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert "generate_launch_description" in functions
    declared = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "DeclareLaunchArgument"
        and isinstance(node.args[0], ast.Constant)
    }
    for node in tree.body:  # the arguments that multi_camera hands on stand in a table
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PASSED_ON":
            declared |= set(ast.literal_eval(node.value))
    assert declared == ARGUMENTS[name]


@pytest.mark.parametrize("name", ["trust_seg.launch.py", "multi_camera.launch.py"])
def test_the_nodes_parameters_are_not_given_by_default(name):
    """What a launch file gives wins over params_file: a default here would silence the file."""
    defaults = {}
    for node in ast.walk(ast.parse((LAUNCH / name).read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            given = [word.value for word in node.keywords if word.arg == "default_value"]
            if given and isinstance(node.args[0], ast.Constant):
                defaults[node.args[0].value] = ast.literal_eval(given[0])
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PASSED_ON":
            defaults |= ast.literal_eval(node.value)
    parameters = ("model", "input", "autostart", "use_sim_time")
    assert {parameter: defaults[parameter] for parameter in parameters} == dict.fromkeys(parameters, "")


needs_launch = pytest.mark.skipif(
    not (importlib.util.find_spec("launch_ros") and getattr(importlib.util.find_spec("launch"), "origin", None)),
    reason="launch and launch_ros are not installed (they come with a ROS 2 distribution, not from pip)",
)


def started(name, **arguments):
    """What a launch file starts: (command, environment) of each process, none of them run for real."""
    from launch import LaunchDescription, LaunchService
    from launch.actions import ExecuteProcess, IncludeLaunchDescription, RegisterEventHandler, Shutdown
    from launch.event_handlers import OnProcessStart
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    commands = []

    def seen(event, context):
        commands.append((event.cmd, dict(event.env or {}), files_of(event.cmd)))

    service = LaunchService(noninteractive=True)
    service.include_launch_description(
        LaunchDescription(
            [
                RegisterEventHandler(OnProcessStart(on_start=seen)),
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource(str(LAUNCH / name)), launch_arguments=arguments.items()
                ),
                ExecuteProcess(cmd=["sleep", "1"], on_exit=[Shutdown()]),
            ]
        )
    )
    code = service.run()
    return code, [c for c in commands if c[0][0] != "sleep"]


def files_of(command):
    """Parameters that a command line gives through files and -p, later ones winning, as the node reads them."""
    found = {}
    for flag, value in itertools.pairwise(command):
        if flag == "--params-file":
            for node in yaml.safe_load(Path(value).read_text()).values():
                found |= node["ros__parameters"]
        if flag == "-p":
            key, _, text = value.partition(":=")
            found[key] = yaml.safe_load(text)
    return found


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A prefix whose trust_seg_node ends at once: the command line is the matter here, the node has its own tests."""
    for package, executable in (("trust_seg_ros", "trust_seg_node"), ("rviz2", "rviz2")):
        (tmp_path / "share/ament_index/resource_index/packages").mkdir(parents=True, exist_ok=True)
        (tmp_path / "share/ament_index/resource_index/packages" / package).touch()
        program = tmp_path / "lib" / package / executable
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}{os.pathsep}{os.environ.get('AMENT_PREFIX_PATH', '')}")
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def remappings(command):
    return [value for flag, value in itertools.pairwise(command) if flag == "-r"]


@needs_launch
def test_defaults_start_one_autostarting_node(stand_in):
    code, [(command, environment, parameters)] = started("trust_seg.launch.py")
    assert code == 0
    assert command[0] == str(stand_in / "lib/trust_seg_ros/trust_seg_node")
    assert {"__node:=trust_seg", "~/image:=image_raw"} <= set(remappings(command))
    assert parameters == {}
    assert environment["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("config/fastdds_shm.xml")


@needs_launch
def test_arguments_reach_the_node(stand_in):
    code, [(command, _, parameters)] = started(
        "trust_seg.launch.py",
        namespace="front",
        image="/cam/image",
        input="compressed",
        model="compact",
        use_sim_time="true",
        autostart="false",
        log_level="debug",
    )
    assert code == 0
    assert {"__ns:=/front", "~/image:=/cam/image"} <= set(remappings(command))
    assert parameters == {"input": "compressed", "model": "compact", "autostart": False, "use_sim_time": True}
    assert command[command.index("--log-level") + 1] == "debug"


@needs_launch
def test_arguments_win_over_the_parameter_file_and_empty_ones_do_not(stand_in):
    file = stand_in / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    model: from_file\n    input: from_file\n")
    code, [(_, _, parameters)] = started("trust_seg.launch.py", params_file=str(file), model="from_argument")
    assert code == 0
    assert (parameters["model"], parameters["input"]) == ("from_argument", "from_file")


@needs_launch
@pytest.mark.parametrize("name", ["trust_seg.launch.py", "multi_camera.launch.py"])
def test_the_parameter_file_decides_on_flags_that_are_not_given(stand_in, name):
    file = stand_in / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    autostart: false\n    use_sim_time: true\n")
    cameras = {"cameras": "front"} if name.startswith("multi") else {}
    _, [(_, _, parameters)] = started(name, params_file=str(file), **cameras)
    assert parameters == {"autostart": False, "use_sim_time": True}
    _, [(_, _, parameters)] = started(name, params_file=str(file), autostart="true", use_sim_time="False", **cameras)
    assert parameters == {"autostart": True, "use_sim_time": False}


@needs_launch
def test_a_text_that_looks_like_a_number_stays_a_text(stand_in):
    _, [(_, _, parameters)] = started("trust_seg.launch.py", model="1234")
    assert parameters["model"] == "1234"


@needs_launch
@pytest.mark.parametrize(("distribution", "old_name_too"), [("humble", True), ("kilted", False)])
def test_the_profile_is_named_as_the_distribution_reads_it(stand_in, monkeypatch, distribution, old_name_too):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    _, [(_, environment, _)] = started("trust_seg.launch.py")
    assert environment["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("config/fastdds_shm.xml")
    assert ("FASTRTPS_DEFAULT_PROFILES_FILE" in environment) == old_name_too


@needs_launch
@pytest.mark.parametrize("name", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_a_users_own_profile_is_left_alone(stand_in, monkeypatch, name):
    monkeypatch.setenv(name, "/own.xml")
    _, [(_, environment, _)] = started("trust_seg.launch.py")
    profiles = {k: v for k, v in environment.items() if k.endswith("_DEFAULT_PROFILES_FILE")}
    assert profiles == {name: "/own.xml"}


@pytest.mark.parametrize(
    ("namespace", "text", "problem"),
    [
        ("front", "trust_seg: {ros__parameters: {thresholds: {pixel: 0.123}}}",
         "says nothing to the node /front/trust_seg: its sections are 'trust_seg', expected '/front/trust_seg' or"),
        ("", "trust_seg_node: {ros__parameters: {mode: every}}", "'trust_seg_node', expected '/trust_seg'"),
        ("", "trust_seg: {thresholds: {pixel: 0.3}}", "has no ros__parameters"),
        ("", "thresholds.pixel: 0.01", "has no ros__parameters"),
        ("", "/**: {ros__parameters: {a: 1, a: 2}}", "is given twice"),
    ],
)  # fmt: skip
def test_a_parameter_file_that_says_nothing_to_the_node_stops_the_launch(tmp_path, namespace, text, problem):
    file = tmp_path / "file.yaml"
    file.write_text(text)
    module = launch_stand_in.load(LAUNCH / "trust_seg.launch.py")
    given = dict.fromkeys(ARGUMENTS["trust_seg.launch.py"], "") | {"namespace": namespace, "params_file": str(file)}
    with pytest.raises(ValueError, match=problem):
        module.segmentation_node(given)
    for key in ("/**", f"/{namespace}/trust_seg".replace("//", "/"), "/**/trust_seg"):
        file.write_text(f"'{key}': {{ros__parameters: {{mode: every}}}}")
        (node,) = module.segmentation_node(given)
        assert node.parameters == [str(file)]


@needs_launch
def test_a_missing_parameter_file_stops_the_launch(stand_in):
    code, commands = started("trust_seg.launch.py", params_file="/no/such.yaml")
    assert code != 0
    assert commands == []


@needs_launch
@pytest.mark.parametrize("missing", ["lib/rviz2/rviz2", "share/ament_index/resource_index/packages/rviz2"])
def test_a_missing_rviz_stops_the_launch_before_anything_is_started(stand_in, missing):
    from launch import LaunchContext
    from launch.launch_description_sources.python_launch_file_utilities import load_python_launch_file_as_module

    (stand_in / missing).unlink()
    code, commands = started("trust_seg.launch.py", rviz="true")
    assert (code != 0, commands) == (True, [])
    context = LaunchContext()
    context.launch_configurations["rviz"] = "True"
    with pytest.raises(
        FileNotFoundError, match=r"rviz2 .* is not there .*; install rviz2, or leave it out with rviz:=false"
    ):
        load_python_launch_file_as_module(str(LAUNCH / "trust_seg.launch.py")).what_is_needed(context)
    assert len(started("trust_seg.launch.py", rviz="false")[1]) == 1, "it is not looked for where it is not wanted"


@needs_launch
def test_rviz_gets_the_topics_of_the_namespace(stand_in):
    _, commands = started("trust_seg.launch.py", namespace="front", rviz="true")
    (rviz,) = [command for command, _, _ in commands if command[0].endswith("rviz2")]
    assert rviz[rviz.index("-d") + 1] == str(LAUNCH.parent / "config/trust_seg.rviz")
    assert "/image_raw:=/front/image_raw" in remappings(rviz)
    assert "/camera_info:=/front/camera_info" in remappings(rviz), "beside the image, where RViz looks for it"
    assert "/trust_seg/caution:=/front/trust_seg/caution" in remappings(rviz)
    assert "/trust_seg/overlay:=/front/trust_seg/overlay" in remappings(rviz)


@needs_launch
def test_every_camera_gets_a_node_of_its_own(stand_in):
    code, commands = started("multi_camera.launch.py", cameras="front=/a/image rear", model="compact")
    assert code == 0
    rules = sorted(tuple(sorted(remappings(command))) for command, _, _ in commands)
    assert rules == [
        ("__node:=trust_seg", "__ns:=/front", "~/image:=/a/image"),
        ("__node:=trust_seg", "__ns:=/rear", "~/image:=image_raw"),
    ]
    assert all(parameters["model"] == "compact" for _, _, parameters in commands)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "none given"),
        ("a a", "given twice"),
        ("a=/x /a", "given twice"),
        ("a=", "names no topic"),
        ("1st", "not `namespace`"),
    ],
)
def test_bad_camera_lists_are_explained(text, problem):
    module = launch_stand_in.load(LAUNCH / "multi_camera.launch.py")
    with pytest.raises(ValueError, match=problem):
        module.cameras_given({"cameras": text})


BATCH = dict.fromkeys(ARGUMENTS["multi_camera.launch.py"], "") | {"ros_namespace": "", "log_level": "info"}


def in_one_process(**given):
    """The node action of several cameras in one process, by stand-ins for launch."""
    module = launch_stand_in.load(LAUNCH / "multi_camera.launch.py")
    with launch_stand_in.modules():
        return module.nodes(BATCH | given)[-1]


def test_several_cameras_in_one_process(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    batch.wait_ms: 5.0\n")
    node = in_one_process(
        cameras="front=/a/image /rear",
        batch="true",
        params_file=str(file),
        model="compact",
        use_sim_time="true",
        log_level="debug",
        ros_namespace="/robot",
    )
    assert node.executable == "trust_seg_cameras"
    assert node.arguments == ["robot/front=/a/image", "/rear=image_raw", "--ros-args", "--log-level", "debug"]
    first, second = node.parameters
    assert first == str(file)
    assert second["model"].args == ("compact",)
    assert second["use_sim_time"] is True
    assert not {"name", "namespace"} & node.named.keys(), "one name for all would be a rule for every node"


def test_a_parameter_file_that_says_nothing_to_one_of_the_cameras_stops_the_launch(tmp_path):
    file = tmp_path / "file.yaml"
    file.write_text("/front/trust_seg: {ros__parameters: {mode: every}}")
    with pytest.raises(ValueError, match="says nothing to the node /rear/trust_seg"):
        in_one_process(cameras="front rear", batch="True", params_file=str(file))
    assert in_one_process(cameras="front", batch="true", params_file=str(file)).parameters == [str(file)]


def test_without_batch_each_camera_has_a_process():
    module = launch_stand_in.load(LAUNCH / "multi_camera.launch.py")
    groups = module.nodes(BATCH | {"cameras": "front rear", "batch": "false"})
    assert [type(group).__name__ for group in groups] == ["GroupAction", "GroupAction"]


@needs_launch
def test_one_process_gets_cameras_and_parameters(stand_in):
    program = stand_in / "lib/trust_seg_ros/trust_seg_cameras"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    code, [(command, environment, parameters)] = started(
        "multi_camera.launch.py", cameras="front=/a/image rear", batch="true", model="compact"
    )
    assert code == 0
    assert command[:3] == [str(program), "front=/a/image", "rear=image_raw"]
    assert parameters == {"model": "compact"}
    assert environment["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("config/fastdds_shm.xml")
