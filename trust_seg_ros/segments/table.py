"""The segment table: components of a prediction and their metrics (MetaSeg, Rottmann et al.; Chan et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from trust_seg_ros.segments.errors import FeatureError, MapShapeError
from trust_seg_ros.segments.features import MAP_FIELDS, FeatureSet, feature_set
from trust_seg_ros.segments.host import class_map, float_plane
from trust_seg_ros.segments.labelling import Components, find_components
from trust_seg_ros.segments.matching import apply_ignore
from trust_seg_ros.segments.probabilities import LogitSource, SoftmaxSource
from trust_seg_ros.segments.softmax import maps_from_softmax, softmax_array
from trust_seg_ros.segments.sums import ProbabilitySource, SegmentSums, sum_segments
from trust_seg_ros.types import LogitMaps, SegmentTable, UncertaintyMaps

Plane = np.ndarray | torch.Tensor


def segment_table(
    maps: UncertaintyMaps,
    logit_maps: LogitMaps,
    features: str | FeatureSet = "metaseg",
    *,
    extra: Mapping[str, Plane] | None = None,
    ground_truth: np.ndarray | None = None,
    threads: int | None = None,
) -> SegmentTable:
    """Segments of one prediction and their metrics, from its maps and its low-resolution logits.

    Args:
        maps: per-pixel maps (H, W), on any device (they are brought to the host).
        logit_maps: the logits they were made of; ``size`` must be (H, W). The softmax of the upsampled logits is
            made row by row, never stored.
        features: name of a feature set (see :mod:`trust_seg_ros.segments.features`), or one's own.
        extra: prefix -> (H, W) map; aggregated when the feature set lists the prefix, or is ``all``.
        ground_truth: (H, W) uint8; pixels where it is 255 are removed before components are taken. For fitting and
            evaluating; None at run time.
        threads: None for all available processors; the result does not depend on it.

    Returns:
        The table, on the host.

    Raises:
        FeatureError: unknown feature set, or a map that it needs is not there.
        MapShapeError: shapes that do not agree, or a predicted class beyond the logits' classes.
        LogitsError: logits that cannot be used.
    """
    shape = tuple(maps.classes.shape)
    if tuple(logit_maps.size) != shape:
        raise MapShapeError(f"the maps are {shape} but the logits are to be upsampled to {tuple(logit_maps.size)}")
    return _table(maps, LogitSource(logit_maps), features, extra, ground_truth, threads)


def segment_table_from_softmax(
    prob: Plane,
    features: str | FeatureSet = "metaseg",
    *,
    maps: UncertaintyMaps | None = None,
    extra: Mapping[str, Plane] | None = None,
    ground_truth: np.ndarray | None = None,
    threads: int | None = None,
) -> SegmentTable:
    """Segments of one prediction and their metrics, from its softmax at full resolution.

    Args:
        prob: (q, H, W) class probabilities of any floating type, on any device.
        maps: its per-pixel maps if they are at hand; otherwise made by :func:`maps_from_softmax`.
        features, extra, ground_truth, threads: as for :func:`segment_table`.

    Raises:
        FeatureError, MapShapeError: as for :func:`segment_table`; MapShapeError also for values that are no
            probabilities.
    """
    array = softmax_array(prob)
    if maps is None:
        maps = maps_from_softmax(array, threads=threads)
    elif tuple(maps.classes.shape) != array.shape[1:]:
        raise MapShapeError(f"the maps are {tuple(maps.classes.shape)} but the softmax is {array.shape[1:]}")
    return _table(maps, SoftmaxSource(array), features, extra, ground_truth, threads)


def _table(
    maps: UncertaintyMaps,
    source: ProbabilitySource,
    features: str | FeatureSet,
    extra: Mapping[str, Plane] | None,
    ground_truth: np.ndarray | None,
    threads: int | None,
) -> SegmentTable:
    classes = class_map(maps.classes)
    if ground_truth is not None:
        classes = apply_ignore(classes, ground_truth)
    found = find_components(classes, threads)
    if len(found) and int(found.class_ids.max()) >= source.n_classes:
        raise MapShapeError(
            f"class map holds class {found.class_ids.max()} but there are probabilities of {source.n_classes} classes; "
            "the maps and the logits are not of the same network"
        )
    interior, names, metrics = measure(found, classes, maps, source, features, extra, threads)
    return SegmentTable(found.ids, found.class_ids, found.boxes, found.sizes, interior, names, metrics)


def measure(
    found: Components,
    classes: np.ndarray,
    maps: UncertaintyMaps,
    source: ProbabilitySource,
    features: str | FeatureSet,
    extra: Mapping[str, Plane] | None,
    threads: int | None,
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Interior sizes (n,) int64, names and metrics (n, m) of components, whatever they are components of.

    ``classes`` (H, W) uint8 are the predicted classes that neighbours are counted by.
    """
    chosen = feature_set(features)
    if chosen.extra:
        chosen = chosen.with_maps(tuple(extra or ()))
    planes = {prefix: _plane(prefix, maps, extra or {}, classes.shape) for prefix in chosen.maps}
    sums = sum_segments(found, chosen, planes, source, classes, threads)
    interior, metrics = _metrics(found, chosen, sums)
    return interior, chosen.names(source.n_classes), metrics


def _plane(prefix: str, maps: UncertaintyMaps, extra: Mapping[str, Plane], shape: tuple[int, ...]) -> np.ndarray:
    if prefix in extra:
        return float_plane(extra[prefix], shape, f"map {prefix!r}")
    if prefix in MAP_FIELDS:
        return float_plane(getattr(maps, MAP_FIELDS[prefix]), shape, f"map {MAP_FIELDS[prefix]!r}")
    raise FeatureError(
        f"the feature set needs a map {prefix!r} that is not there; give it as extra={{{prefix!r}: array}}. "
        f"There are: {', '.join([*MAP_FIELDS, *extra])}"
    )


def _metrics(found: Components, features: FeatureSet, sums: SegmentSums) -> tuple[np.ndarray, np.ndarray]:
    """Interior sizes (n,) int64 and metrics (n, F), in the order of ``features.names``."""
    size = found.sizes.astype(np.float64)
    inside = sums.sizes[:, 0]
    whole = inside == size  # one segment fills the image: all of it counts as boundary
    inside = np.where(whole, 0.0, inside)
    outside = size - inside
    relative, relative_in = size / outside, inside / outside
    columns = [size, inside, outside, relative, relative_in]
    for total in sums.maps:
        filled = np.where(whole[:, None], total[:, [0, 2]], 0.0)
        inner, outer = total[:, [0, 2]] - filled, total[:, [1, 3]] + filled
        means = [(inner + outer) / size[:, None], inner / np.maximum(inside, 1.0)[:, None], outer / outside[:, None]]
        forms = [[mean[:, 0] for mean in means]]
        if features.variances:
            forms.append([np.maximum(mean[:, 1] - mean[:, 0] ** 2, 0.0) for mean in means])
        for over_all, over_inner, over_outer in forms:
            columns += [over_all, over_inner, over_outer, over_all * relative, over_inner * relative_in]
    if features.centroid:
        columns += [sums.sizes[:, 1] / size, sums.sizes[:, 2] / size]
    if sums.cprob is not None:
        columns += list((sums.cprob / size[:, None]).T)
    if sums.ndist is not None:
        columns += list((sums.ndist[:, :-1] / np.maximum(sums.ndist[:, -1:], 1.0)).T)
    return inside.astype(np.int64), np.stack(columns, axis=1)
