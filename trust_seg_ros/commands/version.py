"""``trust-seg version``: versions of this package and of its dependencies."""

from __future__ import annotations

import argparse
import os
import platform

from trust_seg_ros.version import installed_version

_STANDS_ON = ("torch", "numpy", "numba", "opencv-python-headless", "rclpy", "rosbags", "transformers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand: none."""


def run(args: argparse.Namespace) -> int:
    """Print the versions; returns the exit status."""
    print(f"trust_seg_ros {installed_version('trust_seg_ros')}")
    print(f"python {platform.python_version()} on {platform.machine()}")
    print(f"ROS_DISTRO {os.environ.get('ROS_DISTRO', 'not set')}")
    for name in _STANDS_ON:
        print(f"{name} {installed_version(name)}")
    return 0
