"""One pass over the recorded answers of a drive, judged with one set of settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros import uncertainty
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.time.alarms import VISIBLE, AlarmCounts, Alarms
from trust_seg_ros.evaluation.time.flicker import Flicker, FlickerCounts
from trust_seg_ros.evaluation.time.recorded import Recorded
from trust_seg_ros.evaluation.time.sequences import Shot
from trust_seg_ros.evaluation.time.targets import live_targets
from trust_seg_ros.evaluation.tracking.matching import match
from trust_seg_ros.evaluation.tracking.measures import TrackingCounter, TrackingCounts
from trust_seg_ros.evaluation.tracking.overlaps import FrameOverlap, frame_overlap
from trust_seg_ros.grid import resized
from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline
from trust_seg_ros.synthetic import DriveObject
from trust_seg_ros.synthetic.settings import CLASS_NAMES, NO_CLASS, TREE
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import GridFrame, OodSegments, SegmentTable, SegmentTracks, SegmentTrust

THINGS, TREES, OOD = "things", "trees", "unknown objects"
"""Groups of objects that tracking is judged on. Grass and hedges are of the class Tree, too, and grow into trees."""


@dataclass(frozen=True)
class WrongCounts:
    """Segments whose truth is known, frame by frame, large enough to be flagged.

    Attributes:
        wrong, wrong_flagged: without a pixel of the class they claim; those of them that are flagged.
        right, right_flagged: the others.
    """

    wrong: int = 0
    wrong_flagged: int = 0
    right: int = 0
    right_flagged: int = 0

    def __add__(self, other: WrongCounts) -> WrongCounts:
        return WrongCounts(
            self.wrong + other.wrong,
            self.wrong_flagged + other.wrong_flagged,
            self.right + other.right,
            self.right_flagged + other.right_flagged,
        )

    @property
    def recall(self) -> float:
        """Share of the wrong segments that are flagged."""
        return self.wrong_flagged / self.wrong if self.wrong else float("nan")

    @property
    def false_share(self) -> float:
        """Share of the right segments that are flagged."""
        return self.right_flagged / self.right if self.right else float("nan")


@dataclass(frozen=True)
class TimeCounts:
    """Everything counted over one drive with one set of settings, or the sum of several drives.

    Attributes:
        tracking: group, or class -> counts of tracking; empty without objects.
        tracks: number of tracks of class segments; track_frames: frames of them, summed.
        flicker: of the flag "unreliable" on tracks; object_flicker: on objects, whatever the tracker says.
        wrong: how many wrong segments are flagged.
        alarms: alarms and delays.
    """

    tracking: dict[str, TrackingCounts] = field(default_factory=dict)
    tracks: int = 0
    track_frames: int = 0
    flicker: FlickerCounts = field(default_factory=FlickerCounts)
    object_flicker: FlickerCounts = field(default_factory=FlickerCounts)
    wrong: WrongCounts = field(default_factory=WrongCounts)
    alarms: AlarmCounts = field(default_factory=AlarmCounts)

    def __add__(self, other: TimeCounts) -> TimeCounts:
        names = [*self.tracking, *(name for name in other.tracking if name not in self.tracking)]
        none = TrackingCounts()
        return TimeCounts(
            {name: self.tracking.get(name, none) + other.tracking.get(name, none) for name in names},
            self.tracks + other.tracks,
            self.track_frames + other.track_frames,
            self.flicker + other.flicker,
            self.object_flicker + other.object_flicker,
            self.wrong + other.wrong,
            self.alarms + other.alarms,
        )


def total(counts: Iterable[TimeCounts]) -> TimeCounts:
    """The sum."""
    found = TimeCounts()
    for one in counts:
        found += one
    return found


@dataclass(frozen=True, eq=False)
class _Judged:
    """What the pipeline says of one frame, all parts present."""

    table: SegmentTable
    tracks: SegmentTracks
    trust: SegmentTrust | None
    ood: OodSegments
    ood_tracks: SegmentTracks
    large: np.ndarray

    @classmethod
    def of(cls, found: GridFrame, least: float) -> _Judged:
        if found.segments is None or found.tracks is None or found.ood is None or found.ood_tracks is None:
            raise EvaluationError("the study of time follows tracks: expected settings with tracking on")
        large = found.segments.sizes >= max(least * found.segments.ids.size, 1)
        return cls(found.segments, found.tracks, found.trust, found.ood, found.ood_tracks, large)


class _Counting:
    """Takes the frames of one drive."""

    def __init__(self, objects: tuple[DriveObject, ...]) -> None:
        self.objects = objects
        self.classes = np.array([0, *(one.class_id for one in objects)], np.int64)
        self.groups: dict[str, TrackingCounter] = {}
        self.lengths: dict[int, int] = {}
        self.flicker, self.object_flicker = Flicker(), Flicker()
        self.wrong = WrongCounts()
        self.alarms = Alarms(tuple(one.unknown for one in objects))

    def add(self, judged: _Judged, shot: Shot, stamp_ns: int, known: bool) -> None:
        for track in judged.tracks.ids[judged.large].tolist():
            self.lengths[track] = self.lengths.get(track, 0) + 1
        if judged.trust is not None:
            self.flicker.add(judged.tracks.ids, judged.trust.unreliable, stamp_ns, judged.large)
        size = judged.table.ids.shape
        if shot.truth is not None and known and judged.trust is not None:
            self._count_wrong(judged, judged.trust, resized(shot.truth, size))
        objects = np.zeros(size, np.int32) if shot.objects is None else resized(shot.objects, size)
        ood = frame_overlap(judged.ood.ids, len(judged.ood.kept), objects)
        self.alarms.add(ood, judged.ood.kept, judged.ood_tracks.ids, stamp_ns)
        if any(self.alarms.unknown):
            self._track_ood(judged, ood)
        if shot.objects is not None and known:
            self._track_classes(judged, frame_overlap(judged.table.ids, len(judged.table), objects), stamp_ns)

    def counts(self) -> TimeCounts:
        return TimeCounts(
            {name: counter.counts() for name, counter in self.groups.items()},
            len(self.lengths),
            sum(self.lengths.values()),
            self.flicker.counts,
            self.object_flicker.counts,
            self.wrong,
            self.alarms.counts(),
        )

    def _count_wrong(self, judged: _Judged, trust: SegmentTrust, truth: np.ndarray) -> None:
        _, adjusted = live_targets(judged.table, truth)
        judgeable, flags = judged.large & ~np.isnan(adjusted), trust.unreliable
        wrong, right = judgeable & (adjusted == 0), judgeable & (adjusted > 0)
        parts = (wrong, wrong & flags, right, right & flags)
        self.wrong += WrongCounts(*(int(part.sum()) for part in parts))

    def _track_classes(self, judged: _Judged, overlap: FrameOverlap, stamp_ns: int) -> None:
        mine, theirs = judged.table.class_ids, self.classes[overlap.numbers]
        overlap = overlap.among(mine[overlap.segments] == theirs[overlap.objects])
        matches = match(overlap, "cover")
        visible = (overlap.object_sizes >= VISIBLE) & (theirs != NO_CLASS)
        if judged.trust is not None:
            found = matches.segment >= 0
            flags = judged.trust.unreliable[matches.segment] & found
            self.object_flicker.add(np.where(found, overlap.numbers, 0), flags, stamp_ns, visible)
        of_things = set(self.classes[1:].tolist()) - {NO_CLASS, TREE}
        groups = {THINGS: sorted(of_things), TREES: [TREE]}
        groups |= {CLASS_NAMES[c]: [c] for c in sorted(of_things)}
        for name, classes in groups.items():
            chosen, judgeable = visible & np.isin(theirs, classes), judged.large & np.isin(mine, classes)
            self._counter(name).add(overlap, matches, judged.tracks.ids, chosen, judgeable)

    def _track_ood(self, judged: _Judged, overlap: FrameOverlap) -> None:
        kept, unknown = judged.ood.kept, self.classes[overlap.numbers] == NO_CLASS
        overlap = overlap.among(kept[overlap.segments] & unknown[overlap.objects])
        chosen = unknown & (overlap.object_sizes >= VISIBLE)
        self._counter(OOD).add(overlap, match(overlap, "best"), judged.ood_tracks.ids, chosen, kept)

    def _counter(self, name: str) -> TrackingCounter:
        return self.groups.setdefault(name, TrackingCounter())


def time_counts(
    pipeline: TrustPipeline,
    thresholds: ThresholdSettings,
    drive: Recorded,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TimeCounts:
    """Judge one drive from its beginning.

    Args:
        pipeline: with tracking on; it is reset first.
        thresholds: the settings of the flags.
        drive: the answers of the pipeline's network.
        progress: called with the number of frames done and of all.

    Raises:
        EvaluationError: tracking is off.
    """
    pipeline.reset()
    counting, n = _Counting(drive.objects), len(drive.stamps)
    known = not drive.class_names or drive.class_names == tuple(pipeline.network.labels.names)
    for k, (shot, answer) in enumerate(drive, 1):
        on_grid = uncertainty.on_grid(answer, pipeline.grid)
        result = pipeline.with_answer(shot.frame, on_grid, thresholds).on_grid
        counting.add(_Judged.of(result, thresholds.min_share), shot, shot.frame.stamp_ns, known)
        progress(k, n)
    return counting.counts()
