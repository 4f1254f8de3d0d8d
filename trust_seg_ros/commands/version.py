"""``trust-seg version``: versions of this package and of what it stands on."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version

_STANDS_ON = ("torch", "numpy", "numba", "opencv-python-headless", "rclpy", "rosbags", "transformers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand: none."""


def run(args: argparse.Namespace) -> int:
    """Print the versions; returns the exit status."""
    print(f"trust_seg_ros {_version('trust_seg_ros')}")
    print(f"python {platform.python_version()} on {platform.machine()}")
    print(f"ROS_DISTRO {os.environ.get('ROS_DISTRO', 'not set')}")
    for name in _STANDS_ON:
        print(f"{name} {_version(name)}")
    return 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
