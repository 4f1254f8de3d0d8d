"""Workers in this process or in several. Each keeps its network and its open recordings from chunk to chunk."""

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
from trust_seg_ros.support.processes import adopt_environment, worker_context

_WARM_SIZE = (64, 96)
_OPEN_RECORDINGS = 4
_WORTH_A_WORKER = 64  # a process takes seconds to start, so it must get at least this many frames
_MOST_WORKERS = 8  # each holds a network and its libraries: about 1 GB


class WorkerDiedError(ReplayError):
    """A worker process ended in the middle of a chunk; the chunk can be tried again."""


@dataclass(frozen=True)
class Task:
    """One chunk to do.

    Attributes:
        job: the job of the chunk.
        index: index of the chunk.
        memory: camera -> state left by the chunk before; empty if chunks do not depend on each other.
    """

    job: Job
    index: int
    memory: Mapping[str, CameraMemory]


class Bench:
    """Network and recordings that a worker keeps from chunk to chunk."""

    def __init__(self) -> None:
        self._settings: PipelineSettings | None = None
        self._pipeline: TrustPipeline | None = None
        self._recordings: dict[SourceSpec, Recording] = {}

    def do(self, task: Task, tick: Callable[[], None] = lambda: None) -> int:
        """Do one chunk; afterwards its record and its file of the bag are in the job's folder.

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
        """Close the recordings."""
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
            self._recordings[spec] = open_recording(spec, measure=False)
        return self._recordings[spec]


@dataclass(frozen=True)
class Done:
    """A task that has ended.

    Attributes:
        task: the task.
        frames: number of frames it handled.
        error: the error, or None.
    """

    task: Task
    frames: int = 0
    error: Exception | None = None


class Workers(Protocol):
    """Accepts tasks and reports when they are done."""

    @property
    def slots(self) -> int:
        """Number of tasks it works on at once."""

    def submit(self, task: Task) -> None:
        """Accept a task."""

    def wait(self) -> list[Done]:
        """Block until a task has ended; returns all tasks that have."""

    def close(self) -> None:
        """Stop, abandoning running tasks."""


class OwnProcess:
    """Works in this process, one chunk at a time.

    Args:
        tick: called after every frame.
    """

    slots = 1

    def __init__(self, tick: Callable[[], None] = lambda: None) -> None:
        self._bench, self._tick = Bench(), tick
        self._waiting: list[Task] = []

    def submit(self, task: Task) -> None:
        """Accept a task; it is done in ``wait``."""
        self._waiting.append(task)

    def wait(self) -> list[Done]:
        """Do the first waiting task."""
        task = self._waiting.pop(0)
        try:
            return [Done(task, self._bench.do(task, self._tick))]
        except Exception as error:  # as in other processes: any error but a TrustSegError is tried again, then listed
            return [Done(task, error=error)]

    def close(self) -> None:
        """Close the recordings."""
        self._bench.close()


class Processes:
    """Works in several processes of this machine, each in its own pool, so a dying process affects no other chunk.

    Args:
        count: number of processes.
    """

    def __init__(self, count: int) -> None:
        self.slots = count
        self._free = [_start() for _ in range(count)]
        self._busy: dict[Future[int], tuple[Task, ProcessPoolExecutor]] = {}

    def submit(self, task: Task) -> None:
        """Give a task to a free process; there are ``slots`` processes."""
        pool = self._free.pop()
        # Ctrl-C reaches every process of a terminal, but the parent decides: workers inherit the blocked signal
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
        """Tasks that ended."""
        ended, _ = wait(self._busy, return_when=FIRST_COMPLETED)
        taken = [(future, *self._busy.pop(future)) for future in ended]
        self._free += [pool for _, _, pool in taken]
        return [_ended(task, future) for future, task, _ in taken]

    def close(self) -> None:
        """End the processes."""
        pools = [*self._free, *(pool for _, pool in self._busy.values())]
        for pool in pools:
            for process in list((pool._processes or {}).values()):
                process.terminate()  # a running chunk is left unfinished, as after kill -9
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)


def _start() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, worker_context(), _begin, (dict(os.environ),))


def _begin(environment: Mapping[str, str]) -> None:
    adopt_environment(environment)
    _end_with_the_parent()


def _end_with_the_parent() -> None:
    """Make a worker exit with its parent; otherwise it would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)  # as after kill -9: unfinished chunks are done again

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


_bench: Bench | None = None


def do_in_worker(task: Task) -> int:
    """Do one chunk in a worker process; returns the number of its frames."""
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
    """The settings with a number of threads that is the same for any number of workers, since results may depend on it.

    Chunks that may be done at the same time get one thread each; chunks that must be done in order get all cores.
    """
    if settings.threads or sequential:
        return settings
    return replace(settings, threads=1)


def default_workers(jobs: Sequence[Job]) -> int:
    """Number of processes that suits this machine: one per core, but no more than the work needs; one for a GPU."""
    import torch

    device = jobs[0].options.pipeline.device
    if device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        return 1  # one network already fills it
    at_once = sum(1 if job.options.sequential else len(job.chunks) for job in jobs)
    threads = max(1, jobs[0].options.pipeline.threads)
    worth_it = sum(job.frames for job in jobs) // _WORTH_A_WORKER
    return max(1, min(cores() // threads, _MOST_WORKERS, at_once, worth_it))
