"""What ``trust-seg replay`` prints: a progress bar, then a summary of the results."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.recordings.replay.errors import NoRoomError, ReplayError, explained
from trust_seg_ros.recordings.replay.job import FRAMES_TABLE, Job
from trust_seg_ros.recordings.replay.run import Outcome
from trust_seg_ros.recordings.replay.workers import Done, WorkerDiedError
from trust_seg_ros.types import Json

SUMMARY = "replay.csv"
_COLUMNS = ("recording", "frames", "refused", "frames_per_s", "flagged", "ood_segments", "state", "retried")
_STEPS = {"read": "reading", "judge": "pipeline", "write": "writing", "gather": "gathering for tables and report"}


class ReplayBar:
    """Frames done and still to do, over all recordings."""

    def __init__(self, progress: Progress, jobs: Sequence[Job]) -> None:
        self._progress, self._ticked, self._alone = progress, 0, len(jobs) == 1
        total = sum(job.frames for job in jobs)
        done = sum(round(job.frames * sum(map(job.is_done, range(len(job.chunks)))) / len(job.chunks)) for job in jobs)
        self._task = progress.add_task("replaying", total=total, completed=done)

    def tick(self) -> None:
        """Count one frame of this process."""
        self._ticked += 1
        self._progress.advance(self._task)

    def chunk(self, done: Done) -> None:
        """Count the frames of a finished chunk, unless they were ticked one by one."""
        self._progress.advance(self._task, max(0, done.frames - self._ticked))
        self._ticked = 0
        said_at_the_end = isinstance(done.error, NoRoomError) or (
            self._alone and not isinstance(done.error, WorkerDiedError)
        )
        if done.error is not None and not said_at_the_end:
            self._progress.console.print(f"{done.task.job.source.path}: {done.error}", style="red", highlight=False)

    def finished(self, outcome: Outcome) -> None:
        """Report that a recording is complete, or has failed."""
        if outcome.finished is not None:
            self._progress.console.print(f"{outcome.job.out} is complete", style="green", highlight=False)


@contextmanager
def progress(console: Console, jobs: Sequence[Job]) -> Iterator[ReplayBar]:
    """Shows the progress bar during the work."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield ReplayBar(bar, jobs)


def conclude(
    console: Console,
    out: Path,
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
    refused: Mapping[Path, SourceError] = MappingProxyType({}),
) -> int:
    """Print the results; returns the exit status.

    Args:
        console: where to print.
        out: folder of all outputs.
        jobs: all jobs that could be started.
        outcomes: of the jobs that were not complete before.
        refused: recordings that could not be read, and why.

    Raises:
        TrustSegError: the only recording failed, or all of its images were refused.
    """
    by_out = {outcome.job.out: outcome for outcome in outcomes}
    if len(jobs) == 1 and not refused:
        outcome = by_out.get(jobs[0].out)
        if outcome is None:
            console.print(f"{jobs[0].out} is complete already (--force makes it anew)", highlight=False)
            return _checked(jobs[0], _refused_before(jobs[0]))
        if outcome.error is not None:
            raise outcome.error
        _one(console, outcome)
        return _checked(jobs[0], _all_refused(outcome))
    rows = [_row(job, by_out.get(job.out)) for job in jobs]
    rows += [[str(path), "", "", "", "", "", f"left out: {error}"] for path, error in refused.items()]
    table = Table("recording", "frames", "refused", "frames/s", "flagged", "OoD segments", "state")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for outcome in outcomes:
        for text in outcome.retried:
            _say(console, f"tried again: {outcome.job.source.path}: {text}", "yellow")
    retried = {str(outcome.job.source.path): "; ".join(outcome.retried) for outcome in outcomes}
    with explained(out), (out / SUMMARY).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["recording", "frames", "refused", "frames_per_s", "flagged", "ood_segments", "state", "retried"]
        )
        writer.writerows([*row, retried.get(row[0], "")] for row in rows)
    failed = any(outcome.error is not None or _all_refused(outcome) for outcome in outcomes)
    before = any(_refused_before(job) for job in jobs if job.out not in by_out)
    return 1 if refused or failed or before else 0


def recordings_json(
    jobs: Sequence[Job], outcomes: Sequence[Outcome], refused: Mapping[Path, SourceError]
) -> list[Json]:
    """One object per recording: its output, how it ended, and the means over its frames."""
    by_out = {outcome.job.out: outcome for outcome in outcomes}
    rows = [_recording_json(job, by_out.get(job.out)) for job in jobs]
    return [
        *rows,
        *({"source": path, "out": None, "state": "refused", "error": str(refused[path])} for path in refused),
    ]


def _recording_json(job: Job, outcome: Outcome | None) -> Json:
    row: Json = {"source": job.source.path, "out": job.out, "frames": job.frames}
    if outcome is None:
        return row | {"state": "complete already"}
    if outcome.finished is None:
        return row | {"state": "failed", "error": str(outcome.error)}
    frames = outcome.finished.drive.frames
    return row | {
        "state": "complete",
        "refused": outcome.finished.refused,
        "seconds": outcome.seconds,
        "flagged_pixels": _mean(frames, "flagged_pixels"),
        "unreliable_pixels": _mean(frames, "unreliable_pixels"),
        "ood_segments": _ood_segments(frames),
        "notes": [*outcome.finished.drive.notes, *(f"tried again: {text}" for text in outcome.retried)],
        "files": [outcome.finished.out / name for name in outcome.finished.products],
    }


def _checked(job: Job, reason: str) -> int:
    """The exit status of the only recording; an error if there is a reason against its result."""
    if reason:
        raise ReplayError(f"{job.source.path}: {reason}")
    return 0


def _refused_before(job: Job) -> str:
    """The same as :func:`_all_refused` for an output that was complete before."""
    from trust_seg_ros.recordings.replay.segment_tables import refusals

    return _judged_nothing(refusals(job.out / FRAMES_TABLE))


def _all_refused(outcome: Outcome) -> str:
    """Why nothing was judged although the replay ran to its end; "" if anything was."""
    return "" if outcome.finished is None else _judged_nothing(outcome.finished.drive.frames["refused"])


def _judged_nothing(reasons: Sequence[str] | np.ndarray) -> str:
    if not len(reasons) or not all(reasons):
        return ""
    return f"all {len(reasons)} images were refused, so that nothing was judged; the first: {reasons[0]}"


def _one(console: Console, outcome: Outcome) -> None:
    finished = outcome.finished
    assert finished is not None
    frames, drive = finished.drive.frames, finished.drive
    judged = finished.frames - finished.refused
    console.print(f"{judged} frames judged, {finished.refused} refused", highlight=False)
    if outcome.resumed:
        console.print(f"{outcome.resumed} of {len(outcome.job.chunks)} chunks were done before", highlight=False)
    if judged:
        _say(console, _flagged(frames))
    for note in drive.notes:
        _say(console, f"note: {note}", "yellow")
    for text in outcome.retried:
        _say(console, f"tried again: {text}", "yellow")
    _speed(console, outcome)
    for name in finished.products:
        _say(console, f"  {finished.out / name}")


def _flagged(frames: Mapping[str, np.ndarray]) -> str:
    shares = (("flagged_pixels", "of the pixels flagged"), ("unreliable_pixels", "on unreliable segments"))
    known = [f"{mean:.1%} {words}" for name, words in shares if np.isfinite(mean := _mean(frames, name))]
    strange = _ood_segments(frames)
    return ", ".join(known if strange is None else [*known, f"{strange} OoD segments"])


def _ood_segments(frames: Mapping[str, np.ndarray]) -> int | None:
    """Their number; None where none were looked for."""
    found = frames["ood_segments"]
    return int(np.nansum(found)) if np.isfinite(found).any() else None


def _say(console: Console, text: str, style: str | None = None) -> None:
    """Print one line, which a terminal may wrap; a file keeps it in one piece."""
    console.print(text, style=style, highlight=False, soft_wrap=True)


def _speed(console: Console, outcome: Outcome) -> None:
    finished = outcome.finished
    assert finished is not None
    spent = sum(finished.seconds.values())
    if outcome.resumed or not spent or not outcome.seconds:
        return
    shares = ", ".join(f"{_STEPS[name]} {seconds / spent:.1%}" for name, seconds in finished.seconds.items())
    console.print(
        f"{finished.frames / outcome.seconds:.1f} frames/s ({outcome.seconds:.1f} s in all); {shares}", highlight=False
    )


def _row(job: Job, outcome: Outcome | None) -> list[str]:
    name = str(job.source.path)
    if outcome is None:
        return [name, "", "", "", "", "", _refused_before(job) or "complete already"]
    if outcome.finished is None:
        return [name, str(job.frames), "", "", "", "", f"failed: {outcome.error}"]
    frames, reason = outcome.finished.drive.frames, _all_refused(outcome)
    return [
        name,
        str(outcome.finished.frames),
        str(outcome.finished.refused),
        f"{outcome.finished.frames / outcome.seconds:.1f}" if outcome.seconds else "",
        "" if reason else f"{_mean(frames, 'flagged_pixels'):.1%}",
        "" if (strange := _ood_segments(frames)) is None else str(strange),
        reason or "complete",
    ]


def _mean(frames: Mapping[str, np.ndarray], column: str) -> float:
    values = frames[column]
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")
