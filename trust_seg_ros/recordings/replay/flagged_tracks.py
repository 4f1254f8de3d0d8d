"""How long segments stay flagged, by the tracks of a drive: the same sums however it is cut into chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from trust_seg_ros.recordings.replay.records import FlaggedSums
from trust_seg_ros.types import TrustFrame


@dataclass(frozen=True)
class FlaggedTrack:
    """A track of segments that was flagged unreliable.

    Attributes:
        class_id: predicted class.
        first_ns, last_ns: when the recorder received the first and the last frame in which it was flagged.
        frames: frames in which it was flagged.
    """

    class_id: int
    first_ns: int
    last_ns: int
    frames: int


class FlaggedFollower:
    """Follows the flagged segments of one camera.

    Args:
        classes: number of classes.
        past: number of a track -> a track that may go on, left by the chunk before.
    """

    def __init__(self, classes: int, past: Mapping[int, FlaggedTrack] | None = None) -> None:
        self._open = dict(past or {})
        self.sums = no_flagged(classes)
        """Sums over the tracks that were finished here."""

    def add(self, result: TrustFrame, recorded_ns: int, alive: np.ndarray) -> None:
        """Add one frame with tracks of segments.

        Args:
            result: the frame; without a meta model nothing is flagged.
            recorded_ns: when the recorder received it.
            alive: (t,) numbers of the tracks that the next frame may continue.
        """
        table, trust, tracks = result.on_grid.segments, result.trust, result.on_grid.tracks
        if table is not None and trust is not None and tracks is not None:
            for k in np.flatnonzero(trust.unreliable).tolist():
                track = int(tracks.ids[k])
                one = self._open.get(track, FlaggedTrack(int(table.class_ids[k]), recorded_ns, recorded_ns, 0))
                self._open[track] = replace(one, last_ns=recorded_ns, frames=one.frames + 1)
        gone = set(self._open).difference(alive.tolist())
        if gone:
            ended = [self._open.pop(track) for track in gone]
            self.sums = add_flagged(self.sums, flagged_sums(ended, len(self.sums.tracks)))

    def handed_on(self) -> dict[int, FlaggedTrack]:
        """For the next chunk."""
        return {track: self._open[track] for track in sorted(self._open)}


def no_flagged(classes: int) -> FlaggedSums:
    """Sums over no tracks."""
    return FlaggedSums(*(np.zeros(classes, np.int64) for _ in fields(FlaggedSums)))


def flagged_sums(tracks: Iterable[FlaggedTrack], classes: int) -> FlaggedSums:
    """Sums over these tracks."""
    found = no_flagged(classes)
    for one in tracks:
        if one.class_id < classes:
            length = one.last_ns - one.first_ns
            found.tracks[one.class_id] += 1
            found.once[one.class_id] += one.frames == 1
            found.frames[one.class_id] += one.frames
            found.total_ns[one.class_id] += length
            found.longest_ns[one.class_id] = max(found.longest_ns[one.class_id], length)
    return found


def add_flagged(a: FlaggedSums, b: FlaggedSums) -> FlaggedSums:
    """Sums over the tracks of both."""
    added = {field.name: getattr(a, field.name) + getattr(b, field.name) for field in fields(FlaggedSums)}
    return FlaggedSums(**{**added, "longest_ns": np.maximum(a.longest_ns, b.longest_ns)})
