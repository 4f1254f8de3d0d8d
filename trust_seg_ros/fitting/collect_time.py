"""Collects the segments of whole recordings in order, so that every labelled segment is known with its past.

Segments are followed, and their metrics remembered, on all frames, as a node does it: ground truth, where there is any,
plays no part in that. A segment of a labelled frame, from which ignored pixels are removed, is a part of one segment
that was followed, and takes over what that was before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.datasets.sequences import Sequence as Frames
from trust_seg_ros.datasets.sequences import SequenceFrame, frame_rates, median_period, sequences
from trust_seg_ros.fitting.collect_worker import Collector
from trust_seg_ros.segments.history import MetricHistory, TimeWindow, time_names
from trust_seg_ros.segments.tracks import Tracker, TrackingSettings
from trust_seg_ros.types import SegmentTable

Result = tuple[int, DatasetError | None]


@dataclass(frozen=True)
class TimePlan:
    """How far to look back, and the frames to look at.

    Attributes:
        window: how far.
        frames: the sequences.
    """

    window: TimeWindow
    frames: tuple[Frames, ...]


@dataclass(frozen=True)
class SequenceJob:
    """A recording to follow.

    Attributes:
        frames: its frames.
        files: position of a labelled image -> the file for its rows, for those that are wanted.
    """

    frames: Frames
    files: Mapping[int, Path]


def time_window(folder: LabelledFolder, frames: int, rate_hz: float) -> TimeWindow:
    """The window that holds so many frames of these recordings.

    Raises:
        DatasetError: fewer than two frames, no sequence, or frames further apart than tracks live.
    """
    if frames < 2:
        raise DatasetError(f"{frames} frames to look back; expected at least 2")
    period = median_period(found := sequences(folder, rate_hz))
    if period > (longest := TrackingSettings().max_gap_s):
        raise DatasetError(
            f"frames lie {period:.3g} s apart, and segments are not followed over more than {longest:g} s: expected "
            "more frames a second, or another --rate (how many of the names' numbers make a second)"
        )
    return TimeWindow(frames * period, rate_hz=frame_rates(found))


def time_plan(folder: LabelledFolder, window: TimeWindow, rate_hz: float) -> TimePlan:
    """The sequences of a folder, and a window that knows their frame rates.

    Raises:
        DatasetError: as ``datasets.sequences.sequences``.
    """
    found = sequences(folder, rate_hz)
    return TimePlan(replace(window, rate_hz=frame_rates(found)), found)


def jobs_of(plan: TimePlan, files: Mapping[int, Path]) -> list[SequenceJob]:
    """The sequences with images that are wanted, longest first, so that several workers end at about one time."""
    found = []
    for frames in plan.frames:
        wanted = {f.index: files[f.index] for f in frames if f.index is not None and f.index in files}
        if wanted:
            last = max(k for k, frame in enumerate(frames) if frame.index in wanted)
            found.append(SequenceJob(frames[: last + 1], wanted))
    return sorted(found, key=lambda job: -len(job.frames))


def follow(collector: Collector, job: SequenceJob) -> Iterator[Result]:
    """Write the rows of the labelled images of a recording, in order; yields each, and what is wrong with it.

    Frames without labels that cannot be read are gaps.

    Raises:
        StoreError: a file cannot be written.
        TrustSegError: the network fails.
    """
    assert collector.time is not None
    tracker = Tracker(TrackingSettings(on=True))
    history = MetricHistory(collector.metrics, collector.time)
    for frame in job.frames:
        wanted = frame.index in job.files
        try:
            image, truth = _read(collector, frame, wanted=wanted)
        except DatasetError as error:
            if wanted and frame.index is not None:
                yield frame.index, error
            continue
        answer = collector.answer(image)
        whole = collector.table(answer)
        tracks = tracker.update(whole.ids, whole.class_ids, whole.sizes, frame.stamp_ns)
        columns = history.update(whole.metrics, tracks, tracker.state().ids)
        if truth is not None and frame.index is not None:
            judged = collector.table(answer, truth)
            collector.keep(frame.index, job.files[frame.index], with_past(judged, whole, columns), answer, truth)
            yield frame.index, None


def with_past(judged: SegmentTable, whole: SegmentTable, columns: np.ndarray) -> SegmentTable:
    """Segments without ignored pixels, with the columns over time of the segments that they are parts of.

    Args:
        judged: the m segments of a labelled image.
        whole: the n segments of the same image with all pixels.
        columns: (n, k) of these, of all metrics.
    """
    ids = judged.ids.ravel()
    first = np.full(len(judged) + 1, -1, np.int64)
    first[ids[::-1]] = np.arange(ids.size - 1, -1, -1)
    owner = whole.ids.ravel()[first[1:]]
    past = np.concatenate([np.zeros((1, columns.shape[1])), columns])[owner]
    names = (*judged.names, *time_names(judged.names))
    return replace(judged, names=names, metrics=np.concatenate([judged.metrics, past], 1))


def _read(collector: Collector, frame: SequenceFrame, *, wanted: bool) -> tuple[np.ndarray, np.ndarray | None]:
    if wanted and frame.index is not None:
        return collector.read(collector.folder.samples[frame.index])
    return collector.read_image(frame.image), None
