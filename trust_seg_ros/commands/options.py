"""Options several subcommands share."""

from __future__ import annotations

import argparse

from trust_seg_ros.recordings.section import Section
from trust_seg_ros.recordings.sources import FrameSource, check_speed, open_source


def image_size(text: str) -> tuple[int, int]:
    """``640x384`` (width x height) as (height, width)."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) > 0 and int(height) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected WIDTHxHEIGHT, for example 640x384")
    return int(height), int(width)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Options that shape a source."""
    parser.add_argument("--size", type=image_size, metavar="WxH", help="size of the frames (default: the source's own)")
    parser.add_argument(
        "--rate", type=float, metavar="HZ",
        help="frames per second, evenly, whatever the recording's stamps say (default: paced by its stamps)",
    )  # fmt: skip
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="FACTOR",
        help="how many times as fast, above 0: 0.5 at half, 2 at double speed; gaps of the recording stay gaps, which "
        "--rate evens out (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="seconds of the recording to skip (default: %(default)s)"
    )
    parser.add_argument(
        "--duration", type=float, metavar="S", help="seconds of the recording to play (default: to its end)"
    )
    parser.add_argument("--bag-topic", metavar="TOPIC", help="image topic of a bag (default: the first)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic drive (default: %(default)s)")
    parser.add_argument("--weather", help="weather of the synthetic drive, e.g. clear (default: as the seed draws it)")
    parser.add_argument(
        "--number-rate", type=float, metavar="HZ", help="numbers in file names count frames at this rate (CamVid: 30)"
    )


def source_of(args: argparse.Namespace, loop: bool, jump: bool = False) -> FrameSource:
    """The source these options name, see :func:`open_source`; raises SourceError, also for the speed."""
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
    )
    check_speed(args.speed, source)
    return source


def described(source: FrameSource, args: argparse.Namespace) -> str:
    """The source, which part of it, and how fast, in one line."""
    section = Section(args.start, args.duration)
    parts = [source.description]
    if not section.whole:
        parts.append(str(section))
    if args.speed != 1:
        parts.append(f"{args.speed:g} times as fast")
    return ", ".join(parts)


def source_arguments(args: argparse.Namespace) -> tuple[str, ...]:
    """The options again as command-line words, for a child process."""
    words = [str(args.source), "--seed", str(args.seed)]
    if args.size is not None:
        words += ["--size", f"{args.size[1]}x{args.size[0]}"]
    for name in ("rate", "speed", "start", "duration", "bag_topic", "weather", "number_rate"):
        if getattr(args, name) is not None:
            words += ["--" + name.replace("_", "-"), str(getattr(args, name))]
    return tuple(words)
