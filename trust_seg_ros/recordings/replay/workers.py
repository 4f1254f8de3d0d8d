"""Who does the chunks: this process, or several. Each keeps its network and its open recordings from chunk to chunk."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Protocol

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.replay.chunk_work import ChunkWork, finish_chunk
from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.recordings.replay.frame_work import CameraMemory
from trust_seg_ros.recordings.replay.inputs import Recording, open_recording
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.options import SourceSpec
from trust_seg_ros.support.parallel import cores

_WARM_SIZE = (64, 96)
_OPEN_RECORDINGS = 4
_WORTH_A_WORKER = 64  # frames that it must get: it takes seconds to start
_MOST_WORKERS = 8  # each holds a network and its libraries: about 1 GB


class WorkerDiedError(ReplayError):
    """A worker's process ended in the middle of a chunk; the chunk can be tried again."""


@dataclass(frozen=True)
class Task:
    """One chunk to do.

    Attributes:
        job: that it belongs to.
        index: of the chunk.
        memory: camera -> what the chunk before left; empty where chunks do not depend on each other.
    """

    job: Job
    index: int
    memory: Mapping[str, CameraMemory]


class Bench:
    """What a worker keeps from chunk to chunk."""

    def __init__(self) -> None:
        self._settings: PipelineSettings | None = None
        self._pipeline: TrustPipeline | None = None
        self._recordings: dict[SourceSpec, Recording] = {}

    def do(self, task: Task, tick: Callable[[], None] = lambda: None) -> int:
        """One chunk; its record and its file of the bag lie in the job's folder afterwards.

        Returns:
            Number of its frames, refused ones included.

        Raises:
            TrustSegError: a model or the recording cannot be used, or the disk is full.
        """
        job = task.job
        pipeline = self._loaded(job)
        work = ChunkWork(job, job.chunks[task.index], self._opened(job.source), pipeline, task.memory)
        return len(finish_chunk(work, job, task.index, tick).frames)

    def close(self) -> None:
        """Let go of the recordings."""
        for recording in self._recordings.values():
            recording.close()
        self._recordings.clear()

    def _loaded(self, job: Job) -> TrustPipeline:
        settings = job.options.pipeline
        if self._pipeline is None or self._settings != settings:
            self._pipeline = None  # two networks at once may not fit
            pipeline = TrustPipeline.load(settings)
            pipeline.warm_up(_WARM_SIZE)
            self._pipeline, self._settings = pipeline, settings
        self._pipeline.check(job.options.thresholds)
        return self._pipeline

    def _opened(self, spec: SourceSpec) -> Recording:
        if spec not in self._recordings:
            while len(self._recordings) >= _OPEN_RECORDINGS:
                self._recordings.pop(next(iter(self._recordings))).close()
            self._recordings[spec] = open_recording(spec)
        return self._recordings[spec]


@dataclass(frozen=True)
class Done:
    """A task that has ended.

    Attributes:
        task: which.
        frames: how many it handled.
        error: what went wrong, or None.
    """

    task: Task
    frames: int = 0
    error: Exception | None = None


class Workers(Protocol):
    """Takes tasks and tells when they are done."""

    @property
    def slots(self) -> int:
        """How many tasks it works on at once."""

    def submit(self, task: Task) -> None:
        """Take one more."""

    def wait(self) -> list[Done]:
        """Block until a task has ended; those that have."""

    def close(self) -> None:
        """End; what is in work is given up."""


class OwnProcess:
    """This process, one chunk at a time.

    Args:
        tick: called after every frame.
    """

    slots = 1

    def __init__(self, tick: Callable[[], None] = lambda: None) -> None:
        self._bench, self._tick = Bench(), tick
        self._waiting: list[Task] = []

    def submit(self, task: Task) -> None:
        """Take it; it is done in ``wait``."""
        self._waiting.append(task)

    def wait(self) -> list[Done]:
        """Do the first."""
        task = self._waiting.pop(0)
        try:
            return [Done(task, self._bench.do(task, self._tick))]
        except Exception as error:  # as from another process: what is no TrustSegError is tried again, then listed
            return [Done(task, error=error)]

    def close(self) -> None:
        """Close the recordings."""
        self._bench.close()


class Processes:
    """Several processes of this machine, each a pool of its own: one that dies takes no other's chunk with it.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.slots = count
        self._free = [_start() for _ in range(count)]
        self._busy: dict[Future[int], tuple[Task, ProcessPoolExecutor]] = {}

    def submit(self, task: Task) -> None:
        """Hand it to a free process; there are as many as ``slots``."""
        pool = self._free.pop()
        # Ctrl-C reaches every process of a terminal; it is the parent's to decide: workers inherit the blocked signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            future = pool.submit(do_in_worker, task)
        except BrokenProcessPool:
            pool = _start()
            future = pool.submit(do_in_worker, task)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._busy[future] = task, pool

    def wait(self) -> list[Done]:
        """Those that ended."""
        ended, _ = wait(self._busy, return_when=FIRST_COMPLETED)
        taken = [(future, *self._busy.pop(future)) for future in ended]
        self._free += [pool for _, _, pool in taken]
        return [_ended(task, future) for future, task, _ in taken]

    def close(self) -> None:
        """End the processes."""
        pools = [*self._free, *(pool for _, pool in self._busy.values())]
        for pool in pools:
            for process in list((pool._processes or {}).values()):
                process.terminate()  # a chunk in work is left unfinished, as after kill -9
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)


def _start() -> ProcessPoolExecutor:
    # spawned: a fork of a process with torch's threads hangs sooner or later
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _end_with_the_parent)


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)  # as after kill -9: what is unfinished is done again

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


_bench: Bench | None = None


def do_in_worker(task: Task) -> int:
    """One chunk in a process that only does chunks; returns the number of its frames."""
    global _bench
    _bench = _bench or Bench()
    return _bench.do(task)


def _ended(task: Task, future: Future[int]) -> Done:
    error = future.exception()
    if error is None:
        return Done(task, future.result())
    if isinstance(error, BrokenProcessPool):
        text = f"a worker ended in the middle of its chunk ({error}); was it killed, or out of memory?"
        return Done(task, error=WorkerDiedError(text))
    if isinstance(error, Exception):
        return Done(task, error=error)
    raise error


def with_threads(settings: PipelineSettings, sequential: bool) -> PipelineSettings:
    """The settings with a number of threads that does not depend on the workers, since results could depend on it.

    Chunks that may be done at once get a thread each; where they follow each other, all cores serve one.
    """
    if settings.threads or sequential:
        return settings
    return replace(settings, threads=1)


def default_workers(jobs: Sequence[Job]) -> int:
    """Processes that suit this machine: one per core, and no more than there is work for; one for a GPU."""
    import torch

    device = jobs[0].options.pipeline.device
    if device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        return 1  # the network already fills it
    at_once = sum(1 if job.options.sequential else len(job.chunks) for job in jobs)
    threads = max(1, jobs[0].options.pipeline.threads)
    worth_it = sum(job.frames for job in jobs) // _WORTH_A_WORKER
    return max(1, min(cores() // threads, _MOST_WORKERS, at_once, worth_it))
