"""Material that a chunk keeps for the report: sums by class, OoD objects, pictures."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trust_seg_ros.pipeline.following import FollowingState
from trust_seg_ros.recordings.replay.flagged_tracks import FlaggedFollower
from trust_seg_ros.recordings.replay.frame_highlights import (
    WorstFrames,
    badness,
    frame_picture,
    object_crop,
    ood_objects,
)
from trust_seg_ros.recordings.replay.frame_numbers import add_class_sums, class_sums
from trust_seg_ros.recordings.replay.frame_work import CameraMemory, Judged
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.records import ClassSums, FlaggedSums, FramePicture, OodObject, TrackedObject
from trust_seg_ros.recordings.replay.tracked_objects import ObjectFollower, most_certain

WORST = 12
"""Number of worst moments in a report."""
_OBJECTS = 64
"""Most OoD objects that a chunk keeps; the most certain ones."""
_APART_S = 3.0


def worst_frames(job: Job) -> WorstFrames:
    """An empty selection of worst moments; the longer the drive, the further apart they are."""
    seconds = (job.stop_ns - job.first_ns) * 1e-9
    return WorstFrames(WORST if job.options.pictures else 0, max(_APART_S, seconds / (8 * WORST)))


def picture_cell(job: Job, recorded_ns: int) -> int:
    """Number of the time slot of a frame; slots are of equal length, and a report shows the first frame of each."""
    return (recorded_ns - job.first_ns) // max(1, (job.stop_ns - job.first_ns) // max(1, job.options.pictures))


class Evidence:
    """Collects the material frame by frame; does nothing if no report is requested.

    Args:
        job: the job of the frames.
        names: class names, index = class id.
        memory: camera -> state left by the chunk before.
    """

    def __init__(self, job: Job, names: Sequence[str], memory: Mapping[str, CameraMemory] | None = None) -> None:
        self._job, self._names = job, names
        self._wanted = job.options.pictures > 0
        self._cells: dict[str, int] = {}
        self._kept: list[tuple[tuple[float, int], int, OodObject]] = []
        self.classes: dict[str, ClassSums] = {}
        self.objects_total = 0
        self.spread: list[FramePicture] = []
        self.worst = worst_frames(job)
        self._objects: dict[str, ObjectFollower] = {}
        self._flagged: dict[str, FlaggedFollower] = {}
        if self._wanted and job.options.pipeline.tracking.on:
            past = {camera.topic: (memory or {}).get(camera.topic, CameraMemory()) for camera in job.cameras}
            self._objects = {topic: ObjectFollower(one.objects) for topic, one in past.items()}
            self._flagged = {topic: FlaggedFollower(len(names), one.flagged) for topic, one in past.items()}

    @property
    def objects(self) -> list[OodObject]:
        """The most certain OoD objects, in order of time."""
        return sorted((kept for *_, kept in self._kept), key=lambda o: (o.recorded_ns, o.camera, o.box))

    @property
    def tracked(self) -> list[TrackedObject]:
        """With tracking, the most certain OoD objects whose tracks ended here."""
        return most_certain(one for objects in self._objects.values() for one in objects.finished)

    @property
    def tracked_total(self) -> int:
        """Number of all of these."""
        return sum(objects.total for objects in self._objects.values())

    @property
    def flagged(self) -> dict[str, FlaggedSums]:
        """Camera -> sums over the flagged segments whose tracks ended here; empty without tracking."""
        return {camera: flagged.sums for camera, flagged in self._flagged.items()}

    def handed_on(self, camera: str, memory: CameraMemory) -> CameraMemory:
        """The state of a camera for the next chunk, with its objects that may go on."""
        if camera not in self._objects:
            return memory
        return replace(memory, objects=self._objects[camera].handed_on(), flagged=self._flagged[camera].handed_on())

    def add(self, judged: Judged, camera: str, recorded_ns: int) -> None:
        """Add one frame."""
        if not self._wanted:
            return
        sums = class_sums(judged.result, len(self._names))
        self.classes[camera] = add_class_sums(self.classes[camera], sums) if camera in self.classes else sums
        if judged.following is not None and camera in self._objects:
            self._follow(judged, judged.following, camera, recorded_ns)
        else:
            self._add_objects(judged, camera, recorded_ns)
        cell, bad = picture_cell(self._job, recorded_ns), badness(judged.numbers)
        is_first, is_worse = self._cells.get(camera) != cell, self.worst.wants(bad, camera, recorded_ns)
        if is_first or is_worse:
            picture = frame_picture(judged.view, camera, recorded_ns)
            if is_first:
                self._cells[camera] = cell
                self.spread.append(picture)
            if is_worse:
                self.worst.add(bad, picture)

    def _follow(self, judged: Judged, following: FollowingState, camera: str, recorded_ns: int) -> None:
        result, start_ns = judged.result, self._job.start_ns
        self.objects_total += self._objects[camera].add(
            result, self._names, camera, recorded_ns, start_ns, following.ood.ids
        )
        self._flagged[camera].add(result, recorded_ns, following.segments.ids)

    def _add_objects(self, judged: Judged, camera: str, recorded_ns: int) -> None:
        ood = judged.result.ood
        if ood is None or not ood.kept.any():
            return
        numbers = np.flatnonzero(ood.kept).tolist()
        found = ood_objects(judged.result, self._names, camera, recorded_ns, self._job.start_ns, with_crop=False)
        fresh: dict[int, int] = {}  # place in the chunk -> number of the segment
        for number, one in zip(numbers, found, strict=True):
            certainty = one.p_ood if one.p_ood == one.p_ood else one.score
            # the place breaks ties: frames of two cameras may have equal times and certainties
            key, place = (certainty, -recorded_ns), self.objects_total
            fresh[place] = number
            self.objects_total += 1
            if len(self._kept) < _OBJECTS:
                heapq.heappush(self._kept, (key, -place, one))
            else:
                heapq.heappushpop(self._kept, (key, -place, one))
        # cut crops only for the objects that are kept; the order in the heap stays
        self._kept = [
            (key, place, replace(one, crop=object_crop(judged.result, fresh[-place])) if -place in fresh else one)
            for key, place, one in self._kept
        ]
