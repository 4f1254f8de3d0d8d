"""Follows the segments and OoD segments of a camera from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.pipeline.calm_flags import calm_ood
from trust_seg_ros.segments.tracks import Tracker, TrackerState, TrackingSettings
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.calm import Evidence, EvidenceState
from trust_seg_ros.types import Frame, Json, OodSegments, SegmentTable, SegmentTracks


@dataclass(frozen=True, eq=False)
class FollowingState:
    """What is remembered of earlier frames.

    Attributes:
        segments, ood: the tracks of segments and of OoD segments.
        wrong, unknown: the evidence of these tracks, for calm flags.
    """

    segments: TrackerState
    ood: TrackerState
    wrong: EvidenceState
    unknown: EvidenceState

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        return {name: part.to_json() for name, part in vars(self).items()}

    @classmethod
    def from_json(cls, data: Json) -> FollowingState:
        """The state that :meth:`to_json` was called on.

        Raises:
            TrackingError, CalmError: it is not such data.
        """
        tracks = TrackerState.from_json(data["segments"]), TrackerState.from_json(data["ood"])
        return cls(*tracks, EvidenceState.from_json(data["wrong"]), EvidenceState.from_json(data["unknown"]))


class Following:
    """The trackers of one camera; numbers of segments and of OoD segments are counted apart.

    Args:
        settings: see :class:`TrackingSettings`; ``on`` is not looked at.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self._segments, self._ood = Tracker(settings), Tracker(settings)
        self._wrong, self._unknown = Evidence(), Evidence()

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

    def wrong(self, tracks: SegmentTracks, p_wrong: np.ndarray, tau_s: float) -> tuple[np.ndarray, np.ndarray]:
        """P(false positive) of segments over time, and whether each was flagged when last seen; see ``Evidence``."""
        return self._wrong.update(tracks, p_wrong, tau_s)

    def remember(self, unreliable: np.ndarray) -> None:
        """Keep the flags made of :meth:`wrong`."""
        self._wrong.remember(unreliable, self._segments.state().ids)

    def calm_ood(
        self, ood: OodSegments, large: np.ndarray, tracks: SegmentTracks, least: float, settings: ThresholdSettings
    ) -> OodSegments:
        """OoD segments judged over time, see ``calm_flags.calm_ood``."""
        calibrated = settings.ood_meta.calibrated
        judged = calm_ood(ood, large, tracks, self._unknown, least, settings.calm, calibrated=calibrated)
        self._unknown.remember(judged.kept, self._ood.state().ids)
        return judged

    def forget_evidence(self) -> None:
        """Forget the evidence of all tracks: flags are not calm any more."""
        self._wrong.reset()
        self._unknown.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        self._segments.reset()
        self._ood.reset()
        self.forget_evidence()

    def state(self) -> FollowingState:
        """What is remembered, for :meth:`load_state`."""
        tracks = self._segments.state(), self._ood.state()
        return FollowingState(*tracks, self._wrong.state(), self._unknown.state())

    def load_state(self, state: FollowingState) -> None:
        """Continue from the state of another camera's, or an earlier run's."""
        self._segments.load_state(state.segments)
        self._ood.load_state(state.ood)
        self._wrong.load_state(state.wrong)
        self._unknown.load_state(state.unknown)
