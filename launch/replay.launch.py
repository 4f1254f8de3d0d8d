"""Play a bag through one trust_seg node: `ros2 launch trust_seg_ros replay.launch.py bag:=bags/town`.

Node and RViz follow the recording's clock and start first. Playing begins when the node is active, so that it gets the
first frame; everything ends a moment after the recording, or with the node.
"""

import math
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

ONE_NODE = str(Path(__file__).resolve().parent / "trust_seg.launch.py")
NAME, EXECUTABLE = "trust_seg", "trust_seg_node"
INPUT_OF = {"sensor_msgs/msg/Image": "raw", "sensor_msgs/msg/CompressedImage": "compressed"}
PACKAGES = "share/ament_index/resource_index/packages"  # a file for each installed package, below each prefix
CLOCK_HZ = "40"
LAST_RESULTS_S = 3.0  # from the end of the recording to the end of everything
BOOLEAN = ["true", "false", "True", "False"]
PASSED_ON = {"model": "", "params_file": "", "namespace": "", "rviz": "true", "log_level": "info"}


def argument(context: LaunchContext, name: str) -> str:
    """Value of a launch argument, without surrounding blanks."""
    return LaunchConfiguration(name).perform(context).strip()


def number(name: str, text: str, least: float, above: bool = False) -> str:
    """``text``, if it is a number of at least (or ``above``) ``least``; "" stays "".

    Raises:
        ValueError: it is not.
    """
    if not text:
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least or (above and value == least):
        raise ValueError(f"{name}:={text}; expected a number {'above' if above else 'of at least'} {least:g}")
    return text


def recorded_topics(bag: Path) -> dict[str, str]:
    """All topics of a rosbag2 folder, topic -> type; empty for a storage file, which has no metadata beside it.

    Raises:
        FileNotFoundError: there is no such bag, or a folder without metadata.yaml.
        ValueError: metadata.yaml is not what rosbag2 writes.
    """
    if not bag.exists():
        raise FileNotFoundError(f"bag:={bag} does not exist; expected a rosbag2 folder or storage file")
    if bag.is_file():
        return {}
    metadata = bag / "metadata.yaml"
    if not metadata.is_file():
        raise FileNotFoundError(f"{bag} has no metadata.yaml; make it with: ros2 bag reindex {shlex.quote(str(bag))}")
    try:
        content: Any = yaml.safe_load(metadata.read_text("utf-8"))
        listed = content["rosbag2_bagfile_information"]["topics_with_message_count"] or []
        return {topic["topic_metadata"]["name"]: topic["topic_metadata"]["type"] for topic in listed}
    except Exception as error:  # damaged YAML leads to anything
        text = f"{metadata} is not what rosbag2 writes ({type(error).__name__}: {error})"
        raise ValueError(f"{text}; make it anew with: ros2 bag reindex {shlex.quote(str(bag))}") from error


def image_topic(topics: dict[str, str], wanted: str, bag: Path) -> tuple[str, str]:
    """The image topic, and the node's ``input`` for it ("" if the bag has no metadata).

    Raises:
        ValueError: no such topic, a topic of another type, or no name given and not exactly one image topic; the text
            lists the topics.
    """
    present = ", ".join(f"{name} ({kind})" for name, kind in sorted(topics.items())) or "none"
    if wanted and not topics:  # a storage file without metadata
        return absolute(wanted), ""
    if wanted:
        kind = topics.get(absolute(wanted))
        if kind not in INPUT_OF:
            why = "is not in" if kind is None else f"holds {kind} in"
            raise ValueError(f"image:={wanted} {why} {bag}, expected a topic of images; its topics: {present}")
        return absolute(wanted), INPUT_OF[kind]
    # recorded outputs of a node of this package are not camera images
    images = [name for name, kind in topics.items() if kind in INPUT_OF and not is_output(name)]
    if len(images) != 1:
        count = f"{len(images)} topics" if images else "no topic"
        raise ValueError(f"{bag} has {count} of images; name one with image:=; its topics: {present}")
    return images[0], INPUT_OF[topics[images[0]]]


def is_output(topic: str) -> bool:
    """Whether a topic is an output of a node of this package; its input ``image`` is not."""
    return f"/{NAME}/" in topic and not topic.endswith(f"/{NAME}/image")


def absolute(topic: str) -> str:
    """The topic's name with a leading slash, as in bags."""
    return topic if topic.startswith("/") else f"/{topic}"


def node_name(namespace: str) -> str:
    """Fully qualified name of the node."""
    inner = namespace.strip("/")
    return f"/{inner}/{NAME}" if inner else f"/{NAME}"


def play_command(bag: Path, loop: bool = False, only: tuple[str, ...] = (), **options: str) -> list[str]:
    """The command that plays a bag and its clock.

    Args:
        bag: the bag.
        loop: start again at the end.
        only: topics to play; all when empty.
        options: further options of ``ros2 bag play``, with _ for -; empty ones are left out.
    """
    command = ["ros2", "bag", "play", str(bag), "--clock", CLOCK_HZ, *(["--loop"] if loop else [])]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value] if value else []
    return [*command, "--topics", *only] if only else command


def worth_playing(topics: dict[str, str], image: str, node: str) -> tuple[str, ...]:
    """The topics of a bag except its clock and outputs of an earlier run of the node; () if there are none of these."""
    judged = [name for name in topics if name.startswith(f"{node}/") and name != image]
    left_out = {"/clock", *judged, *(["/diagnostics"] if judged else [])}
    rest = tuple(name for name in topics if name not in left_out)
    return rest if len(rest) < len(topics) else ()


def waiting_for(node: str) -> list[str]:
    """The command that ends when the node is active; a bag played before that loses its first seconds."""
    look = f"ros2 lifecycle get {shlex.quote(node)} 2>/dev/null | grep -q '^active'"
    return ["sh", "-c", f"until {look}; do sleep 0.2; done"]


def what_is_needed(_: LaunchContext) -> list[Action]:
    """Look for the parts of the ros2 command before anything is started; a failing launch leaves that running.

    Raises:
        FileNotFoundError: one is missing; the text says which, and what to do.
    """
    if shutil.which("ros2") is None:
        raise FileNotFoundError("the command ros2 is not on PATH; source a ROS 2 distribution with ros2cli")
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    uses = {"ros2bag": "`ros2 bag` plays the recording", "ros2lifecycle": "`ros2 lifecycle` waits for the node"}
    for package, use in uses.items():
        if not any((prefix / PACKAGES / package).is_file() for prefix in prefixes):
            raise FileNotFoundError(f"package {package} is not installed: {use}; install it (ros-DISTRO-{package})")
    return []


def replay(context: LaunchContext) -> list[Action]:
    """Start node and RViz, then play the bag."""
    bag = Path(argument(context, "bag")).expanduser()
    topics = recorded_topics(bag)
    image, kind = image_topic(topics, argument(context, "image"), bag)
    node = node_name(argument(context, "namespace"))
    qos = argument(context, "qos_overrides")
    if qos and not Path(qos).expanduser().is_file():
        raise FileNotFoundError(f"qos_overrides:={qos} does not exist; expected a YAML file, as for ros2 bag play")
    command = play_command(
        bag,
        argument(context, "loop").lower() == "true",
        worth_playing(topics, image, node),
        rate=number("rate", argument(context, "rate"), 0, above=True),
        start_offset=number("start", argument(context, "start"), 0),
        playback_duration=number("duration", argument(context, "duration"), 0, above=True),
        qos_profile_overrides_path=str(Path(qos).expanduser()) if qos else "",
    )
    playing = ExecuteProcess(cmd=command, output="screen", on_exit=last_results)
    waiting = ExecuteProcess(cmd=waiting_for(node), output="screen")
    shared = {name: argument(context, name) for name in PASSED_ON}
    given = shared | {"image": image, "input": kind, "use_sim_time": "true", "autostart": ""}
    return [
        RegisterEventHandler(OnProcessExit(on_exit=end_with_node)),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(ONE_NODE), launch_arguments=given.items()),
        RegisterEventHandler(OnProcessExit(target_action=waiting, on_exit=playing_after(playing))),
        waiting,
    ]


def last_results(event: Any, context: LaunchContext) -> list[Action]:
    """Shut down once the last results are out; do nothing if Ctrl-C already shuts everything down."""
    if context.is_shutdown:
        return []
    how = "has been played" if event.returncode == 0 else f"could not be played (exit code {event.returncode})"
    return [TimerAction(period=LAST_RESULTS_S, actions=[Shutdown(reason=f"the recording {how}")])]


def playing_after(playing: Action) -> Any:
    """The handler for the end of waiting: play if the node became active, not if waiting was interrupted."""
    return lambda event, _: [playing] if event.returncode == 0 else []


def end_with_node(event: Any, _: LaunchContext) -> list[Action]:
    """Shut everything down if the process that ended was the node."""
    ended = any(Path(word).name == EXECUTABLE for word in event.cmd[:1])
    return [Shutdown(reason=f"the node ended with {event.returncode}")] if ended else []


def generate_launch_description() -> LaunchDescription:
    """Entry point for `ros2 launch`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="rosbag2 folder, or one of its storage files"),
            DeclareLaunchArgument(
                "image", default_value="", description="image topic in the bag; empty: its only image topic"
            ),
            DeclareLaunchArgument("rate", default_value="1.0", description="playback speed as a factor, above 0"),
            DeclareLaunchArgument("start", default_value="", description="seconds of the recording to skip"),
            DeclareLaunchArgument(
                "duration", default_value="", description="seconds of the recording to play; empty: to its end"
            ),
            DeclareLaunchArgument("loop", default_value="false", choices=BOOLEAN, description="start again at the end"),
            DeclareLaunchArgument(
                "qos_overrides", default_value="", description="YAML file of QoS overrides for ros2 bag play"
            ),
            *(
                DeclareLaunchArgument(name, default_value=value, description="as in trust_seg.launch.py")
                for name, value in PASSED_ON.items()
            ),
            OpaqueFunction(function=what_is_needed),
            OpaqueFunction(function=replay),
        ]
    )
