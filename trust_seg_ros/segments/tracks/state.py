"""What a tracker remembers, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from trust_seg_ros.segments.errors import TrackingError
from trust_seg_ros.support.packed import packed, unpacked
from trust_seg_ros.types import Json

MAX_ID = 2**31 - 1
"""Largest number of a track; the next is 1 again."""

_EMPTY: dict[str, tuple[tuple[int, ...], type]] = {
    "ids": ((0,), np.int64),
    "class_ids": ((0,), np.uint8),
    "sizes": ((0,), np.int64),
    "centroids": ((0, 2), np.float64),
    "extents": ((0, 2), np.float64),
    "velocities": ((0, 2), np.float64),
    "growths": ((0,), np.float64),
    "frames": ((0,), np.int32),
    "first_ns": ((0,), np.int64),
    "last_ns": ((0,), np.int64),
    "present": ((0,), bool),
}
_RUNS = ("rows", "starts", "ends", "owners")


@dataclass(frozen=True, eq=False)
class TrackerState:
    """Tracks that the next frame may continue: those of the last frame, and those lost not long ago.

    Attributes:
        next_id: number of the next new track, 1 to ``MAX_ID``.
        stamp_ns: stamp of the last frame; 0 = none yet, or not stamped.
        size: (H, W) of the grid of the last frame; (0, 0) = none yet.
        camera: coordinate frame of the camera.
        ids: (t,) int64 numbers.
        class_ids: (t,) uint8 classes.
        sizes: (t,) int64 pixels when last seen.
        centroids: (t, 2) float64 column and row when last seen.
        extents: (t, 2) float64 width and height of the box when last seen.
        velocities: (t, 2) float64 columns and rows per second.
        growths: (t,) float64 share by which the sides grow per second.
        frames: (t,) int32 frames seen in.
        first_ns, last_ns: (t,) int64 stamps of the first and last of them.
        present: (t,) bool, seen in the last frame.
        rows, starts, ends, owners: (R,) int32 runs of pixels where each was last seen; owner = position in ``ids``.
    """

    next_id: int
    stamp_ns: int
    size: tuple[int, int]
    camera: str
    ids: np.ndarray
    class_ids: np.ndarray
    sizes: np.ndarray
    centroids: np.ndarray
    extents: np.ndarray
    velocities: np.ndarray
    growths: np.ndarray
    frames: np.ndarray
    first_ns: np.ndarray
    last_ns: np.ndarray
    present: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"TrackerState({len(self)} tracks, {int(self.present.sum())} in the last frame)"

    @classmethod
    def empty(cls, next_id: int = 1) -> TrackerState:
        """Before the first frame."""
        arrays: Json = {name: np.zeros(shape, kind) for name, (shape, kind) in _EMPTY.items()}
        runs: Json = {name: np.zeros(0, np.int32) for name in _RUNS}
        return cls(next_id, 0, (0, 0), "", **arrays, **runs)

    def only(self, alive: np.ndarray) -> TrackerState:
        """The state without the tracks that are not ``alive``, (t,) bool."""
        place = np.cumsum(alive, dtype=np.int32) - np.int32(1)
        kept = alive[self.owners]
        tracks: Json = {name: getattr(self, name)[alive] for name in _EMPTY}
        runs: Json = {name: getattr(self, name)[kept] for name in _RUNS}
        return replace(self, **tracks, **{**runs, "owners": place[runs["owners"]]})

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: packed(v) if isinstance(v, np.ndarray) else v for name, v in values.items()}

    @classmethod
    def from_json(cls, data: Json) -> TrackerState:
        """The state that :meth:`to_json` was called on.

        Raises:
            TrackingError: it is not such data.
        """
        try:
            values: Json = {name: unpacked(v) if isinstance(v, dict) else v for name, v in data.items()}
            return cls(**{**values, "size": tuple(values["size"])})
        except (KeyError, TypeError, ValueError) as error:
            raise TrackingError(f"state of a tracker: {error}; expected what TrackerState.to_json gives") from error
