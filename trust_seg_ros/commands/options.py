"""Options that several subcommands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.section import Section

if TYPE_CHECKING:  # importing it would make every --help wait for torch
    from trust_seg_ros.recordings.sources import FrameSource


def image_size(text: str) -> tuple[int, int]:
    """``640x384`` (width x height) as (height, width)."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) > 0 and int(height) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected WIDTHxHEIGHT, for example 640x384")
    return int(height), int(width)


def add_parameter_options(group: argparse._ActionsContainer) -> None:
    """--params-file and -p, the node's parameters; ``args.params_file`` and ``args.parameters``."""
    file = group.add_argument(
        "--params-file", type=Path, metavar="YAML", help="parameters of the node, as for ros2 run"
    )
    given.expects(file, given.params_file)
    single = group.add_argument(
        "-p",
        "--param",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME:=VALUE",
        help="one parameter of the node; may be given several times",
    )
    given.expects(single, given.parameter)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Options of a source: which part of it, how fast, how large."""
    parser.add_argument("--size", type=image_size, metavar="WxH", help="size of the frames (default: the source's own)")
    parser.add_argument(
        "--rate", type=float, metavar="HZ",
        help="frames per second, evenly spaced (default: paced by the recording's stamps)",
    )  # fmt: skip
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="FACTOR",
        help="playback speed, above 0: 0.5 is half, 2 is double speed; gaps in the recording are kept, unless --rate "
        "evens them out (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="seconds of the recording to skip (default: %(default)s)"
    )
    parser.add_argument(
        "--duration", type=float, metavar="S", help="seconds of the recording to play (default: to its end)"
    )
    parser.add_argument("--bag-topic", metavar="TOPIC", help="image topic of a bag (default: the first)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic drive (default: %(default)s)")
    parser.add_argument("--weather", help="weather of the synthetic drive, e.g. clear (default: drawn from the seed)")
    parser.add_argument(
        "--number-rate", type=float, metavar="HZ", help="numbers in file names count frames at this rate (CamVid: 30)"
    )


def source_of(
    args: argparse.Namespace, loop: bool, jump: bool = False, refusals: Refusals | None = None
) -> FrameSource:
    """The source given by these options, see :func:`open_source`; raises SourceError, also for a wrong speed."""
    from trust_seg_ros.recordings.sources import check_speed, open_source

    source = open_source(
        args.source,
        size=args.size,
        rate=args.rate,
        loop=loop,
        topic=args.bag_topic,
        seed=args.seed,
        weather=args.weather,
        number_rate=args.number_rate,
        section=Section(args.start, args.duration),
        jump=jump,
        refusals=refusals,
    )
    check_speed(args.speed, source)
    return source


def described(source: FrameSource, args: argparse.Namespace) -> str:
    """One line on the source: its name, which part is played, and how fast."""
    section = Section(args.start, args.duration)
    parts = [source.description]
    if not section.whole:
        parts.append(str(section))
    if args.speed != 1:
        parts.append(f"{args.speed:g} times as fast")
    return ", ".join(parts)


def source_arguments(args: argparse.Namespace) -> tuple[str, ...]:
    """The options as command-line arguments for a child process."""
    words = [str(args.source), "--seed", str(args.seed)]
    if args.size is not None:
        words += ["--size", f"{args.size[1]}x{args.size[0]}"]
    for name in ("rate", "speed", "start", "duration", "bag_topic", "weather", "number_rate"):
        if getattr(args, name) is not None:
            words += ["--" + name.replace("_", "-"), str(getattr(args, name))]
    return tuple(words)
