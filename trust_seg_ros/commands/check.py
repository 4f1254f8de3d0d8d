"""``trust-seg check``: looks at this machine, its ROS 2 and a camera, or at one network, and says what to do."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console
from trust_seg_ros.commands.data_options import add_network_arguments, network_settings
from trust_seg_ros.commands.outcome import record

if TYPE_CHECKING:
    from trust_seg_ros.node.check.findings import Finding

EPILOG = """examples:
  trust-seg check                                  this machine, and a camera on /camera/image
  trust-seg check --topic /front/image_raw         another camera
  trust-seg check --no-camera --json               for a script: exit status 1 if something does not work
  trust-seg check net.onnx --labels mine.yaml      a network: classes, scores, and how fast each library runs it
  trust-seg check /models/segformer --image street.jpg

Every line has a state (ok, warning, failed, skipped), what was found, and what to do. It works without ROS, too.
With NETWORK only that is looked at: it is loaded by every library that is installed, their answers to one image are
compared (classes, maps, every score), and a frame of each is timed, in turns. docs/networks.md.
"""
STOPPED = "nothing was changed"
_STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    network = parser.add_argument(
        "network", nargs="?", metavar="NETWORK", help="look at this network, named as in --model, and at nothing else"
    )
    given.expects(network, given.network)
    parser.add_argument("--topic", default="/camera/image", help="the camera's topic (default: %(default)s)")
    parser.add_argument("--no-camera", dest="camera", action="store_false", help="look for no camera")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=5.0,
        metavar="S",
        help="seconds to wait for the topic, and then for a frame (default: %(default)s)",
    )
    image = parser.add_argument(
        "--image", type=Path, metavar="FILE", help="image that NETWORK is shown (default: a made-up scene)"
    )
    given.expects(image, given.file_of("image file", "expected a JPEG or PNG"))
    calibration = parser.add_argument(
        "--calibration",
        default="auto",
        metavar="FILE",
        help="calibration of NETWORK, which some scores need: auto (the shipped one), none, or a file (default: auto)",
    )
    given.expects(calibration, given.calibration)
    add_network_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check; returns the exit status: 1 if something does not work."""
    from rich.markup import escape

    console = command_console(160)
    found: list[Finding] = []
    for finding in findings(args) if args.network is None else _of_network(args):
        found.append(finding)
        mark = f"[{_STYLES[finding.state]}]{finding.state:<7}[/]"
        console.print(f"{mark} {finding.name}: {escape(finding.found)}", highlight=False, soft_wrap=True)
        if finding.way_out:
            console.print(f"        → {escape(finding.way_out)}", highlight=False, soft_wrap=True)
    bad = [finding.name for finding in found if finding.state == "failed"]
    unsure = [finding.name for finding in found if finding.state == "warning"]
    record(args, findings=[asdict(finding) for finding in found], failed=bad, warnings=unsure)
    console.print(_verdict(bad, unsure), highlight=False)
    return 1 if bad else 0


def findings(args: argparse.Namespace) -> Iterator[Finding]:
    """Every line, as soon as it is known."""
    from trust_seg_ros.node.check import ros
    from trust_seg_ros.node.check.findings import skipped
    from trust_seg_ros.node.check.machine import of_machine

    for check in of_machine(network_settings(args)):
        yield from check()
    yield from ros.distribution()
    names = ("topic", "QoS", "first frame") if args.camera else ()
    if not ros.has_rclpy():
        yield from (skipped(name, "needs ROS 2") for name in ("RMW", "Fast DDS profile", *names))
        return
    rmw = ros.middleware()
    yield rmw
    yield from ros.profile("" if rmw.state == "failed" else rmw.found)
    if rmw.state == "failed":
        yield from (skipped(name, "needs a middleware") for name in names)
    elif args.camera:
        from trust_seg_ros.node.check.camera import of_camera

        yield from of_camera(args.topic, args.wait)


def _of_network(args: argparse.Namespace) -> Iterator[Finding]:
    from trust_seg_ros.commands.check_network import of_network
    from trust_seg_ros.datasets.image_files import read_image

    image = None if args.image is None else read_image(args.image.expanduser())
    return of_network(replace(network_settings(args), model=args.network), image, args.calibration)


def _verdict(bad: list[str], unsure: list[str]) -> str:
    if bad:
        return f"does not work: {', '.join(bad)}"
    return f"works; look at {', '.join(unsure)}" if unsure else "all is well"


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text!r}; expected seconds, 0 to 3600")
    return value
