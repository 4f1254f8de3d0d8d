"""Worker processes, each with its own network, that write one file per image.

Every worker has its own pipe and handles one image at a time: a worker that dies cannot damage anything shared, and no
result waits in memory. A worker ends when the other end of its pipe is closed, however the main process ended.
"""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.fitting.collect_time import SequenceJob
from trust_seg_ros.grid import AS_IMAGE, Grid
from trust_seg_ros.meta.errors import CollectError
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments.history.window import TimeWindow
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.support.processes import adopt_environment, worker_context
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics

Job = tuple[int, Path] | SequenceJob
"""Position of an image, and the file for its rows; or a recording to follow."""
Result = tuple[int, DatasetError | None]
"""Position of an image, and what is wrong with it."""
_GRACE_S = 5.0


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Processes started in this context ignore Ctrl-C, which reaches the whole group: the main process ends them."""
    resource_tracker.ensure_running()  # starts with the first process, and would enable Ctrl-C again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(
    connection: Connection,
    settings: NetworkSettings,
    folder: LabelledFolder,
    threads: int,
    scores: tuple[str, ...],
    grid: Grid,
    statistics: NetworkStatistics,
    segments_from: str,
    time: TimeWindow | None,
    environment: Mapping[str, str],
) -> None:
    """Body of a worker: jobs in; out come position, None or what went wrong, and whether the job is done."""
    adopt_environment(environment)
    from trust_seg_ros.fitting.collect_time import follow
    from trust_seg_ros.fitting.collect_worker import Collector, one_thread

    collector: Collector | None = None
    with one_thread(), suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job: Job = connection.recv()
            index = _position(job)
            error: Exception | None = None
            try:
                how = threads, scores, grid, statistics, segments_from, time
                collector = collector or Collector(settings.load(), folder, *how)
                if isinstance(job, SequenceJob):
                    left = len(job.files)
                    for index, error in follow(collector, job):
                        left -= 1
                        connection.send((index, error, not left))
                    continue
                collector.write(*job)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as raised:
                error = _picklable(raised)
            connection.send((index, error, True))


class Pool:
    """Workers for one collection; a context manager that ends all workers on exit."""

    def __init__(
        self,
        settings: NetworkSettings,
        folder: LabelledFolder,
        workers: int,
        threads: int,
        scores: tuple[str, ...] = (),
        grid: Grid = AS_IMAGE,
        statistics: NetworkStatistics = NO_STATISTICS,
        segments_from: str = COMPONENTS,
        time: TimeWindow | None = None,
    ) -> None:
        context = worker_context()
        task = settings, folder, threads, scores, grid, statistics, segments_from, time, dict(os.environ)
        self._folder = folder
        self._workers: dict[Connection, BaseProcess] = {}
        self._busy: dict[Connection, int] = {}
        self._answered: set[Connection] = set()
        try:
            with _ctrl_c_held_back():
                for k in range(workers):
                    ours, theirs = context.Pipe()
                    process = context.Process(target=serve, args=(theirs, *task), name=f"collect-{k}", daemon=True)
                    process.start()
                    theirs.close()  # so that each end notices when the other is closed
                    self._workers[ours] = process
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(process.pid or 0 for process in self._workers.values())

    def results(self, jobs: Sequence[Job]) -> Iterator[Result]:
        """Do the jobs; yields positions as they are finished, with the problem of the image, if any.

        Raises:
            CollectError: a worker died.
            TrustSegError: any other error of a job.
        """
        waiting = iter(jobs)
        for connection in self._workers:
            self._give(connection, next(waiting, None))
        while self._busy:
            sentinels = {c: self._workers[c].sentinel for c in self._busy}
            ready = set(wait([*sentinels, *sentinels.values()]))
            # a worker may have answered before it died: read its answer first
            for connection in [c for c, sentinel in sentinels.items() if c in ready or sentinel in ready]:
                index, error, done = self._take(connection)
                if error is not None and not isinstance(error, DatasetError):
                    raise error
                if done:
                    self._give(connection, next(waiting, None))
                yield index, error

    def close(self) -> None:
        """End the workers; safe at any point, because files get their name only when they are complete."""
        for process in self._workers.values():
            process.terminate()
        for connection, process in self._workers.items():
            process.join(_GRACE_S)
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()
        self._workers, self._busy = {}, {}

    def _give(self, connection: Connection, job: Job | None) -> None:
        self._busy.pop(connection, None)
        if job is not None:
            self._busy[connection] = _position(job)
            with suppress(BrokenPipeError, ConnectionResetError):  # wait for it, so that its exit status is known
                connection.send(job)

    def _take(self, connection: Connection) -> tuple[int, Exception | None, bool]:
        try:
            if not connection.poll():
                raise EOFError
            answer = connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._obituary(connection) from None
        self._answered.add(connection)
        return answer

    def _obituary(self, connection: Connection) -> CollectError:
        process = self._workers[connection]
        process.join(_GRACE_S)
        code, name = process.exitcode, self._folder.samples[self._busy[connection]].name
        kept = "finished images are kept, run the same command again to continue"
        if code is not None and code < 0:
            cause = signal.Signals(-code).name
            return CollectError(
                f"worker process {process.pid} was ended by {cause} at image {name!r} (out of memory? then fewer "
                f"--workers); {kept}"
            )
        if connection not in self._answered:
            return CollectError(
                f"a worker process could not start (status {code}); see its message above. A script that collects "
                'with several workers needs  if __name__ == "__main__":  around its main part'
            )
        return CollectError(f"worker process {process.pid} ended by itself (status {code}) at image {name!r}; {kept}")


def _position(job: Job) -> int:
    """Position of an image of the job, to name it by."""
    return min(job.files) if isinstance(job, SequenceJob) else job[0]


def _picklable(error: Exception) -> Exception:
    """The error, or its text if it cannot be sent through the pipe."""
    with suppress(Exception):
        if type(pickle.loads(pickle.dumps(error))) is type(error) and isinstance(error, TrustSegError):
            return error
    traceback.print_exception(type(error), error, error.__traceback__)
    return CollectError(
        f"worker process {os.getpid()} failed: {type(error).__name__}: {error}; see its traceback above"
    )
