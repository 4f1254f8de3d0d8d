"""Options that say how often the network looks at an image; shared by every command that takes a network."""

from __future__ import annotations

import argparse
from typing import Any

AVERAGES = ("logits", "probabilities")


def add_passes_arguments(group: argparse._ActionsContainer, size: Any) -> None:
    """--input-window, --input-window-overlap, --input-scales, --input-flip, --input-average, see ``passes_settings``.

    Args:
        group: receives the options.
        size: parses WIDTHxHEIGHT to (height, width).
    """
    group.add_argument(
        "--input-window",
        type=size,
        metavar="WIDTHxHEIGHT",
        help="cut the network's input into windows, look at one by one and average where they overlap (default: whole)",
    )
    group.add_argument(
        "--input-window-overlap",
        type=float,
        default=0.25,
        metavar="SHARE",
        help="share of a window that the next one covers, too, 0 to 0.9 (default: %(default)s)",
    )
    group.add_argument(
        "--input-scales",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="FACTOR",
        help="look at each image at several factors of the input size, and average, e.g. 0.75 1 1.25 (default: 1)",
    )
    group.add_argument("--input-flip", action="store_true", help="also look at the mirrored image, and average")
    group.add_argument(
        "--input-average",
        choices=AVERAGES,
        default=AVERAGES[0],
        help="what is averaged: logits, with which every score works, or probabilities (default: %(default)s)",
    )


def passes_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of ``NetworkSettings`` that these options give."""
    return {
        "window": args.input_window,
        "window_overlap": args.input_window_overlap,
        "scales": tuple(args.input_scales),
        "flip": args.input_flip,
        "average": args.input_average,
    }
