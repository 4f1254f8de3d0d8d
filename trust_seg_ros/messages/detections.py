"""Segments of a frame → the detections of ``segments``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trust_seg_ros.messages.fields import DetectionFields
from trust_seg_ros.messages.kernels import overlap
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import UNLABELLED, OodSegments, SegmentTable, SegmentTracks

OOD_SHARE = 0.5
"""A segment counts as out of distribution when at least this share of its pixels lies on kept OoD segments."""

UNRELIABLE, IOU = "unreliable", "iou"
"""Names of results: P(false positive) and the predicted IoU of a segment."""

OOD, OOD_SCORE = "ood", "ood_score"
"""Names of results: P(OoD) if an OoD meta model gives it, else the mean score in the score's own unit."""

TRACK, OOD_TRACK = "", "ood_"
"""What stands before the number of a track in an id: tracks of segments and of OoD segments are counted apart."""

TRACK_RESULTS = ("pixel_id", "track_age_s", "track_frames", "first_seen_s", "velocity_x", "velocity_y")
"""Names of the results that tracking adds: value in ``~/segment_ids`` or ``~/ood_ids``; seconds since the track was
first seen; frames it was seen in; stamp of the first, in seconds; pixels of the image per second, to the right and
down."""

_Results = tuple[tuple[str, float], ...]


def detections(view: Rendering) -> tuple[DetectionFields, ...]:
    """Flagged segments, or all when the options say so; then the kept OoD segments. Ids are unique within a frame.

    A segment is flagged when it is unreliable, or when at least ``OOD_SHARE`` of it lies on kept OoD segments. Its
    results are the predicted class with P(correct), ``unreliable`` with P(false positive), ``ood`` with the P(OoD) of
    the OoD segments it lies on (in proportion to its pixels there; left out below ``OOD_SHARE``), ``iou`` with the
    predicted IoU. Without a meta model the class carries its mean softmax, and ``unreliable`` and ``iou`` are left out.

    With tracking the id of a detection is that of its track, ``TRACK`` and a number, or ``OOD_TRACK`` and a number for
    an OoD segment; ``TRACK_RESULTS`` follow the other results.

    An OoD segment has its dominant class with P(correct) = 1 - P(OoD), and ``ood`` with P(OoD). Without an OoD meta
    model for the current score there is no P(OoD): ``ood_score`` with the mean score replaces ``ood``, and the dominant
    class carries its mean softmax over the segment.
    """
    return _of_segments(view) + _of_ood(view)


def ood_cover(view: Rendering) -> tuple[np.ndarray, np.ndarray]:
    """Per segment: share of its pixels on kept OoD segments, and the mean P(OoD), or mean score, over these pixels.

    Returns:
        (n,) float64 in [0, 1] and (n,) float64; both 0 for segments without such pixels, or without an OoD part.
    """
    count, ood = len(view.segments), view.frame.on_grid.ood
    if ood is None or not ood.kept.any():
        return np.zeros(count), np.zeros(count)
    pixels, total = overlap(view.segments.ids, count, ood.ids, ood.kept, ood_judgement(ood)[1])
    return pixels / np.maximum(view.segments.sizes, 1), total / np.maximum(pixels, 1)


def flagged_segments(view: Rendering) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per segment: whether it is flagged, whether it counts as out of distribution, and its P(OoD), or mean score.

    Returns:
        (n,) bool, (n,) bool, and (n,) float64, which means something where the second is True.
    """
    share, value = ood_cover(view)
    covered = share >= OOD_SHARE
    return covered if view.trust is None else view.trust.unreliable | covered, covered, value


def ood_judgement(ood: OodSegments) -> tuple[str, np.ndarray]:
    """Name of the result, ``OOD`` or ``OOD_SCORE``, and its (m,) float64 values."""
    return (OOD_SCORE, ood.score) if ood.p_ood is None else (OOD, ood.p_ood)


def _of_segments(view: Rendering) -> tuple[DetectionFields, ...]:
    table, trust, ood = view.segments, view.trust, view.frame.on_grid.ood
    boxes = view.frame.boxes(table.boxes)
    flagged, covered, value = flagged_segments(view)
    chosen = np.arange(len(table)) if view.options.every_segment else np.flatnonzero(flagged)
    columns = {"": _mean_softmax(table) if trust is None else 1.0 - trust.p_wrong}  # "": the predicted class
    if trust is not None:
        columns[UNRELIABLE] = trust.p_wrong
    if ood is not None:
        columns[ood_judgement(ood)[0]] = np.where(covered, value, np.nan)
    if trust is not None:
        columns[IOU] = trust.iou
    values = np.column_stack(list(columns.values()))[chosen]
    given = ~np.isnan(values)
    names = [view.options.names[c] for c in table.class_ids[chosen].tolist()]
    rows = zip(chosen.tolist(), names, values.tolist(), given.tolist(), strict=True)
    tracked = _tracked(view, view.frame.on_grid.tracks, TRACK)
    found = []
    for segment, name, scores, there in rows:
        kinds = (name, *tuple(columns)[1:])
        results = tuple((kind, score) for kind, score, is_there in zip(kinds, scores, there, strict=True) if is_there)
        number, more = tracked(segment, segment + 1)
        found.append(_detection(number, boxes[segment], results + more))
    return tuple(found)


def _tracked(view: Rendering, tracks: SegmentTracks | None, prefix: str) -> Callable[[int, int], tuple[str, _Results]]:
    """From the position of a segment and its pixels' number: the detection's id, and what tracking adds."""
    if tracks is None:
        return lambda _, number: (str(number), ())
    velocity = view.frame.image_velocity(tracks.velocity)
    columns = np.column_stack([tracks.age_s, tracks.frames, tracks.first_ns / 1e9, velocity])

    def row(segment: int, number: int) -> tuple[str, _Results]:
        values = (float(number), *columns[segment].tolist())
        return f"{prefix}{tracks.ids[segment]}", tuple(zip(TRACK_RESULTS, values, strict=True))

    return row


def _of_ood(view: Rendering) -> tuple[DetectionFields, ...]:
    ood = view.frame.on_grid.ood
    if ood is None:
        return ()
    (kind, values), boxes = ood_judgement(ood), view.frame.boxes(ood.boxes)
    tracked = _tracked(view, view.frame.on_grid.ood_tracks, OOD_TRACK)
    found = []
    for k in np.flatnonzero(ood.kept).tolist():
        number, more = tracked(k, int(view.ood_numbers[k]))
        found.append(_detection(number, boxes[k], (*_dominant_class(view, ood, k), (kind, float(values[k])), *more)))
    return tuple(found)


def _dominant_class(view: Rendering, ood: OodSegments, k: int) -> _Results:
    if ood.class_ids is None or ood.p_class is None or ood.class_ids[k] == UNLABELLED:
        return ()
    correct = ood.p_class[k] if ood.p_ood is None else 1.0 - ood.p_ood[k]
    return ((view.options.names[ood.class_ids[k]], float(correct)),)


def _detection(number: str, box: Sequence[int] | np.ndarray, results: _Results) -> DetectionFields:
    left, top, right, bottom = (int(side) for side in box)
    centre, size = ((left + right) / 2, (top + bottom) / 2), (float(right - left), float(bottom - top))
    return DetectionFields(number, centre, size, results)


def _mean_softmax(table: SegmentTable) -> np.ndarray:
    """(n,) mean probability of the predicted class over each segment; 0 if the table does not contain it."""
    result = np.zeros(len(table))
    for class_id in np.unique(table.class_ids).tolist():
        name = f"cprob_{class_id}"
        if name in table.names:
            rows = table.class_ids == class_id
            result[rows] = table.column(name)[rows]
    return result
