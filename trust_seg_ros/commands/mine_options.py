"""Options of ``trust-seg mine``."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Any

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.data_options import add_grid_argument, add_network_arguments
from trust_seg_ros.commands.shared_options import add_cache_argument, add_force_argument, add_meta_model_argument

TOOLS = ("cvat", "labelstudio", "fiftyone", "coco", "yolo")
"""Known without loading what writes them."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """SOURCE and all options."""
    sources = parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="bag, video, folder of images or of a labelled data set, motorway (the shipped clip)",
    )
    given.expects(sources, _source)
    parser.add_argument(
        "--budget",
        type=budget,
        default=budget("200"),
        metavar="N",
        help="so many images are chosen, or 10%% of those that were looked at (default: 200)",
    )
    parser.add_argument("--to", choices=TOOLS, required=True, help="the tool that the images are labelled with")
    out = parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given.expects(out, _new_or_empty)
    _add_choice(parser.add_argument_group("what is looked at, and how much may be alike"))
    add_network_arguments(parser)
    judging = parser.add_argument_group("judging")
    add_meta_model_argument(judging, "says what is probably wrong; without one, entropy does")
    add_grid_argument(judging, "as many pixels as the grid that the meta model was fitted on, else the image")
    kept = parser.add_argument_group("first look")
    cache = add_cache_argument(kept, "folder that keeps what was seen of each frame (default: beside --out: OUT.seen)")
    given.expects(cache, given.new_folder)
    add_force_argument(kept, "look at every frame anew")


def _add_choice(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--every",
        type=_seconds,
        default=0.5,
        metavar="S",
        help="look at one frame of a recording every S seconds; 0: at all (default: %(default)s)",
    )
    group.add_argument(
        "--apart",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="least seconds between two chosen frames of a recording (default: %(default)s)",
    )
    group.add_argument(
        "--alike",
        type=_alike,
        default=0.04,
        metavar="D",
        help="of frames no farther from each other than this only one is chosen, 0 to 2 (default: %(default)s)",
    )
    group.add_argument("--bag-topic", metavar="TOPIC", help="image topic of a bag (default: the first)")
    group.add_argument("--split", help="part of a labelled data set, for example train")


def budget(text: str) -> tuple[float, bool]:
    """``200`` or ``10%`` as the number, and whether it is in per cent."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip(), re.ASCII)
    if number is not None:
        value, percent = float(number[1]), bool(number[2])
        if 0 < value <= 100 if percent else value >= 1 and value.is_integer():
            return value, percent
    raise argparse.ArgumentTypeError(
        f"{text!r} chooses nothing; expected a number of images, 1 or more, or a share above 0% and at most 100%"
    )


def _seconds(text: str) -> float:
    return _between(text, math.inf, "seconds, 0 or more")


def _alike(text: str) -> float:
    return _between(text, 2.0, "a distance from 0 to 2")


def _between(text: str, most: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and 0 <= value <= most):
        raise argparse.ArgumentTypeError(f"{text!r}; expected {expected}")
    return value


def _source(name: str, value: str, args: argparse.Namespace) -> None:
    """What can be mined: it is there and has an end; ~ is the home directory."""
    if value == "synthetic" or value.startswith("/dev/"):
        raise given.GivenPathError(
            f"{value} has no end; record a part of it first: trust-seg synthetic for the drawn drive, ros2 bag record"
        )
    path = Path(value).expanduser()
    given.source(name, str(path), args)
    if args.split and path.is_dir() and all(inside.is_dir() for inside in path.iterdir()):
        from trust_seg_ros.datasets.layouts import find_split

        find_split(path, args.split)


def _new_or_empty(name: str, value: Path, args: argparse.Namespace) -> None:
    """Told now, not after an hour of looking."""
    given.new_folder(name, value, args)
    out = value.expanduser()
    if out.is_dir() and any(out.iterdir()):
        raise given.GivenPathError(f"{name} {value}: there is something already; expected a new or empty folder")


def as_json(value: tuple[float, bool]) -> Any:
    """A budget as it was typed."""
    return f"{value[0]:g}%" if value[1] else int(value[0])
