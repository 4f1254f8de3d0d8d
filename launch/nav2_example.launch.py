"""Nav2 with what trust_seg knows: costs on the ground, stops before hazards, a speed by the trust state.

`ros2 launch trust_seg_ros nav2_example.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info`
starts trust_seg, trust_seg_speed_limit and Nav2's servers. Nav2's parameters are those of nav2_params with the sections
of config/nav2 over them; the file that is made of them is named in the log.
"""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

# share/trust_seg_ros/config when installed, config/ in a checkout
CONFIG = Path(__file__).resolve().parents[1] / "config" / "nav2"
COSTMAPS = {"caution": ["caution_costmap.yaml"], "semantic": ["semantic_layer.yaml"], "none": []}
BOOLEAN = ["true", "false"]


def argument(context: LaunchContext, name: str) -> str:
    """Value of a launch argument, without surrounding blanks."""
    return LaunchConfiguration(name).perform(context).strip()


def merged(base: Any, over: Any) -> Any:
    """A parameter file with another one over it: maps are merged, everything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merged(base[key], value) if key in base else value for key, value in over.items()}


def nav2_file(context: LaunchContext) -> Path:
    """Nav2's own parameter file.

    Raises:
        FileNotFoundError: it does not exist; the text says what to do.
    """
    if given := argument(context, "nav2_params"):
        path = Path(given).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"nav2_params:={given} does not exist; expected Nav2's YAML file of parameters")
        return path
    return share_of_nav2() / "params" / "nav2_params.yaml"


def share_of_nav2() -> Path:
    """The folder of nav2_bringup.

    Raises:
        FileNotFoundError: it is not installed; the text says what to do.
    """
    try:
        return Path(get_package_share_directory("nav2_bringup"))
    except PackageNotFoundError as error:
        raise FileNotFoundError(
            "nav2_bringup is not installed; sudo apt install ros-$ROS_DISTRO-nav2-bringup, or start Nav2 yourself and "
            "give nav2:=false"
        ) from error


def nav2(context: LaunchContext) -> list[Action]:
    """Nav2's servers, with the sections of config/nav2 over the given parameters."""
    if argument(context, "nav2") == "false":
        return []
    parameters = yaml.safe_load(nav2_file(context).read_text("utf-8"))
    for name in [*COSTMAPS[argument(context, "costmap")], "collision_monitor.yaml"]:
        parameters = merged(parameters, yaml.safe_load((CONFIG / name).read_text("utf-8")))
    made = Path(tempfile.mkdtemp(prefix="trust_seg_nav2_")) / "nav2_params.yaml"
    made.write_text(yaml.safe_dump(parameters, sort_keys=False), "utf-8")
    servers = share_of_nav2() / "launch" / "navigation_launch.py"
    given = {"params_file": str(made), "use_sim_time": argument(context, "use_sim_time")}
    return [
        LogInfo(msg=f"Nav2's parameters, with those of trust_seg: {made}"),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(servers)), launch_arguments=given.items()),
    ]


def our_nodes(context: LaunchContext) -> list[Action]:
    """trust_seg, and the process that turns its state into a speed limit."""
    clock = {"use_sim_time": argument(context, "use_sim_time") == "true"}
    ours = clock | {
        "caution": "on" if argument(context, "costmap") != "semantic" else "off",
        "caution.base_frame": argument(context, "base_frame"),
        "caution.fixed_frame": argument(context, "fixed_frame"),
        "output_size": argument(context, "output_size"),
    }
    files = [argument(context, "params_file")] if argument(context, "params_file") else []
    remapped = {"~/image": argument(context, "image"), "~/camera_info": argument(context, "camera_info")}
    rules = [(name, topic) for name, topic in remapped.items() if topic]
    trust_seg = Node(
        package="trust_seg_ros",
        executable="trust_seg_node",
        name="trust_seg",
        parameters=[ours, *files],  # the file wins
        remappings=rules,
        output="screen",
    )
    limit = Node(
        package="trust_seg_ros",
        executable="trust_seg_speed_limit",
        name="trust_seg_speed_limit",
        parameters=[str(CONFIG / "speed_limit.yaml"), clock | {"base_frame": argument(context, "base_frame")}],
        output="screen",
    )
    return [trust_seg, limit]


def generate_launch_description() -> LaunchDescription:
    """Entry point for `ros2 launch`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("image", default_value="/camera/image_raw", description="topic of the images"),
            DeclareLaunchArgument(
                "camera_info", default_value="/camera/camera_info", description="topic of their CameraInfo"
            ),
            DeclareLaunchArgument("base_frame", default_value="base_link", description="tf frame of the vehicle"),
            DeclareLaunchArgument("fixed_frame", default_value="odom", description="tf frame that stands still"),
            DeclareLaunchArgument(
                "costmap",
                default_value="caution",
                choices=list(COSTMAPS),
                description="local costmap from the caution map, from the semantic layer with a depth camera, or none",
            ),
            DeclareLaunchArgument(
                "output_size", default_value="image", description="size of the masks; that of the cloud for semantic"
            ),
            DeclareLaunchArgument("params_file", default_value="", description="YAML file of trust_seg's parameters"),
            DeclareLaunchArgument("nav2", default_value="true", choices=BOOLEAN, description="also start Nav2"),
            DeclareLaunchArgument("nav2_params", default_value="", description="Nav2's parameters; empty: its own"),
            DeclareLaunchArgument("use_sim_time", default_value="false", choices=BOOLEAN),
            OpaqueFunction(function=nav2),  # first: what is missing is found before anything runs
            OpaqueFunction(function=our_nodes),
        ]
    )
