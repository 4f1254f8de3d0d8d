"""Material that a chunk keeps for the report: sums by class, OoD objects, pictures."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trust_seg_ros.recordings.replay.frame_highlights import (
    WorstFrames,
    badness,
    frame_picture,
    object_crop,
    ood_objects,
)
from trust_seg_ros.recordings.replay.frame_numbers import add_class_sums, class_sums
from trust_seg_ros.recordings.replay.frame_work import Judged
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.records import ClassSums, FramePicture, OodObject

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
    """

    def __init__(self, job: Job, names: Sequence[str]) -> None:
        self._job, self._names = job, names
        self._wanted = job.options.pictures > 0
        self._cells: dict[str, int] = {}
        self._kept: list[tuple[tuple[float, int], int, OodObject]] = []
        self.classes: dict[str, ClassSums] = {}
        self.objects_total = 0
        self.spread: list[FramePicture] = []
        self.worst = worst_frames(job)

    @property
    def objects(self) -> list[OodObject]:
        """The most certain OoD objects, in order of time."""
        return sorted((kept for *_, kept in self._kept), key=lambda o: (o.recorded_ns, o.camera, o.box))

    def add(self, judged: Judged, camera: str, recorded_ns: int) -> None:
        """Add one frame."""
        if not self._wanted:
            return
        sums = class_sums(judged.result, len(self._names))
        self.classes[camera] = add_class_sums(self.classes[camera], sums) if camera in self.classes else sums
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
