"""Joins finished chunks: their files into one bag, their rows into tables, their highlights into a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trust_seg_ros.recordings.replay.bag_parts import Metadata, join_metadata
from trust_seg_ros.recordings.replay.chunk_record import ChunkRecord
from trust_seg_ros.recordings.replay.drive import DriveBuilder
from trust_seg_ros.recordings.replay.errors import ReplayError, explained
from trust_seg_ros.recordings.replay.job import DONE, FRAMES_TABLE, METADATA, REPORT, SEGMENTS_TABLE, Job
from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.replay.segment_tables import SegmentTableWriter, merge_tables
from trust_seg_ros.support.resumable import write_text
from trust_seg_ros.version import installed_version


@dataclass(frozen=True)
class Finished:
    """Result of a replay.

    Attributes:
        out: the output folder.
        frames: number of images, including refused ones.
        refused: number of refused images.
        drive: the content of the report.
        seconds: name of the step -> seconds spent in it by all workers together.
        products: files in the output folder, by name.
    """

    out: Path
    frames: int
    refused: int
    drive: Drive
    seconds: Mapping[str, float]
    products: Sequence[str]


def finish(job: Job, facts: Sequence[tuple[str, str]] = ()) -> Finished:
    """Put the output together; may be called again after an interruption.

    ``metadata.yaml`` comes last: once it exists, the bag is complete.

    Args:
        job: a job whose chunks are all done.
        facts: about the settings and the command, for the report.

    Raises:
        ReplayError: the disk is full, or cannot be written to.
    """
    with explained(job.out):
        builder, parts = DriveBuilder(job), list[Metadata]()
        for chunk in job.chunks:
            record = ChunkRecord.read(job.chunk_folder(chunk.index) / DONE)
            builder.add(record)
            if record.file:
                parts.append(record.metadata)
                _take_out(job, chunk.index)
        frames = builder.frames()
        if not parts:
            job.abandon()
            raise ReplayError(_nothing(job, frames["refused"]))
        drive = builder.drive(frames, facts)
        with SegmentTableWriter(job.out / FRAMES_TABLE, {"recording": job.source.path.name}) as table:
            table.add(frames)
        if job.options.segments:
            folders = [job.chunk_folder(chunk.index) for chunk in job.chunks]
            merge_tables([folder / SEGMENTS_TABLE for folder in folders], job.out / SEGMENTS_TABLE)
        if job.options.pictures:
            _write_report(job.out / REPORT, drive)
        metadata = join_metadata(parts, {"made_by": f"trust_seg_ros {installed_version()}"})
        write_text(job.out / METADATA, metadata, job.work / METADATA)
    job.tidy()
    products = [name for name in (METADATA, FRAMES_TABLE, SEGMENTS_TABLE, REPORT) if (job.out / name).is_file()]
    refused = int(np.count_nonzero(frames["refused"] != ""))
    return Finished(job.out, len(frames["camera"]), refused, drive, builder.seconds, products)


def _nothing(job: Job, refused: np.ndarray) -> str:
    """Why there is no message to write."""
    path = job.source.path
    if len(refused):
        return (
            f"{path}: all {len(refused)} images of the section were refused, and nothing else was to be written; the "
            f"first: {refused[0]}; with --keep images they are copied, and frames.parquet says why each was refused"
        )
    return (
        f"{path} has no image in the section asked for: nothing was written; choose another --start or --duration (it "
        f"is {(job.end_ns - job.start_ns) * 1e-9:.3f} s long)"
    )


def _take_out(job: Job, index: int) -> None:
    """Move a finished file to its final place, unless it is there already."""
    final = job.bag_file(index)
    made = job.chunk_folder(index) / final.stem / final.name
    if made.is_file():
        made.replace(final)
    elif not final.is_file():
        raise ReplayError(
            f"{final} is gone: it was finished before, and has been removed since; start anew with --force"
        )


def _write_report(path: Path, drive: Drive) -> None:
    from trust_seg_ros.recordings.report.page import write_report

    write_report(path, drive)
