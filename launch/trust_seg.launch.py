"""Start one trust_seg node: `ros2 launch trust_seg_ros trust_seg.launch.py image:=/camera/image_raw`.

An empty argument is not set: the value then comes from params_file, or else from the node's defaults.
"""

import os
import shutil
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, SubstitutionFailure
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage

# share/trust_seg_ros/config when installed, config/ in a checkout: beside the folder of this file in both
CONFIG = Path(__file__).resolve().parents[1] / "config"
SHARED_MEMORY, ROOM = Path("/dev/shm"), 2 * 64 << 20  # the profile's segment, of the node and of a camera
NAME = "trust_seg"
SHOWN_IN_RVIZ = ("overlay", "entropy_color", "unreliable", "ood", "caution", "hazards", "free_space")
BOOLEAN = ["true", "false", "True", "False"]
FLAGS = ("autostart", "use_sim_time")  # parameters that are true or false


def argument(context: LaunchContext, name: str) -> str:
    """Value of a launch argument, without surrounding blanks."""
    return LaunchConfiguration(name).perform(context).strip()


def flags(context: LaunchContext, names: tuple[str, ...]) -> dict[str, bool]:
    """The true-or-false arguments that are given, name -> value."""
    given = {name: argument(context, name) for name in names}
    return {name: value.lower() == "true" for name, value in given.items() if value}


def shared_memory_for_images(_: LaunchContext) -> list[Action]:
    """Let Fast DDS hold whole images in shared memory (its defaults lose most), unless the user has a profile."""
    names = ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"]
    profile = CONFIG / "fastdds_shm.xml"
    own = any(os.environ.get(name) for name in names) or Path("DEFAULT_FASTDDS_PROFILES.xml").is_file()
    if own or not profile.is_file():
        return []
    if SHARED_MEMORY.is_dir() and (free := shutil.disk_usage(SHARED_MEMORY).free) < ROOM:
        text = f"{SHARED_MEMORY} has {free >> 20} MB free, too little for whole images (docker: --shm-size=512m)"
        return [LogInfo(msg=f"{text}; Fast DDS keeps its default transports")]
    if os.environ.get("ROS_DISTRO") not in ("humble", "jazzy"):  # Fast DDS 2; Fast DDS 3 warns about the old name
        names.pop()
    return [SetEnvironmentVariable(name, str(profile)) for name in names]


def check_says_something(params_file: Path, namespace: str) -> None:
    """Look whether a parameter file has a section for the node, which would otherwise start with its defaults.

    Raises:
        ValueError: it has none, or ROS would refuse the file; the text names the keys found and expected.
    """
    from trust_seg_ros.node.params_file import check_for_node  # without ROS and torch

    inner = namespace.strip("/")
    check_for_node(params_file, f"/{inner}/{NAME}" if inner else f"/{NAME}")


def what_is_needed(context: LaunchContext) -> list[Action]:
    """Look for every program before one is started: a failing launch leaves running what it has started.

    Raises:
        FileNotFoundError: one is missing; the text says which, and what to do.
    """
    look_for(context, "trust_seg_ros", "trust_seg_node", "build and source the workspace")
    if argument(context, "rviz").lower() == "true":
        look_for(context, "rviz2", "rviz2", "install rviz2, or leave it out with rviz:=false")
    return []


def look_for(context: LaunchContext, package: str, executable: str, way_out: str) -> None:
    """Look for a program.

    Raises:
        FileNotFoundError: it is missing; the text ends with the way out.
    """
    try:
        ExecutableInPackage(executable=executable, package=package).perform(context)
    except (LookupError, SubstitutionFailure) as error:
        raise FileNotFoundError(f"{executable} of package {package} is not there ({error}); {way_out}") from error


def parameters_for(context: LaunchContext, namespaces: list[str]) -> list[str | dict[str, object]]:
    """The parameters of nodes in these namespaces: the file's, then those given as arguments; empty ones are left out.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or says nothing to one of the nodes.
    """
    parameters: list[str | dict[str, object]] = []
    if params_file := argument(context, "params_file"):
        if not Path(params_file).expanduser().is_file():
            raise FileNotFoundError(f"params_file:={params_file} does not exist; expected a YAML file of parameters")
        for namespace in namespaces:
            check_says_something(Path(params_file).expanduser(), namespace)
        parameters.append(str(Path(params_file).expanduser()))
    given = {name: argument(context, name) for name in ("model", "input") if argument(context, name)}
    values = {name: ParameterValue(value, value_type=str) for name, value in given.items()} | flags(context, FLAGS)
    if values:  # they override the file, so only arguments that are given may be here
        parameters.append(values)
    return parameters


def segmentation_node(context: LaunchContext) -> list[Action]:
    """The action that starts the node, with the given arguments."""
    image = argument(context, "image")
    return [
        Node(
            package="trust_seg_ros",
            executable="trust_seg_node",
            name=NAME,
            namespace=argument(context, "namespace"),
            parameters=parameters_for(context, [argument(context, "namespace")]),
            remappings=[("~/image", image)] if image else [],
            arguments=["--ros-args", "--log-level", argument(context, "log_level")],
            output="screen",
            emulate_tty=True,
        )
    ]


def viewer(context: LaunchContext) -> list[Action]:
    """RViz with the shipped layout, whose topics are remapped into the namespace."""
    namespace = argument(context, "namespace").strip("/")
    here = f"/{namespace}" if namespace else ""
    image = argument(context, "image") or f"{NAME}/image"
    shown = image if image.startswith("/") else f"{here}/{image}"
    remappings = [("/image_raw", shown), ("/camera_info", f"{shown.rpartition('/')[0]}/camera_info")]
    remappings += [(f"/{NAME}/{topic}", f"{here}/{NAME}/{topic}") for topic in SHOWN_IN_RVIZ]
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name=f"{NAME}_rviz",
            namespace=namespace,
            arguments=["-d", str(CONFIG / "trust_seg.rviz")],
            parameters=[values] if (values := flags(context, ("use_sim_time",))) else [],
            remappings=[rule for rule in remappings if rule[0] != rule[1]],
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Entry point for `ros2 launch`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node, e.g. front"),
            DeclareLaunchArgument(
                "image",
                default_value="image_raw",
                description="image topic; relative names lie in the namespace; empty: ~/image",
            ),
            DeclareLaunchArgument(
                "input", default_value="", description="type of the image topic, the node's parameter `input`"
            ),
            DeclareLaunchArgument("model", default_value="", description="network, the node's parameter `model`"),
            DeclareLaunchArgument("params_file", default_value="", description="YAML file of the node's parameters"),
            DeclareLaunchArgument(
                "use_sim_time", default_value="", choices=["", *BOOLEAN], description="true: take the time from /clock"
            ),
            DeclareLaunchArgument("rviz", default_value="false", choices=BOOLEAN, description="also open RViz"),
            DeclareLaunchArgument(
                "autostart",
                default_value="",
                choices=["", *BOOLEAN],
                description="true (the default): configure and activate at once; false: wait for lifecycle transitions",
            ),
            DeclareLaunchArgument(
                "log_level", default_value="info", choices=["debug", "info", "warn", "error", "fatal"]
            ),
            OpaqueFunction(function=what_is_needed),
            OpaqueFunction(function=shared_memory_for_images),
            OpaqueFunction(function=segmentation_node),
            OpaqueFunction(function=viewer, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )
