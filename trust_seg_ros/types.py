"""Data types that the packages exchange: small frozen dataclasses of tensors on one device.

A frame comes in as :class:`Frame`; each step adds one thing and returns the next type, up to the final
:class:`TrustFrame`. Nothing here computes, except that it brings results to the size of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch

from trust_seg_ros.grid import Size, resized, resized_boxes

UNLABELLED = 255
"""Class id of a pixel without a class: void ground truth, or a pixel whose logits were not finite."""


@dataclass(frozen=True)
class Frame:
    """One camera image.

    Attributes:
        image: (H, W, 3) uint8, RGB order; may be a strided view into a message's buffer.
        stamp_ns: acquisition time in nanoseconds, as the camera stamped it.
        frame_id: coordinate frame of the camera.
    """

    image: np.ndarray
    stamp_ns: int = 0
    frame_id: str = ""


@dataclass(frozen=True)
class Classifier:
    """The network's last convolution, for scores computed in closed form from its input.

    Attributes:
        weight: (q, D, s, s) kernel.
        bias: (q,) or None.
        dilation: spacing of the kernel taps in pixels.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    dilation: int = 1


@dataclass(frozen=True)
class LayerFeatures:
    """Output of a layer that the user named, for feature scores.

    Attributes:
        name: the layer.
        features: (D, h, w) floating point; h and w may differ from those of the logits.
    """

    name: str
    features: torch.Tensor


@dataclass(frozen=True)
class LogitMaps:
    """A network's answer for one image, at the network's own resolution.

    Attributes:
        logits: (q, h, w) floating point. Raw logits if ``raw``; otherwise log-probabilities.
        size: (H, W) of the grid of the maps; logits are brought to it bilinearly (``align_corners=False``) *before* the
            softmax. Networks answer with the size of the image, see ``uncertainty.on_grid`` for others.
        raw: False if the network gives probabilities only; scores that need raw logits are refused then.
        features: (D, h, w) input of the last convolution, or None.
        classifier: that convolution, or None.
        layer: the layer named by the user, with its output; None = none was named.
    """

    logits: torch.Tensor
    size: tuple[int, int]
    raw: bool = True
    features: torch.Tensor | None = None
    classifier: Classifier | None = None
    layer: LayerFeatures | None = None


@dataclass(frozen=True)
class UncertaintyMaps:
    """Per-pixel maps, all (H, W) on one device; higher = less trustworthy.

    Attributes:
        classes: uint8 predicted class; ``UNLABELLED`` where the logits were not finite.
        entropy: float32 in [0, 1], normalised by log q.
        margin: float32 in [0, 1], 1 - f(1) + f(2).
        variation_ratio: float32 in [0, 1 - 1/q], 1 - f(1).
        faulty_pixels: number of pixels with non-finite logits (their scores are the maximum).
    """

    classes: torch.Tensor
    entropy: torch.Tensor
    margin: torch.Tensor
    variation_ratio: torch.Tensor
    faulty_pixels: int = 0

    def host(self) -> UncertaintyMaps:
        """The same maps on the host; ``self`` if they are there already."""
        if self.classes.device.type == "cpu":
            return self
        names = ("classes", "entropy", "margin", "variation_ratio")
        return replace(self, **{name: getattr(self, name).cpu() for name in names})


@dataclass(frozen=True)
class SegmentTable:
    """The segments (8-connected components of equal predicted class) of one image, on the host.

    Attributes:
        ids: (H, W) int32; 0 = no segment (unlabelled), else 1..n numbered in raster order of the first pixel.
        class_ids: (n,) uint8 predicted class.
        boxes: (n, 4) int32 left, top, right, bottom in pixels of ``ids``, right and bottom exclusive.
        sizes: (n,) int64 number of pixels S, of the grid that it was judged on.
        interior_sizes: (n,) int64 number of interior pixels S_in.
        names: names of the metrics, the columns of ``metrics``.
        metrics: (n, len(names)) float64.
    """

    ids: np.ndarray
    class_ids: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    interior_sizes: np.ndarray
    names: tuple[str, ...]
    metrics: np.ndarray

    def __len__(self) -> int:
        return len(self.class_ids)

    def column(self, name: str) -> np.ndarray:
        """One metric of every segment, (n,) float64; ``KeyError`` lists the known metrics."""
        try:
            return self.metrics[:, self.names.index(name)]
        except ValueError:
            raise KeyError(f"no segment metric {name!r}; there are: {', '.join(self.names)}") from None


@dataclass(frozen=True)
class SegmentTrust:
    """Predictions of the meta models for each segment.

    Attributes:
        p_wrong: (n,) float64 in [0, 1], P(false positive), i.e. P(IoU_adj = 0).
        iou: (n,) float64 in [0, 1], predicted IoU_adj.
        unreliable: (n,) bool, p_wrong at or above the current threshold, and the segment large enough to be flagged.
        outside: (n,) bool, the metrics lie outside the range that the meta models were fitted on, and the predictions
            are drawn towards the base rates; None = not known.
    """

    p_wrong: np.ndarray
    iou: np.ndarray
    unreliable: np.ndarray
    outside: np.ndarray | None = None


@dataclass(frozen=True)
class OodSegments:
    """Out-of-distribution segments: 8-connected components of {score >= threshold}; may span classes.

    Attributes:
        ids: (H, W) int32; 0 = none, 1..m in raster order of the first pixel.
        boxes: (m, 4) int32 left, top, right, bottom (exclusive), in pixels of ``ids``.
        sizes: (m,) int64 pixels of the grid that it was found on.
        score: (m,) float64 mean score over the segment, in the unit of the score; +inf if the segment holds faulty
            pixels and the score is not bounded.
        kept: (m,) bool, False where the segment was discarded (too small, or a false alarm).
        p_ood: (m,) float64 in [0, 1], P(OoD), i.e. P(some pixel of it is truly out of distribution); NaN where the
            segment was too small to be judged. None without an OoD meta model of the current score.
        class_ids: (m,) uint8, class of the highest mean probability over the segment; ``UNLABELLED`` where it was too
            small to be measured. None when nothing was measured.
        p_class: (m,) float64 in [0, 1], that mean probability; NaN where it was too small.
        outside: (m,) bool, the metrics lie outside the range that the meta model was fitted on: kept, whatever its
            P(OoD). None without an OoD meta model of the current score.
    """

    ids: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    score: np.ndarray
    kept: np.ndarray
    p_ood: np.ndarray | None = None
    class_ids: np.ndarray | None = None
    p_class: np.ndarray | None = None
    outside: np.ndarray | None = None

    @property
    def judged(self) -> np.ndarray:
        """(m,) bool, segments that a meta model judged."""
        if self.p_ood is None:
            return np.zeros(len(self.kept), bool)
        found: np.ndarray = np.isfinite(self.p_ood)
        return found

    @property
    def false_alarm(self) -> np.ndarray:
        """(m,) bool, segments that are large enough, but were discarded by the meta model."""
        if self.p_ood is None:
            return np.zeros(len(self.kept), bool)
        discarded: np.ndarray = ~self.kept & np.isfinite(self.p_ood)
        return discarded

    @property
    def too_small(self) -> np.ndarray:
        """(m,) bool, segments that were discarded for their size."""
        small: np.ndarray = ~self.kept & ~self.false_alarm
        return small


_Parts = TypeVar("_Parts", SegmentTable, OodSegments)


@dataclass(frozen=True)
class ShiftTest:
    """Comparison of a window with the reference.

    Attributes:
        difference: difference of the means, in standard deviations of the reference; positive: the score is higher now.
        statistic: T, about Student's t; its sign is that of the mean normal score.
        p_value: two-sided, in [0, 1].
        effective: number of independent observations the window counted for.
    """

    difference: float
    statistic: float
    p_value: float
    effective: float


@dataclass(frozen=True)
class ShiftState:
    """State of the shift monitor for one score.

    Attributes:
        score: name of the score.
        fired: the data no longer resemble the calibration data; guarantees are void.
        frames: number of frames in the window.
        test: comparison of the window with the reference; None with too few frames.
        text: the same in words: the score, and in which direction and by how much it shifted.
    """

    score: str
    fired: bool
    frames: int
    test: ShiftTest | None
    text: str


@dataclass(frozen=True)
class GridFrame:
    """What the pipeline made of a frame, on the grid (H', W') that it was judged on; see ``trust_seg_ros.grid``.

    Parts that were not requested are None (see ``Wanted``).

    Attributes:
        maps: per-pixel maps, on the host.
        segments: components and their metrics.
        trust: predictions of the meta models for ``segments``.
        pixel_flags: (H', W') bool, pixel score at or above the current pixel threshold.
        ood: out-of-distribution segments.
        scores: name -> (H', W') float32 on the host, for every score computed for this frame that ``maps`` lacks.
    """

    maps: UncertaintyMaps
    segments: SegmentTable | None = None
    trust: SegmentTrust | None = None
    pixel_flags: np.ndarray | None = None
    ood: OodSegments | None = None
    scores: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """(H', W')."""
        height, width = self.maps.classes.shape
        return height, width


@dataclass(frozen=True)
class TrustFrame:
    """Result of the pipeline: a frame, its prediction, and how far to trust it.

    Maps, segments, flags and scores are given at the size of the image, brought there by nearest neighbour when they
    are first read; ``on_grid`` holds them as they were judged. Where the grid is the image, both are the same arrays.
    Sizes and metrics of segments are always those of the grid.

    Attributes:
        frame: the image.
        on_grid: everything on the grid that it was judged on.
        thresholds: name -> value of every threshold used for this frame, except thresholds computed from parts that
            were not requested.
        shift: whether the drive still resembles the calibration data, by the pixel score; None without calibration.
        timings_ms: name of the step -> milliseconds.
    """

    frame: Frame
    on_grid: GridFrame
    thresholds: Mapping[str, float] = field(default_factory=dict)
    shift: ShiftState | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """(H, W) of the image."""
        height, width = self.frame.image.shape[:2]
        return height, width

    @cached_property
    def maps(self) -> UncertaintyMaps:
        """Per-pixel maps (H, W), on the host."""
        maps, names = self.on_grid.maps, ("classes", "entropy", "margin", "variation_ratio")
        if self.on_grid.size == self.size:
            return maps
        planes = {name: self._resized_tensor(getattr(maps, name)) for name in names}
        faulty = int((planes["classes"] == UNLABELLED).sum()) if maps.faulty_pixels else 0
        return replace(maps, **planes, faulty_pixels=faulty)

    @cached_property
    def segments(self) -> SegmentTable | None:
        """Components, with ``ids`` (H, W) and boxes in pixels of the image."""
        return self._resized_parts(self.on_grid.segments)

    @property
    def trust(self) -> SegmentTrust | None:
        """Predictions of the meta models for ``segments``."""
        return self.on_grid.trust

    @cached_property
    def pixel_flags(self) -> np.ndarray | None:
        """(H, W) bool, pixel score at or above the current pixel threshold."""
        return None if self.on_grid.pixel_flags is None else self.at_image_size(self.on_grid.pixel_flags)

    @cached_property
    def ood(self) -> OodSegments | None:
        """Out-of-distribution segments, with ``ids`` (H, W) and boxes in pixels of the image."""
        return self._resized_parts(self.on_grid.ood)

    @cached_property
    def scores(self) -> Mapping[str, torch.Tensor]:
        """Name -> (H, W) float32 on the host, for every score computed for this frame that ``maps`` lacks."""
        return {name: self._resized_tensor(plane) for name, plane in self.on_grid.scores.items()}

    def at_image_size(self, plane: np.ndarray) -> np.ndarray:
        """A map of the grid (H', W') as (H, W), by nearest neighbour; the same array where the grid is the image."""
        return resized(plane, self.size)

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) of the grid in pixels of the image."""
        return resized_boxes(boxes, self.on_grid.size, self.size)

    def _resized_parts(self, found: _Parts | None) -> _Parts | None:
        if found is None or self.on_grid.size == self.size:
            return found
        return replace(found, ids=self.at_image_size(found.ids), boxes=self.boxes(found.boxes))

    def _resized_tensor(self, plane: torch.Tensor) -> torch.Tensor:
        return plane if tuple(plane.shape) == self.size else torch.from_numpy(self.at_image_size(plane.numpy()))


@dataclass(frozen=True)
class Wanted:
    """The parts to compute; the node derives them from the topics that have subscribers.

    Attributes:
        segments, ood, pixel_flags: these parts of the :class:`TrustFrame`.
        scores: names of scores to put into ``TrustFrame.scores``, in addition to the scores that thresholds use.
    """

    segments: bool = True
    ood: bool = True
    pixel_flags: bool = True
    scores: tuple[str, ...] = ()


Json = dict[str, Any]
