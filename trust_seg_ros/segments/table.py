"""The segment table: components of a prediction and their metrics (MetaSeg, Rottmann et al.; Chan et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from trust_seg_ros.segments.errors import FeatureError, MapShapeError
from trust_seg_ros.segments.families import column_values, families_of
from trust_seg_ros.segments.features import MAP_FIELDS, FeatureSet, feature_set
from trust_seg_ros.segments.labelling import Components, find_components
from trust_seg_ros.segments.matching import apply_ignore
from trust_seg_ros.segments.measured import Measured
from trust_seg_ros.segments.origins import COMPONENTS, QUERIES, SEGMENTS_FROM
from trust_seg_ros.segments.planes import class_map, float_plane
from trust_seg_ros.segments.probabilities import LogitSource, SoftmaxSource
from trust_seg_ros.segments.queries import find_query_segments, owners, query_metrics
from trust_seg_ros.segments.softmax import maps_from_softmax, softmax_array
from trust_seg_ros.segments.sums import ProbabilitySource, sum_segments
from trust_seg_ros.support.nearest import unknown
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
    segments_from: str = COMPONENTS,
) -> SegmentTable:
    """Segments of one prediction and their metrics, from its maps and its low-resolution logits.

    Args:
        maps: per-pixel maps (H, W), on any device (they are brought to the host).
        logit_maps: the logits the maps were computed from; ``size`` must be (H, W). The softmax of the upsampled
            logits is computed row by row and never stored.
        features: name of a feature set (see :mod:`trust_seg_ros.segments.features`), or a :class:`FeatureSet`.
        extra: prefix -> (H, W) map; aggregated when the feature set lists the prefix, or is ``all``.
        ground_truth: (H, W) uint8; pixels where it is 255 are removed before components are taken. For fitting and
            evaluating; None at run time.
        threads: None for all available processors; the result does not depend on it.
        segments_from: ``components``, or ``queries`` of a mask network, see :mod:`trust_seg_ros.segments.queries`; the
            metrics ``query_prob`` and ``query_mask`` are then added to the feature set.

    Returns:
        The table, on the host.

    Raises:
        FeatureError: unknown feature set, or a map that it needs is missing; no such ``segments_from``.
        MaskQueriesNeededError: ``queries`` of a network that gives none.
        MapShapeError: shapes that do not agree, or a predicted class beyond the logits' classes.
        LogitsError: logits that cannot be used.
    """
    shape = tuple(maps.classes.shape)
    if tuple(logit_maps.size) != shape:
        raise MapShapeError(f"the maps are {shape} but the logits are to be upsampled to {tuple(logit_maps.size)}")
    if segments_from not in SEGMENTS_FROM:
        raise FeatureError(unknown("origin of segments", segments_from, SEGMENTS_FROM))
    queries = logit_maps if segments_from == QUERIES else None
    return _table(maps, LogitSource(logit_maps), features, extra, ground_truth, threads, queries)


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
        maps: its per-pixel maps, if already computed; None: :func:`maps_from_softmax` computes them.
        features, extra, ground_truth, threads: as for :func:`segment_table`.

    Raises:
        FeatureError, MapShapeError: as for :func:`segment_table`; MapShapeError also for values that are not
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
    queries: LogitMaps | None = None,
) -> SegmentTable:
    classes = class_map(maps.classes)
    if ground_truth is not None:
        classes = apply_ignore(classes, ground_truth)
    query = None
    if queries is None:
        found = find_components(classes, threads)
    else:
        owned = owners(queries, classes, threads)
        found = find_query_segments(classes, owned, threads)
        features, query = feature_set(features).with_queries(), query_metrics(found, owned, threads)
    if len(found) and int(found.class_ids.max()) >= source.n_classes:
        raise MapShapeError(
            f"class map holds class {found.class_ids.max()} but there are probabilities of {source.n_classes} classes; "
            "the maps and the logits are not of the same network"
        )
    interior, names, metrics = measure(found, classes, maps, source, features, extra, threads, query)
    return SegmentTable(found.ids, found.class_ids, found.boxes, found.sizes, interior, names, metrics)


def measure(
    found: Components,
    classes: np.ndarray,
    maps: UncertaintyMaps,
    source: ProbabilitySource,
    features: str | FeatureSet,
    extra: Mapping[str, Plane] | None,
    threads: int | None,
    query: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Interior sizes (n,) int64, names and metrics (n, m) of any components.

    ``classes`` (H, W) uint8 are the predicted classes, by which neighbours are counted. ``query`` (n, 2) are the
    metrics of the family ``query``, needed by a set that holds it.
    """
    chosen = feature_set(features)
    if chosen.extra:
        chosen = chosen.with_maps(tuple(extra or ()))
    planes = {prefix: _plane(prefix, maps, extra or {}, classes.shape) for prefix in chosen.maps}
    families = families_of(chosen.families)
    added = {name for family in families for name in family.sums}
    sums = sum_segments(found, planes, source, classes, added, threads)
    seen = Measured.of(found, classes, source.n_classes, planes, sums, query)
    return seen.interior.astype(np.int64), chosen.names(source.n_classes), column_values(families, seen)


def _plane(prefix: str, maps: UncertaintyMaps, extra: Mapping[str, Plane], shape: tuple[int, ...]) -> np.ndarray:
    if prefix in extra:
        return float_plane(extra[prefix], shape, f"map {prefix!r}")
    if prefix in MAP_FIELDS:
        return float_plane(getattr(maps, MAP_FIELDS[prefix]), shape, f"map {MAP_FIELDS[prefix]!r}")
    raise FeatureError(
        f"the feature set needs a map {prefix!r} that is not there; give it as extra={{{prefix!r}: array}}. "
        f"There are: {', '.join([*MAP_FIELDS, *extra])}"
    )
