"""One row per segment of a frame with everything the pipeline measured, for later analysis of a drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import UNLABELLED, OodSegments, SegmentTable, SegmentTracks, SegmentTrust, TrustFrame

CLASS, OOD = "class", "ood"

SEGMENT_COLUMNS: Mapping[str, str] = {
    "camera": "topic of the images",
    "recorded_ns": "when the recorder received the frame, nanoseconds since the epoch",
    "stamp_ns": "when the camera took it, nanoseconds since the epoch; 0 = not stamped",
    "id": "value of its pixels in ~/segment_ids, or for kind ood in ~/ood_ids; 0 for an ood segment that was discarded",
    "kind": "class: pixels of one predicted class that touch; ood: pixels above the OoD threshold that touch",
    "class_id": "predicted class; for ood the class of the highest mean probability over it, 255 = not measured",
    "class_name": "its name; empty where class_id is 255",
    "left": "first column of its box, pixels of the image",
    "top": "first row of its box, pixels of the image",
    "right": "column after the last of its box, pixels of the image",
    "bottom": "row after the last of its box, pixels of the image",
    "size": "number of its pixels on the grid that it was judged on",
    "interior_size": "number of these pixels whose 8 neighbours belong to it too; 0 for ood, where it is not measured",
    "p_wrong": "P(false positive) in 0..1 by the meta model; NaN without one and for ood",
    "predicted_iou": "IoU in 0..1 predicted by the meta model; NaN without one and for ood",
    "unreliable": "true if p_wrong reached its threshold and the segment is large enough to be flagged",
    "ood_score": "mean OoD score over it, in its own unit; NaN for class",
    "p_ood": "P(OoD) in 0..1 by the OoD meta model; NaN without one, where too small to be judged, and for class",
    "p_class": "for ood, mean probability of class_id over it, 0..1; NaN where it was not measured and for class",
    "kept": "true for an ood segment that counts; false where it was discarded and for class",
    "false_alarm": "true for an ood segment that was large enough, but was discarded by the OoD meta model",
}
"""Columns of :func:`segment_rows` before the segment metrics (see ``segments/features.py``), which are NaN for ood."""

TRACK_COLUMNS: Mapping[str, str] = {
    "track": "number of its track, from 1 for each kind of each camera; 0 for an ood segment too small to count",
    "track_frames": "frames that the track was seen in so far, this one included; 0 where track is 0",
    "track_first_ns": "stamp of the first of them, nanoseconds since the epoch; 0 = not stamped, or track is 0",
    "track_age_s": "seconds between that frame and this one; 0 = not stamped, or track is 0",
    "track_gap_s": "seconds that it had not been seen for before this frame; 0 if it was in the frame before",
    "velocity_x": "speed of its centroid to the right, pixels of the image per second; NaN until it was seen twice",
    "velocity_y": "speed of its centroid downwards, likewise",
}
"""Columns that tracking adds, between ``SEGMENT_COLUMNS`` and the metrics; there are none of them with tracking off."""


def segment_rows(result: TrustFrame, names: Sequence[str], camera: str, recorded_ns: int) -> dict[str, np.ndarray]:
    """Every segment of a frame, then every OoD segment, kept or not.

    Numbers above 65534, which the 16-bit images cannot hold, are included.

    Args:
        result: a frame with segments; if it has no OoD segments, there are no rows of kind ood.
        names: class names, index = class id.
        camera: topic of the images.
        recorded_ns: when the recorder received the frame.

    Returns:
        Column -> (n + m,) array; ``SEGMENT_COLUMNS``, with tracking ``TRACK_COLUMNS``, then the metrics of the frame's
        table, float64. Text is object.

    Raises:
        MessageError: the frame was computed without its segments.
    """
    view = Rendering(result, MessageOptions(tuple(names), _NO_PALETTE))
    table = view.segments
    parts = [_of_classes(table, result.trust, result.boxes(table.boxes)) | _tracked(result, result.on_grid.tracks)]
    ood = result.on_grid.ood
    if ood is not None:
        of_ood = _of_ood(ood, view.ood_numbers, result.boxes(ood.boxes))
        parts.append(of_ood | _tracked(result, result.on_grid.ood_tracks))
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    count = len(rows["id"])
    words = np.full(256, "", object)
    words[: len(names)] = names
    words[UNLABELLED] = ""
    rows |= {
        "camera": np.full(count, camera, object),
        "recorded_ns": np.full(count, recorded_ns, np.int64),
        "stamp_ns": np.full(count, result.frame.stamp_ns, np.int64),
        "class_name": words[rows["class_id"]],
    }
    metrics = np.full((len(table.names), count), np.nan)
    metrics[:, : len(table)] = table.metrics.T
    columns = SEGMENT_COLUMNS if result.on_grid.tracks is None else (*SEGMENT_COLUMNS, *TRACK_COLUMNS)
    return {name: rows[name] for name in columns} | dict(zip(table.names, metrics, strict=True))


_NO_PALETTE = np.zeros((0, 3), np.uint8)


def _of_classes(table: SegmentTable, trust: SegmentTrust | None, boxes: np.ndarray) -> dict[str, np.ndarray]:
    n = len(table)
    none, no = np.full(n, np.nan), np.zeros(n, bool)
    return {
        "id": np.arange(1, n + 1, dtype=np.int64),
        "kind": np.full(n, CLASS, object),
        "class_id": table.class_ids.astype(np.uint8, copy=False),
        **_boxes(boxes, table.sizes),
        "interior_size": table.interior_sizes.astype(np.int64, copy=False),
        "p_wrong": none if trust is None else trust.p_wrong,
        "predicted_iou": none if trust is None else trust.iou,
        "unreliable": no if trust is None else trust.unreliable,
        "ood_score": none,
        "p_ood": none,
        "p_class": none,
        "kept": no,
        "false_alarm": no,
    }


def _of_ood(ood: OodSegments, numbers: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
    m = len(ood.sizes)
    none, no = np.full(m, np.nan), np.zeros(m, bool)
    return {
        "id": numbers.astype(np.int64, copy=False),
        "kind": np.full(m, OOD, object),
        "class_id": np.full(m, UNLABELLED, np.uint8) if ood.class_ids is None else ood.class_ids,
        **_boxes(boxes, ood.sizes),
        "interior_size": np.zeros(m, np.int64),
        "p_wrong": none,
        "predicted_iou": none,
        "unreliable": no,
        "ood_score": ood.score.astype(np.float64, copy=False),
        "p_ood": none if ood.p_ood is None else ood.p_ood,
        "p_class": none if ood.p_class is None else ood.p_class,
        "kept": ood.kept,
        "false_alarm": ood.false_alarm,
    }


def _tracked(result: TrustFrame, tracks: SegmentTracks | None) -> dict[str, np.ndarray]:
    """The columns of ``TRACK_COLUMNS``; none without tracks."""
    if tracks is None:
        return {}
    there = tracks.ids > 0
    velocity = np.where((tracks.frames > 1)[:, None], result.image_velocity(tracks.velocity), np.nan)
    return {
        "track": tracks.ids,
        "track_frames": tracks.frames,
        "track_first_ns": np.where(there, tracks.first_ns, 0),
        "track_age_s": np.where(there, tracks.age_s, 0.0),
        "track_gap_s": np.where(there, tracks.gap_s, 0.0),
        "velocity_x": velocity[:, 0],
        "velocity_y": velocity[:, 1],
    }


def _boxes(boxes: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    left, top, right, bottom = np.asarray(boxes, np.int32).reshape(-1, 4).T
    return {"left": left, "top": top, "right": right, "bottom": bottom, "size": sizes.astype(np.int64, copy=False)}
