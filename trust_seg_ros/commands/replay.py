"""``trust-seg replay``: recordings through the pipeline, offline: bag in, bag, tables and report out."""

from __future__ import annotations

import argparse
import glob
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console
from trust_seg_ros.commands.options import add_parameter_options
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.shared_options import add_force_argument

if TYPE_CHECKING:
    from trust_seg_ros.bags.errors import SourceError
    from trust_seg_ros.recordings.replay.job import Job
    from trust_seg_ros.recordings.replay.options import ReplayOptions
    from trust_seg_ros.recordings.replay.run import Outcome
    from trust_seg_ros.recordings.replay.workers import Workers

EPILOG = """examples:
  trust-seg replay drive/ --out out/drive                      the only image topic, every output, MCAP
  trust-seg replay drive/ --out out/drive --report --segments  with the drive report and a table of all segments
  trust-seg replay drive.mcap --image-topic /front/image_raw --image-topic /rear/image_raw --out out/drive
  trust-seg replay images/ --number-rate 30 --out out/drive    a folder of images (CamVid counts frames at 30 Hz)
  trust-seg replay 'bags/*' --out out/fleet --workers 8        every bag of a folder, each into its own folder
  trust-seg replay 'bags/*' --out /shared/fleet --ray auto     the same on a Ray cluster that shares these folders
  trust-seg replay drive/ --out out/strict -p thresholds.pixel:=0.4 --topics segmentation unreliable segments
  trust-seg replay drive/ --out out/tracks --report --segments -p tracking:=on    ids, table and report by tracks

Every image goes through the same pipeline as in the node, none is dropped, and what the node would have published is
written with the stamps and frame ids of the images: one rosbag2 for `ros2 bag play`, RViz and Foxglove. Parameters
are the node's (--params-file, -p). The same recording and settings give the same bag, byte for byte on one kind of
machine, for any number of workers. The work is done in chunks: after a stop or crash, the same command continues where
it was. See docs/replay.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    sources = parser.add_argument(
        "sources",
        nargs="+",
        metavar="BAG",
        help="rosbag2 folder or file (.mcap, .db3), ROS 1 bag, folder of images, video; several, or a quoted pattern",
    )
    given.expects(sources, given.recordings)
    out = parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder of the output bag")
    given.expects(out, given.new_folder)
    add_force_argument(parser, "replace an earlier replay in OUT")
    source = parser.add_argument_group("what is read")
    source.add_argument(
        "--image-topic",
        action="append",
        default=[],
        metavar="[NS=]TOPIC",
        help="images to replay, with a namespace for the outputs; may be given several times (default: the only one)",
    )
    source.add_argument("--start", type=float, default=0.0, metavar="S", help="start S seconds into the recording")
    source.add_argument("--duration", type=float, metavar="S", help="replay S seconds of it (default: to its end)")
    source.add_argument("--rate", type=float, metavar="HZ", help="images per second of a folder (default: 10)")
    source.add_argument(
        "--number-rate", type=float, metavar="HZ", help="numbers in file names count frames at this rate (CamVid: 30)"
    )
    node = parser.add_argument_group("how it is judged")
    add_parameter_options(node)
    _add_output_arguments(parser)
    work = parser.add_argument_group("who does the work")
    work.add_argument(
        "--workers", type=int, metavar="N", help="processes of this machine (default: one per core on a CPU, at most 8)"
    )
    work.add_argument(
        "--ray", metavar="ADDRESS", help="run on a Ray cluster: auto, local, or ray://HOST:10001 (needs ray)"
    )
    work.add_argument(
        "--chunk-frames", type=int, default=32, metavar="N", help="frames per chunk and file (default: %(default)s)"
    )


def _add_output_arguments(parser: argparse.ArgumentParser) -> None:
    out = parser.add_argument_group("what is written")
    out.add_argument("--topics", nargs="+", metavar="NAME", help="outputs to write (default: all outputs of the node)")
    out.add_argument(
        "--keep",
        default="images",
        choices=("images", "all", "none"),
        help="topics of the recording to copy: the replayed ones, all, none (default: %(default)s)",
    )
    out.add_argument("--storage", default="mcap", choices=("mcap", "sqlite3"), help="(default: %(default)s)")
    out.add_argument("--compression", default="zstd", choices=("zstd", "none"), help="(default: %(default)s)")
    out.add_argument("--report", action="store_true", help="write report.html: the whole drive on one page")
    out.add_argument("--segments", action="store_true", help="write segments.parquet: a row per segment, all metrics")
    out.add_argument("--rerun", action="store_true", help="write trust_seg.rrd for the Rerun viewer (needs rerun-sdk)")


def run(args: argparse.Namespace) -> int:
    """Replay; returns the exit status: 0 if every recording is complete, 1 if one is not."""
    from trust_seg_ros.commands import replay_report as show
    from trust_seg_ros.recordings.replay.folder_lock import alone_in
    from trust_seg_ros.recordings.replay.run import run_jobs

    args.out = args.out.expanduser().absolute()  # workers on other machines have another working directory
    console = command_console(160)
    if args.rerun:  # report a missing library before the work, not after it
        from trust_seg_ros.recordings.export.rerun import load_rerun

        load_rerun()
    jobs, refused = _jobs(args, console)
    todo = []
    for job in jobs:
        if args.force or not job.complete:
            todo.append(job)
        else:
            job.tidy()  # its replay may have been killed just before the end
    outcomes: list[Outcome] = []
    facts = [("command", "trust-seg " + " ".join(args.words))]
    with ExitStack() as stack:
        if todo:
            stack.enter_context(alone_in(args.out))
            for job in todo:
                job.prepare(args.force)
            bar = stack.enter_context(show.progress(console, todo))
            workers = _workers(args, todo, bar.tick)
            args.stopped = f"finished chunks are kept in {args.out}, the same command goes on there{_no_force(args)}"
            try:
                outcomes = run_jobs(todo, workers, facts, bar.chunk, bar.finished)
            finally:
                workers.close()
                for job in todo:
                    job.sweep()
    _export(args, jobs, {outcome.job.out for outcome in outcomes}, console)
    record(args, out=args.out, recordings=show.recordings_json(jobs, outcomes, refused))
    return show.conclude(console, args.out, jobs, outcomes, refused)


def _no_force(args: argparse.Namespace) -> str:
    return " without --force" if args.force else ""


def _jobs(args: argparse.Namespace, console: Console) -> tuple[list[Job], dict[Path, SourceError]]:
    """Jobs that can be done, and recordings that cannot be read."""
    from trust_seg_ros.bags.errors import SourceError
    from trust_seg_ros.recordings.replay.options import SourceSpec
    from trust_seg_ros.recordings.replay.prepare import make_job, output_folders

    topics = _topics(args.image_topic)
    options = _options(args, topics)
    folders = output_folders(_expanded(args.sources), args.out)
    jobs, refused = [], {}
    for path, out in folders.items():
        try:
            job = make_job(SourceSpec(path, args.rate, args.number_rate), topics, out, options)
        except SourceError as error:
            if len(folders) == 1:
                raise
            refused[path] = error
            console.print(f"left out: {error}", style="red", highlight=False, soft_wrap=True)
            continue
        jobs.append(job)
    if not jobs:
        raise SourceError(f"none of the {len(refused)} recordings can be read; see the reasons above")
    return jobs, refused


def _options(args: argparse.Namespace, topics: dict[str, str]) -> ReplayOptions:
    from trust_seg_ros.commands.replay_parameters import replay_parameters
    from trust_seg_ros.recordings.replay.options import NODE, TOPICS, ReplayOptions, cameras_of
    from trust_seg_ros.recordings.replay.workers import with_threads

    cameras = cameras_of(tuple(topics), {topic: name for topic, name in topics.items() if name}) if topics else ()
    nodes = [f"{camera.namespace}/{NODE}" for camera in cameras] or [f"/{NODE}"]
    node = replay_parameters(args.params_file, args.parameters, nodes)
    return ReplayOptions(
        pipeline=with_threads(node.pipeline, node.thresholds.remembers),
        thresholds=node.thresholds,
        topics=tuple(dict.fromkeys(args.topics)) if args.topics else TOPICS,
        entropy_encoding=node.entropy_encoding,
        gradient_label=node.gradient_label,
        every_segment=node.every_segment,
        overlay_alpha=node.overlay_alpha,
        output_size=node.output_size,
        max_pixels=node.max_image_pixels,
        image_bits=node.image_bits,
        strict_jpeg=node.refuse_damaged_jpegs,
        keep=args.keep,
        storage=args.storage,
        compression=args.compression,
        chunk_frames=args.chunk_frames,
        segments=args.segments,
        pictures=PICTURES if args.report else 0,
        start_s=args.start,
        duration_s=args.duration,
    )


PICTURES = 120
"""Frames to show in a report, evenly spread."""


def _topics(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.rpartition("=") for word in words]
    return {topic if topic.startswith("/") else f"/{topic}": name for name, _, topic in pairs}


def _expanded(sources: Sequence[str]) -> list[Path]:
    """The recordings named or matched by a quoted pattern, which may match other files, too."""
    from trust_seg_ros.bags.errors import NothingThere

    found: list[Path] = []
    for source in sources:
        if Path(source).exists() or not glob.has_magic(source):
            found.append(Path(source))
            continue
        matches = [Path(match) for match in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207  (absolute ones)
        if not matches:
            raise NothingThere(f"no path matches {source!r}")
        found += matches
    return found


def _workers(args: argparse.Namespace, jobs: Sequence[Job], tick: Callable[[], None]) -> Workers:
    from trust_seg_ros.recordings.replay.errors import ReplayError
    from trust_seg_ros.recordings.replay.workers import OwnProcess, Processes, default_workers

    if args.ray is not None:
        if args.workers is not None:
            raise ReplayError("--workers counts processes of this machine, --ray uses the cluster: give one of them")
        from trust_seg_ros.recordings.replay.ray_workers import RayWorkers

        return RayWorkers(args.ray, jobs[0].options)
    if args.workers is not None and not 1 <= args.workers <= 256:
        raise ReplayError(f"--workers is {args.workers}; expected 1 to 256")
    count = args.workers or default_workers(jobs)
    return OwnProcess(tick) if count == 1 else Processes(count)


def _export(args: argparse.Namespace, jobs: Sequence[Job], made: set[Path], console: Console) -> None:
    from trust_seg_ros.recordings.replay.job import RERUN

    for job in jobs:
        target = job.out / RERUN
        if args.rerun and job.complete and (job.out in made or not target.is_file()):
            from trust_seg_ros.recordings.export.rerun import count_messages, write_rrd
            from trust_seg_ros.support.bars import stage_bars

            total = count_messages(job.out)
            with stage_bars(console) as announce:
                bar = announce(f"writing {target}")

                def tick(done: int, bar: Callable[[int, int], None] = bar, total: int = total) -> None:
                    bar(done, total)

                write_rrd(job.out, target, tick)
