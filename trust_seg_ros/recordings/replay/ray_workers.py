"""Works on chunks on a Ray cluster: each worker keeps its network; all machines must share the folders."""

from __future__ import annotations

import json
import pickle
import secrets
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.recordings.replay.errors import ReplayError, explained
from trust_seg_ros.recordings.replay.job import JOB, Job, fingerprint_of
from trust_seg_ros.recordings.replay.options import ReplayOptions
from trust_seg_ros.recordings.replay.ray_cluster import ClusterError, capacity, connect, last_line, needs
from trust_seg_ros.recordings.replay.workers import Done, Task, WorkerDiedError, do_in_worker
from trust_seg_ros.support.reading import read_json_file
from trust_seg_ros.version import installed_version

_LOOK_AGAIN_S = 10.0
_IN_STORE = 2
_PATIENCE_S = 300.0
_SEEN_WITHIN_S = 90.0
_PROBE_S = 120.0
_GONE_WITHIN_S = 5.0


class NotSharedError(ReplayError):
    """A machine of the cluster does not see the recording or the output folder."""


class RemoteFailure(Exception):  # noqa: N818  (only ever a cause)
    """The traceback of another process as text; used as the cause of its error here."""


@dataclass(frozen=True)
class Answer:
    """Answer of a worker: the result of the chunk, or its error."""

    frames: int = 0
    error: Exception | None = None
    trace: str = ""


class RayWorkers:
    """Workers on a Ray cluster.

    Ray itself retries nothing, since the runner counts the workers that die. A few more tasks are submitted than can be
    done at once, so that no worker waits for the next one, and a cluster that grows on demand sees the demand.

    Args:
        address: ``local``, ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``, as in :func:`ray_cluster.connect`.
        options: options of the replay.

    Raises:
        ClusterError: the cluster does not exist, or no machine in it can do the work.
    """

    def __init__(self, address: str, options: ReplayOptions) -> None:
        self._address = address
        self._ray, self._own = connect(address)
        try:
            self._need = needs(self._ray, options.pipeline.device, options.pipeline.threads)
            self._capacity, self._looked = capacity(self._ray, self._need), time.monotonic()
            self._checked = False
            self._token = f"run_{secrets.token_hex(8)}"
            self._tokens: list[Path] = []
            self._tasks: dict[Any, Task] = {}
            self._function = self._remote(do_on_ray, num_gpus=self._need.get("GPU", 0), num_cpus=self._need["CPU"])
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """Number of tasks the cluster can do at once, plus two; updated every ten seconds, since clusters grow."""
        if time.monotonic() - self._looked > _LOOK_AGAIN_S:
            self._capacity, self._looked = capacity(self._ray, self._need), time.monotonic()
        return self._capacity + _IN_STORE

    def submit(self, task: Task) -> None:
        """Submit a task to the cluster.

        Raises:
            NotSharedError: at the first task: a machine lacks the folders, or has another version of this package.
        """
        self._mark(task.job)
        if not self._checked:
            self._check_machines(task.job)
            self._checked = True
        self._tasks[self._function.remote(task, self._token)] = task

    def wait(self) -> list[Done]:
        """Tasks that ended.

        Raises:
            ClusterError: for five minutes no machine was able to do the work.
        """
        references, last = list(self._tasks), time.monotonic()
        while not self._ray.wait(references, num_returns=1, timeout=_LOOK_AGAIN_S)[0]:
            if capacity(self._ray, self._need):
                last = time.monotonic()
            elif time.monotonic() - last > _PATIENCE_S:
                raise ClusterError(
                    f"no machine of the Ray cluster at {self._address!r} can do the work any more ({self._need} needed "
                    f"for {_PATIENCE_S:.0f} s); finished chunks are kept: the same command goes on from there"
                )
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [self._ended(reference) for reference in ready]

    def close(self) -> None:
        """Cancel running tasks and leave the cluster; a cluster started here ends."""
        left = list(getattr(self, "_tasks", ()))
        for reference in left:
            self._ray.cancel(reference, force=True)
        if left:  # otherwise the next run could find files of theirs
            self._ray.wait(left, num_returns=len(left), timeout=_GONE_WITHIN_S)
            self._tasks.clear()
        for path in getattr(self, "_tokens", ()):
            path.unlink(missing_ok=True)
        if self._own:
            self._ray.shutdown()
            self._own = False

    def _remote(self, function: Any, **options: Any) -> Any:
        # max_calls: a process with a GPU would otherwise end after each task, and its network with it
        return self._ray.remote(max_retries=0, max_calls=0, **options)(function)

    def _mark(self, job: Job) -> None:
        """Put a file into the job's folder, by which workers tell it from another folder of the same name."""
        path = job.work / self._token
        if path not in self._tokens:
            with explained(path):
                for old in job.work.glob("run_*"):  # left by a killed run
                    old.unlink()
                path.touch()
            self._tokens.append(path)

    def _check_machines(self, job: Job) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0)]
        asked = {}
        for node in nodes:
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[self._remote(look, num_cpus=0, scheduling_strategy=where).remote(job, self._token)] = node
        self._ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE_S)
        for reference, node in asked.items():
            answer = self._answer(reference, node["NodeManagerHostname"], timeout=0.1)
            if answer.error is not None:
                raise answer.error

    def _ended(self, reference: Any) -> Done:
        task = self._tasks.pop(reference)
        answer = self._answer(reference, "a machine of the cluster")
        if answer.error is None:
            return Done(task, answer.frames, _unseen(task))
        if answer.trace:
            answer.error.__cause__ = RemoteFailure(answer.trace)
        return Done(task, error=answer.error)

    def _answer(self, reference: Any, machine: str, timeout: float | None = None) -> Answer:
        from ray import exceptions

        try:
            return self._ray.get(reference, timeout=timeout)
        except exceptions.RayTaskError as error:  # before our own code started
            return Answer(
                error=ClusterError(
                    f"{machine} cannot run this package ({last_line(error)}); expected trust_seg_ros "
                    f"{installed_version()} and its requirements in the Python of every machine"
                )
            )
        except exceptions.GetTimeoutError:
            return Answer(error=ClusterError(f"{machine} did not answer within {_PROBE_S:.0f} s; is it overloaded?"))
        except exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            text = f"a worker ended in the middle of its chunk ({reason}); was it killed, or out of memory?"
            return Answer(error=WorkerDiedError(text))


def do_on_ray(task: Task, token: str) -> Answer:
    """Do one chunk in a worker process; errors are returned."""
    try:
        check_shared(task.job, token)
        return Answer(do_in_worker(task))
    except Exception as error:
        return failed(error)


def look(job: Job, token: str) -> Answer:
    """Whether a machine can take part."""
    try:
        check_shared(job, token)
    except Exception as error:
        return failed(error)
    return Answer()


def failed(error: Exception) -> Answer:
    """An error that can be sent to another process; if it cannot be pickled, an error with the same text."""
    trace = (
        ""
        if isinstance(error, TrustSegError)
        else f"on {socket.gethostname()}:\n{''.join(traceback.format_exception(error))}"
    )
    with suppress(Exception):
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return Answer(error=error, trace=trace)
    if isinstance(error, TrustSegError):
        return Answer(error=ReplayError(str(error)))
    return Answer(error=RuntimeError(f"{type(error).__name__}: {error}"), trace=trace)


_known: set[tuple[Path, str]] = set()


def check_shared(job: Job, token: str) -> None:
    """Check that this machine sees the same files as the machine that runs the replay; once per job.

    Args:
        job: the job as prepared there.
        token: name of a file in its work folder that exists during this run only.

    Raises:
        NotSharedError: the output folder, the recording or a model is missing here, or is a different one.
    """
    machine, must = socket.gethostname(), "expected a folder that all machines share under one name"
    if not (job.work / token).is_file():
        there = "has another folder of the name" if job.out.is_dir() else "does not see the output folder"
        raise NotSharedError(f"{machine} {there} {job.out}; {must}: choose such an --out")
    if (job.out, token) in _known:
        return
    if not job.source.path.exists():
        raise NotSharedError(f"{machine} does not see the recording {job.source.path}; {must}: move it to one")
    if fingerprint_of(job.source.path) != job.input_id:
        raise NotSharedError(f"{machine} has another recording of the name {job.source.path}; {must}")
    mine, theirs = _plain(job.identity()), read_json_file(job.work / JOB, "record of the job", ReplayError)
    if mine["version"] != theirs["version"]:
        raise NotSharedError(
            f"{machine} has trust_seg_ros {mine['version']}, the replay was begun with {theirs['version']}; expected "
            "one version everywhere, or results would differ"
        )
    if mine != theirs:
        missing = sorted(set(theirs["files"]) - set(mine["files"]))
        text = f"does not see {', '.join(missing)}" if missing else "has other model files of the same names"
        raise NotSharedError(f"{machine} {text}; expected the same models and calibrations on every machine")
    _known.add((job.out, token))


def _plain(identity: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(identity))


def _unseen(task: Task) -> ReplayError | None:
    """Wait until this machine sees the files another has written, since network file systems may be slow."""
    until, job = time.monotonic() + _SEEN_WITHIN_S, task.job
    while not job.is_done(task.index):
        if time.monotonic() > until:
            return NotSharedError(
                f"chunk {task.index} of {job.source.path} is done, but this machine does not see it in {job.out} "
                f"within {_SEEN_WITHIN_S:.0f} s; expected a folder that all machines share"
            )
        time.sleep(0.2)
        with suppress(OSError):
            list(job.work.iterdir())  # makes a network file system refresh the folder
    return None
