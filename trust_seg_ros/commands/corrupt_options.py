"""``--corrupt`` for every subcommand that reads labelled images."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trust_seg_ros.datasets.corruptions.names import (
    CORRUPTIONS,
    DEFAULT_SEVERITY,
    Corruption,
    CorruptionError,
    parse_corruption,
)

if TYPE_CHECKING:  # reading images needs OpenCV and torch, --help does not
    from trust_seg_ros.datasets.folders import LabelledFolder


def add_corruption_arguments(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """--corrupt KIND[:SEVERITY] and --corrupt-seed, for :func:`wished_corruptions` and :func:`corrupted_images`.

    Args:
        parser: parser of the subcommand.
        several: --corrupt may be given several times.
    """
    group = parser.add_argument_group("shifted images")
    more = "; several times: one after the other" if several else ""
    group.add_argument(
        "--corrupt",
        type=_corruption,
        metavar="KIND[:SEVERITY]",
        action="append" if several else "store",
        help=f"corrupt the images as they are read: {', '.join(CORRUPTIONS)}; severity 1 to 5, default "
        f"{DEFAULT_SEVERITY} (docs/corruptions.md){more}",
    )
    group.add_argument(
        "--corrupt-seed",
        type=_seed,
        default=0,
        metavar="N",
        help="seed of the noise, rain and so on (default: %(default)s)",
    )


def wished_corruptions(args: argparse.Namespace) -> tuple[Corruption, ...]:
    """The corruptions given as options, in order; () for clean images."""
    wished = args.corrupt or []
    wished = wished if isinstance(wished, list) else [wished]
    return tuple(Corruption(one.kind, one.severity, args.corrupt_seed) for one in wished)


def corrupted_images(args: argparse.Namespace, folder: LabelledFolder) -> LabelledFolder:
    """``folder`` itself, or with its images corrupted if the options say so.

    Raises:
        CorruptionError: several corruptions are given; :func:`wished_corruptions` lists them.
    """
    from trust_seg_ros.datasets.corruptions.folder import corrupted

    wished = wished_corruptions(args)
    if len(wished) > 1:
        raise CorruptionError(f"--corrupt {', '.join(map(str, wished))}; expected one here")
    return corrupted(folder, wished[0] if wished else None)


def _corruption(text: str) -> Corruption:
    try:
        return parse_corruption(text)
    except CorruptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; expected a whole number from 0")
    return int(text)
