"""Options several subcommands share."""

from __future__ import annotations

import argparse

from trust_seg_ros.recordings.sources import FrameSource, open_source


def image_size(text: str) -> tuple[int, int]:
    """``640x384`` (width x height) as (height, width)."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) > 0 and int(height) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected WIDTHxHEIGHT, for example 640x384")
    return int(height), int(width)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Options that shape a source."""
    parser.add_argument("--size", type=image_size, metavar="WxH", help="size of the frames (default: the source's own)")
    parser.add_argument("--rate", type=float, metavar="HZ", help="frames per second (default: the recording's own)")
    parser.add_argument("--bag-topic", metavar="TOPIC", help="image topic of a bag (default: the first)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic drive (default: %(default)s)")
    parser.add_argument("--weather", help="weather of the synthetic drive, e.g. clear (default: as the seed draws it)")
    parser.add_argument(
        "--number-rate", type=float, metavar="HZ", help="numbers in file names count frames at this rate (CamVid: 30)"
    )


def source_of(args: argparse.Namespace, loop: bool) -> FrameSource:
    """The source these options name; raises SourceError."""
    return open_source(
        args.source,
        size=args.size,
        rate=args.rate,
        loop=loop,
        topic=args.bag_topic,
        seed=args.seed,
        weather=args.weather,
        number_rate=args.number_rate,
    )


def source_arguments(args: argparse.Namespace) -> tuple[str, ...]:
    """The options again as command-line words, for a child process."""
    words = [str(args.source), "--seed", str(args.seed)]
    if args.size is not None:
        words += ["--size", f"{args.size[1]}x{args.size[0]}"]
    for name in ("rate", "bag_topic", "weather", "number_rate"):
        if getattr(args, name) is not None:
            words += ["--" + name.replace("_", "-"), str(getattr(args, name))]
    return tuple(words)
