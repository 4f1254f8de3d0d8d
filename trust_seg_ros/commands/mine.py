"""``trust-seg mine``: find in recordings what is worth labelling, and write it for a labelling tool."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from trust_seg_ros.commands.console import command_console, say, waiting
from trust_seg_ros.commands.data_options import network_settings
from trust_seg_ros.commands.mine_options import add_options, as_json
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.support.bars import bars

if TYPE_CHECKING:
    from trust_seg_ros.mining.origins import Origin
    from trust_seg_ros.mining.selection import Pick
    from trust_seg_ros.mining.survey import Surveyor
    from trust_seg_ros.recordings.refusals import Refusals

EPILOG = """examples:
  trust-seg mine bags/monday bags/tuesday --budget 200 --to cvat --out out/label
  trust-seg mine drive.mp4 --budget 50 --to labelstudio --out out/label --every 0.2
  trust-seg mine photos/ --budget 10% --to coco --out out/label --model mine.pt2 --meta-model meta.json
  trust-seg mine data/camvid --split train --budget 10% --to yolo --out out/label
  trust-seg mine motorway --budget 5 --to coco --out out/label               (the shipped clip: try it)

The network looks at the recordings once. Frames are worth labelling if much in them is probably wrong or unknown; those
are chosen that represent the others best, and none that repeats another: an object that stands before the camera for
twenty frames brings one of them. The chosen frames are written with the network's answer as pre-labels, P(wrong) beside
each, into a folder that the tool imports; sheet.png shows them, moments.csv lists them with the reason. What was seen
of each frame is kept beside the folder, so another --budget or --to needs no second look. docs/mine.md goes from a bag
to labels and back to trust-seg fit.
"""
STOPPED = "what was seen of each frame is kept, the same command goes on there"
_LISTED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Mine; returns the exit status."""
    from trust_seg_ros.mining.selection import SelectionSettings, select
    from trust_seg_ros.recordings.refusals import REFUSED, Refusals

    console = command_console(160)
    refusals = Refusals(lambda text: say(console, f"{REFUSED}{text}"))
    origins = _origins(args, refusals)
    with waiting(console, "loading the network"):
        pipeline, settings = _pipeline(args)
    glances = _seen(args, console, pipeline, settings, origins)
    number, percent = args.budget
    wanted = max(1, round(number / 100 * len(glances))) if percent else int(number)
    picks = select(glances, SelectionSettings(wanted, args.apart, args.alike))
    written = _write(args, console, pipeline, origins, picks)
    record(
        args,
        out=args.out,
        to=args.to,
        budget=as_json(args.budget),
        network=pipeline.network.name,
        meta_model=pipeline.meta is not None,
        looked_at=len(glances),
        refused=refusals.count,
        chosen=[_row(pick, origins) for pick in picks],
        **written,
    )
    _tell(console, args, picks, origins, len(glances), wanted)
    return 0


def _origins(args: argparse.Namespace, refusals: Refusals) -> list[Origin]:
    from trust_seg_ros.mining.origins import open_origin

    names = list(dict.fromkeys(args.sources))
    return [open_origin(name, split=args.split, topic=args.bag_topic, refusals=refusals) for name in names]


def _pipeline(args: argparse.Namespace) -> tuple[Surveyor, dict[str, Any]]:
    """The pipeline, and what decides what it finds."""
    from dataclasses import asdict

    from trust_seg_ros.mining.survey import Surveyor
    from trust_seg_ros.pipeline import PipelineSettings
    from trust_seg_ros.support.content_hash import network_sha256

    network = network_settings(args)
    fields = {name: getattr(network, name) for name in asdict(network)}
    chosen = PipelineSettings(**fields, meta_model=args.meta_model, grid=args.grid)
    pipeline = Surveyor.load(chosen)
    assert isinstance(pipeline, Surveyor)
    meta = None if pipeline.meta is None else pipeline.meta.to_json()
    other = ("model", "device", "backend", "providers", "cuda_graph")
    how = {key: value for key, value in asdict(network).items() if key not in other}
    weights = network_sha256(pipeline.network) or args.model
    return pipeline, {"network": weights, "input": how, "meta": meta, "grid": args.grid}


def _seen(
    args: argparse.Namespace,
    console: Console,
    pipeline: Surveyor,
    settings: dict[str, Any],
    origins: Sequence[Origin],
) -> list[Any]:
    from trust_seg_ros.mining.errors import MiningError
    from trust_seg_ros.mining.survey import survey
    from trust_seg_ros.support.resumable import remove_folder

    out = args.out.expanduser().absolute()
    table = out.with_name(f"{out.name}.seen") if args.cache is None else args.cache.expanduser()
    if args.force:
        remove_folder(table)
    args.stopped = f"what was seen of each frame is kept in {table}, the same command goes on there"
    with _origin_bars(console, origins) as tick:
        try:
            return survey(pipeline, origins, table, settings, every_s=args.every, tick=tick)
        except OSError as error:
            raise MiningError(f"--cache {table}: cannot be written ({error.strerror or error})") from error


@contextmanager
def _origin_bars(console: Console, origins: Sequence[Origin]) -> Iterator[Callable[[int, int], None]]:
    """A bar for each origin, from its first frame on."""
    with bars(console) as bar:
        tasks: dict[int, Any] = {}

        def tick(position: int, frames: int) -> None:
            if position not in tasks:
                origin = origins[position]
                tasks[position] = bar.add_task(f"looking at {Path(origin.name).name}", total=origin.expected)
            bar.update(tasks[position], completed=frames)

        yield tick


def _write(
    args: argparse.Namespace,
    console: Console,
    pipeline: Surveyor,
    origins: Sequence[Origin],
    picks: Sequence[Pick],
) -> dict[str, Path]:
    """Export, sheet and table; returns where sheet and table are."""
    from trust_seg_ros.mining.contact_sheet import ContactSheet, write_csv
    from trust_seg_ros.mining.errors import MiningError
    from trust_seg_ros.mining.exports import write_export
    from trust_seg_ros.mining.second_look import moments

    out, sheet = args.out.expanduser(), ContactSheet()
    passing = sheet.watching(moments(pipeline, origins, picks))
    with bars(console) as bar:
        task = bar.add_task(f"writing for {args.to}", total=len(picks))
        done = lambda count, total: bar.update(task, completed=count, total=total)  # noqa: E731
        write_export(args.to, passing, pipeline.labels, out, total=len(picks), progress=done)
    places = {"sheet": out / "sheet.png", "table": out / "moments.csv"}
    sheet.picture().save(places["sheet"])
    try:
        write_csv(places["table"], picks, [origin.name for origin in origins])
    except OSError as error:
        raise MiningError(f"{places['table']}: cannot be written ({error.strerror or error})") from error
    return places


def _row(pick: Pick, origins: Sequence[Origin]) -> dict[str, Any]:
    glance = pick.glance
    return {
        "rank": pick.rank,
        "name": glance.name,
        "source": origins[glance.origin].name,
        "stamp_ns": glance.stamp_ns,
        "score": pick.score,
        "why": glance.why,
    }


def _tell(
    console: Console,
    args: argparse.Namespace,
    picks: Sequence[Pick],
    origins: Sequence[Origin],
    looked_at: int,
    wanted: int,
) -> None:
    table = Table("rank", "moment", "source", "score", "why")
    for pick in picks[:_LISTED]:
        glance = pick.glance
        table.add_row(str(pick.rank), glance.name, origins[glance.origin].name, f"{pick.score:.2f}", glance.why)
    console.print(table)
    if len(picks) > _LISTED:
        say(console, f"… and {len(picks) - _LISTED} more in {args.out / 'moments.csv'}")
    if len(picks) < wanted:
        alike = "all others are like one of them, or close to it in time"
        why = "there are no more" if len(picks) == looked_at else alike
        say(console, f"{len(picks)} of {wanted} chosen: {why} (--alike {args.alike:g}, --apart {args.apart:g})")
    say(console, f"wrote {len(picks)} of {looked_at} frames that were looked at to {args.out}; sheet.png shows them")
