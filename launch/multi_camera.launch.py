"""Start one trust_seg node per camera, each in its own namespace.

`ros2 launch trust_seg_ros multi_camera.launch.py cameras:="front=/front/image_raw rear=/rear/image_raw"`
A camera is `namespace=topic`, or a namespace alone, whose images are on `<namespace>/image_raw`.
"""

import re
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

ONE_CAMERA = str(Path(__file__).resolve().parent / "trust_seg.launch.py")
PASSED_ON = {"input": "", "model": "", "params_file": "", "use_sim_time": "", "autostart": ""}
NAMESPACE = re.compile(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*")


def parse_cameras(text: str) -> dict[str, str]:
    """Namespace -> image topic.

    Raises:
        ValueError: no camera, an invalid namespace, an empty topic, or a namespace given twice.
    """
    cameras: dict[str, str] = {}
    for entry in text.replace(",", " ").split():
        name, equals, topic = entry.partition("=")
        if not NAMESPACE.fullmatch(name):
            raise ValueError(f"cameras: {entry!r} is not `namespace` or `namespace=topic` (letters, digits, _ and /)")
        if equals and not topic:
            raise ValueError(f"cameras: {entry!r} names no topic; leave out the = for {name}/image_raw")
        if name in cameras:
            raise ValueError(f"cameras: {name!r} is given twice; each camera needs a namespace of its own")
        cameras[name] = topic or "image_raw"
    if not cameras:
        raise ValueError('cameras: none given; expected e.g. cameras:="front=/front/image_raw rear=/rear/image_raw"')
    return cameras


def one_node_each(context: LaunchContext) -> list[Action]:
    """Include the launch file of one camera for each camera; a group keeps its arguments separate."""
    cameras = parse_cameras(LaunchConfiguration("cameras").perform(context))
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
        for name, topic in cameras.items()
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
            OpaqueFunction(function=one_node_each),
        ]
    )
