"""Sums over segments: runs the kernels band by band and joins the parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trust_seg_ros.segments import sum_kernels as kernels
from trust_seg_ros.segments.bands import map_bands
from trust_seg_ros.segments.labelling import Band, Components

CLASSES, NEIGHBOURS = "classes", "neighbours"
"""Sums over segments besides the maps: class probabilities, and the classes next to the segment."""


class ProbabilitySource(Protocol):
    """Adds up class probabilities over the parts of a band."""

    n_classes: int

    def add(self, band: Band, out: np.ndarray) -> None:
        """Add the probabilities of the band's pixels to ``out`` (m, q) float64."""
        ...


@dataclass(frozen=True)
class SegmentSums:
    """Sums over the n segments of an image, all float64.

    Attributes:
        sizes: (n, 3) interior pixels, sum of rows, sum of columns.
        maps: name of a map -> (n, 4): sums over the interior and the boundary, of squares over the interior and the
            boundary.
        cprob: (n, q) sums of the class probabilities, or None.
        ndist: (n, q + 1) neighbour pairs by class and in total, or None.
    """

    sizes: np.ndarray
    maps: Mapping[str, np.ndarray]
    cprob: np.ndarray | None
    ndist: np.ndarray | None


def sum_segments(
    found: Components,
    maps: Mapping[str, np.ndarray],
    source: ProbabilitySource,
    named: np.ndarray,
    sums: Collection[str] = (),
    threads: int | None = None,
) -> SegmentSums:
    """All sums that the metrics of segments are computed from.

    Args:
        found: the components.
        maps: name -> (H, W) float32 of every map that is added up.
        source: gives class probabilities.
        named: (H, W) uint8 predicted classes, by which neighbours are counted.
        sums: ``CLASSES``, ``NEIGHBOURS`` or both, to be added up besides the maps.
        threads: None for all available processors; the result does not depend on it.
    """
    planes = list(maps.values())
    q = source.n_classes
    classes, neighbours = CLASSES in sums, NEIGHBOURS in sums
    widths = [3] + [4] * len(planes) + [q] * classes + [q + 1] * neighbours

    def work(band: Band) -> list[np.ndarray]:
        parts = [np.zeros((len(band.class_ids), width)) for width in widths]
        _sum_band(band, found.classes, named, planes, source, classes, neighbours, parts)
        return parts

    totals = [np.zeros((len(found), width)) for width in widths]
    for numbers, parts in zip(found.numbers, map_bands(work, found.bands, threads), strict=True):
        for part, total in zip(parts, totals, strict=True):
            kernels.merge_sums(numbers, part, total)
    rest = totals[1 + len(planes) :]
    cprob = rest.pop(0) if classes else None
    ndist = rest.pop(0) if neighbours else None
    return SegmentSums(totals[0], dict(zip(maps, totals[1:], strict=False)), cprob, ndist)


def _sum_band(
    band: Band,
    classes: np.ndarray,
    named: np.ndarray,
    planes: Sequence[np.ndarray],
    source: ProbabilitySource,
    with_classes: bool,
    with_neighbours: bool,
    parts: Sequence[np.ndarray],
) -> None:
    outputs = iter(parts)
    runs = (band.y0, band.starts, band.ends, band.first, band.labels)
    inner = np.empty((band.y1 - band.y0, classes.shape[1]), np.uint8)
    kernels.mark_interior(classes, band.y0, band.y1, inner)
    kernels.add_sizes(*runs, inner, next(outputs))
    for plane in planes:
        kernels.add_map(plane, *runs, inner, next(outputs))
    if with_classes:
        source.add(band, next(outputs))
    if with_neighbours:
        kernels.add_neighbours(classes, named, *runs, inner, next(outputs))
