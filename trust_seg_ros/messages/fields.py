"""Fields of the published messages as plain data: no middleware, no computation.

``render.py`` and ``detections.py`` make them from a TrustFrame. ``node/messages.py`` copies them into rclpy messages; a
bag writer copies the same fields into its own types.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trust_seg_ros.messages.output_size import AS_IMAGE
from trust_seg_ros.types import Frame


@dataclass(frozen=True)
class HeaderFields:
    """std_msgs/Header of the input; every output carries it unchanged."""

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
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.data.shape[1])

    @property
    def step(self) -> int:
        """Bytes per row, as sent: without padding. Not the array's stride, which is arbitrary for a single row."""
        return math.prod(self.data.shape[1:]) * self.data.itemsize


@dataclass(frozen=True)
class CompressedFields:
    """sensor_msgs/CompressedImage without its header.

    Attributes:
        format: as image_transport writes it: encoding of the pixels, then that of the file.
        data: (n,) uint8, the file.
    """

    format: str
    data: np.ndarray


@dataclass(frozen=True)
class DetectionFields:
    """vision_msgs/Detection2D without its header.

    Attributes:
        id: value of its pixels in ``segment_ids`` or, for an out-of-distribution segment, in ``ood_ids``, as text; with
            tracking the id of its track.
        centre: x, y of the box in pixels, where pixel column 0 spans x = 0 to 1.
        size: width, height of the box in pixels.
        results: (class_id, score) in the order of the contract: predicted class with P(correct), then ``unreliable``,
            ``ood`` or ``ood_score``, ``iou``; with tracking ``TRACK_RESULTS``.
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
        threshold: a pixel whose ``confidence`` / 255 is at or below this is flagged: 1 - the pixel threshold; 0 if that
            threshold follows the image, acts on another map, or differs between classes or regions: ``confidence`` then
            does not decide what is flagged; ``unreliable`` says it.
    """

    classes: tuple[tuple[int, str], ...]
    threshold: float


class Shown(Protocol):
    """The user's options for message contents; the settings of the node and of a replay have them.

    Attributes:
        entropy_encoding, gradient_label, every_segment, overlay_alpha, output_size: as in :class:`MessageOptions`.
    """

    @property
    def entropy_encoding(self) -> str: ...  # noqa: D102
    @property
    def gradient_label(self) -> str: ...  # noqa: D102
    @property
    def every_segment(self) -> bool: ...  # noqa: D102
    @property
    def overlay_alpha(self) -> float: ...  # noqa: D102
    @property
    def output_size(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class MessageOptions:
    """Options that decide the contents of the topics, besides the TrustFrame.

    Attributes:
        names: name of every class, index = class id.
        palette: (q, 3) uint8 RGB.
        entropy_encoding: ``mono8`` (255 = most uncertain) or ``32FC1``, for ``entropy``, ``margin`` (floats 0..1) and
            ``gradient`` (floats without limits).
        gradient_label: ``onehot`` or ``uniform``: which gradient score ``gradient`` shows.
        every_segment: one detection per segment instead of per flagged segment.
        overlay_alpha: share of the class colour in ``overlay``, 0..1.
        output_size: size of the images: ``image``, ``grid`` or ``WIDTHxHEIGHT``, see :mod:`output_size`.
    """

    names: tuple[str, ...]
    palette: np.ndarray
    entropy_encoding: str = "mono8"
    gradient_label: str = "onehot"
    every_segment: bool = False
    overlay_alpha: float = 0.5
    output_size: str = AS_IMAGE

    @classmethod
    def of(cls, names: tuple[str, ...], palette: np.ndarray, shown: Shown) -> MessageOptions:
        """Options from a network's classes and colours, and from the user's choices."""
        chosen = (shown.entropy_encoding, shown.gradient_label, shown.every_segment, shown.overlay_alpha)
        return cls(names, palette, *chosen, shown.output_size)


def label_fields(names: Iterable[str], pixel_threshold: float | None, pixel_score: str = "entropy") -> LabelFields:
    """Contents of ``label_info``: every class, and the current threshold on ``confidence`` (0..1), which is 1 - E.

    Args:
        names: names of the classes, index = class id.
        pixel_threshold: score from which a pixel is flagged. If it lies outside [0, 1], so does the threshold on
            ``confidence``, and everything or nothing is flagged; infinite ones become -1 and 2. None: it
            follows the image, or there are several; the threshold on ``confidence`` is then 0.
        pixel_score: the score it acts on; for any except ``entropy`` the threshold on ``confidence`` is 0.
    """
    threshold = 0.0
    if pixel_score == "entropy" and pixel_threshold is not None:
        threshold = 1.0 - pixel_threshold
        if math.isinf(threshold):
            threshold = min(max(threshold, -1.0), 2.0)
    return LabelFields(tuple(enumerate(names)), threshold)
