"""``trust-seg version``: versions of this package and of its dependencies."""

from __future__ import annotations

import argparse
import os
import platform

from trust_seg_ros.commands.outcome import record
from trust_seg_ros.version import NOT_INSTALLED, installed_version

_STANDS_ON = ("torch", "numpy", "numba", "opencv-python-headless", "rclpy", "rosbags", "transformers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand: none."""


def run(args: argparse.Namespace) -> int:
    """Print the versions; returns the exit status."""
    packages = {name: installed_version(name) for name in _STANDS_ON}
    found = {"trust_seg_ros": installed_version(), "python": platform.python_version(), "machine": platform.machine()}
    distro = os.environ.get("ROS_DISTRO")
    print(f"trust_seg_ros {found['trust_seg_ros']}")
    print(f"python {found['python']} on {found['machine']}")
    print(f"ROS_DISTRO {distro or 'not set'}")
    for name, version in packages.items():
        print(f"{name} {version}")
    there = {name: None if version == NOT_INSTALLED else version for name, version in packages.items()}
    record(args, **found, ros_distro=distro, packages=there)
    return 0
