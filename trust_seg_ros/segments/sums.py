"""Sums over segments: which kernels run for a feature set, band by band, and how the parts are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trust_seg_ros.segments import sum_kernels as kernels
from trust_seg_ros.segments.bands import map_bands
from trust_seg_ros.segments.features import FeatureSet
from trust_seg_ros.segments.labelling import Band, Components


class ProbabilitySource(Protocol):
    """Something that can add class probabilities up over the parts of a band."""

    n_classes: int

    def add(self, band: Band, out: np.ndarray) -> None:
        """Add the probabilities of the band's pixels to ``out`` (m, q) float64."""
        ...


@dataclass(frozen=True)
class SegmentSums:
    """Sums over the n segments of an image, all float64.

    Attributes:
        sizes: (n, 3) interior pixels, sum of rows, sum of columns.
        maps: per map, (n, 4): sum over the interior, over the boundary, squares over the interior, over the boundary.
        cprob: (n, q) sums of the class probabilities, or None.
        ndist: (n, q + 1) neighbour pairs by class and in all, or None.
    """

    sizes: np.ndarray
    maps: tuple[np.ndarray, ...]
    cprob: np.ndarray | None
    ndist: np.ndarray | None


def sum_segments(
    found: Components,
    features: FeatureSet,
    maps: Mapping[str, np.ndarray],
    source: ProbabilitySource,
    named: np.ndarray,
    threads: int | None = None,
) -> SegmentSums:
    """Everything that the metrics of ``features`` are made of.

    Args:
        found: the components.
        features: which metrics are wanted.
        maps: prefix -> (H, W) float32 for every prefix of ``features.maps``.
        source: gives class probabilities; asked only if ``features.cprob``.
        named: (H, W) uint8 predicted classes, for ``features.ndist``.
        threads: None for all available processors; the result does not depend on it.
    """
    planes = [maps[prefix] for prefix in features.maps]
    q = source.n_classes
    widths = [3] + [4] * len(planes) + [q] * features.cprob + [q + 1] * features.ndist

    def work(band: Band) -> list[np.ndarray]:
        parts = [np.zeros((len(band.class_ids), width)) for width in widths]
        _sum_band(band, found.classes, named, planes, source, features, parts)
        return parts

    totals = [np.zeros((len(found), width)) for width in widths]
    for numbers, parts in zip(found.numbers, map_bands(work, found.bands, threads), strict=True):
        for part, total in zip(parts, totals, strict=True):
            kernels.merge_sums(numbers, part, total)
    rest = totals[1 + len(planes) :]
    cprob = rest.pop(0) if features.cprob else None
    ndist = rest.pop(0) if features.ndist else None
    return SegmentSums(totals[0], tuple(totals[1 : 1 + len(planes)]), cprob, ndist)


def _sum_band(
    band: Band,
    classes: np.ndarray,
    named: np.ndarray,
    planes: Sequence[np.ndarray],
    source: ProbabilitySource,
    features: FeatureSet,
    parts: Sequence[np.ndarray],
) -> None:
    outputs = iter(parts)
    runs = (band.y0, band.starts, band.ends, band.first, band.labels)
    inner = np.empty((band.y1 - band.y0, classes.shape[1]), np.uint8)
    kernels.mark_interior(classes, band.y0, band.y1, inner)
    kernels.add_sizes(*runs, inner, next(outputs))
    for plane in planes:
        kernels.add_map(plane, *runs, inner, next(outputs))
    if features.cprob:
        source.add(band, next(outputs))
    if features.ndist:
        kernels.add_neighbours(classes, named, *runs, inner, next(outputs))
