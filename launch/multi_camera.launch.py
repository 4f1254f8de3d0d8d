"""Start one trust_seg node per camera, each in its own namespace.

`ros2 launch trust_seg_ros multi_camera.launch.py cameras:="front=/front/image_raw rear=/rear/image_raw"`
A camera is `namespace=topic`, or a namespace alone, whose images are on `<namespace>/image_raw`.
`batch:=true`: all nodes in one process, where they share one network, which answers their images in batches.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

ONE_CAMERA = str(Path(__file__).resolve().parent / "trust_seg.launch.py")
PASSED_ON = {"input": "", "model": "", "params_file": "", "use_sim_time": "", "autostart": ""}


def cameras_given(context: LaunchContext) -> dict[str, str]:
    """Namespace -> image topic.

    Raises:
        ValueError: no camera, an invalid namespace, an empty topic, or a namespace given twice.
    """
    from trust_seg_ros.node.cameras import parse_cameras  # without ROS and torch

    return parse_cameras(LaunchConfiguration("cameras").perform(context))


def nodes(context: LaunchContext) -> list[Action]:
    """What starts the cameras' nodes, in processes of their own or in one."""
    batch = LaunchConfiguration("batch").perform(context).strip().lower() == "true"
    return one_process(context) if batch else one_node_each(context)


def one_process(context: LaunchContext) -> list[Action]:
    """One process with a node for each camera, which share one network."""
    start = trust_seg_launch()
    start.look_for(context, "trust_seg_ros", "trust_seg_cameras", "build and source the workspace")
    around = LaunchConfiguration("ros_namespace", default="").perform(context)  # of a group that includes this file
    given = cameras_given(context).items()
    cameras = {name if name.startswith("/") else f"{around}/{name}".lstrip("/"): topic for name, topic in given}
    return [
        *start.shared_memory_for_images(context),
        Node(
            package="trust_seg_ros",
            executable="trust_seg_cameras",
            parameters=start.parameters_for(context, list(cameras)),
            arguments=[
                *(f"{name}={topic}" for name, topic in cameras.items()),
                *("--ros-args", "--log-level", LaunchConfiguration("log_level").perform(context)),
            ],
            output="screen",
            emulate_tty=True,
        ),
    ]


def trust_seg_launch() -> ModuleType:
    """The launch file of one camera, whose functions are used here, too."""
    specification = importlib.util.spec_from_file_location("trust_seg_launch_file", ONE_CAMERA)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def one_node_each(context: LaunchContext) -> list[Action]:
    """Include the launch file of one camera for each camera; a group keeps its arguments separate."""
    shared = {name: LaunchConfiguration(name) for name in [*PASSED_ON, "log_level"]}
    return [
        GroupAction(
            [
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource(ONE_CAMERA),
                    launch_arguments=(shared | {"namespace": name, "image": topic, "rviz": "false"}).items(),
                )
            ]
        )
        for name, topic in cameras_given(context).items()
    ]


def generate_launch_description() -> LaunchDescription:
    """Entry point for `ros2 launch`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("cameras", description="namespace=topic …, separated by blanks or commas"),
            *(
                DeclareLaunchArgument(name, default_value=value, description="as in trust_seg.launch.py")
                for name, value in PASSED_ON.items()
            ),
            DeclareLaunchArgument("log_level", default_value="info"),
            DeclareLaunchArgument(
                "batch",
                default_value="false",
                choices=["true", "false", "True", "False"],
                description="true: all cameras in one process, where they share one network",
            ),
            OpaqueFunction(function=nodes),
        ]
    )
