"""Segments of a frame → the detections of ``segments``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trust_seg_ros.messages.fields import DetectionFields
from trust_seg_ros.messages.kernels import overlap
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import UNLABELLED, OodSegments, SegmentTable

OOD_SHARE = 0.5
"""A segment counts as out of distribution when at least this share of its pixels lies on kept OoD segments."""

OOD, OOD_SCORE = "ood", "ood_score"
"""Names of results: P(OoD) if an OoD meta model gives it, else the mean score in the score's own unit."""

_Results = tuple[tuple[str, float], ...]


def detections(view: Rendering) -> tuple[DetectionFields, ...]:
    """Flagged segments, or all when the options say so; then the kept OoD segments. Ids are unique within a frame.

    A segment is flagged when it is unreliable, or when at least ``OOD_SHARE`` of it lies on kept OoD segments. Its
    results are the predicted class with P(correct), ``unreliable`` with P(false positive), ``ood`` with the P(OoD) of
    the OoD segments it lies on (in proportion to its pixels there; left out below ``OOD_SHARE``), ``iou`` with the
    predicted IoU. Without a meta model the class carries its mean softmax, and ``unreliable`` and ``iou`` are left out.

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
    pixels, total = overlap(view.segments.ids, count, ood.ids, ood.kept, _judgement(ood)[1])
    return pixels / np.maximum(view.segments.sizes, 1), total / np.maximum(pixels, 1)


def _judgement(ood: OodSegments) -> tuple[str, np.ndarray]:
    """Name of the result and its (m,) float64 values."""
    return (OOD_SCORE, ood.score) if ood.p_ood is None else (OOD, ood.p_ood)


def _of_segments(view: Rendering) -> tuple[DetectionFields, ...]:
    table, trust, ood = view.segments, view.trust, view.frame.on_grid.ood
    boxes = view.frame.boxes(table.boxes)
    share, value = ood_cover(view)
    covered = share >= OOD_SHARE
    flagged = covered if trust is None else trust.unreliable | covered
    chosen = np.arange(len(table)) if view.options.every_segment else np.flatnonzero(flagged)
    columns = {"": _mean_softmax(table) if trust is None else 1.0 - trust.p_wrong}  # "": the predicted class
    if trust is not None:
        columns["unreliable"] = trust.p_wrong
    if ood is not None:
        columns[_judgement(ood)[0]] = np.where(covered, value, np.nan)
    if trust is not None:
        columns["iou"] = trust.iou
    values = np.column_stack(list(columns.values()))[chosen]
    given = ~np.isnan(values)
    names = [view.options.names[c] for c in table.class_ids[chosen].tolist()]
    rows = zip(chosen.tolist(), names, values.tolist(), given.tolist(), strict=True)
    found = []
    for segment, name, scores, there in rows:
        kinds = (name, *tuple(columns)[1:])
        results = tuple((kind, score) for kind, score, is_there in zip(kinds, scores, there, strict=True) if is_there)
        found.append(_detection(segment + 1, boxes[segment], results))
    return tuple(found)


def _of_ood(view: Rendering) -> tuple[DetectionFields, ...]:
    ood = view.frame.on_grid.ood
    if ood is None:
        return ()
    (kind, values), boxes = _judgement(ood), view.frame.boxes(ood.boxes)
    kept = np.flatnonzero(ood.kept).tolist()
    return tuple(
        _detection(int(view.ood_numbers[k]), boxes[k], (*_dominant_class(view, ood, k), (kind, float(values[k]))))
        for k in kept
    )


def _dominant_class(view: Rendering, ood: OodSegments, k: int) -> _Results:
    if ood.class_ids is None or ood.p_class is None or ood.class_ids[k] == UNLABELLED:
        return ()
    correct = ood.p_class[k] if ood.p_ood is None else 1.0 - ood.p_ood[k]
    return ((view.options.names[ood.class_ids[k]], float(correct)),)


def _detection(number: int, box: Sequence[int] | np.ndarray, results: _Results) -> DetectionFields:
    left, top, right, bottom = (int(side) for side in box)
    centre, size = ((left + right) / 2, (top + bottom) / 2), (float(right - left), float(bottom - top))
    return DetectionFields(str(number), centre, size, results)


def _mean_softmax(table: SegmentTable) -> np.ndarray:
    """(n,) mean probability of the predicted class over each segment; 0 if the table does not contain it."""
    result = np.zeros(len(table))
    for class_id in np.unique(table.class_ids).tolist():
        name = f"cprob_{class_id}"
        if name in table.names:
            rows = table.class_ids == class_id
            result[rows] = table.column(name)[rows]
    return result
