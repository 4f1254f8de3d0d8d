"""Out-of-distribution segments: connected regions of high uncertainty (Chan, Rottmann, Gottschalk 2021)."""

from __future__ import annotations

import math

import numpy as np
import torch

from trust_seg_ros.segments import sum_kernels as kernels
from trust_seg_ros.segments.bands import map_bands
from trust_seg_ros.segments.errors import MapShapeError, ThresholdError
from trust_seg_ros.segments.host import float_plane, to_host
from trust_seg_ros.segments.labelling import Band, Components, find_components
from trust_seg_ros.types import OodSegments


def ood_segments(
    score: np.ndarray | torch.Tensor, threshold: float, min_size: int = 0, *, threads: int | None = None
) -> OodSegments:
    """8-connected components of {score >= threshold}; one may span several classes.

    Args:
        score: (H, W) floating point, higher = less trustworthy; taken as float32. NaN is below every threshold.
        threshold: compared in float32, so that a score of 0.7 reaches a threshold of 0.7.
        min_size: components of fewer pixels are listed, but not ``kept``.
        threads: None for all available processors; the result does not depend on it.

    Returns:
        The components in raster order of their first pixel, with their mean scores.

    Raises:
        MapShapeError: not a two-dimensional map, or an empty one.
        ThresholdError: the threshold is NaN.
    """
    if math.isnan(threshold):
        raise ThresholdError("the score threshold is NaN; expected a number in the unit of the score, 0.7 for entropy")
    array = to_host(score)
    if array.ndim != 2 or array.size == 0:
        raise MapShapeError(f"score map has shape {array.shape}; expected (H, W) with at least one pixel")
    plane = float_plane(array, array.shape, "score map")
    below = (plane < np.float32(threshold)) | np.isnan(plane)
    found = find_components(np.negative(below.view(np.uint8)), threads)  # 0, or 255 = no component
    total = _sum_scores(found, plane, threads)
    return OodSegments(found.ids, found.boxes, found.sizes, total / found.sizes, found.sizes >= min_size)


def _sum_scores(found: Components, plane: np.ndarray, threads: int | None) -> np.ndarray:
    def work(band: Band) -> np.ndarray:
        part = np.zeros((len(band.class_ids), 1))
        kernels.add_total(plane, band.y0, band.starts, band.ends, band.first, band.labels, part)
        return part

    total = np.zeros((len(found), 1))
    for numbers, part in zip(found.numbers, map_bands(work, found.bands, threads), strict=True):
        kernels.merge_sums(numbers, part, total)
    return total[:, 0]
