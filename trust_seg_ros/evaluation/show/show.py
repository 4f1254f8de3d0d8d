"""Judges one image with a network and its meta models, and compares with ground truth.

The picture is made in ``picture``, the table in ``table``, the command is ``commands.show``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trust_seg_ros.drawing.pictures import PictureError
from trust_seg_ros.grid import resized
from trust_seg_ros.meta.features import design_matrix
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segments import SegmentTargets, targets
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.flags import large_enough
from trust_seg_ros.thresholds.settings import MIN_SHARE
from trust_seg_ros.types import (
    UNLABELLED,
    Frame,
    GridFrame,
    LogitMaps,
    OodSegments,
    SegmentTable,
    SegmentTrust,
    TrustFrame,
    Wanted,
)
from trust_seg_ros.uncertainty import uncertainty_maps

if TYPE_CHECKING:
    from trust_seg_ros.meta.model import MetaModel
    from trust_seg_ros.pipeline import TrustPipeline

_FAR = 1.0


@dataclass(frozen=True)
class Findings:
    """One image, its segments, and how far to trust each.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: names and colours of the q classes.
        network: name of the network.
        classes: (H, W) uint8 predicted class of every pixel, also where ground truth ignores it; 255 = none.
        entropy: (H, W) float32 in [0, 1].
        segments: n segments, with ids and boxes in pixels of the image, sizes and metrics in pixels of the grid; with
            ground truth, taken from the class map without the pixels that it ignores.
        threshold: P(wrong) from which a segment counts as unreliable.
        trust: the meta models' predictions for the segments; None without meta models.
        truth: (H, W) uint8 ground truth, 255 = ignored; or None.
        targets: IoU and IoU_adj of the segments; None without ground truth.
        beyond: metrics by which segments lie far outside the meta models' fitting data, see ``beyond_fitting``.
        min_share: smallest segment that counts as unreliable, as a share of the image.
        ood: unknown objects, as the node finds them with its default parameters.
    """

    image: np.ndarray
    labels: LabelSet
    network: str
    classes: np.ndarray
    entropy: np.ndarray
    segments: SegmentTable
    threshold: float
    trust: SegmentTrust | None = None
    truth: np.ndarray | None = None
    targets: SegmentTargets | None = None
    beyond: tuple[str, ...] = ()
    min_share: float = 0.0
    ood: OodSegments | None = None

    @property
    def limits(self) -> str:
        """From where on a segment is unreliable, in words."""
        least = f", {100 * self.min_share:g} % of the image and more" if self.min_share else ""
        return f"P(wrong) >= {self.threshold:g}{least}"

    @property
    def mean_entropy(self) -> np.ndarray:
        """(n,) float64 in [0, 1], mean entropy of each segment."""
        return self.segments.column("E")

    @property
    def distrust(self) -> np.ndarray:
        """(n,) float64 in [0, 1], sort key of segments: P(wrong), or without meta models the mean entropy."""
        return self.mean_entropy if self.trust is None else self.trust.p_wrong

    @property
    def unreliable(self) -> np.ndarray:
        """(n,) bool, P(wrong) at or above the threshold and large enough; all False without meta models."""
        return np.zeros(len(self.segments), bool) if self.trust is None else self.trust.unreliable


def examine(
    pipeline: TrustPipeline,
    image: np.ndarray,
    truth: np.ndarray | None = None,
    threshold: float = 0.5,
    min_share: float = MIN_SHARE,
) -> Findings:
    """Predict one image and judge its segments.

    With ground truth, pixels that it ignores are removed before components are taken, as in fitting and evaluating, so
    that predicted and true IoU_adj are of the same segments. Without it, segments are the same as in the node.

    Args:
        pipeline: the network and its meta models.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8 class ids, 255 = ignore.
        threshold: P(wrong) in [0, 1] from which a segment is unreliable.
        min_share: smallest segment that is unreliable, as a share of the image, in [0, 1].

    Raises:
        PictureError: image and ground truth differ in size.
        ThresholdError: the threshold or the share lies outside [0, 1].
        TrustSegError: the network cannot take the image.
    """
    ThresholdSettings.constants(unreliable=threshold, unreliable_min_share=min_share)  # refuses what it must
    if truth is not None and truth.shape != image.shape[:2]:
        raise PictureError(f"ground truth is {truth.shape} and the image {image.shape[:2]}; expected one size")
    logits = pipeline.infer(image)
    maps = uncertainty_maps(logits).host()
    truth_there = None if truth is None else resized(truth, logits.size)
    segments = pipeline.segment_table(maps, logits, ground_truth=truth_there)
    trust = None
    if pipeline.meta is not None:
        p_wrong, iou = pipeline.meta.predict(segments)
        large = large_enough(segments.sizes, segments.ids.size, min_share)
        trust = SegmentTrust(p_wrong, iou, (p_wrong >= threshold) & large)
    result = TrustFrame(Frame(image), GridFrame(maps, segments, trust))
    shown = result.segments
    assert shown is not None
    if truth is not None and logits.size != result.size:  # its void lies between pixels of the grid
        shown = replace(shown, ids=np.where(truth == UNLABELLED, 0, shown.ids))
    return Findings(
        image,
        pipeline.labels,
        pipeline.network.name,
        result.maps.classes.numpy(),
        result.maps.entropy.numpy(),
        shown,
        threshold,
        trust,
        truth,
        None if truth_there is None else targets(segments, truth_there),
        () if pipeline.meta is None else beyond_fitting(pipeline.meta, segments),
        min_share,
        _unknown_objects(pipeline, image, logits),
    )


def _unknown_objects(pipeline: TrustPipeline, image: np.ndarray, logits: LogitMaps) -> OodSegments | None:
    """The OoD segments of one image, as the node finds them with its default parameters."""
    pipeline.reset()
    return pipeline.with_answer(Frame(image), logits, wanted=Wanted(segments=False, pixel_flags=False)).ood


def beyond_fitting(meta: MetaModel, segments: SegmentTable) -> tuple[str, ...]:
    """Names of the metrics by which a segment lies far outside the range that a meta model was fitted on.

    Far means below or above that range by more than its width, e.g. sizes in much larger images. There the predictions
    of a linear model mean nothing.
    """
    values = design_matrix(segments, meta.features)
    low, high = meta.ranges.T
    slack = _FAR * (high - low)
    far = ((values < low - slack) | (values > high + slack)).any(axis=0)
    return tuple(name for name, is_far in zip(meta.features, far.tolist(), strict=True) if is_far)
