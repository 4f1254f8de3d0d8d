"""Follows segments from frame to frame by the overlap of their moved masks.

Source: Maag, Rottmann, Gottschalk, Time-dynamic estimates of the reliability of deep semantic segmentation networks,
ICTAI 2020, section II (light-weight tracking); Maag et al., Two video data sets for tracking and retrieval of
out-of-distribution objects, ACCV 2022. Rules: docs/methods/segments.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.segments.errors import MapShapeError
from trust_seg_ros.segments.tracks import kernels
from trust_seg_ros.segments.tracks.motion import expected_motion, measured_motion
from trust_seg_ros.segments.tracks.nearest import match_nearest
from trust_seg_ros.segments.tracks.settings import TrackingSettings
from trust_seg_ros.segments.tracks.state import MAX_ID, TrackerState
from trust_seg_ros.types.tracks import SegmentTracks

LEAST_OVERLAP = 0.35
"""Least overlap of a moved track and a segment, |k ∩ j| / sqrt(|k| |j|); for equal sizes that of Maag et al."""
LEAST_OVERLAP_OF_ANY = 0.2
"""The same where classes do not count: OoD segments change their shape more, and are few."""
MOST_TRACKS = 2048
"""Most tracks that are remembered; of more, the largest of the last frame, then the largest of the lost ones."""

Runs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Rows, starts, ends and owners, each (R,) int32."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """The segments of the new frame; their runs are those of a buffer that the next frame overwrites."""

    ids: np.ndarray
    class_ids: np.ndarray
    sizes: np.ndarray
    centroids: np.ndarray
    extents: np.ndarray
    runs: Runs
    first: np.ndarray


class Tracker:
    """Gives every segment of every frame the number of its track. One caller at a time.

    Each track is moved by its last velocity and compared with the segments of its class. Pairs that overlap by
    ``LEAST_OVERLAP`` find each other, best first, one to one: where a segment splits, the piece that overlaps most
    keeps the number and the others get new ones; where segments merge, the one that overlaps most goes on and the
    others are lost. What is left over is matched by the distance of centroids (``nearest``). A track seen at least
    twice that is lost is looked for, where its velocity takes it, until ``max_gap_s`` after it was last seen.

    Everything is forgotten at a stamp earlier than the last, at a step longer than ``max_gap_s``, and when the size of
    the grid or the camera changes; numbers go on. Frames without a stamp (0), or with the same stamp as the last, are
    compared in place, and nothing lost is looked for.

    Args:
        settings: see :class:`TrackingSettings`; ``on`` is not looked at.

    Example:
        >>> tracker = Tracker()
        >>> tracks = tracker.update(table.ids, table.class_ids, table.sizes, stamp_ns=frame.stamp_ns)
        >>> tracks.ids[tracks.frames == 1]  # new in this frame
    """

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        self.settings = settings or TrackingSettings(on=True)
        self._state = TrackerState.empty()
        self._room = _room(0)
        self.forgot = ""
        """Why the last frame forgot all tracks before it, in words; "" = it did not."""

    def reset(self) -> None:
        """Forget all tracks; numbers go on, so that no two tracks of a session share one."""
        self._state = TrackerState.empty(self._state.next_id)

    def start_anew(self) -> None:
        """Forget all tracks and count from 1 again, as for another camera."""
        self._state, self.forgot = TrackerState.empty(), ""

    def state(self) -> TrackerState:
        """What is remembered, for :meth:`load_state`; it never changes."""
        return self._state

    def load_state(self, state: TrackerState) -> None:
        """Continue from the state of another tracker with the same settings."""
        self._state = state

    def update(
        self,
        ids: np.ndarray,
        class_ids: np.ndarray | None,
        sizes: np.ndarray,
        stamp_ns: int,
        camera: str = "",
    ) -> SegmentTracks:
        """The tracks of the segments of the next frame.

        Args:
            ids: (H, W) int32; 0 = no segment, else 1..n.
            class_ids: (n,) uint8; None = any segment may continue any track (OoD segments).
            sizes: (n,) pixels of each; one of 0 is left out, whatever its pixels: its track is 0.
            stamp_ns: when the frame was taken, nanoseconds; 0 = not known.
            camera: coordinate frame of the camera.

        Raises:
            MapShapeError: the arrays do not belong together.
        """
        self._forget(stamp_ns, (ids.shape[0], ids.shape[1]), camera)
        if len(self._room[0]) < ids.size:  # one run per pixel at most; kept, as new memory costs as much as the work
            self._room = _room(ids.size)
        seen, before = _seen(ids, class_ids, sizes, self._room), self._state
        elapsed = np.zeros(len(before))
        if stamp_ns and before.stamp_ns:
            elapsed = (stamp_ns - before.last_ns) / 1e9
        least = LEAST_OVERLAP if class_ids is not None else LEAST_OVERLAP_OF_ANY
        of_segment, overlap = _matched(before, seen, elapsed, least)
        self._state, tracks = self._continued(before, seen, stamp_ns, camera, of_segment, overlap, elapsed)
        return tracks

    def _forget(self, stamp_ns: int, size: tuple[int, int], camera: str) -> None:
        """Drop what the frame cannot continue."""
        before = self._state
        self.forgot = ""
        if before.size == (0, 0):
            return
        step = (stamp_ns - before.stamp_ns) / 1e9 if stamp_ns and before.stamp_ns else 0.0
        if before.size != size:
            self.forgot = f"the grid changed from {before.size[1]}x{before.size[0]} to {size[1]}x{size[0]}"
        elif before.camera != camera:
            self.forgot = f"the camera changed from {before.camera!r} to {camera!r}"
        elif step < 0.0:
            self.forgot = f"time went back by {-step:.3f} s"
        elif step > self.settings.max_gap_s:
            self.forgot = f"{step:.3f} s without a frame, more than tracking.max_gap_s = {self.settings.max_gap_s:g}"
        if self.forgot:
            self.reset()
            return
        stamped = step > 0.0
        alive = before.present | ((stamp_ns - before.last_ns) / 1e9 <= self.settings.max_gap_s if stamped else False)
        if not alive.all():
            self._state = before.only(alive)

    def _continued(
        self,
        before: TrackerState,
        seen: _Seen,
        stamp_ns: int,
        camera: str,
        of_segment: np.ndarray,
        overlap: np.ndarray,
        elapsed: np.ndarray,
    ) -> tuple[TrackerState, SegmentTracks]:
        n, known = len(seen.sizes), of_segment >= 0
        past, new = of_segment[known], ~known & (seen.sizes > 0)
        numbers = np.zeros(n, np.int64)
        numbers[known] = before.ids[past]
        numbers[new], next_id = _new_numbers(int(new.sum()), before.next_id, before.ids)
        frames, first = new.astype(np.int32), np.full(n, stamp_ns, np.int64)
        frames[known], first[known] = before.frames[past] + 1, before.first_ns[past]
        velocity, growth, gap = np.zeros((n, 2)), np.zeros(n), np.zeros(n)
        here = seen.centroids[known], seen.sizes[known]
        velocity[known], growth[known] = measured_motion(before, past, *here, overlap[known], elapsed[past])
        gap[known] = np.where(before.present[past], 0.0, elapsed[past])
        remembered, lost = self._remembered(seen, before, past)
        state = TrackerState(
            next_id,
            stamp_ns,
            (seen.ids.shape[0], seen.ids.shape[1]),
            camera,
            _joined(numbers[remembered], before.ids[lost]),
            _joined(seen.class_ids[remembered], before.class_ids[lost]),
            _joined(seen.sizes[remembered], before.sizes[lost]),
            _joined(seen.centroids[remembered], before.centroids[lost]),
            _joined(seen.extents[remembered], before.extents[lost]),
            _joined(velocity[remembered], before.velocities[lost]),
            _joined(growth[remembered], before.growths[lost]),
            _joined(frames[remembered], before.frames[lost]),
            _joined(first[remembered], before.first_ns[lost]),
            _joined(np.full(len(remembered), stamp_ns, np.int64), before.last_ns[lost]),
            _joined(np.ones(len(remembered), bool), np.zeros(len(lost), bool)),
            *_joined_runs(seen, before, remembered, lost),
        )
        return state, SegmentTracks(numbers, frames, first, velocity, gap, stamp_ns)

    @staticmethod
    def _remembered(seen: _Seen, before: TrackerState, past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the segments, and of the lost tracks, that the next frame may continue."""
        here = np.flatnonzero(seen.sizes > 0)
        if len(here) > MOST_TRACKS:
            here = np.sort(here[np.argsort(-seen.sizes[here], kind="stable")[:MOST_TRACKS]])
        gone = np.ones(len(before), bool)
        gone[past] = False
        lost = np.flatnonzero(gone & (before.frames > 1))
        room = MOST_TRACKS - len(here)
        if len(lost) > room:
            lost = np.sort(lost[np.argsort(-before.sizes[lost], kind="stable")[:room]])
        return here, lost


def _room(pixels: int) -> Runs:
    return tuple(np.empty(pixels, np.int32) for _ in range(4))  # type: ignore[return-value]


def _seen(ids: np.ndarray, class_ids: np.ndarray | None, sizes: np.ndarray, room: Runs) -> _Seen:
    n = len(sizes)
    if ids.ndim != 2 or ids.dtype != np.int32 or (class_ids is not None and len(class_ids) != n):
        raise MapShapeError(
            f"segments to track: ids {ids.dtype} {ids.shape}, {n} sizes; expected (H, W) int32, and a size and a class "
            "for each segment"
        )
    pixels, first = np.ascontiguousarray(sizes, np.int64), np.empty(ids.shape[0] + 1, np.int32)
    centroids, extents = np.empty((n, 2)), np.empty((n, 2))
    count = kernels.find_runs(np.ascontiguousarray(ids), *room, first, pixels, centroids, extents)
    if count < 0:
        raise MapShapeError(f"segments to track: a pixel of segment {-count}, but there are {n} sizes")
    rows, starts, ends, owners = (part[:count] for part in room)
    classes = np.zeros(n, np.uint8) if class_ids is None else np.asarray(class_ids, np.uint8)
    return _Seen(ids, classes, pixels, centroids, extents, (rows, starts, ends, owners), first)


def _matched(before: TrackerState, seen: _Seen, elapsed: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int64 position of the track of every segment, -1 = none; (n,) float64 their overlap, 0 where not by it."""
    of_track, of_segment = np.full(len(before), -1, np.int64), np.full(len(seen.sizes), -1, np.int64)
    overlap = np.zeros(len(seen.sizes))
    if not len(before) or not len(seen.sizes):
        return of_segment, overlap
    moved = expected_motion(before, elapsed, seen.ids.shape)
    tracks, segments, pixels = _overlaps(before, seen, moved)
    share = pixels / np.sqrt(before.sizes[tracks] * np.maximum(seen.sizes[segments], 1).astype(np.float64))
    enough = (share >= least) & (seen.sizes[segments] > 0)
    tracks, segments, share = tracks[enough], segments[enough], share[enough]
    order = np.lexsort((segments, before.ids[tracks], -share))  # ties: the older track, then the first segment
    kernels.take_best(tracks[order], segments[order], of_track, of_segment)
    of_pair = of_segment[segments] == tracks
    overlap[segments[of_pair]] = share[of_pair]
    found = seen.class_ids, seen.sizes, seen.centroids, seen.extents
    match_nearest(before, *found, seen.ids.shape, moved, of_track, of_segment)
    return of_segment, overlap


def _overlaps(before: TrackerState, seen: _Seen, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Track, segment and number of shared pixels of every pair that overlaps, each (p,) int64."""
    shifts = np.rint(moved).astype(np.int32)
    room = 1 << max(12, (8 * (len(before) + len(seen.sizes))).bit_length())
    while True:
        keys, counts = np.full(room, -1, np.int64), np.zeros(room, np.int64)
        runs = before.rows, before.starts, before.ends, before.owners
        found = seen.first, *seen.runs[1:], seen.class_ids
        if kernels.count_overlaps(*runs, shifts, before.class_ids, *found, keys, counts) >= 0:
            break
        room *= 4
    used = np.flatnonzero(keys >= 0)
    return keys[used] >> 32, keys[used] & 0xFFFFFFFF, counts[used]


def _new_numbers(count: int, next_id: int, alive: np.ndarray) -> tuple[np.ndarray, int]:
    """``count`` numbers from ``next_id`` on that no living track has, and the one after them."""
    numbers = np.arange(next_id, next_id + count, dtype=np.int64)
    if next_id + count + len(alive) > MAX_ID:
        numbers = (np.arange(next_id - 1, next_id - 1 + count + len(alive), dtype=np.int64) % MAX_ID) + 1
        numbers = numbers[~np.isin(numbers, alive)][:count]
    return numbers, (int(numbers[-1]) % MAX_ID) + 1 if count else next_id


def _joined(here: np.ndarray, lost: np.ndarray) -> np.ndarray:
    return np.concatenate([here, lost]) if len(lost) else here


def _joined_runs(seen: _Seen, before: TrackerState, remembered: np.ndarray, lost: np.ndarray) -> Runs:
    """The runs of what is remembered, as arrays of their own."""
    place_here, place_lost = np.full(len(seen.sizes), -1, np.int32), np.full(len(before), -1, np.int32)
    place_here[remembered] = np.arange(len(remembered))
    place_lost[lost] = len(remembered) + np.arange(len(lost))
    here = _of_kept(seen.runs, place_here, whole=len(remembered) == len(seen.sizes))
    if not len(lost):
        return here
    old = _of_kept((before.rows, before.starts, before.ends, before.owners), place_lost)
    rows, starts, ends, owners = (np.concatenate([a, b]) for a, b in zip(here, old, strict=True))
    return rows, starts, ends, owners


def _of_kept(runs: Runs, place: np.ndarray, *, whole: bool = False) -> Runs:
    """The runs whose owner has a place (>= 0), with that as owner."""
    rows, starts, ends, owners = runs
    owners = place[owners]
    if whole:
        return rows.copy(), starts.copy(), ends.copy(), owners
    kept = np.flatnonzero(owners >= 0)
    return rows[kept], starts[kept], ends[kept], owners[kept]
