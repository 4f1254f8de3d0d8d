"""Distributes the chunks of jobs to workers, retries after a worker died, and finishes complete recordings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.recordings.replay.chunk_record import ChunkRecord
from trust_seg_ros.recordings.replay.errors import NoRoomError
from trust_seg_ros.recordings.replay.finish import Finished, finish
from trust_seg_ros.recordings.replay.frame_work import CameraMemory
from trust_seg_ros.recordings.replay.job import DONE, Job
from trust_seg_ros.recordings.replay.workers import Done, Task, WorkerDiedError, Workers

TRIES = 3
"""Most attempts at a chunk whose worker dies."""


@dataclass
class Outcome:
    """Result of the replay of one recording.

    Attributes:
        job: its job.
        finished: the output; None if incomplete.
        error: why it failed; None without a failure.
        retried: errors after which a chunk was done again.
        resumed: number of chunks done by an earlier run.
        seconds: from the start of the first chunk to the output.
    """

    job: Job
    finished: Finished | None = None
    error: Exception | None = None
    retried: list[str] = field(default_factory=list)
    resumed: int = 0
    seconds: float = 0.0


class _Queue:
    """The remaining chunks of one job."""

    def __init__(self, job: Job) -> None:
        self.outcome = Outcome(job)
        self.begun: float | None = None
        self.tries: dict[int, int] = {}
        todo = [chunk.index for chunk in job.chunks if not job.is_done(chunk.index)]
        self.outcome.resumed = len(job.chunks) - len(todo)
        self.waiting, self.in_work = deque(todo), 0

    def next(self) -> Task | None:
        """The next chunk that can be done now; None if there is none."""
        job = self.outcome.job
        if not self.waiting or self.outcome.error is not None or (job.options.sequential and self.in_work):
            return None
        self.begun = self.begun or time.monotonic()
        index = self.waiting.popleft()
        self.in_work += 1
        self.tries[index] = self.tries.get(index, 0) + 1
        return Task(job, index, _memory(job, index))

    def ended(self, done: Done) -> None:
        """Handle a task that ended; the chunk of a dead worker is tried again."""
        self.in_work -= 1
        if done.error is None:
            return
        index, final = done.task.index, isinstance(done.error, TrustSegError)
        if (final and not isinstance(done.error, WorkerDiedError)) or self.tries[index] >= TRIES:
            self.outcome.error = done.error
            return
        self.outcome.retried.append(f"chunk {index}: {done.error}")
        self.waiting.appendleft(index)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self.in_work and (not self.waiting or self.outcome.error is not None)


def run_jobs(
    jobs: Sequence[Job],
    workers: Workers,
    facts: Sequence[tuple[str, str]] = (),
    on_chunk: Callable[[Done], None] = lambda _: None,
    on_finished: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Do all chunks of all jobs, and finish every output as soon as its chunks are done.

    Args:
        jobs: the prepared jobs.
        workers: the workers; closed by the caller.
        facts: (name, value) lines for the reports.
        on_chunk: called for every chunk that ended.
        on_finished: called for every recording that is complete or has failed.

    Returns:
        One outcome per job, in order. A job that fails does not stop the others.

    Raises:
        NoRoomError: the disk is full, so that nothing can continue.
    """
    queues = [_Queue(job) for job in jobs]
    by_folder = {queue.outcome.job.out: queue for queue in queues}
    open_ones = list(queues)
    in_work = 0
    while open_ones:
        for queue in open_ones:
            while in_work < workers.slots and (task := queue.next()) is not None:
                in_work += 1
                workers.submit(task)
        if in_work:
            for done in workers.wait():
                in_work -= 1
                by_folder[done.task.job.out].ended(done)
                on_chunk(done)
                if isinstance(done.error, NoRoomError):
                    raise done.error
        for queue in [queue for queue in open_ones if queue.over]:
            open_ones.remove(queue)
            _conclude(queue, facts)
            on_finished(queue.outcome)
    return [queue.outcome for queue in queues]


def _conclude(queue: _Queue, facts: Sequence[tuple[str, str]]) -> None:
    outcome = queue.outcome
    if outcome.error is None:
        try:
            outcome.finished = finish(outcome.job, facts)
        except NoRoomError:
            raise
        except TrustSegError as error:
            outcome.error = error
    elif not outcome.job.begun:
        outcome.job.abandon()
    outcome.seconds = 0.0 if queue.begun is None else time.monotonic() - queue.begun


def _memory(job: Job, index: int) -> Mapping[str, CameraMemory]:
    if not job.options.sequential or index == 0:
        return {}
    return ChunkRecord.read(job.chunk_folder(index - 1) / DONE).memory
