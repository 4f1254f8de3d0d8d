"""The executable ``trust_seg_cameras``: one node per camera in one process, which share one network by batches."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.main import run

if TYPE_CHECKING:
    from trust_seg_ros.node.node import TrustSegNode

_NAMESPACE = re.compile(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*")


class CameraListError(TrustSegError, ValueError):
    """A list of cameras that cannot be understood."""


def parse_cameras(text: str) -> dict[str, str]:
    """Namespace -> image topic, from ``namespace=topic`` or ``namespace`` alone, separated by blanks or commas.

    Raises:
        CameraListError: no camera, an invalid namespace, an empty topic, or a namespace given twice.
    """
    cameras: dict[str, str] = {}
    for entry in text.replace(",", " ").split():
        name, equals, topic = entry.partition("=")
        if not _NAMESPACE.fullmatch(name):
            raise CameraListError(
                f"cameras: {entry!r} is not `namespace` or `namespace=topic` (letters, digits, _ and /)"
            )
        if equals and not topic:
            raise CameraListError(f"cameras: {entry!r} names no topic; leave out the = for {name}/image_raw")
        if name.strip("/") in {other.strip("/") for other in cameras}:
            raise CameraListError(f"cameras: {name!r} is given twice; each camera needs a namespace of its own")
        cameras[name] = topic or "image_raw"
    if not cameras:
        raise CameraListError(
            'cameras: none given; expected e.g. cameras:="front=/front/image_raw rear=/rear/image_raw"'
        )
    return cameras


def main(args: Sequence[str] | None = None) -> int:
    """Run a node per camera until Ctrl-C, SIGTERM or shutdown; see :func:`trust_seg_ros.node.main.run`.

    ``trust_seg_cameras front=/front/image_raw rear [--ros-args …]``: cameras as in ``multi_camera.launch.py``.
    """
    words = list(sys.argv if args is None else args)
    return run("trust_seg_cameras", words, lambda node: make_nodes(node, words[1:]))


def make_nodes(kind: type[TrustSegNode], words: Sequence[str]) -> list[TrustSegNode]:
    """A node of this kind for each camera; parameters and log levels of the command line are for all of them.

    Raises:
        CameraListError: as ``parse_cameras``.
        ParameterError: an initial parameter value is invalid.
    """
    from rclpy.utilities import remove_ros_args

    from trust_seg_ros.segmentation.shared import SharedNetworks

    cameras = parse_cameras(" ".join(remove_ros_args(list(words))))
    networks = SharedNetworks(most=len(cameras))
    nodes = []
    for name, topic in cameras.items():
        # rules of a node's own come before those of the command line
        rules = (f"__ns:=/{name.strip('/')}", "__node:=trust_seg", f"~/image:={topic}")
        own = ["--ros-args", *(word for rule in rules for word in ("-r", rule))]
        nodes.append(kind(sharing=networks.camera(name), cli_args=own))
    return nodes


if __name__ == "__main__":
    sys.exit(main())
