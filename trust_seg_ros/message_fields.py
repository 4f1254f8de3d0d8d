"""What each output topic says of a TrustFrame, as plain fields: the one mapping that the node and the recordings share.

Nothing here knows a middleware. ``node/messages.py`` copies these fields into rclpy messages; a bag writer copies the
same fields into its own types. Intermediate maps that several topics need are made once per frame, and only when a
topic asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.evaluation import pictures
from trust_seg_ros.types import Frame, SegmentTable, SegmentTrust, TrustFrame, Wanted

SEGMENT_FLAG = 255
"""Value in ``unreliable`` and ``ood`` on the pixels of a flagged segment."""

PIXEL_FLAG = 128
"""Value in ``unreliable`` and ``ood`` where only the pixel threshold fires."""

MAX_SEGMENT_ID = 65534
"""Largest component number a 16-bit id image carries; pixels of segments beyond it are 0 there."""

OOD_SHARE = 0.5
"""A segment counts as out of distribution when at least this share of its pixels lies on kept OoD segments."""


class MessageError(TrustSegError):
    """A topic was asked for that this TrustFrame cannot fill."""


@dataclass(frozen=True)
class HeaderFields:
    """std_msgs/Header exactly as it came: every output carries it unchanged."""

    sec: int = 0
    nanosec: int = 0
    frame_id: str = ""

    @property
    def stamp_ns(self) -> int:
        """Acquisition time in nanoseconds."""
        return self.sec * 1_000_000_000 + self.nanosec

    @classmethod
    def of(cls, frame: Frame) -> HeaderFields:
        """The header of a frame that did not come from a message."""
        sec, nanosec = divmod(frame.stamp_ns, 1_000_000_000)
        return cls(sec, nanosec, frame.frame_id)


@dataclass(frozen=True)
class ImageFields:
    """sensor_msgs/Image without its header.

    Attributes:
        encoding: name as in sensor_msgs/image_encodings.hpp.
        data: (H, W) or (H, W, C) in C order and in the byte order of this machine.
    """

    encoding: str
    data: np.ndarray

    @property
    def height(self) -> int:
        """Rows."""
        return self.data.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.data.shape[1]

    @property
    def step(self) -> int:
        """Bytes per row."""
        return self.data.strides[0]


@dataclass(frozen=True)
class DetectionFields:
    """vision_msgs/Detection2D without its header.

    Attributes:
        id: value of its pixels in ``segment_ids``, as text.
        centre: x, y of the box in pixels, where pixel column 0 spans x = 0 to 1.
        size: width, height of the box in pixels.
        results: (class_id, score) in the order of the contract: predicted class with P(correct), then ``unreliable``,
            ``ood``, ``iou``.
    """

    id: str
    centre: tuple[float, float]
    size: tuple[float, float]
    results: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class LabelFields:
    """vision_msgs/LabelInfo without its header.

    Attributes:
        classes: (class id, name).
        threshold: a pixel whose ``confidence`` / 255 is at or below this is flagged: 1 - the pixel threshold.
    """

    classes: tuple[tuple[int, str], ...]
    threshold: float


@dataclass(frozen=True)
class MessageOptions:
    """What the topics' content depends on besides the TrustFrame.

    Attributes:
        names: name of every class, index = class id.
        palette: (q, 3) uint8 RGB.
        entropy_encoding: ``mono8`` (255 = most uncertain) or ``32FC1`` (0..1), for ``entropy`` and ``margin``.
        every_segment: one detection per segment instead of per flagged segment.
        overlay_alpha: share of the class colour in ``overlay``, 0..1.
    """

    names: tuple[str, ...]
    palette: np.ndarray
    entropy_encoding: str = "mono8"
    every_segment: bool = False
    overlay_alpha: float = 0.5


def label_fields(names: Iterable[str], pixel_threshold: float) -> LabelFields:
    """What ``label_info`` says: every class, and the confidence threshold in force (0..1)."""
    return LabelFields(tuple(enumerate(names)), 1.0 - pixel_threshold)


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

    @cached_property
    def trust(self) -> SegmentTrust:
        """What the meta models say of them."""
        return _present(self.frame.trust, "trust")

    @cached_property
    def unreliable(self) -> np.ndarray:
        """(H, W) uint8: 255 segment, 128 pixel, 0."""
        return self._flags(paint(self.segments.ids, self.trust.unreliable))

    @cached_property
    def ood(self) -> np.ndarray:
        """(H, W) uint8: 255 kept OoD segment, 128 pixel, 0."""
        ood = _present(self.frame.ood, "ood")
        return self._flags(paint(ood.ids, ood.kept))

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
        where = np.flatnonzero(paint(ood.ids, ood.kept))
        of_segment = self.segments.ids.ravel()[where]
        score = ood.score[ood.ids.ravel()[where] - 1]
        sizes = np.maximum(self.segments.sizes, 1)
        pixels = np.bincount(of_segment, minlength=count + 1)[1:]
        total = np.bincount(of_segment, weights=score, minlength=count + 1)[1:]
        return pixels / sizes, total / sizes

    def _flags(self, flagged: np.ndarray) -> np.ndarray:
        if self.frame.pixel_flags is None:
            return flagged
        pixels = np.ascontiguousarray(self.frame.pixel_flags).view(np.uint8) * np.uint8(PIXEL_FLAG)
        return cv2.max(flagged, pixels)


def paint(ids: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """255 on the pixels of flagged segments, 0 elsewhere.

    Args:
        ids: (H, W) int32, 0 = none, else 1..n.
        flagged: (n,) bool.

    Returns:
        (H, W) uint8.
    """
    table = np.zeros(len(flagged) + 1, dtype=np.uint8)
    table[1:][flagged] = SEGMENT_FLAG
    return table[ids]


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
    """Pixels of kept out-of-distribution segments 255, single pixels over the threshold 128."""
    return ImageFields("mono8", view.ood)


def segment_ids(view: Rendering) -> ImageFields:
    """Component number of every pixel; 0 = none, or a number that 16 bits cannot hold."""
    ids = view.segments.ids
    if len(view.segments) > MAX_SEGMENT_ID:
        ids = np.where(ids > MAX_SEGMENT_ID, 0, ids)
    return ImageFields("16UC1", ids.astype(np.uint16))


def overlay(view: Rendering) -> ImageFields:
    """The camera image tinted by class, with flagged segments marked."""
    options = view.options
    flags = view.unreliable if view.frame.trust is not None else None
    picture = pictures.overlay(view.frame.frame.image, view.classes, options.palette, options.overlay_alpha, flags)
    return ImageFields("rgb8", picture)


def entropy_color(view: Rendering) -> ImageFields:
    """Entropy as a heat map for people."""
    return ImageFields("rgb8", pictures.colour_map(view.entropy_bytes))


def detections(view: Rendering) -> tuple[DetectionFields, ...]:
    """One detection per flagged segment, or per segment when the options say so.

    Flagged = unreliable, or at least ``OOD_SHARE`` of it on kept OoD segments. The score of ``ood`` is the mean OoD
    score over the segment (see :meth:`Rendering.ood_share`) until a meta model gives P(OoD).
    """
    table, trust = view.segments, view.trust
    share, ood_score = view.ood_share
    chosen = (
        np.arange(len(table)) if view.options.every_segment else np.flatnonzero(trust.unreliable | (share >= OOD_SHARE))
    )
    names = view.options.names
    boxes = table.boxes[chosen].tolist()
    classes = table.class_ids[chosen].tolist()
    wrong, scores, iou = (values[chosen].tolist() for values in (trust.p_wrong, ood_score, trust.iou))
    with_ood = view.frame.ood is not None
    result = []
    for row, index in enumerate(chosen.tolist()):
        left, top, right, bottom = boxes[row]
        hypotheses = [(names[classes[row]], 1.0 - wrong[row]), ("unreliable", wrong[row])]
        if with_ood:
            hypotheses.append(("ood", scores[row]))
        hypotheses.append(("iou", iou[row]))
        centre, size = ((left + right) / 2, (top + bottom) / 2), (float(right - left), float(bottom - top))
        result.append(DetectionFields(str(index + 1), centre, size, tuple(hypotheses)))
    return tuple(result)


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
    "ood": Output(frozenset({"ood", "pixel_flags"}), ood),
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


def _present(part: object, name: str):  # noqa: ANN202 - the type of whatever part it is
    if part is None:
        raise MessageError(f"this frame was computed without its {name!r}; ask for it in Wanted(...)")
    return part


def _array(values: torch.Tensor | np.ndarray) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
