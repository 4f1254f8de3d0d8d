"""Out-of-distribution objects of a drive by their tracks, the same ones however the drive is cut into chunks.

Objects whose tracks may go on are handed on from chunk to chunk; an object is finished when its track is forgotten. Of
the finished ones the most certain of a drive are kept, so that memory does not grow with its length.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.recordings.replay.frame_highlights import object_crop, ood_objects
from trust_seg_ros.recordings.replay.records import OodObject, TrackedObject, certainty
from trust_seg_ros.types import TrustFrame

MOST = 200
"""Most objects that are kept of a camera, and shown of a drive; the most certain ones."""
_CROPS = 16
"""Most crops that are cut of one frame; those of the most certain segments."""

Rank = tuple[float, float, int, int, int]


@dataclass(frozen=True)
class OpenObjects:
    """What the next chunk has to know of a camera's objects.

    Attributes:
        objects: objects whose tracks may go on, by the number of the track.
        best: ranks of the most certain objects that are finished, at most ``MOST``, the lowest first.
    """

    objects: tuple[TrackedObject, ...] = ()
    best: tuple[Rank, ...] = ()


class ObjectFollower:
    """Joins the OoD segments of one camera's frames into objects.

    Args:
        past: what the chunk before has left.
    """

    def __init__(self, past: OpenObjects | None = None) -> None:
        past = past or OpenObjects()
        self._open = {one.track: one for one in past.objects}
        self._best = list(past.best)  # a heap: sorted as it is
        self._finished: list[TrackedObject] = []
        self.total = 0
        """Number of the objects that were finished here."""

    def add(
        self,
        result: TrustFrame,
        names: Sequence[str],
        camera: str,
        recorded_ns: int,
        start_ns: int,
        alive: np.ndarray,
    ) -> int:
        """Add one frame with tracks of OoD segments.

        Args:
            result, names, camera, recorded_ns, start_ns: as for :func:`ood_objects`.
            alive: (t,) numbers of the tracks that the next frame may continue.

        Returns:
            Number of its kept OoD segments.
        """
        tracks, ood = result.on_grid.ood_tracks, result.ood
        numbers = [] if ood is None or tracks is None else np.flatnonzero(ood.kept).tolist()
        found = ood_objects(result, names, camera, recorded_ns, start_ns, with_crop=False) if numbers else []
        better: list[tuple[tuple[float, float, int], int, int]] = []  # certainty, number of the track and the segment
        for number, segment in zip(numbers, found, strict=True):
            assert tracks is not None
            track, sure = int(tracks.ids[number]), certainty(segment)
            one = _extended(self._open.get(track), track, segment, int(tracks.frames[number]))
            self._open[track] = one
            if (one.pictured is None or sure > certainty(one.pictured)) and self._may_be_kept(sure):
                better.append((sure, track, number))
        for _, track, number in sorted(better, key=lambda one: (one[0], -one[1]), reverse=True)[:_CROPS]:
            pictured = replace(self._open[track].last, crop=object_crop(result, number))
            self._open[track] = replace(self._open[track], pictured=pictured)
        self._finish(set(self._open).difference(alive.tolist()))
        return len(found)

    @property
    def finished(self) -> list[TrackedObject]:
        """The most certain objects that were finished here, in the order of their ranks."""
        return most_certain(self._finished)

    def handed_on(self) -> OpenObjects:
        """For the next chunk."""
        return OpenObjects(tuple(self._open[track] for track in sorted(self._open)), tuple(sorted(self._best)))

    def _may_be_kept(self, sure: tuple[float, float, int]) -> bool:
        return len(self._best) < MOST or sure >= self._best[0][:3]

    def _finish(self, tracks: Iterable[int]) -> None:
        for track in sorted(tracks):
            one = self._open.pop(track)
            self.total += 1
            if len(self._best) < MOST:
                heapq.heappush(self._best, one.rank)
            elif one.rank > self._best[0]:
                heapq.heapreplace(self._best, one.rank)
            else:
                continue
            self._finished.append(one)
        if len(self._finished) > 2 * MOST:
            self._finished = most_certain(self._finished)


def most_certain(objects: Iterable[TrackedObject]) -> list[TrackedObject]:
    """The most certain objects, at most ``MOST``, the most certain first; ties go to the earlier, then by camera."""
    return sorted(objects, key=lambda one: ([-part for part in one.rank], one.first.camera))[:MOST]


def _extended(one: TrackedObject | None, track: int, segment: OodObject, followed: int) -> TrackedObject:
    """The object with one more segment."""
    name = segment.class_name
    if one is None:
        classes = {name: 1} if name else {}
        return TrackedObject(track, segment, segment, segment, None, segment.size, 1, followed, classes)
    return replace(
        one,
        last=segment,
        best=segment if certainty(segment) > certainty(one.best) else one.best,
        largest=max(one.largest, segment.size),
        frames=one.frames + 1,
        followed=followed,
        classes={**one.classes, name: one.classes.get(name, 0) + 1} if name else one.classes,
    )
