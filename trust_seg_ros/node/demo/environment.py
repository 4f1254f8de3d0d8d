"""Environment of the demo's processes: where ROS is, a ROS domain of its own, shared memory for large images."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trust_seg_ros.support.paths import config_file

_SEGMENT_BYTES = 64 << 20
_PARTICIPANTS = 3
_LAST_SAFE_DOMAIN = 101  # above, DDS ports overlap Linux's range for outgoing connections


@dataclass(frozen=True)
class DemoEnvironment:
    """What the demo adds to the user's environment.

    Attributes:
        variables: variables to add, name -> value; variables that the user has set are left out.
        notes: lines to show the user, e.g. why shared memory is not used.
    """

    variables: Mapping[str, str]
    notes: tuple[str, ...] = ()


def demo_environment(
    user: Mapping[str, str], shared_memory: Path = Path("/dev/shm"), prefix: str = sys.prefix
) -> DemoEnvironment:
    """Variables the demo's processes need and the user has not set.

    Args:
        user: the current environment.
        shared_memory: where the system keeps shared memory; too small (containers: 64 MB) means default transports.
        prefix: prefix of the Python environment, where pip puts ROS.
    """
    # GNU OpenMP's threads spin at barriers by default. With a camera and a demo on the same few cores each then burns
    # the time slice another waits for: a forward pass of 60 ms was seen to take seconds.
    wanted, notes = {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp", "GOMP_SPINCOUNT": "1000"}, []
    if "ROS_DOMAIN_ID" not in user:
        wanted["ROS_DOMAIN_ID"] = str(free_domain())
    if user.get("ROS_DISTRO") == "humble":  # the only supported one that predates the discovery range
        wanted["ROS_LOCALHOST_ONLY"] = "1"
    else:
        wanted["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if not user.get("AMENT_PREFIX_PATH"):
        wanted["AMENT_PREFIX_PATH"] = prefix
    if not {"FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"} & user.keys():
        free = shutil.disk_usage(shared_memory).free if shared_memory.is_dir() else 0
        if free > (_PARTICIPANTS + 1) * _SEGMENT_BYTES:
            profile = str(config_file("fastdds_shm.xml"))
            wanted["FASTDDS_DEFAULT_PROFILES_FILE"] = profile
            if user.get("ROS_DISTRO") in ("humble", "jazzy"):  # Fast DDS 2; Fast DDS 3 warns about the old name
                wanted["FASTRTPS_DEFAULT_PROFILES_FILE"] = profile
        else:
            notes.append(
                f"{shared_memory} has {free >> 20} MB free: images go over Fast DDS's default transports "
                "(docker: --shm-size=512m)"
            )
    return DemoEnvironment({k: v for k, v in wanted.items() if k == "AMENT_PREFIX_PATH" or k not in user}, tuple(notes))


def free_domain() -> int:
    """A random domain id in 1..101 that no participant of this machine uses; a used one if all are."""
    candidates = random.sample(range(1, _LAST_SAFE_DOMAIN + 1), _LAST_SAFE_DOMAIN)
    return next((domain for domain in candidates if not _in_use(domain)), candidates[0])


def _in_use(domain: int) -> bool:
    # RTPS 9.6.1.1: the first participant of a domain listens for unicast discovery on 7400 + 250 * domain + 10.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", 7400 + 250 * domain + 10))
        except OSError:
            return True
    return False


def apply(environment: DemoEnvironment) -> None:
    """Set the variables for this process and its children."""
    os.environ.update(environment.variables)
