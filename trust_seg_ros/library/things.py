"""What exports to annotation formats have in common: segments and unknown objects as rows with a box and a mask."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.segments import Segment
from trust_seg_ros.library.unknown import Box, UnknownObject
from trust_seg_ros.segmentation.labels import LabelSet

UNKNOWN_NAME = "unknown object"
"""What an unknown object is called where a class name stands; in another way if a class of the network is called so."""


@dataclass(frozen=True)
class Thing:
    """A segment or an unknown object of an image.

    Attributes:
        class_id: predicted class, or the number after the last class for an unknown object.
        class_name: its name.
        box: left, top, right, bottom in pixels of the image; right and bottom exclusive.
        mask: (bottom - top, right - left) bool, its pixels in the box.
        confidence: in [0, 1], how far the answer can be trusted; NaN where nothing says it.
        attributes: name -> what is known of it; plain values.
    """

    class_id: int
    class_name: str
    box: Box
    mask: np.ndarray
    confidence: float
    attributes: dict[str, Any]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))


def class_names(result: JudgedImage) -> tuple[str, ...]:
    """(q + 1,) names of the classes, then that of unknown objects."""
    return names_with_unknown(result.labels)


def names_with_unknown(labels: LabelSet) -> tuple[str, ...]:
    """(q + 1,) names of the classes of a label set, then that of unknown objects."""
    last = UNKNOWN_NAME
    while last in labels.names:
        last = f"{last} (trust)"
    return (*labels.names, last)


def things(result: JudgedImage, what: str, min_area: int = 1) -> Iterator[Thing]:
    """Segments, then unknown objects, of at least ``min_area`` >= 1 pixels of the image.

    Args:
        result: the result.
        what: the export, for the error text.
        min_area: smallest number of pixels; segments of which the image has none are never among them.

    Raises:
        ExportError: the result has no segments.
    """
    segments = result.needed_segments(what)
    mean_probability = 1.0 - segments.column("V") if "V" in segments.names else np.full(len(segments), math.nan)
    for segment in segments[segments.areas >= max(1, min_area)]:
        attributes: dict[str, Any] = {"p_wrong": segment.p_wrong, "iou": segment.iou, "unreliable": segment.unreliable}
        trusted = mean_probability[segment.position] if segment.p_wrong is None else 1.0 - segment.p_wrong
        box, mask = _cut(segments.ids, segment)
        yield Thing(segment.class_id, segment.class_name, box, mask, float(trusted), attributes)
    names = class_names(result)
    for thing in result.unknown_objects:
        box, mask = _cut(thing.of.ids, thing)
        if np.count_nonzero(mask) >= max(1, min_area):
            trusted = math.nan if thing.p_ood is None else thing.p_ood
            attributes = {"p_ood": thing.p_ood, "score": finite(thing.score), "predicted_as": thing.class_name}
            yield Thing(len(names) - 1, names[-1], box, mask, trusted, attributes)


def _cut(ids: np.ndarray, thing: Segment | UnknownObject) -> tuple[Box, np.ndarray]:
    """The smallest box around its pixels, and which pixels of the box they are.

    The box of the table may be larger where the image is smaller than the grid.
    """
    left, top, right, bottom = thing.box
    found: np.ndarray = ids[top:bottom, left:right] == thing.number
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    if not len(rows):
        return thing.box, found
    first_row, last_row, first, last = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (left + first, top + first_row, left + last, top + last_row), found[first_row:last_row, first:last]


def finite(value: float) -> float | None:
    """A number that JSON has; None for NaN and infinity."""
    return value if math.isfinite(value) else None
