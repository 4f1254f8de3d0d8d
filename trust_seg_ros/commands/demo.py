"""``trust-seg demo``: runs the node and shows its results in a terminal, a film and a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.options import (
    add_parameter_options,
    add_source_options,
    described,
    source_arguments,
    source_of,
)
from trust_seg_ros.commands.outcome import record

EPILOG = """examples:
  trust-seg demo                                       the shipped film of a motorway, 20 seconds
  trust-seg demo synthetic                    a drawn drive with unknown objects on the road
  trust-seg demo drive.mp4 --seconds 60
  trust-seg demo bags/town --bag-topic /cam0/image_raw
  trust-seg demo bags/town --start 30 --duration 5 --speed 0.5    five seconds of it, slowly, over and over
  trust-seg demo bags/town --no-loop --seconds 0                  once, to its end
  trust-seg demo /dev/video0 --seconds 0      your camera, until Ctrl-C
  trust-seg demo --param ood.threshold:=0.6 --param thresholds.unreliable:=0.4

Writes demo.mp4, demo.png (the camera with what is flagged, beside it classes and uncertainty) and the logs of node and
camera to --out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    source = parser.add_argument(
        "source",
        nargs="?",
        default=argparse.SUPPRESS,  # else it would override the former name
        metavar="SOURCE",
        help="motorway (the shipped film), synthetic (a drawn drive), a folder of images, a video, a rosbag2 folder, "
        "or /dev/videoN (default: motorway)",
    )
    given.expects(source, given.source)
    parser.add_argument("--source", default="motorway", help=argparse.SUPPRESS)
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="how long, from the first result; 0 = until Ctrl-C (default: 20)"
    )
    out = parser.add_argument("--out", type=Path, default=Path("out"), help="output folder (default: %(default)s)")
    given.expects(out, given.new_folder)
    add_source_options(parser)
    parser.set_defaults(seed=3)  # clear weather, so that the results are easy to see
    parser.add_argument(
        "--loop",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="start the source again at its end, until --seconds are over (default); --no-loop, or --once: end with it",
    )
    parser.add_argument("--once", action="store_false", dest="loop", help=argparse.SUPPRESS)
    add_parameter_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns the exit status."""
    from rich.console import Console

    from trust_seg_ros.commands.replay_parameters import replay_parameters
    from trust_seg_ros.node.demo.run import DemoError, DemoSettings, run_demo

    if args.seconds < 0:
        raise DemoError(f"--seconds is {args.seconds:g}; expected 0 (until Ctrl-C) or more")
    replay_parameters(args.params_file, args.parameters)  # what the node would not use is refused before it starts
    source = source_of(args, args.loop)  # a wrong source is found here, before anything is started
    settings = DemoSettings(
        play=source_arguments(args) + (("--loop",) if args.loop else ()),
        title=described(source, args),
        rate=source.rate * args.speed,
        seconds=args.seconds,
        out=args.out,
        params_file=args.params_file,
        parameters=tuple(args.parameters),
    )
    status, recording = run_demo(settings, Console())
    record(
        args,
        out=args.out,
        source=settings.title,
        film=recording.film,
        picture=recording.picture,
        frames=recording.frames,
        seconds=recording.seconds,
        results=status.results,
        rate=status.rate,
        latency_ms={"p50": status.p50, "p99": status.p99},
        dropped=status.drops,
    )
    return 0
