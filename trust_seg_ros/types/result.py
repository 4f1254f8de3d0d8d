"""The result of a frame: on the grid that it was judged on, and at the size of the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch

from trust_seg_ros.grid import Size, resized, resized_boxes
from trust_seg_ros.types.maps import UNLABELLED, Frame, UncertaintyMaps
from trust_seg_ros.types.segments import OodSegments, SegmentTable, SegmentTrust
from trust_seg_ros.types.shift import ShiftState
from trust_seg_ros.types.tracks import SegmentTracks

_Parts = TypeVar("_Parts", SegmentTable, OodSegments)


@dataclass(frozen=True, eq=False)
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
        tracks: of ``segments``; None with tracking off.
        ood_tracks: of ``ood``; None with tracking off.
    """

    maps: UncertaintyMaps
    segments: SegmentTable | None = None
    trust: SegmentTrust | None = None
    pixel_flags: np.ndarray | None = None
    ood: OodSegments | None = None
    scores: Mapping[str, torch.Tensor] = field(default_factory=dict)
    tracks: SegmentTracks | None = None
    ood_tracks: SegmentTracks | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size[1]}×{self.size[0]}{self.counts})"

    @property
    def counts(self) -> str:
        """What was found, in words: ", 77 segments (25 unreliable), 1 unknown object, 1.8 % pixels flagged"."""
        found = []
        if self.segments is not None:
            judged = "" if self.trust is None else f" ({int(self.trust.unreliable.sum())} unreliable)"
            found.append(f"{_counted(len(self.segments), 'segment')}{judged}")
        if self.ood is not None:
            found.append(_counted(int(self.ood.kept.sum()), "unknown object"))
        if self.pixel_flags is not None:
            found.append(f"{100 * float(self.pixel_flags.mean()):.1f} % pixels flagged")
        return "".join(f", {part}" for part in found)

    @property
    def size(self) -> Size:
        """(H', W')."""
        return self.maps.size


@dataclass(frozen=True, eq=False)
class TrustFrame:
    """Result of the pipeline: a frame, its prediction, and how far to trust it.

    Maps, segments, flags and scores are given at the size of the image, brought there by nearest neighbour when they
    are first read; ``on_grid`` holds them as they were judged. Where the grid is the image, both are the same arrays.
    Sizes and metrics of segments are always those of the grid. A result is equal to itself only.

    Attributes:
        frame: the image.
        on_grid: everything on the grid that it was judged on.
        thresholds: name -> value of every threshold used for this frame, except thresholds computed from parts that
            were not requested.
        shift: whether the drive still resembles the calibration data; None without calibration.
        timings_ms: name of the step -> milliseconds.
        watched: statistic -> its value in this frame, for those that the shift monitor watches.
    """

    frame: Frame
    on_grid: GridFrame
    thresholds: Mapping[str, float] = field(default_factory=dict)
    shift: ShiftState | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    watched: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size[1]}×{self.size[0]}{self.on_grid.counts})"

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
        return UncertaintyMaps(**planes, faulty_pixels=self._faulty_of(planes["classes"]))

    def _faulty_of(self, classes: torch.Tensor) -> int:
        """Faulty pixels of the image: where a mask network claims nothing a pixel has no class, and yet no fault."""
        on_grid = self.on_grid.maps
        if not on_grid.faulty_pixels:
            return 0
        without = int((on_grid.classes == UNLABELLED).sum())
        return round(int((classes == UNLABELLED).sum()) * on_grid.faulty_pixels / without)

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

    def image_velocity(self, velocity: np.ndarray) -> np.ndarray:
        """Velocities (n, 2) of tracks, columns and rows of the grid per second, in pixels of the image per second."""
        (height, width), (rows, columns) = self.size, self.on_grid.size
        return velocity * np.array([width / columns, height / rows])

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


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
