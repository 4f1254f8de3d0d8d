"""One trust_seg node for Autoware: `ros2 launch trust_seg_ros autoware.launch.py camera:=camera0`.

Reads the camera and writes hazards and the caution map under Autoware's names. Nothing takes the place of a topic of
Autoware's own unless it is asked for, as by hazards:=/perception/obstacle_segmentation/pointcloud without a lidar.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SENSOR = "/sensing/camera/{camera}"
INPUTS = {"image": f"{SENSOR}/image_raw", "camera_info": f"{SENSOR}/camera_info"}
OUTPUTS = {
    "hazards": "/perception/obstacle_segmentation/trust_seg/pointcloud",
    "caution": "/perception/occupancy_grid_map/trust_seg/map",
}
BOOLEAN = ["true", "false"]


def argument(context: LaunchContext, name: str) -> str:
    """Value of a launch argument, without surrounding blanks."""
    return LaunchConfiguration(name).perform(context).strip()


def node(context: LaunchContext) -> list[Action]:
    """The node; its name stays trust_seg, which the leaves of config/autoware/diagnostic_graph.yaml name.

    Raises:
        FileNotFoundError: params_file does not exist.
    """
    camera = argument(context, "camera")
    topics = {name: argument(context, name) or default.format(camera=camera) for name, default in INPUTS.items()}
    topics |= {name: argument(context, name) for name in OUTPUTS}
    ours = {
        "use_sim_time": argument(context, "use_sim_time") == "true",
        "caution": "on",
        "caution.base_frame": argument(context, "base_frame"),
        "caution.fixed_frame": argument(context, "fixed_frame"),
    }
    files = []
    if given := argument(context, "params_file"):
        if not Path(given).expanduser().is_file():
            raise FileNotFoundError(f"params_file:={given} does not exist; expected a YAML file of parameters")
        files.append(str(Path(given).expanduser()))
    return [
        Node(
            package="trust_seg_ros",
            executable="trust_seg_node",
            name="trust_seg",
            parameters=[ours, *files],  # the file wins
            remappings=[(f"~/{name}", topic) for name, topic in topics.items()],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Entry point for `ros2 launch`."""
    outputs = [
        DeclareLaunchArgument(name, default_value=topic, description=f"topic of ~/{name}")
        for name, topic in OUTPUTS.items()
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument("camera", default_value="camera0", description="its name below /sensing/camera"),
            DeclareLaunchArgument("image", default_value="", description="topic of the images; empty: the camera's"),
            DeclareLaunchArgument("camera_info", default_value="", description="the same of their CameraInfo"),
            *outputs,
            DeclareLaunchArgument("base_frame", default_value="base_link", description="tf frame of the vehicle"),
            DeclareLaunchArgument("fixed_frame", default_value="map", description="tf frame that stands still"),
            DeclareLaunchArgument("params_file", default_value="", description="YAML file of trust_seg's parameters"),
            DeclareLaunchArgument("use_sim_time", default_value="false", choices=BOOLEAN),
            OpaqueFunction(function=node),
        ]
    )
