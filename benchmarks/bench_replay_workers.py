"""Times a replay by who does the work: this process, several, a Ray of this machine or a cluster.

    python benchmarks/bench_replay_workers.py [BAG_OR_FOLDER] [--frames 96] [--size 480x640] [--workers 1 2 4]
        [--ray local] [--chunk-frames 8] [--model embedded] [--device cpu] [--out FOLDER]

Without a recording the synthetic drive is written as JPEG images first. Every kind of worker first does chunks of a
short piece, so that its processes, libraries and networks are there ("start"); then the whole recording is timed, from
the first chunk to the finished bag and table. "same" says whether the bag is that of the first line, byte for byte.
--ray none leaves Ray out. On a cluster, the recording and --out must be folders that all machines share.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.prepare import make_job
from trust_seg_ros.recordings.replay.ray_workers import RayWorkers
from trust_seg_ros.recordings.replay.run import Outcome, run_jobs
from trust_seg_ros.recordings.replay.workers import OwnProcess, Processes, Workers
from trust_seg_ros.recordings.sources import SyntheticSource
from trust_seg_ros.support.parallel import cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recording", nargs="?", type=Path, help="bag, folder of images, or video")
    parser.add_argument("--frames", type=int, default=96, help="of the synthetic drive")
    parser.add_argument("--size", default="480x640", metavar="HxW", help="of its images")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4], metavar="N")
    parser.add_argument("--ray", default="local", metavar="ADDRESS")
    parser.add_argument("--chunk-frames", type=int, default=8, metavar="N")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="empty folder for what is written (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.out or Path(temporary)
        recording = args.recording or synthetic(folder / "images", args.frames, args.size)
        options = ReplayOptions(
            PipelineSettings(args.model, device=args.device, threads=1), chunk_frames=args.chunk_frames
        )
        kinds: dict[str, Callable[[], Workers]] = {
            f"{n} process{'es' * (n > 1)}": (lambda n=n: OwnProcess() if n == 1 else Processes(n)) for n in args.workers
        }
        if args.ray != "none":
            kinds[f"Ray, {args.ray}"] = lambda: RayWorkers(args.ray, options)
        show(SourceSpec(recording.absolute()), folder.absolute(), options, kinds)


def show(source: SourceSpec, folder: Path, options: ReplayOptions, kinds: dict[str, Callable[[], Workers]]) -> None:
    console = Console()
    table = Table("workers", "start, s", "frames", "s", "frames/s", "of the first", "same")
    first_rate, first_bytes = 0.0, ""
    for number, (name, make) in enumerate(kinds.items()):
        with console.status(name):
            started, outcome = timed(source, folder / f"run_{number}", options, make)
        assert outcome.finished is not None
        rate, found = outcome.finished.frames / outcome.seconds, digest(outcome.finished.out)
        first_rate, first_bytes = first_rate or rate, first_bytes or found
        table.add_row(
            name,
            f"{started:.1f}",
            str(outcome.finished.frames),
            f"{outcome.seconds:.1f}",
            f"{rate:.2f}",
            f"{rate / first_rate:.2f}",
            "yes" if found == first_bytes else "NO",
        )
    console.print(table)
    console.print(f"{cores()} cores; {source.path}; {options.pipeline.model} on {options.pipeline.device}")


def timed(source: SourceSpec, out: Path, options: ReplayOptions, make: Callable[[], Workers]) -> tuple[float, Outcome]:
    """Seconds until every worker has done a chunk, and the whole recording done by warm workers."""
    job = prepared(source, out, options)
    begun = time.perf_counter()
    workers = make()
    try:
        run([prepared(source, out.with_name(f"{out.name}_start"), options, workers.slots)], workers)
        started = time.perf_counter() - begun
        return started, run([job], workers)
    finally:
        workers.close()


def prepared(source: SourceSpec, out: Path, options: ReplayOptions, chunks: int = 0) -> Job:
    """The job of the whole recording, or of its first chunks."""
    job = make_job(source, {}, out, options)
    if chunks:
        job = Job(**{**vars(job), "chunks": job.chunks[:chunks]})
    job.prepare()
    return job


def run(jobs: list[Job], workers: Workers) -> Outcome:
    (outcome,) = run_jobs(jobs, workers)
    if outcome.error is not None:
        raise SystemExit(str(outcome.error))
    return outcome


def synthetic(folder: Path, frames: int, size: str) -> Path:
    """The synthetic drive as JPEG images."""
    height, width = map(int, size.split("x"))
    folder.mkdir(parents=True)
    for index, frame in enumerate(islice(SyntheticSource((height, width)), frames)):
        cv2.imwrite(str(folder / f"{index:06d}.jpg"), frame.image[..., ::-1])
    return folder


def digest(out: Path) -> str:
    """Of all files of a bag."""
    found = hashlib.sha256()
    for path in sorted(path for path in out.iterdir() if path.suffix in (".mcap", ".yaml")):
        found.update(path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    main()
