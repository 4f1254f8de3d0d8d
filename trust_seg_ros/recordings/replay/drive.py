"""Joins finished chunks into one drive: the frame table in order of time, and the content of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from trust_seg_ros.meta.fitted_range import outside_words
from trust_seg_ros.recordings.bags import is_bag
from trust_seg_ros.recordings.replay.chunk_highlights import picture_cell, worst_frames
from trust_seg_ros.recordings.replay.chunk_record import ChunkRecord
from trust_seg_ros.recordings.replay.flagged_tracks import add_flagged, flagged_sums
from trust_seg_ros.recordings.replay.frame_numbers import add_class_sums, frame_table
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.records import (
    FRAME_COLUMNS,
    ClassSums,
    Drive,
    FlaggedSums,
    FramePicture,
    LiveLatency,
    OodObject,
    TrackedObject,
)
from trust_seg_ros.recordings.replay.shift_columns import shift_columns
from trust_seg_ros.recordings.replay.tracked_objects import most_certain
from trust_seg_ros.thresholds.shipped import calibration_path

_OBJECTS = 600
_REASONS = 6
_REMARKS = 24


class DriveBuilder:
    """Collects chunk after chunk in order of time; memory grows by less than a kilobyte per frame.

    Args:
        job: the job of the chunks.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._tables: list[dict[str, np.ndarray]] = []
        self._classes: dict[str, ClassSums] = {}
        self._objects: list[OodObject] = []
        self._objects_total = 0
        self._tracked: list[TrackedObject] = []
        self._tracked_total = 0
        self._flagged: dict[str, FlaggedSums] = {}
        self._spread: dict[tuple[str, int], FramePicture] = {}
        self._worst = worst_frames(job)
        self._latency: dict[str, list[tuple[int, float]]] = {}
        self._notes: dict[str, None] = {}
        self._last: ChunkRecord | None = None
        self.seconds: Counter[str] = Counter()

    def add(self, record: ChunkRecord) -> None:
        """Add one chunk."""
        self._tables.append(frame_table(record.frames))  # columns take a tenth of the memory of rows
        for camera, sums in record.classes.items():
            self._classes[camera] = add_class_sums(self._classes[camera], sums) if camera in self._classes else sums
        self._objects_total += record.objects_total
        self._objects = _most_certain([*self._objects, *record.objects])
        self._tracked = most_certain([*self._tracked, *record.tracked])
        self._tracked_total += record.tracked_total
        for camera, flagged in record.flagged.items():
            self._flagged[camera] = add_flagged(self._flagged[camera], flagged) if camera in self._flagged else flagged
        for picture in record.spread:  # a chunk cannot know whether the chunk before has a picture of this slot
            self._spread.setdefault((picture.camera, picture_cell(self._job, picture.recorded_ns)), picture)
        for bad, picture in record.worst:
            self._worst.add(bad, picture)
        for topic, pairs in record.latency.items():
            self._latency.setdefault(topic, []).extend(pairs)
        self._notes.update(dict.fromkeys(record.notes))
        self.seconds.update(record.seconds)
        self._last = record

    def frames(self) -> dict[str, np.ndarray]:
        """The frame table, complete."""
        table = {name: np.concatenate([part[name] for part in self._tables]) for name in FRAME_COLUMNS}
        order = np.argsort(table["recorded_ns"], kind="stable")
        table = {name: values[order] for name, values in table.items()}
        _count_and_jump(table)
        table["offset_s"] = (table["recorded_ns"] - self._job.start_ns) / 1e9
        assert self._last is not None
        return {**table, **shift_columns(self._job, table, self._last.names)}

    def drive(self, frames: dict[str, np.ndarray], facts: Sequence[tuple[str, str]]) -> Drive:
        """The content of the report.

        Args:
            frames: result of :meth:`frames`.
            facts: about the settings and the command.
        """
        assert self._last is not None
        job, worst = self._job, self._worst.chosen()
        shown = {(p.camera, p.recorded_ns): p for p in [*self._spread.values(), *(picture for _, picture in worst)]}
        settings = job.options.thresholds
        return Drive(
            title=job.source.path.name,
            start_ns=job.start_ns,
            duration_s=(job.end_ns - job.start_ns) * 1e-9,
            frames=frames,
            class_names=self._last.names,
            palette=self._last.palette,
            classes=self._classes,
            objects=self._objects,
            objects_total=self._objects_total,
            pictures=sorted(shown.values(), key=lambda p: (p.recorded_ns, p.camera)),
            worst=[(picture.camera, picture.recorded_ns) for _, picture in worst],
            pixel_score=settings.pixel_score,
            ood_score=settings.ood_score,
            facts=[*self._last.facts, *_section_facts(job), *facts],
            notes=[*_first(list(self._notes)), *notes_on(frames)],
            shift="" if np.isfinite(frames["shift_p_value"]).any() else _no_shift(job),
            latency=[self._live(topic, pairs) for topic, pairs in sorted(self._latency.items())],
            section_s=_section(job),
            playable=is_bag(job.source.path) and job.source.path.suffix != ".bag",  # ROS 1 has another player
            **self._by_tracks(self._last),
        )

    def _by_tracks(self, last: ChunkRecord) -> dict[str, Any]:
        """What tracking adds to the drive: objects and flagged segments, those too that were in view at its end."""
        if not self._job.options.pipeline.tracking.on:
            return {}
        unended = [one for memory in last.memory.values() if memory.objects for one in memory.objects.objects]
        flagged = dict(self._flagged)
        for camera, memory in last.memory.items():
            if memory.flagged and camera in flagged:
                more = flagged_sums(memory.flagged.values(), len(last.names))
                flagged[camera] = add_flagged(flagged[camera], more)
        shown = most_certain([*self._tracked, *unended])
        return {
            "tracked": sorted(shown, key=lambda one: (one.first.recorded_ns, one.first.camera, one.track)),
            "tracked_total": self._tracked_total + len(unended),
            "flagged": flagged,
        }

    def _live(self, topic: str, pairs: list[tuple[int, float]]) -> LiveLatency:
        at = np.array([recorded for recorded, _ in pairs], np.int64) - self._job.start_ns
        return LiveLatency(topic, at * 1e-9, np.array([ms for _, ms in pairs]))


def _first(notes: list[str]) -> list[str]:
    """The notes, cut to a number that people read."""
    rest = len(notes) - _REMARKS
    return notes if rest <= 0 else [*notes[:_REMARKS], f"and {rest} more remarks of this kind"]


def _section(job: Job) -> tuple[float, float] | None:
    """The part of the recording that was replayed, in seconds; None if it was the whole recording."""
    if job.first_ns <= job.start_ns and job.stop_ns >= job.end_ns:
        return None
    return (job.first_ns - job.start_ns) * 1e-9, (job.stop_ns - job.start_ns) * 1e-9


def _section_facts(job: Job) -> list[tuple[str, str]]:
    section = _section(job)
    if section is None:
        return []
    return [("section", f"{section[0]:.3f} s to {section[1]:.3f} s of {(job.end_ns - job.start_ns) * 1e-9:.3f} s")]


def notes_on(frames: dict[str, np.ndarray]) -> list[str]:
    """Notes for the reader that follow from the frame table."""
    notes = []
    reasons = Counter(str(reason) for reason in frames["refused"] if reason)
    if reasons:
        total, kinds = sum(reasons.values()), len(reasons)
        notes.append(f"{total} of {len(frames['refused'])} images were refused")
        notes += [f"{count} x {reason}" for reason, count in reasons.most_common(_REASONS)]
        if kinds > _REASONS:
            notes.append(f"and {kinds - _REASONS} more reasons, see frames.parquet")
    judged = frames["width"] > 0
    sizes = Counter(zip(frames["camera"][judged], frames["width"][judged], frames["height"][judged], strict=True))
    for camera in sorted({str(camera) for camera, *_ in sizes}):
        own = {f"{w}x{h}": count for (c, w, h), count in sizes.items() if c == camera}
        if len(own) > 1:
            text = ", ".join(f"{count} x {size}" for size, count in own.items())
            notes.append(f"{camera} changes its size: {text}")
    jumps = int(frames["time_jump"].sum())
    if jumps:
        notes.append(f"time jumped back {jumps} times; earlier frames were forgotten each time")
    unstamped = int((frames["stamp_ns"][judged] == 0).sum())
    if unstamped:
        notes.append(f"{unstamped} images carry no stamp (0); their outputs carry none either")
    faulty = int((frames["faulty_pixels"] > 0).sum())
    if faulty:
        notes.append(f"{faulty} frames have pixels whose logits were not finite; check the model")
    return notes + _outside(frames)


def _outside(frames: dict[str, np.ndarray]) -> list[str]:
    """That many segments of the drive lie outside the range of metrics that their meta model was fitted on."""
    counts = {
        "segments": ("segments_outside", "segments"),
        "OoD segments": ("ood_segments_outside", "ood_segments_judged"),
    }
    found = []
    for what, (outside, judged) in counts.items():
        total = np.nansum(frames[judged])
        if text := outside_words(what, np.nansum(frames[outside]) / total if total else None):
            found.append(text)
    return found


def _count_and_jump(table: dict[str, np.ndarray]) -> None:
    """Fill in the columns that need earlier frames."""
    counts: Counter[str] = Counter()
    last: dict[str, int] = {}
    for row, (camera, stamp) in enumerate(zip(table["camera"], table["stamp_ns"].tolist(), strict=True)):
        table["index"][row] = counts[camera]
        counts[camera] += 1
        table["time_jump"][row] = bool(stamp and camera in last and stamp < last[camera])
        last[camera] = stamp or last.get(camera, 0)


def _most_certain(objects: list[OodObject]) -> list[OodObject]:
    if len(objects) <= 2 * _OBJECTS:  # sorted now and then
        return objects
    best = sorted(objects, key=lambda o: -(o.p_ood if o.p_ood == o.p_ood else o.score))[:_OBJECTS]
    return sorted(best, key=lambda o: (o.recorded_ns, o.camera, o.box))


def _no_shift(job: Job) -> str:
    if calibration_path(job.options.pipeline.calibration, job.options.pipeline.model) is None:
        return "there is no calibration of this network (parameter calibration, made by trust-seg calibrate)"
    return "the calibration holds nothing that it could compare with, or there are too few frames"
