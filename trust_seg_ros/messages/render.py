"""TrustFrame → the pixels of every image topic; used by the node and for recordings.

Intermediate maps that several topics need are made once per frame, and only when a topic asks for them. What can be
made on the grid is made there, and then brought to the published size: there are fewer pixels, and bytes are
quicker to enlarge than numbers. Every map takes the nearest pixel, scores too, so that no value appears that was not
computed, and maps of any size agree with each other.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import torch

from trust_seg_ros.drawing import pictures
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.grid import Size, resized
from trust_seg_ros.messages.fields import ImageFields, MessageOptions
from trust_seg_ros.messages.kernels import look_up, paint
from trust_seg_ros.messages.output_size import published_size
from trust_seg_ros.types import OodSegments, SegmentTable, SegmentTrust, TrustFrame

MAX_SEGMENT_ID = 65534
"""Largest number a 16-bit id image carries; pixels of segments beyond it are 0 there."""

_Part = TypeVar("_Part")


class MessageError(TrustSegError):
    """This TrustFrame lacks a part that the requested topic needs."""


class Rendering:
    """What the topics need from one TrustFrame; everything is computed on first use and kept for the next topic."""

    def __init__(self, trust_frame: TrustFrame, options: MessageOptions) -> None:
        self.frame = trust_frame
        self.options = options

    @cached_property
    def size(self) -> Size:
        """(H, W) of what is published: by default of the image."""
        return published_size(self.options.output_size, self.frame.size, self.frame.on_grid.size)

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, the camera's image at the published size, to be looked at."""
        image, (height, width) = self.frame.frame.image, self.size
        if image.shape[:2] == self.size:
            return image
        smaller = height * width < image.shape[0] * image.shape[1]
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    @cached_property
    def classes(self) -> np.ndarray:
        """(H, W) uint8 class ids."""
        return self.published(self.frame.on_grid.maps.classes)

    @cached_property
    def grid_entropy_bytes(self) -> np.ndarray:
        """(H', W') uint8, 255 E rounded, on the grid."""
        return _as_bytes(self.frame.on_grid.maps.entropy)

    @cached_property
    def entropy_bytes(self) -> np.ndarray:
        """(H, W) uint8, 255 E rounded."""
        return self.published(self.grid_entropy_bytes)

    @cached_property
    def confidence_bytes(self) -> np.ndarray:
        """(H, W) uint8, 255 (1 - E) rounded."""
        return self.published(cv2.bitwise_not(self.grid_entropy_bytes))

    @cached_property
    def margin_bytes(self) -> np.ndarray:
        """(H, W) uint8, 255 D rounded."""
        return self.published(_as_bytes(self.frame.on_grid.maps.margin))

    @cached_property
    def segments(self) -> SegmentTable:
        """The segments of the frame, on the grid."""
        return _present(self.frame.on_grid.segments, "segments")

    @property
    def trust(self) -> SegmentTrust | None:
        """The meta models' results for the segments; None without a meta model, and then no segment is unreliable."""
        return self.frame.trust

    @cached_property
    def unreliable(self) -> np.ndarray:
        """(H, W) uint8: 255 unreliable segment, else 128 where the pixel threshold fires, else 0."""
        if self.trust is None:
            return self.published(self._flags(np.zeros(self.frame.on_grid.size, np.uint8)))
        return self.published(self._flags(paint(self.segments.ids, self.trust.unreliable)))

    @cached_property
    def ood(self) -> np.ndarray:
        """(H, W) uint8: 255 kept OoD segment; 128 OoD score over its threshold, but the segment was discarded; 0."""
        found = self.ood_segments
        return self.published(paint(found.ids, found.kept, others=pictures.PIXEL_FLAG))

    @cached_property
    def ood_segments(self) -> OodSegments:
        """The out-of-distribution segments of the frame, on the grid."""
        return _present(self.frame.on_grid.ood, "ood")

    @cached_property
    def ood_numbers(self) -> np.ndarray:
        """(m,) int64 number of every OoD segment: kept ones are numbered from n + 1 on, after the frame's n; else 0."""
        kept = self.ood_segments.kept
        return np.where(kept, len(self.segments) + np.cumsum(kept), 0)

    @cached_property
    def segment_numbers(self) -> np.ndarray:
        """(H, W) uint16 number of every pixel's segment; 0 = none, or a number that 16 bits cannot hold."""
        ids = self.segments.ids
        if len(self.segments) > MAX_SEGMENT_ID:
            ids = np.where(ids > MAX_SEGMENT_ID, 0, ids)
        return self.published(ids.astype(np.uint16))

    @cached_property
    def ood_pixel_numbers(self) -> np.ndarray:
        """(H, W) uint16 number of every pixel's kept OoD segment, see ``ood_numbers``; 0 = none, or beyond 16 bits."""
        numbers = np.append(0, self.ood_numbers)
        numbers[numbers > MAX_SEGMENT_ID] = 0
        return self.published(look_up(self.ood_segments.ids, numbers.astype(np.uint16)))

    def score(self, name: str) -> np.ndarray:
        """(H, W) float32, a pixel score, which must be among the needs in the topic's row."""
        return self.published(self.grid_score(name))

    def grid_score(self, name: str) -> np.ndarray:
        """The same on the grid (H', W')."""
        return np.ascontiguousarray(_array(_present(self.frame.on_grid.scores.get(name), name)))

    def published(self, plane: np.ndarray | torch.Tensor) -> np.ndarray:
        """A map of the grid at the published size, contiguous."""
        return np.ascontiguousarray(resized(_array(plane), self.size))

    def _flags(self, flagged: np.ndarray) -> np.ndarray:
        if self.frame.on_grid.pixel_flags is None:
            return flagged
        pixels = np.ascontiguousarray(self.frame.on_grid.pixel_flags).view(np.uint8) * np.uint8(pictures.PIXEL_FLAG)
        return cv2.max(flagged, pixels)


def segmentation(view: Rendering) -> ImageFields:
    """Class id of every pixel, 255 = unlabelled."""
    return ImageFields("mono8", view.classes)


def confidence(view: Rendering) -> ImageFields:
    """255 (1 - E)."""
    return ImageFields("mono8", view.confidence_bytes)


def entropy(view: Rendering) -> ImageFields:
    """Normalised entropy, in the encoding chosen in the options."""
    if view.options.entropy_encoding == "32FC1":
        return ImageFields("32FC1", view.published(view.frame.on_grid.maps.entropy))
    return ImageFields("mono8", view.entropy_bytes)


def margin(view: Rendering) -> ImageFields:
    """Probability margin as a dispersion, in the encoding chosen in the options."""
    if view.options.entropy_encoding == "32FC1":
        return ImageFields("32FC1", view.published(view.frame.on_grid.maps.margin))
    return ImageFields("mono8", view.margin_bytes)


def unreliable(view: Rendering) -> ImageFields:
    """255 on unreliable segments, 128 on single pixels at or above the threshold."""
    return ImageFields("mono8", view.unreliable)


def ood(view: Rendering) -> ImageFields:
    """255 on kept out-of-distribution segments, 128 on discarded ones (too small, or a false alarm).

    Every pixel whose score reaches ``ood.threshold`` lies in one or the other; ``thresholds.pixel`` has no effect.
    """
    return ImageFields("mono8", view.ood)


def segment_ids(view: Rendering) -> ImageFields:
    """Component number of every pixel; 0 = none, or a number that 16 bits cannot hold."""
    return ImageFields("16UC1", view.segment_numbers)


def ood_ids(view: Rendering) -> ImageFields:
    """Number of the kept OoD segment of every pixel, n + 1, n + 2, … for n segments; 0 = none, or beyond 16 bits."""
    return ImageFields("16UC1", view.ood_pixel_numbers)


def gradient(view: Rendering) -> ImageFields:
    """Gradient score: its value as 32FC1, else linear from the frame's smallest finite value (0) to its largest (255).

    Norms have no natural range, so bytes of different frames do not compare. Faulty pixels are +inf, and 255.
    """
    values = view.grid_score(f"gradient_{view.options.gradient_label}")
    if view.options.entropy_encoding == "32FC1":
        return ImageFields("32FC1", view.published(values))
    return ImageFields("mono8", view.published(stretched(values)))


def stretched(values: np.ndarray) -> np.ndarray:
    """(H, W) uint8: linear from the smallest finite value, 0, to the largest, 255; non-finite values become 255."""
    finite = np.isfinite(values)
    seen = values if finite.all() else values[finite]
    if not seen.size:
        return np.full(values.shape, 255, np.uint8)
    low, high = float(seen.min()), float(seen.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    picture: np.ndarray = cv2.convertScaleAbs(np.minimum(values, high) - low, alpha=scale)
    if seen is not values:
        picture[~finite] = 255
    return picture


def overlay(view: Rendering) -> ImageFields:
    """The camera image tinted by class, with flagged segments marked."""
    options = view.options
    picture = pictures.overlay(view.image, view.classes, options.palette, options.overlay_alpha, view.unreliable)
    return ImageFields("rgb8", picture)


def entropy_color(view: Rendering) -> ImageFields:
    """Entropy as a heat map for viewing."""
    return ImageFields("rgb8", pictures.colour_map(view.entropy_bytes))


def _present(part: _Part | None, name: str) -> _Part:
    if part is None:
        raise MessageError(f"this frame was computed without its {name!r}; ask for it in Wanted(...)")
    return part


def _as_bytes(plane: torch.Tensor) -> np.ndarray:
    """A map in [0, 1] as uint8 from 0 to 255."""
    return cv2.convertScaleAbs(np.ascontiguousarray(_array(plane)), alpha=255.0)


def _array(values: torch.Tensor | np.ndarray) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.numpy(force=True)
