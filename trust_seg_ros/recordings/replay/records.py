"""Data of a drive besides its messages: collected by the replay, shown by the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.thresholds.frame_statistics import STATISTICS

FRAME_COLUMNS: Mapping[str, str] = {
    "camera": "topic of the images",
    "index": "number of the frame of its camera, from 0",
    "recorded_ns": "when the recorder received it, nanoseconds since the epoch",
    "stamp_ns": "when the camera took it, nanoseconds since the epoch; 0 = not stamped",
    "offset_s": "seconds of recorded_ns after the beginning of the recording, as `ros2 bag play --start-offset` counts",
    "file": "file of the output bag that holds its messages",
    "width": "columns of the image, 0 where it was refused",
    "height": "rows of the image, 0 where it was refused",
    "refused": "why there is no result; empty where there is one",
    "time_jump": "true if the stamp is earlier than that of the previous frame, so that earlier frames were forgotten",
    "faulty_pixels": "pixels whose logits were not finite",
    "entropy_mean": "mean normalised entropy, 0..1",
    "score_mean": "mean of the pixel score, in its own unit",
    "flagged_pixels": "share of the pixels at or above the pixel threshold, 0..1",
    "segments": "number of segments",
    "unreliable_segments": "number of segments flagged: P(false positive) at or above its threshold, and large enough",
    "unreliable_pixels": "share of the pixels that lie on those, 0..1",
    "segments_outside": "number of segments outside the range of metrics that their meta model was fitted on",
    "ood_segments": "number of out-of-distribution segments that were kept",
    "ood_pixels": "share of the pixels that lie on those, 0..1",
    "ood_segments_judged": "number of out-of-distribution segments that a meta model judged, kept or discarded",
    "ood_segments_outside": "number of these outside the range of metrics that it was fitted on, which are kept",
    "threshold_pixel": "pixel threshold of the frame, in the unit of the pixel score",
    "threshold_unreliable": "threshold on P(false positive) of the frame",
    "threshold_ood": "threshold of the OoD score of the frame",
    "threshold_ood_meta": "threshold on P(OoD) of the frame",
    **{f"watched_{name}": f"{row.text}, which the shift monitor compares" for name, row in STATISTICS.items()},
    "shift_statistic": "last seconds' mean of the statistic that moved most minus the calibration mean, in standard "
    "deviations of the calibration",
    "shift_of": "name of that statistic",
    "shift_p_value": "level at which the shift monitor would fire, in false alarms per 24 hours, at most 1",
    "shift_fired": "true while the shift monitor has fired",
    "processing_ms": "milliseconds the replay spent on the frame, from decoding to its last message",
    "network_ms": "of these, milliseconds in the network",
}
"""Columns of ``Drive.frames`` and of ``frames.parquet``. Numbers that a frame does not have are NaN."""

TEXT_COLUMNS = ("camera", "file", "refused", "shift_of")
TRUE_FALSE_COLUMNS = ("time_jump", "shift_fired")
WHOLE_COLUMNS = (
    "index",
    "recorded_ns",
    "stamp_ns",
    "width",
    "height",
    "faulty_pixels",
    "segments",
)


@dataclass(frozen=True)
class ClassSums:
    """Sums over all segments of a camera by predicted class; every array (q,) float64.

    Attributes:
        pixels: pixels of the class.
        entropy: sum of their normalised entropies.
        segments: segments of the class.
        unreliable: segments flagged unreliable.
        unreliable_pixels: pixels on these.
        p_wrong: sum of P(false positive) over the pixels of the segments, 0 without a meta model.
        iou: sum of the predicted IoU over these pixels, 0 without a meta model.
        judged: segments judged by a meta model.
        judged_pixels: pixels on these.
    """

    pixels: np.ndarray
    entropy: np.ndarray
    segments: np.ndarray
    unreliable: np.ndarray
    unreliable_pixels: np.ndarray
    p_wrong: np.ndarray
    iou: np.ndarray
    judged: np.ndarray
    judged_pixels: np.ndarray


@dataclass(frozen=True)
class OodObject:
    """A kept out-of-distribution segment of one frame.

    Attributes:
        camera: topic of the images.
        recorded_ns, stamp_ns, offset_s: times of its frame, as in ``FRAME_COLUMNS``.
        box: left, top, right, bottom in pixels, right and bottom exclusive.
        size: pixels.
        score: mean OoD score, in its own unit.
        p_ood: P(OoD) in 0..1, NaN without an OoD meta model.
        class_name: the class the network would give it; "" if that was not measured.
        crop: JPEG of its surroundings with the segment outlined; b"" if none was kept.
    """

    camera: str
    recorded_ns: int
    stamp_ns: int
    offset_s: float
    box: tuple[int, int, int, int]
    size: int
    score: float
    p_ood: float
    class_name: str
    crop: bytes = b""


def certainty(segment: OodObject) -> tuple[float, float, int]:
    """Sort key of segments: P(OoD), missing ones last; then score, then size."""
    p = segment.p_ood if np.isfinite(segment.p_ood) else -1.0
    return p, -np.inf if np.isnan(segment.score) else segment.score, segment.size


@dataclass(frozen=True)
class TrackedObject:
    """The kept out-of-distribution segments of one track.

    Attributes:
        track: number of the track; cameras are counted apart.
        first, last, best: the earliest, the latest and the most certain segment, without crops.
        pictured: the most certain one that a crop was cut of; None = of none.
        largest: pixels of the largest.
        frames: number of the segments, one per frame.
        followed: frames that the track was seen in up to the last of them, also where the segment was discarded.
        classes: name of a class -> segments that the network would give it.
    """

    track: int
    first: OodObject
    last: OodObject
    best: OodObject
    pictured: OodObject | None
    largest: int
    frames: int
    followed: int
    classes: Mapping[str, int]

    @property
    def crop(self) -> bytes:
        """JPEG of the most certain segment that has one; b"" if none has."""
        return b"" if self.pictured is None else self.pictured.crop

    @property
    def class_name(self) -> str:
        """The class most often predicted for it; "" if that was never measured."""
        return min(self.classes, key=lambda name: (-self.classes[name], name), default="")

    @property
    def rank(self) -> tuple[float, float, int, int, int]:
        """Sort key: the certainty of the best segment; ties go to the object seen first."""
        return (*certainty(self.best), -self.first.recorded_ns, -self.track)


@dataclass(frozen=True)
class FlaggedSums:
    """Sums over the tracks of segments of a camera that were flagged unreliable, by predicted class; each (q,) int64:
    no sum depends on its order.

    Attributes:
        tracks: tracks flagged in at least one frame.
        once: of these, those flagged in a single frame.
        frames: frames in which they were flagged, added up.
        total_ns: nanoseconds from the first to the last flagged frame, added up.
        longest_ns: the longest of them.
    """

    tracks: np.ndarray
    once: np.ndarray
    frames: np.ndarray
    total_ns: np.ndarray
    longest_ns: np.ndarray


@dataclass(frozen=True)
class FramePicture:
    """One frame to look at.

    Attributes:
        camera: topic of the images.
        recorded_ns: recording time of its frame.
        image: JPEG of the camera's image.
        overlay: JPEG of the image tinted by class, with flagged pixels and segments marked.
        entropy: JPEG of the entropy in colours, of the same size.
    """

    camera: str
    recorded_ns: int
    image: bytes
    overlay: bytes
    entropy: bytes


@dataclass(frozen=True)
class LiveLatency:
    """Latency of a topic that was recorded live.

    Attributes:
        topic: its name.
        offset_s: (n,) seconds after the beginning of the recording.
        latency_ms: (n,) recorder's time minus the header's stamp, in milliseconds.
    """

    topic: str
    offset_s: np.ndarray
    latency_ms: np.ndarray


@dataclass(frozen=True)
class Drive:
    """The content of the report.

    Attributes:
        title: name of the recording.
        start_ns: beginning of the recording, nanoseconds since the epoch.
        duration_s: its length in seconds.
        frames: column -> (n,) array, see ``FRAME_COLUMNS``; in the order of ``recorded_ns``, cameras interleaved.
        class_names: name of every class, index = class id.
        palette: (q, 3) uint8 RGB.
        classes: camera -> sums by predicted class.
        objects: kept OoD segments in order of time (in a long drive only the most certain); none with tracking.
        objects_total: number of all kept OoD segments.
        pictures: evenly spread frames and the worst ones, in order of time.
        worst: (camera, recorded_ns) of the worst moments, worst first; each has a picture.
        pixel_score: name of the pixel score.
        ood_score: name of the OoD score.
        facts: (name, value) lines about the network, its models, the settings and the command.
        notes: remarks for the reader, one sentence each: where a bag ended early, refused images, mixed sizes, …
        shift: why the shift monitor is silent; "" if it was active.
        latency: latencies of topics recorded live.
        section_s: begin and end of the part that was replayed, in seconds of the recording; None = all of it.
        playable: whether ``ros2 bag play`` plays the recording.
        tracked: with tracking, OoD objects in order of the time they were first seen (the most certain); else None.
        tracked_total: number of all of them.
        flagged: with tracking, camera -> sums over the flagged tracks of segments.
    """

    title: str
    start_ns: int
    duration_s: float
    frames: Mapping[str, np.ndarray]
    class_names: Sequence[str]
    palette: np.ndarray
    classes: Mapping[str, ClassSums]
    objects: Sequence[OodObject]
    objects_total: int
    pictures: Sequence[FramePicture]
    worst: Sequence[tuple[str, int]]
    pixel_score: str = "entropy"
    ood_score: str = "entropy"
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)
    shift: str = ""
    latency: Sequence[LiveLatency] = field(default_factory=tuple)
    section_s: tuple[float, float] | None = None
    playable: bool = False
    tracked: Sequence[TrackedObject] | None = None
    tracked_total: int = 0
    flagged: Mapping[str, FlaggedSums] = field(default_factory=dict)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Topics of the images, in order of their names."""
        return tuple(sorted(self.classes))
