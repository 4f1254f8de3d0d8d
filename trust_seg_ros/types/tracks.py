"""The tracks of a frame's segments: which of them were seen before.

The type holds arrays, so it is equal to itself only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class SegmentTracks:
    """The track of every segment, or OoD segment, of one frame, in their order.

    Attributes:
        ids: (n,) int64 number of the track, from 1; no two segments of a frame share one. 0 = not
            tracked, as OoD segments that are too small to count.
        frames: (n,) int32 frames that the track was seen in, this one included.
        first_ns: (n,) int64 stamp of the first of them, nanoseconds; 0 = the camera does not stamp.
        velocity: (n, 2) float64 columns and rows of the grid per second that its centroid moves; 0 until it was seen
            twice.
        gap_s: (n,) float64 seconds between the frame it was last seen in and this one, where frames without it lie
            between them; else 0.
        stamp_ns: stamp of this frame, nanoseconds.
    """

    ids: np.ndarray
    frames: np.ndarray
    first_ns: np.ndarray
    velocity: np.ndarray
    gap_s: np.ndarray
    stamp_ns: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"SegmentTracks({len(self)} segments, {int((self.frames > 1).sum())} seen before)"

    def only(self, chosen: np.ndarray) -> SegmentTracks:
        """The tracks of some of the segments, (n,) bool, in their order."""
        per_segment = ("ids", "frames", "first_ns", "velocity", "gap_s")
        return replace(self, **{name: getattr(self, name)[chosen] for name in per_segment})

    @property
    def age_s(self) -> np.ndarray:
        """(n,) float64 seconds since the track was first seen; 0 where one of the two frames has no stamp."""
        stamped = (self.first_ns > 0) & (self.stamp_ns > 0)
        age: np.ndarray = np.where(stamped, (self.stamp_ns - self.first_ns) / 1e9, 0.0)
        return age
