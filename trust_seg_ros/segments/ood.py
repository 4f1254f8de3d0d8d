"""Out-of-distribution segments: connected regions of high uncertainty (Chan, Rottmann, Gottschalk 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from trust_seg_ros.segments import sum_kernels as kernels
from trust_seg_ros.segments.bands import map_bands
from trust_seg_ros.segments.errors import FeatureError, MapShapeError, ScoreThresholdError
from trust_seg_ros.segments.features import FeatureSet, feature_set
from trust_seg_ros.segments.labelling import Band, Components, find_components
from trust_seg_ros.segments.planes import class_map, float_plane, to_host
from trust_seg_ros.segments.probabilities import LogitSource
from trust_seg_ros.segments.table import measure
from trust_seg_ros.types import LogitMaps, OodSegments, SegmentTable, UncertaintyMaps


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
        ScoreThresholdError: the threshold is NaN.
    """
    plane, found = _components(score, threshold, threads)
    total = _sum_scores(found, plane, threads)
    return OodSegments(found.ids, found.boxes, found.sizes, total / found.sizes, found.sizes >= min_size)


def ood_segment_table(
    score: np.ndarray | torch.Tensor,
    threshold: float,
    maps: UncertaintyMaps,
    logit_maps: LogitMaps,
    features: str | FeatureSet = "meta_ood",
    *,
    extra: Mapping[str, np.ndarray | torch.Tensor] | None = None,
    ignore: np.ndarray | None = None,
    threads: int | None = None,
) -> SegmentTable:
    """The same components, with the metrics that the OoD meta classifier uses (Chan et al. 2021, section 4).

    Args:
        score, threshold: as for :func:`ood_segments`.
        maps, logit_maps: of the same image; the metrics are computed from them.
        features, extra: as for ``segment_table``.
        ignore: (H, W) bool, pixels removed before components are taken (void of the ground truth); None at run time.
        threads: None for all available processors; the result does not depend on it.

    Returns:
        The components in the order of ``ood_segments``. They may span classes: ``class_ids`` holds the class of the
        highest mean probability.

    Raises:
        MapShapeError, ScoreThresholdError: as for :func:`ood_segments`; MapShapeError also for unequal shapes.
        FeatureError, LogitsError: as for ``segment_table``; FeatureError also for a set without ``cprob``.
    """
    classes, chosen = class_map(maps.classes), feature_set(features)
    if "cprob" not in chosen.families:
        raise FeatureError("OoD segments need the mean class probabilities; choose a feature set with cprob")
    plane = to_host(score)
    if plane.shape != classes.shape or tuple(logit_maps.size) != classes.shape:
        raise MapShapeError(
            f"the score is {plane.shape}, the maps are {classes.shape}, the logits are to be upsampled to "
            f"{tuple(logit_maps.size)}; expected one shape"
        )
    if ignore is not None:
        plane = np.where(ignore, np.nan, plane)
    _, found = _components(plane, threshold, threads)
    source = LogitSource(logit_maps)
    interior, names, metrics = measure(found, classes, maps, source, chosen, extra, threads)
    first = names.index("cprob_0")
    named = metrics[:, first : first + source.n_classes].argmax(axis=1).astype(np.uint8)
    return SegmentTable(found.ids, named, found.boxes, found.sizes, interior, names, metrics)


def _components(
    score: np.ndarray | torch.Tensor, threshold: float, threads: int | None
) -> tuple[np.ndarray, Components]:
    if math.isnan(threshold):
        raise ScoreThresholdError(
            "the score threshold is NaN; expected a number in the unit of the score, 0.7 for entropy"
        )
    array = to_host(score)
    if array.ndim != 2 or array.size == 0:
        raise MapShapeError(f"score map has shape {array.shape}; expected (H, W) with at least one pixel")
    plane = float_plane(array, array.shape, "score map")
    below = (plane < np.float32(threshold)) | np.isnan(plane)
    return plane, find_components(np.negative(below.view(np.uint8)), threads)  # 0, or 255 = no component


def _sum_scores(found: Components, plane: np.ndarray, threads: int | None) -> np.ndarray:
    def work(band: Band) -> np.ndarray:
        part = np.zeros((len(band.class_ids), 1))
        kernels.add_total(plane, band.y0, band.starts, band.ends, band.first, band.labels, part)
        return part

    total = np.zeros((len(found), 1))
    for numbers, part in zip(found.numbers, map_bands(work, found.bands, threads), strict=True):
        kernels.merge_sums(numbers, part, total)
    return total[:, 0]
