"""Follows the segments and OoD segments of a camera from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.over_time import history_for
from trust_seg_ros.pipeline.calm_flags import calm_ood
from trust_seg_ros.pipeline.frame_rate import FrameRate
from trust_seg_ros.segments.history import HistoryState, with_time
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
        metrics, ood_metrics: what their metrics were, for meta models that look back; None = for none.
        stamps_ns: stamps that tell the frame rate.
    """

    segments: TrackerState
    ood: TrackerState
    wrong: EvidenceState
    unknown: EvidenceState
    metrics: HistoryState | None = None
    ood_metrics: HistoryState | None = None
    stamps_ns: tuple[int, ...] = ()

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        plain = {name: getattr(part, "to_json", lambda: None)() for name, part in vars(self).items()}
        return {**plain, "stamps_ns": list(self.stamps_ns)}

    @classmethod
    def from_json(cls, data: Json) -> FollowingState:
        """The state that :meth:`to_json` was called on.

        Raises:
            TrackingError, CalmError: it is not such data.
        """
        tracks = TrackerState.from_json(data["segments"]), TrackerState.from_json(data["ood"])
        evidence = EvidenceState.from_json(data["wrong"]), EvidenceState.from_json(data["unknown"])
        metrics, ood_metrics = (
            None if data[name] is None else HistoryState.from_json(data[name]) for name in ("metrics", "ood_metrics")
        )
        return cls(*tracks, *evidence, metrics, ood_metrics, tuple(data["stamps_ns"]))


class Following:
    """The trackers of one camera; numbers of segments and of OoD segments are counted apart.

    Args:
        settings: see :class:`TrackingSettings`; ``on`` is not looked at.
        meta, ood_model: meta models, whose metrics over time are remembered.
    """

    def __init__(
        self, settings: TrackingSettings, meta: MetaModel | None = None, ood_model: OodModel | None = None
    ) -> None:
        self._segments, self._ood = Tracker(settings), Tracker(settings)
        self._wrong, self._unknown = Evidence(), Evidence()
        self._metrics, self._ood_metrics = (history_for(model, settings.length) for model in (meta, ood_model))
        self._rate = FrameRate()

    @property
    def rate_hz(self) -> float | None:
        """Frame rate of the last frames; None = not known."""
        return self._rate.hz

    @property
    def forgot(self) -> str:
        """Why the last frame forgot all tracks before it; "" = it did not."""
        return self._segments.forgot or self._ood.forgot

    def begin(self, *, calm: bool) -> None:
        """A frame begins; not every frame shows its segments to the trackers.

        Args:
            calm: whether flags are calm; if not, the evidence of all tracks is forgotten.
        """
        self._segments.forgot = self._ood.forgot = ""
        if not calm:
            self.forget_evidence()

    def segments(self, table: SegmentTable, frame: Frame) -> SegmentTracks:
        """The tracks of the segments of a frame."""
        self._rate.add(frame.stamp_ns)
        return self._segments.update(table.ids, table.class_ids, table.sizes, frame.stamp_ns, frame.frame_id)

    def with_past(self, table: SegmentTable, tracks: SegmentTracks) -> SegmentTable:
        """The table of the frame, with the columns over time that the meta model needs; these are remembered."""
        if self._metrics is None:
            return table
        return with_time(table, self._metrics, tracks, self._segments.state().ids)

    def ood_with_past(self, table: SegmentTable, tracks: SegmentTracks) -> SegmentTable:
        """The same for OoD segments.

        Args:
            table: of those that are judged.
            tracks: of all that were found; those that are not judged are 0, in the same order.
        """
        if self._ood_metrics is None:
            return table
        return with_time(table, self._ood_metrics, tracks.only(tracks.ids > 0), self._ood.state().ids)

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
        self._rate = FrameRate()
        for history in (self._metrics, self._ood_metrics):
            if history is not None:
                history.reset()
        self.forget_evidence()

    def start_anew(self) -> None:
        """Forget all tracks and count from 1 again."""
        self._segments.start_anew()
        self._ood.start_anew()

    def state(self) -> FollowingState:
        """What is remembered, for :meth:`load_state`."""
        tracks = self._segments.state(), self._ood.state()
        metrics, ood_metrics = (
            None if history is None else history.state() for history in (self._metrics, self._ood_metrics)
        )
        evidence = self._wrong.state(), self._unknown.state()
        return FollowingState(*tracks, *evidence, metrics, ood_metrics, self._rate.stamps_ns)

    def load_state(self, state: FollowingState) -> None:
        """Continue from the state of another camera's, or an earlier run's."""
        self._segments.load_state(state.segments)
        self._ood.load_state(state.ood)
        self._wrong.load_state(state.wrong)
        self._unknown.load_state(state.unknown)
        self._rate = FrameRate(state.stamps_ns)
        for history, past in ((self._metrics, state.metrics), (self._ood_metrics, state.ood_metrics)):
            if history is not None and past is not None:
                history.load_state(past)
