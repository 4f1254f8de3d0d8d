"""Out-of-distribution objects, by their tracks or by the boxes of consecutive frames, and their cards on the page."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import numpy as np

from trust_seg_ros.messages.detections import OOD_TRACK
from trust_seg_ros.recordings.replay.records import Drive, OodObject, TrackedObject, certainty
from trust_seg_ros.recordings.report import formats, summary

MIN_IOU = 0.3
MAX_GAP_S = 1.0
MOST = 200
"""Most cards on the page."""


@dataclass(frozen=True)
class OodTrack:
    """OoD segments that count as one object.

    Attributes:
        segments: at most one per frame, in order of time, from one camera.
    """

    segments: tuple[OodObject, ...]

    @property
    def first(self) -> OodObject:
        """Its earliest segment."""
        return self.segments[0]

    @property
    def last(self) -> OodObject:
        """Its latest segment."""
        return self.segments[-1]

    @property
    def best(self) -> OodObject:
        """The most certain segment."""
        return max(self.segments, key=certainty)

    @property
    def frames(self) -> int:
        """Number of its segments."""
        return len(self.segments)

    @property
    def crop(self) -> bytes:
        """Picture of the most certain segment that has one; b"" if none has."""
        return max((s for s in self.segments if s.crop), key=certainty, default=self.best).crop

    @property
    def class_name(self) -> str:
        """The class most often predicted for it; "" if that was never measured."""
        names = Counter(s.class_name for s in self.segments if s.class_name)
        return min(names, key=lambda name: (-names[name], name), default="")


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair of boxes.

    Args:
        a: (m, 4) left, top, right, bottom, right and bottom exclusive.
        b: (n, 4), the same.

    Returns:
        (m, n) float64 in [0, 1]; 0 where both boxes are empty.
    """
    a, b = a[:, None].astype(np.float64), b[None].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inner = np.prod(np.maximum(sides, 0.0), axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - inner
    return np.divide(inner, union, out=np.zeros_like(inner), where=union > 0)


def group_objects(
    segments: Sequence[OodObject], min_iou: float = MIN_IOU, max_gap_s: float = MAX_GAP_S
) -> list[OodTrack]:
    """Join segments of one camera that overlap from frame to frame into objects.

    In order of time, the segments of each frame are joined greedily to the last segments of the objects, pairs with
    the largest IoU of their boxes first; every object gets at most one segment of a frame.

    Args:
        segments: in any order, of any cameras.
        min_iou: smallest IoU of boxes that are joined.
        max_gap_s: longest time between them in seconds, by ``recorded_ns``.

    Returns:
        Objects in order of the time they were first seen, then of camera, then of their first segment in raster order.
    """
    done: list[list[OodObject]] = []
    order = sorted(segments, key=lambda s: (s.camera, s.recorded_ns, s.box[1], s.box[0]))
    for _, mine in groupby(order, key=lambda s: s.camera):
        active: list[list[OodObject]] = []
        for now, frame in groupby(mine, key=lambda s: s.recorded_ns):
            active = [track for track in active if now - track[-1].recorded_ns <= max_gap_s * 1e9]
            rest = _join(active, list(frame), min_iou)
            done += rest
            active += rest
    tracks = [OodTrack(tuple(track)) for track in done]
    return sorted(tracks, key=lambda t: (t.first.recorded_ns, t.first.camera, t.first.box[1], t.first.box[0]))


def _join(active: list[list[OodObject]], frame: list[OodObject], min_iou: float) -> list[list[OodObject]]:
    """Add a frame's segments to the objects they overlap; the others start new objects, which are returned."""
    if not active:
        return [[segment] for segment in frame]
    iou = box_iou(np.array([track[-1].box for track in active]), np.array([segment.box for segment in frame]))
    pairs = np.argwhere(iou >= min_iou)
    free_tracks, free_segments = set(range(len(active))), set(range(len(frame)))
    for t, s in pairs[np.argsort(-iou[tuple(pairs.T)], kind="stable")]:
        if t in free_tracks and s in free_segments:
            active[t].append(frame[s])
            free_tracks.remove(t)
            free_segments.remove(s)
    return [[frame[s]] for s in sorted(free_segments)]


_Object = TypeVar("_Object", OodTrack, TrackedObject)


def most_certain(tracks: Sequence[_Object], most: int = MOST) -> list[_Object]:
    """The most certain objects, at most ``most``, in their original order."""
    best = sorted(range(len(tracks)), key=lambda i: certainty(tracks[i].best), reverse=True)[:most]
    return [tracks[i] for i in sorted(best)]


def objects_html(drive: Drive) -> str:
    """The section's text and cards; a sentence if there is nothing to show."""
    if not drive.objects and not drive.tracked:
        looked = np.isfinite(summary.summarise(drive).ood_segments)
        said = "No OoD segments in this drive." if looked else "OoD segments were not looked for in this drive."
        return f'<p class="empty">{said}</p>'
    if drive.tracked is not None:
        return f"{_tracked_counts(drive)}{_cards(drive.tracked, drive.ood_score)}"
    tracks = group_objects(drive.objects)
    shown = most_certain(tracks)
    return f"{_counts(drive, len(tracks), len(shown))}{_cards(shown, drive.ood_score)}"


def _cards(shown: Sequence[OodTrack | TrackedObject], score: str) -> str:
    ranks = np.argsort(sorted(range(len(shown)), key=lambda i: certainty(shown[i].best), reverse=True))
    cards = "".join(_card(track, score, rank) for track, rank in zip(shown, ranks, strict=True))
    return f'{_ORDER}<ul class="cards" id="objects">{cards}</ul>'


_ORDER = (
    '<p class="controls"><label>Order <select id="object-order"><option value="time">time</option>'
    '<option value="certainty">P(OoD) and score</option><option value="frames">number of frames</option>'
    "</select></label></p>"
)


def _counts(drive: Drive, objects: int, shown: int) -> str:
    said = f"{objects:,} object{'s' * (objects != 1)} from {len(drive.objects):,} segments"
    if drive.objects_total > len(drive.objects):
        said += f", the most certain of {drive.objects_total:,} in the drive"
    if shown < objects:
        said += f"; the {shown:,} most certain objects are shown"
    rule = (
        f"Segments of one camera whose boxes overlap (IoU at least {MIN_IOU:g}) within {MAX_GAP_S:g} s are one object."
    )
    return f"<p>{said}. {rule}</p>"


def _tracked_counts(drive: Drive) -> str:
    assert drive.tracked is not None
    total, shown = drive.tracked_total, len(drive.tracked)
    said = f"{total:,} object{'s' * (total != 1)} from {drive.objects_total:,} segments"
    if shown < total:
        said += f"; the {shown:,} most certain objects are shown"
    return f"<p>{said}. Segments of one track are one object; frames in which it was discarded do not count.</p>"


def _moment(segment: OodObject) -> str:
    return f"{formats.offset(segment.offset_s)}, {formats.utc(segment.recorded_ns)}"


def _card(track: OodTrack | TrackedObject, score: str, rank: int) -> str:
    best, first, last = track.best, track.first, track.last
    picture = base64.b64encode(track.crop).decode()
    image = (
        f'<img alt="" loading="lazy" decoding="async" src="data:image/jpeg;base64,{picture}">'
        if picture
        else '<span class="no-picture">no picture</span>'
    )
    frames = track.frames
    seen = (last.recorded_ns - first.recorded_ns) / 1e9
    followed = track.followed if isinstance(track, TrackedObject) else frames
    of_all = f" of the {followed:,} followed" if followed > frames else ""
    facts = [
        ("P(OoD)", formats.number(best.p_ood)),
        (score, formats.number(best.score)),
        ("taken for", track.class_name or "not measured"),
        ("first", _moment(first)),
        ("last", _moment(last)),
        ("length", f"{seen:.2f} s, {frames:,} frame{'s' * (frames != 1)}{of_all}"),
        ("camera", best.camera),
    ]
    if isinstance(track, TrackedObject):
        facts += [("largest", f"{track.largest:,} pixels"), ("id", f"{OOD_TRACK}{track.track}")]
    rows = "".join(f"<span>{formats.text(k)}</span><span>{formats.text(v)}</span>" for k, v in facts)
    data = {
        "camera": best.camera,
        "time": f"{best.offset_s:.3f}",
        "first": f"{first.offset_s:.3f}",
        "rank": rank,
        "frames": frames,
    }
    attributes = "".join(f' data-{name}="{formats.text(v)}"' for name, v in data.items())
    return f'<li{attributes}><button type="button" class="card">{image}<span class="pairs">{rows}</span></button></li>'
