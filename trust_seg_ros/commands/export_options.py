"""Options of ``trust-seg export`` and what their values mean."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.data_options import add_network_arguments, parsed_size
from trust_seg_ros.exporting.names import DEFAULT_MAPS, HEADS, LOGITS, TARGET_NAMES, TRUST

if TYPE_CHECKING:  # importing it would make --help wait for torch
    from trust_seg_ros.exporting.trust import HeadSettings


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything that can be given."""
    network = parser.add_argument(
        "network", nargs="?", default="", metavar="NET", help="network, as --model names it (default: embedded)"
    )
    given.expects(network, given.network)
    out = parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=f"file to write, ending in {_suffixes()}"
    )
    given.expects(out, given.new_file("net.onnx"))
    parser.add_argument(
        "--to", choices=tuple(TARGET_NAMES), default="", help="kind of file (default: by the name of --out)"
    )
    parser.add_argument(
        "--head",
        choices=HEADS,
        default=HEADS[0],
        help="what the graph gives: logits, for this package, or finished maps of class and uncertainty in bytes, for "
        "programs without it (default: %(default)s)",
    )
    group = parser.add_argument_group("maps (--head trust)")
    group.add_argument(
        "--maps",
        type=_names,
        metavar="NAME,…",
        help="class, entropy, margin, variation_ratio; max_logit, energy, knn, vim; of mask networks rba, "
        f"mask_uncertainty (default: {','.join(DEFAULT_MAPS)})",
    )
    group.add_argument(
        "--image-size",
        type=_image_size,
        metavar="WIDTHxHEIGHT",
        help="size of the camera's images (default: any that the network takes without being resized)",
    )
    group.add_argument(
        "--range",
        type=_range,
        action="append",
        default=[],
        dest="ranges",
        metavar="NAME=LOW:HIGH",
        help="values of the first and last of the 256 steps of a map, e.g. energy=-20:0 (default: its limits, or those "
        "of the calibration, a quarter wider)",
    )
    calibration = group.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="of trust-seg calibrate: ranges of max_logit, energy and vim, and statistics for knn and vim "
        "(default: none)",
    )
    given.expects(calibration, given.calibration)
    add_network_arguments(parser)


def head_settings(args: argparse.Namespace) -> HeadSettings | None:
    """What the trust head is to give; None for logits.

    Raises:
        ExportError: options of the one are given for the other.
    """
    from trust_seg_ros.exporting.errors import ExportError
    from trust_seg_ros.exporting.trust import HeadSettings

    if args.head == LOGITS:
        names = {"--maps": args.maps, "--image-size": args.image_size, "--range": args.ranges}
        names["--calibration"] = args.calibration
        foreign = next((name for name, value in names.items() if value), None)
        if foreign is not None:
            raise ExportError(f"{foreign} does not apply to --head {LOGITS}; leave it away, or use --head {TRUST}")
        return None
    return HeadSettings(args.maps or DEFAULT_MAPS, args.image_size, dict(args.ranges), args.calibration)


def _suffixes() -> str:
    return " or ".join(TARGET_NAMES.values())


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _image_size(text: str) -> tuple[int, int]:
    size = parsed_size(text)
    if size == (0, 0):
        raise argparse.ArgumentTypeError("0x0 is no size of images; leave --image-size away where they are not resized")
    return size


def _range(text: str) -> tuple[str, tuple[float, float]]:
    found = re.fullmatch(r"([a-z_]+)=([^:]+):([^:]+)", text.strip())
    try:
        low, high = (float(found[2]), float(found[3])) if found else (math.nan, math.nan)
    except ValueError:
        low = high = math.nan
    if found is None or not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise argparse.ArgumentTypeError(f"{text!r}; expected NAME=LOW:HIGH, two numbers that rise: energy=-20:0")
    return found[1], (low, high)
