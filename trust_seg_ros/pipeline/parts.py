"""The maps, segments and flags of one frame, made on the host; ``parts_gpu`` makes the same on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from trust_seg_ros import segments
from trust_seg_ros.meta.ood_judge import measured_ood
from trust_seg_ros.segments.features import FeatureSet
from trust_seg_ros.segments.scores import score_planes
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.control import FrameThresholds
from trust_seg_ros.types import LogitMaps, OodSegments, SegmentTable, UncertaintyMaps, Wanted
from trust_seg_ros.uncertainty.frame_scores import FrameScores


@dataclass(frozen=True)
class Measuring:
    """How the segments of a pipeline are measured.

    Attributes:
        features: the set of metrics.
        scores: names of the pixel scores among them.
        segments_from: see ``segments.origins``.
    """

    features: str
    scores: tuple[str, ...]
    segments_from: str

    @property
    def chosen(self) -> FeatureSet:
        """The set with its scores."""
        return segments.feature_set(self.features).with_maps(self.scores)

    def table(
        self,
        maps: UncertaintyMaps,
        answer: LogitMaps,
        scores: FrameScores,
        ground_truth: np.ndarray | None = None,
    ) -> SegmentTable:
        """The segments of one frame, measured on the host; as ``segments.segment_table``."""
        extra = score_planes(scores, self.scores)
        return segments.segment_table(
            maps, answer, self.chosen, extra=extra, ground_truth=ground_truth, segments_from=self.segments_from
        )


class Parts(Protocol):
    """What the pipeline asks for, in this order.

    Attributes:
        maps: the per-pixel maps, for readers on the host.
        scores: the pixel scores of the same answer.
    """

    maps: UncertaintyMaps
    scores: FrameScores

    def begin(self, settings: ThresholdSettings, wanted: Wanted, constant: Callable[[str], float | None]) -> None:
        """Start whatever can run before the frame was shown to the shift monitor.

        Args:
            settings, wanted: of the frame.
            constant: target -> its threshold if that is a constant, as ``FrameThresholds.plain``; it may still change.
        """
        ...

    def table(self) -> SegmentTable:
        """The segments with their metrics."""
        ...

    def prediction(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """P(false positive), IoU_adj and outside of every segment, if they are known already."""
        ...

    def pixel_flags(self, name: str, limits: FrameThresholds) -> np.ndarray:
        """(H, W) bool, where a score reaches the pixel threshold."""
        ...

    def ood(self, name: str, limits: FrameThresholds, min_size: int) -> tuple[OodSegments, float]:
        """The OoD segments of a score, not judged yet, and the threshold they were found at."""
        ...

    def ood_table(self, found: OodSegments, features: str | FeatureSet) -> SegmentTable:
        """The metrics of those of the OoD segments just found that are kept."""
        ...


class HostParts:
    """:class:`Parts` by the compiled kernels of the CPU."""

    def __init__(self, answer: LogitMaps, maps: UncertaintyMaps, scores: FrameScores, measuring: Measuring) -> None:
        self.maps, self.scores = maps, scores
        self._answer, self._measuring = answer, measuring
        self._ood: tuple[torch.Tensor, float] | None = None

    def begin(self, settings: ThresholdSettings, wanted: Wanted, constant: Callable[[str], float | None]) -> None:
        """Nothing can be started."""

    def table(self) -> SegmentTable:
        """As :class:`Parts`."""
        return self._measuring.table(self.maps, self._answer, self.scores)

    def prediction(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Not known."""
        return None

    def pixel_flags(self, name: str, limits: FrameThresholds) -> np.ndarray:
        """As :class:`Parts`."""
        faulty = self.maps.faulty_pixels > 0 or self._answer.linear
        return limits.pixel_flags(self.scores.get(name).numpy(), self.maps.classes.numpy(), faulty=faulty)

    def ood(self, name: str, limits: FrameThresholds, min_size: int) -> tuple[OodSegments, float]:
        """As :class:`Parts`."""
        threshold = self.threshold("ood", name, limits)
        return self.ood_at(name, threshold, min_size), threshold

    def threshold(self, target: str, name: str, limits: FrameThresholds) -> float:
        """The threshold of a target, found from the values of its score; once per frame."""
        return limits.find(target, self.scores.get(name).numpy(), self.maps.classes.numpy()).value

    def ood_at(self, name: str, threshold: float, min_size: int) -> OodSegments:
        """The OoD segments of a score at a threshold, for :meth:`ood_table`."""
        self._ood = self.scores.get(name), threshold
        return segments.ood_segments(*self._ood, min_size)

    def ood_table(self, found: OodSegments, features: str | FeatureSet) -> SegmentTable:
        """As :class:`Parts`."""
        assert self._ood is not None
        plane, threshold = self._ood
        return measured_ood(found, plane, threshold, self.maps, self._answer, features)
