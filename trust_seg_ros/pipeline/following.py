"""Follows the segments and OoD segments of a camera from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.segments.tracks import Tracker, TrackerState, TrackingSettings
from trust_seg_ros.types import Frame, Json, OodSegments, SegmentTable, SegmentTracks


@dataclass(frozen=True, eq=False)
class FollowingState:
    """What is remembered of earlier frames.

    Attributes:
        segments, ood: the tracks of segments and of OoD segments.
    """

    segments: TrackerState
    ood: TrackerState

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        return {"segments": self.segments.to_json(), "ood": self.ood.to_json()}

    @classmethod
    def from_json(cls, data: Json) -> FollowingState:
        """The state that :meth:`to_json` was called on.

        Raises:
            TrackingError: it is not such data.
        """
        return cls(TrackerState.from_json(data["segments"]), TrackerState.from_json(data["ood"]))


class Following:
    """The trackers of one camera; numbers of segments and of OoD segments are counted apart.

    Args:
        settings: see :class:`TrackingSettings`; ``on`` is not looked at.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self._segments, self._ood = Tracker(settings), Tracker(settings)

    @property
    def forgot(self) -> str:
        """Why the last frame forgot all tracks before it; "" = it did not."""
        return self._segments.forgot or self._ood.forgot

    def segments(self, table: SegmentTable, frame: Frame) -> SegmentTracks:
        """The tracks of the segments of a frame."""
        return self._segments.update(table.ids, table.class_ids, table.sizes, frame.stamp_ns, frame.frame_id)

    def ood(self, found: OodSegments, frame: Frame) -> SegmentTracks:
        """The tracks of the OoD segments of a frame that are large enough to count; of any class."""
        sizes = np.where(found.kept, found.sizes, 0)
        return self._ood.update(found.ids, None, sizes, frame.stamp_ns, frame.frame_id)

    def reset(self) -> None:
        """Forget all tracks."""
        self._segments.reset()
        self._ood.reset()

    def state(self) -> FollowingState:
        """What is remembered, for :meth:`load_state`."""
        return FollowingState(self._segments.state(), self._ood.state())

    def load_state(self, state: FollowingState) -> None:
        """Continue from the state of another camera's, or an earlier run's."""
        self._segments.load_state(state.segments)
        self._ood.load_state(state.ood)
