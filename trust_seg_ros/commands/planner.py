"""``trust-seg planner``: what a planner gets: caution maps against true ground, and stops before unknown objects."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console, waiting
from trust_seg_ros.commands.options import add_parameter_options
from trust_seg_ros.commands.shared_options import add_cache_argument
from trust_seg_ros.commands.study_run import add_out_argument, finish
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.bars import stage_bars

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.ground.judging import Judge
    from trust_seg_ros.evaluation.ground.study import Size
    from trust_seg_ros.evaluation.report.report import Picture

EPILOG = """examples:
  trust-seg planner --cache cache --out out/planner                     all of docs/results/planner.md: an hour
  trust-seg planner --cache cache --maps 4 --judged 0 --out out/maps     caution maps of four streets alone
  trust-seg planner --cache cache --maps 0 --plane fixed --out out/stops  the closed loop alone, on the fixed plane
  trust-seg planner -p model:=mine.pt2 -p labels:=mine.yaml --out out/mine  a network of the drive's 11 classes

Synthetic drives with exact depth and ground: streets with traffic, unknown objects and slopes to 5 % for maps of three
cameras; and a lane with unknown objects on it, along which a vehicle drives at 30 km/h with a stop rule as in Nav2's
collision monitor. Rules are chosen on some drives and judged on others.

The folder gets report.md and a CSV file per table. With --cache the network's answers stay (0.4 MB a frame, 3 GB in
all), so that an interrupted study goes on, and other settings are judged without it.
"""

STOPPED = "with --cache DIR the drives that the network has seen are kept, and the same command goes on there"
DRIVES = {"maps": 50, "chosen": 8, "judged": 22, "clear": 8}
"""How much is driven at most; the numbers of ``evaluation.ground.study.Size``, which imports torch."""
PLANES = ("true", "estimated", "borders", "fixed")
_FRAME = 49
"""Of a drive along the lane: the first object is 14 m ahead."""


class PlannerError(TrustSegError, ValueError):
    """Options of the study that cannot be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_out_argument(parser)
    cache = add_cache_argument(parser, "keep the network's answers there (0.4 MB a frame), for other settings")
    given.expects(cache, given.new_folder)
    driven = parser.add_argument_group("how much is driven; 0 leaves it out")
    for name, text in (
        ("maps", "streets for maps, with each of three cameras"),
        ("chosen", "drives along the lane that stop rules are chosen on"),
        ("judged", "drives along the lane that judge them; 0: no closed loop"),
        ("clear", "of these, drives without any object on the lane, for false stops"),
    ):
        most = DRIVES[name]
        driven.add_argument(
            f"--{name}", type=int, default=most, metavar="N", help=f"{text} (default, and most: {most})"
        )
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--plane",
        choices=PLANES,
        default=PLANES[1],
        help="ground that feet are placed on in the closed loop: the true one; estimated as the node does; estimated "
        "from the borders of the road alone; the fixed one under the wheels (default: %(default)s)",
    )
    add_parameter_options(settings)


def run(args: argparse.Namespace) -> int:
    """Run the study; returns the exit status."""
    size = _size(args)
    console = command_console(220)
    from trust_seg_ros.commands.replay_parameters import replay_parameters
    from trust_seg_ros.evaluation.ground.contents import contents
    from trust_seg_ros.evaluation.ground.judging import Judge, Judging
    from trust_seg_ros.evaluation.ground.study import study

    node = replay_parameters(args.params_file, args.parameters)
    with waiting(console, "loading the network"):
        judge = Judge(node.pipeline, Judging(thresholds=node.thresholds))
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) if args.cache is None else args.cache.expanduser()
        cache.mkdir(parents=True, exist_ok=True)
        with stage_bars(console) as announce:
            found = study(judge, size, cache, announce)
        facts = {
            "network": judge.network.name,
            "maps": f"{size.maps} streets with each of three cameras",
            "closed loop": f"rules chosen on {size.chosen} drives, judged on {size.judged} and {size.clear} without "
            f"objects; plane: {size.plane}",
        }
        finish(args, console, contents(found, partial(_pictures, judge, size, cache)), facts)
    return 0


def _size(args: argparse.Namespace) -> Size:
    from trust_seg_ros.evaluation.ground.study import Size

    for name, most in DRIVES.items():
        if not 0 <= getattr(args, name) <= most:
            raise PlannerError(f"--{name} {getattr(args, name)}: expected 0 to {most} drives")
    if args.judged and not args.chosen:
        raise PlannerError("--chosen 0: expected at least one drive that stop rules are chosen on, or --judged 0")
    if not args.maps and not args.judged:
        raise PlannerError("--maps 0 and --judged 0: expected at least one of the two")
    return Size(args.maps, args.chosen, args.judged, args.clear, args.plane)


def _pictures(judge: Judge, size: Size, cache: Path) -> tuple[Picture, ...]:
    from trust_seg_ros.evaluation.ground.drives import CHOICE, CHOSEN_WITH, lane_stretches
    from trust_seg_ros.evaluation.ground.picture import draw_frame
    from trust_seg_ros.evaluation.report.report import Picture

    if not size.chosen or not size.judged:
        return ()
    stretch = lane_stretches(CHOICE[:1], CHOSEN_WITH)[0]
    caption = "An unknown object 14 m ahead: the image; the map by classes alone; with flags; with tracks and memory"
    return (Picture("map", caption, partial(draw_frame, judge, stretch, _FRAME, cache)),)
