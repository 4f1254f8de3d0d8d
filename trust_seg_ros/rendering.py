"""TrustFrame → message fields, topic by topic: the one mapping that the node and the recordings share.

Intermediate maps that several topics need are made once per frame, and only when a topic asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import torch

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.evaluation import pictures
from trust_seg_ros.message_fields import DetectionFields, ImageFields, MessageOptions
from trust_seg_ros.rendering_kernels import overlap, paint
from trust_seg_ros.types import SegmentTable, SegmentTrust, TrustFrame, Wanted

MAX_SEGMENT_ID = 65534
"""Largest component number a 16-bit id image carries; pixels of segments beyond it are 0 there."""

OOD_SHARE = 0.5
"""A segment counts as out of distribution when at least this share of its pixels lies on kept OoD segments."""

_Part = TypeVar("_Part")


class MessageError(TrustSegError):
    """A topic was asked for that this TrustFrame cannot fill."""


class Rendering:
    """One TrustFrame on its way into messages; everything is made on first use and kept for the next topic."""

    def __init__(self, trust_frame: TrustFrame, options: MessageOptions) -> None:
        self.frame = trust_frame
        self.options = options

    @cached_property
    def classes(self) -> np.ndarray:
        """(H, W) uint8 class ids."""
        return np.ascontiguousarray(_array(self.frame.maps.classes))

    @cached_property
    def entropy(self) -> np.ndarray:
        """(H, W) float32 in [0, 1]."""
        return np.ascontiguousarray(_array(self.frame.maps.entropy))

    @cached_property
    def entropy_bytes(self) -> np.ndarray:
        """(H, W) uint8, 255 E rounded."""
        return cv2.convertScaleAbs(self.entropy, alpha=255.0)

    @cached_property
    def segments(self) -> SegmentTable:
        """The segments of the frame."""
        return _present(self.frame.segments, "segments")

    @property
    def trust(self) -> SegmentTrust | None:
        """What the meta models say of them; None without a meta model, and then no segment is unreliable."""
        return self.frame.trust

    @cached_property
    def unreliable(self) -> np.ndarray:
        """(H, W) uint8: 255 unreliable segment, else 128 where the pixel threshold fires, else 0."""
        if self.trust is None:
            return self._flags(np.zeros(self.classes.shape, np.uint8))
        return self._flags(paint(self.segments.ids, self.trust.unreliable))

    @cached_property
    def ood(self) -> np.ndarray:
        """(H, W) uint8: 255 kept OoD segment; 128 OoD score over its threshold, but the segment was discarded; 0."""
        ood = _present(self.frame.ood, "ood")
        return paint(ood.ids, ood.kept, others=pictures.PIXEL_FLAG)

    @cached_property
    def ood_share(self) -> tuple[np.ndarray, np.ndarray]:
        """Per segment: share of its pixels on kept OoD segments, and the mean OoD score over all its pixels.

        A pixel on no kept OoD segment counts as score 0; any other as the mean score of its OoD segment.
        Both (n,) float64 in [0, 1]; zeros when the frame has no OoD part.
        """
        count = len(self.segments)
        ood = self.frame.ood
        if ood is None or not ood.kept.any():
            return np.zeros(count), np.zeros(count)
        sizes = np.maximum(self.segments.sizes, 1)
        pixels, total = overlap(self.segments.ids, count, ood.ids, ood.kept, ood.score)
        return pixels / sizes, total / sizes

    def _flags(self, flagged: np.ndarray) -> np.ndarray:
        if self.frame.pixel_flags is None:
            return flagged
        pixels = np.ascontiguousarray(self.frame.pixel_flags).view(np.uint8) * np.uint8(pictures.PIXEL_FLAG)
        return cv2.max(flagged, pixels)


def segmentation(view: Rendering) -> ImageFields:
    """Class id of every pixel, 255 = unlabelled."""
    return ImageFields("mono8", view.classes)


def confidence(view: Rendering) -> ImageFields:
    """255 (1 - E)."""
    return ImageFields("mono8", cv2.bitwise_not(view.entropy_bytes))


def entropy(view: Rendering) -> ImageFields:
    """Normalised entropy, in the encoding the options name."""
    if view.options.entropy_encoding == "32FC1":
        return ImageFields("32FC1", view.entropy)
    return ImageFields("mono8", view.entropy_bytes)


def margin(view: Rendering) -> ImageFields:
    """Probability margin as a dispersion, in the encoding the options name."""
    values = np.ascontiguousarray(_array(view.frame.maps.margin))
    if view.options.entropy_encoding == "32FC1":
        return ImageFields("32FC1", values)
    return ImageFields("mono8", cv2.convertScaleAbs(values, alpha=255.0))


def unreliable(view: Rendering) -> ImageFields:
    """Pixels of unreliable segments 255, single pixels over the threshold 128."""
    return ImageFields("mono8", view.unreliable)


def ood(view: Rendering) -> ImageFields:
    """Pixels of kept out-of-distribution segments 255, of discarded ones (too small, a false alarm) 128.

    Every pixel whose score reaches ``ood.threshold`` lies in one or the other; ``thresholds.pixel`` plays no part.
    """
    return ImageFields("mono8", view.ood)


def segment_ids(view: Rendering) -> ImageFields:
    """Component number of every pixel; 0 = none, or a number that 16 bits cannot hold."""
    ids = view.segments.ids
    if len(view.segments) > MAX_SEGMENT_ID:
        ids = np.where(ids > MAX_SEGMENT_ID, 0, ids)
    return ImageFields("16UC1", ids.astype(np.uint16))


def overlay(view: Rendering) -> ImageFields:
    """The camera image tinted by class, with flagged segments marked."""
    image, options = view.frame.frame.image, view.options
    picture = pictures.overlay(image, view.classes, options.palette, options.overlay_alpha, view.unreliable)
    return ImageFields("rgb8", picture)


def entropy_color(view: Rendering) -> ImageFields:
    """Entropy as a heat map for people."""
    return ImageFields("rgb8", pictures.colour_map(view.entropy_bytes))


def detections(view: Rendering) -> tuple[DetectionFields, ...]:
    """One detection per flagged segment, or per segment when the options say so.

    Flagged = unreliable, or at least ``OOD_SHARE`` of it on kept OoD segments. The score of ``ood`` is the mean OoD
    score over the segment (see :meth:`Rendering.ood_share`) until a meta model gives P(OoD). Without a meta model the
    predicted class carries the mean softmax of that class, and ``unreliable`` and ``iou`` are left out.
    """
    table = view.segments
    chosen = np.arange(len(table)) if view.options.every_segment else np.flatnonzero(_flagged(view))
    columns = [values[chosen].tolist() for _, values in _scores(view)]
    kinds = [kind for kind, _ in _scores(view)]
    names = view.options.names
    rows = zip(
        (chosen + 1).tolist(), table.class_ids[chosen].tolist(), table.boxes[chosen].tolist(), *columns, strict=True
    )
    result = []
    for number, class_id, (left, top, right, bottom), *scores in rows:
        results = tuple(zip([names[class_id], *kinds[1:]], scores, strict=True))
        centre, size = ((left + right) / 2, (top + bottom) / 2), (float(right - left), float(bottom - top))
        result.append(DetectionFields(str(number), centre, size, results))
    return tuple(result)


def _flagged(view: Rendering) -> np.ndarray:
    """(n,) bool, the segments worth a detection."""
    on_ood = view.ood_share[0] >= OOD_SHARE
    return on_ood if view.trust is None else view.trust.unreliable | on_ood


def _scores(view: Rendering) -> list[tuple[str, np.ndarray]]:
    """(kind, (n,) float64) in the order of the contract; the first stands for the predicted class."""
    trust = view.trust
    correct = _mean_softmax(view.segments) if trust is None else 1.0 - trust.p_wrong
    scores = [("", correct)]
    if trust is not None:
        scores.append(("unreliable", trust.p_wrong))
    if view.frame.ood is not None:
        scores.append(("ood", view.ood_share[1]))
    if trust is not None:
        scores.append(("iou", trust.iou))
    return scores


def _mean_softmax(table: SegmentTable) -> np.ndarray:
    """(n,) mean probability of the predicted class over each segment; 0 where the table does not hold it."""
    result = np.zeros(len(table))
    for class_id in np.unique(table.class_ids).tolist():
        name = f"cprob_{class_id}"
        if name in table.names:
            rows = table.class_ids == class_id
            result[rows] = table.column(name)[rows]
    return result


@dataclass(frozen=True)
class Output:
    """One per-frame output topic.

    Attributes:
        needs: the parts of a TrustFrame (fields of ``Wanted``) it cannot do without.
        build: the fields, from a rendering; an image, or detections.
    """

    needs: frozenset[str]
    build: Callable[[Rendering], ImageFields] | Callable[[Rendering], tuple[DetectionFields, ...]]


OUTPUTS: Mapping[str, Output] = {
    "segmentation": Output(frozenset(), segmentation),
    "confidence": Output(frozenset(), confidence),
    "entropy": Output(frozenset(), entropy),
    "margin": Output(frozenset(), margin),
    "unreliable": Output(frozenset({"segments", "pixel_flags"}), unreliable),
    "ood": Output(frozenset({"ood"}), ood),
    "segments": Output(frozenset({"segments", "ood"}), detections),
    "segment_ids": Output(frozenset({"segments"}), segment_ids),
    "overlay": Output(frozenset({"segments", "pixel_flags"}), overlay),
    "entropy_color": Output(frozenset(), entropy_color),
}
"""Name of the topic, relative to the node -> how to fill it. ``segments`` is a Detection2DArray, the rest images."""


def wanted(topics: Iterable[str]) -> Wanted:
    """What the pipeline must compute so that these topics (keys of ``OUTPUTS``) can be filled."""
    needs = {need for topic in topics for need in OUTPUTS[topic].needs}
    return Wanted(segments="segments" in needs, ood="ood" in needs, pixel_flags="pixel_flags" in needs)


def _present(part: _Part | None, name: str) -> _Part:
    if part is None:
        raise MessageError(f"this frame was computed without its {name!r}; ask for it in Wanted(...)")
    return part


def _array(values: torch.Tensor | np.ndarray) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.numpy(force=True)
