"""Throughput of the offline replay against the pipeline's own speed: ``python benchmarks/bench_replay.py [RECORDING]``.

The pipeline alone decodes the images, judges them and makes the content of every topic, but writes nothing: with one
thread for the network, as each worker of a replay has it, and with all cores. The replay writes all topics and the
images; then with the report and the table of segments, too. Networks are loaded and warm before the clock starts. Every
way takes its turn in rounds, so that other processes slow all alike; the best round of each counts.

RECORDING is a bag, a folder of images, or a video (default: the CamVid test images in ../shared/data).
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.outputs import OUTPUTS, wanted
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.replay.frame_work import read_frame
from trust_seg_ros.recordings.replay.inputs import open_recording
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.prepare import make_job
from trust_seg_ros.recordings.replay.run import run_jobs
from trust_seg_ros.recordings.replay.workers import OwnProcess, Processes, Workers
from trust_seg_ros.support.parallel import cores
from trust_seg_ros.support.torch_threads import set_threads

CAMVID = Path(__file__).resolve().parents[2] / "shared" / "data" / "camvid" / "test" / "images"
PICTURES, MOST_WORKERS = 120, 8
"""As the command has them."""
STEPS = ("read", "judge", "write", "gather")


@dataclass
class Way:
    """One way to go through the recording.

    Attributes:
        run: does it once; seconds by step, in all workers together.
        best: seconds of the best round.
        steps: seconds by step of that round.
    """

    run: Callable[[], dict[str, float]]
    best: float = float("inf")
    steps: dict[str, float] = field(default_factory=dict)

    def once(self) -> None:
        """One round."""
        started = time.perf_counter()
        steps = self.run()
        seconds = time.perf_counter() - started
        if seconds < self.best:
            self.best, self.steps = seconds, steps


class Alone:
    """The pipeline without the replay."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pipeline = TrustPipeline.load(job.options.pipeline)
        self._pipeline.warm_up((360, 480))
        lacking = self._pipeline.unavailable("gradient_onehot")
        self._topics = tuple(name for name in OUTPUTS if name != "gradient" or not lacking)
        labels = self._pipeline.labels
        self._fields = MessageOptions(labels.names, labels.palette)

    def __call__(self, threads: int) -> dict[str, float]:
        """Go through the recording; seconds of reading, and of the rest."""
        set_threads(threads)
        parts, asked = dict.fromkeys(("read", "judge"), 0.0), wanted(self._topics)
        (camera,) = self._job.cameras
        chunks = self._job.chunks
        with closing(open_recording(self._job.source)) as recording:
            kind = recording.topics[camera.topic].type_name
            messages = recording.messages({camera.topic}, chunks[0].start_ns, chunks[-1].stop_ns)
            started = time.perf_counter()
            for message in messages:
                read = time.perf_counter()
                parts["read"] += read - started
                _, frame = read_frame(message.data, kind, self._job.options.max_pixels)
                view = Rendering(self._pipeline(frame, self._job.options.thresholds, asked), self._fields)
                for name in self._topics:
                    OUTPUTS[name].build(view)
                started = time.perf_counter()
                parts["judge"] += started - read
        return parts


class Replayed:
    """The replay with some workers."""

    def __init__(self, plain: Job, workers: Workers, told: bool) -> None:
        options = replace(plain.options, segments=told, pictures=PICTURES if told else 0)
        self._job, self._workers = replace(plain, options=options), workers

    def __call__(self) -> dict[str, float]:
        """Replay; seconds by step."""
        set_threads(self._job.options.pipeline.threads)
        try:
            self._job.prepare()
            (outcome,) = run_jobs([self._job], self._workers)
            if outcome.finished is None:
                raise SystemExit(f"the replay failed: {outcome.error}")
            return dict(outcome.finished.seconds)
        finally:
            shutil.rmtree(self._job.out, ignore_errors=True)


def plain_job(source: SourceSpec, topic: str | None, frames: int, chunk_frames: int, out: Path) -> Job:
    """The first ``frames`` images of a recording, replayed without report."""
    options = ReplayOptions(PipelineSettings(device="cpu", threads=1), chunk_frames=chunk_frames)
    topics = {topic: ""} if topic else {}
    whole = make_job(source, topics, out, options)
    if whole.frames > frames:
        share = (whole.end_ns - whole.start_ns) * frames / whole.frames * 1e-9
        return make_job(source, topics, out, replace(options, duration_s=share))
    return whole


def ways(job: Job, crew: dict[int, Workers]) -> Iterator[tuple[str, Way]]:
    """Name → way; the first two are what the others are compared with."""
    alone = Alone(job)
    yield "pipeline alone, network with 1 thread", Way(lambda: alone(1))
    yield f"pipeline alone, network with {cores()} threads", Way(lambda: alone(cores()))
    for count, workers in crew.items():
        name = f"replay, {count} worker" + "s" * (count > 1)
        yield name, Way(Replayed(job, workers, False))
        yield f"{name}, report, segments", Way(Replayed(job, workers, True))


def table_of(found: dict[str, Way], frames: int) -> Table:
    """Speeds, ratios to the pipeline alone, and where the time went."""
    one, many = (way.best for way in list(found.values())[:2])
    table = Table(title=f"{frames} frames, best of the rounds", title_justify="left")
    for column in ("", "frames/s", "of 1 thread", f"of {cores()}", *STEPS):
        table.add_column(column, justify="right" if column else "left")
    for name, way in found.items():
        total = sum(way.steps.values())
        shares = [f"{way.steps[step] / total:.1%}" if step in way.steps else "" for step in STEPS]
        table.add_row(name, f"{frames / way.best:.2f}", f"{one / way.best:.2f}", f"{many / way.best:.2f}", *shares)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path, nargs="?", default=CAMVID, help="bag, folder or video")
    parser.add_argument("--image-topic", metavar="TOPIC", help="of a bag with several cameras")
    parser.add_argument("--frames", type=int, default=64, help="at most so many from its beginning (default 64)")
    parser.add_argument("--chunk-frames", type=int, default=16, help="frames of a chunk (default 16)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all ways (default 3)")
    parser.add_argument("--workers", type=int, help="most processes (default: one per core)")
    arguments = parser.parse_args()
    if not arguments.recording.exists():
        parser.error(f"{arguments.recording} does not exist; name a bag, a folder of images, or a video")
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="bench_replay_") as folder:
        source = SourceSpec(arguments.recording)
        job = plain_job(source, arguments.image_topic, arguments.frames, arguments.chunk_frames, Path(folder) / "out")
        count = arguments.workers or min(cores(), MOST_WORKERS)
        crew: dict[int, Workers] = {1: OwnProcess()}
        if count > 1:
            crew[count] = Processes(count)
        try:
            found = dict(ways(job, crew))
            few = plain_job(source, arguments.image_topic, 4 * count, 1, Path(folder) / "warm")
            for workers in crew.values():  # each loads its network
                Replayed(few, workers, True)()
            jobs = [way for _ in range(arguments.rounds) for way in found.values()]
            for way in track(jobs, "measuring", console=console, transient=True):
                way.once()
        finally:
            for workers in crew.values():
                workers.close()
    console.print(table_of(found, job.frames))
    console.print(f"load of the machine {os.getloadavg()[0]:.1f} of {cores()} cores")


if __name__ == "__main__":
    main()
