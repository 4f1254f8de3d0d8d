"""Checks of ROS 2 on this machine: the distribution, its messages, the middleware, and Fast DDS's profile."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.check.findings import Finding, failed, ok, warning
from trust_seg_ros.support.paths import config_file

MESSAGES = ("sensor_msgs", "vision_msgs", "diagnostic_msgs", "lifecycle_msgs", "visualization_msgs")
TESTED = "rmw_fastrtps_cpp"
PROFILE = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Its name from Fast DDS 3 on, and before (Humble, Jazzy)."""
_ROOM = 4 * 64 << 20


def has_rclpy() -> bool:
    """Whether ROS 2's Python is to be found."""
    return importlib.util.find_spec("rclpy") is not None


def distribution(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """ROS 2 itself, and the messages that the node needs."""
    if not has_rclpy():
        distros = sorted(path.name for path in Path("/opt/ros").glob("*") if (path / "setup.bash").is_file())
        way_out = f"source /opt/ros/{distros[-1]}/setup.bash" if distros else "install ROS 2, or work without the node"
        yield warning("ROS 2", "no rclpy: demo, play and the node will not work, everything else does", way_out)
        return
    distro = environment.get("ROS_DISTRO", "")
    yield ok("ROS 2", distro or "rclpy from Python packages, no distribution is sourced")
    missing = [name for name in MESSAGES if importlib.util.find_spec(name) is None]
    if missing:
        packages = " ".join(f"ros-{distro or 'DISTRO'}-{name.replace('_', '-')}" for name in missing)
        way_out = f"sudo apt install {packages}, then source the workspace again"
        yield failed("messages", f"missing: {', '.join(missing)}", way_out)
    else:
        yield ok("messages", ", ".join(MESSAGES))


def middleware() -> Finding:
    """The RMW in use."""
    try:
        from rclpy.utilities import get_rmw_implementation_identifier

        name = str(get_rmw_implementation_identifier())
    except Exception as error:  # rclpy raises what its C library says
        asked = os.environ.get("RMW_IMPLEMENTATION", "the default one")
        way_out = f"install {asked}, or unset RMW_IMPLEMENTATION"
        return failed("RMW", f"{asked} cannot be loaded: {' '.join(str(error).split())}", way_out)
    if name == TESTED:
        return ok("RMW", name)
    way_out = f"if images get lost: export RMW_IMPLEMENTATION={TESTED} for the camera and the node"
    return warning("RMW", f"{name}; the tests run with {TESTED}", way_out)


def profile(
    rmw: str, environment: Mapping[str, str] = os.environ, shared_memory: Path = Path("/dev/shm")
) -> Iterator[Finding]:
    """Fast DDS's profile for large images, and the room that it needs.

    Args:
        rmw: name of the middleware.
        environment: variables of this shell.
        shared_memory: folder of shared memory.
    """
    if "fastrtps" not in rmw:
        yield Finding("Fast DDS profile", "skipped", f"{rmw or 'no middleware'} has no such profile")
        return
    old = environment.get("ROS_DISTRO") in ("humble", "jazzy")
    named = next(((name, environment[name]) for name in PROFILE if environment.get(name)), None)
    if named is None:
        try:
            ours = str(config_file("fastdds_shm.xml"))
        except TrustSegError as error:
            ours = f"config/fastdds_shm.xml ({error})"
        way_out = f"export {PROFILE[old]}={ours} before the camera driver and the node; demo and launch files set it"
        yield warning("Fast DDS profile", "none: large images go over UDP in pieces, and get lost", way_out)
    elif not Path(named[1]).is_file():
        yield failed("Fast DDS profile", f"{named[0]}={named[1]}: no such file", f"correct or unset {named[0]}")
    elif old and not environment.get(PROFILE[1]):
        way_out = f"export {PROFILE[1]}={named[1]}"
        yield warning("Fast DDS profile", f"{named[0]} is not read by {environment['ROS_DISTRO']}", way_out)
    else:
        yield ok("Fast DDS profile", f"{named[0]}={named[1]}")
    free = shutil.disk_usage(shared_memory).free if shared_memory.is_dir() else 0
    if free < _ROOM:
        way_out = "docker run --shm-size=512m, or --ipc=host to share it with the camera's container"
        yield warning("shared memory", f"{shared_memory} has {free >> 20} MB free, 256 are needed", way_out)
    else:
        yield ok("shared memory", f"{shared_memory} has {free >> 20} MB free")
