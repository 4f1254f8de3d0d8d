"""Flagged segments as boxes and labels that Foxglove draws on an image: foxglove_msgs/ImageAnnotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.drawing.pictures import SIGNAL, UNKNOWN
from trust_seg_ros.messages.box_labels import box_label
from trust_seg_ros.messages.detections import (
    OOD_TRACK,
    TRACK,
    flagged_segments,
    ood_judgement,
)
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import UNLABELLED, SegmentTracks

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, 0 to 1."""

MOST = 200
"""Most boxes of a frame: more cannot be read, and slow the viewer down."""

LINE_LOOP = 2
"""foxglove_msgs/PointsAnnotation.LINE_LOOP: a closed polygon."""

WHITE: Colour = (1.0, 1.0, 1.0, 1.0)
BEHIND: Colour = (0.0, 0.0, 0.0, 0.65)
"""Colours of the heading, and behind every text."""
NO_FILL: Colour = (0.0, 0.0, 0.0, 0.0)

_LINES_OF_TEXT = 40  # an image is that many lines of text high, from the smallest font on
_SMALLEST_FONT = 9.0
_LETTERS_ACROSS = 1.5  # a box as large as a square of that many letters has a label


@dataclass(frozen=True, eq=False)
class AnnotationFields:
    """foxglove_msgs/ImageAnnotations without its timestamps, which are the stamp of the frame.

    Every box is a PointsAnnotation of type ``LINE_LOOP``; every label that is not empty is a TextAnnotation at the
    upper left corner of its box; the heading is one more text.

    Attributes:
        boxes: (n, 4) float64 left, top, right, bottom in pixels of the camera's image; (0, 0) is the upper left corner
            of the first pixel, not its centre, as in ``~/segments`` and in Foxglove.
        unknown: (n,) bool: an OoD segment; else a flagged segment of the class map.
        labels: n texts; "" beside specks.
        heading: counts of the frame.
        font_size: of all texts, in pixels of the image.
        thickness: of the lines, in pixels of the image.
    """

    boxes: np.ndarray
    unknown: np.ndarray
    labels: tuple[str, ...]
    heading: str
    font_size: float
    thickness: float

    @property
    def corners(self) -> np.ndarray:
        """(n, 4, 2) float64 x, y of every box, clockwise from its upper left corner."""
        return self.boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)

    @property
    def positions(self) -> np.ndarray:
        """(n, 2) float64 lower left corner of every label: above its box, but never above or on the heading."""
        places: np.ndarray = np.maximum(self.boxes[:, :2], [0.0, 3 * self.font_size])
        return places

    @property
    def texts(self) -> list[tuple[tuple[float, float], str, Colour]]:
        """Lower left corner, text and colour of the heading and of every label that is not empty."""
        labels = zip(self.positions.tolist(), self.labels, self.colours, strict=True)
        return [
            (self.heading_position, self.heading, WHITE),
            *(((x, y), text, own) for (x, y), text, own in labels if text),
        ]

    @property
    def heading_position(self) -> tuple[float, float]:
        """Lower left corner of the heading: at the top of the image."""
        return 0.0, 1.5 * self.font_size

    @property
    def colours(self) -> list[Colour]:
        """Of the n lines and labels: ``SIGNAL``, or ``UNKNOWN`` for an OoD segment."""
        return [_COLOURS[strange] for strange in self.unknown.tolist()]


def image_annotations(view: Rendering) -> AnnotationFields:
    """Boxes and labels of the flagged segments and of the kept OoD segments, in this order.

    They are those of ``~/segments`` without ``publish_all_segments``; where there are more than ``MOST``, those with
    the largest boxes. The heading counts all of them. It is there in frames without boxes, too: older viewers match
    annotations with images by the timestamps of single annotations, and would wait for an image's for ever.
    """
    table, ood = view.segments, view.ood_segments
    flagged, covered, value = flagged_segments(view)
    segments, strange = np.flatnonzero(flagged), np.flatnonzero(ood.kept)
    boxes = np.concatenate([view.frame.boxes(table.boxes)[segments], view.frame.boxes(ood.boxes)[strange]])
    unknown = np.arange(len(boxes)) >= len(segments)
    heading = f"{len(segments)} unreliable, {len(strange)} unknown"
    if len(boxes) > MOST:
        shown = np.sort(np.argsort(-_area(boxes), kind="stable")[:MOST])
        segments, strange = segments[shown[~unknown[shown]]], strange[shown[unknown[shown]] - len(segments)]
        boxes, unknown = boxes[shown], unknown[shown]
        heading += f" (the {MOST} largest shown)"
    font = max(_SMALLEST_FONT, view.frame.size[0] / _LINES_OF_TEXT)
    labels = _segment_labels(view, segments, covered, value) + _ood_labels(view, strange)
    labels = tuple(text if seen else "" for text, seen in zip(labels, _readable(boxes, font), strict=True))
    return AnnotationFields(boxes.astype(np.float64), unknown, labels, heading, font, font / _SMALLEST_FONT)


def _readable(boxes: np.ndarray, font: float) -> list[bool]:
    """Whether a box is large enough for a label; of the segments most are specks, whose labels would hide the rest."""
    large: list[bool] = (_area(boxes) >= (_LETTERS_ACROSS * font) ** 2).tolist()
    return large


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def _segment_labels(view: Rendering, segments: np.ndarray, covered: np.ndarray, value: np.ndarray) -> tuple[str, ...]:
    kind = ood_judgement(view.ood_segments)[0]
    ids = _ids(view.frame.on_grid.tracks, segments, TRACK)
    names = [view.options.names[c] for c in view.segments.class_ids[segments].tolist()]
    wrong = [None] * len(segments) if view.trust is None else view.trust.p_wrong[segments].tolist()
    strange = zip(covered[segments].tolist(), value[segments].tolist(), strict=True)
    return tuple(
        box_label(name, p_wrong, (kind, score) if there else None, track=track)
        for name, p_wrong, (there, score), track in zip(names, wrong, strange, ids, strict=True)
    )


def _ood_labels(view: Rendering, strange: np.ndarray) -> tuple[str, ...]:
    ood = view.ood_segments
    kind, values = ood_judgement(ood)
    ids = _ids(view.frame.on_grid.ood_tracks, strange, OOD_TRACK)
    classes = [UNLABELLED] * len(strange) if ood.class_ids is None else ood.class_ids[strange].tolist()
    names = ["" if c == UNLABELLED else view.options.names[c] for c in classes]
    return tuple(
        box_label(name, None, (kind, score), track=track)
        for name, score, track in zip(names, values[strange].tolist(), ids, strict=True)
    )


def _ids(tracks: SegmentTracks | None, chosen: np.ndarray, prefix: str) -> list[str]:
    if tracks is None:
        return [""] * len(chosen)
    return [f"{prefix}{number}" for number in tracks.ids[chosen].tolist()]


def _colour(rgb: tuple[int, int, int]) -> Colour:
    red, green, blue = (value / 255 for value in rgb)
    return red, green, blue, 1.0


_COLOURS = {False: _colour(SIGNAL), True: _colour(UNKNOWN)}
