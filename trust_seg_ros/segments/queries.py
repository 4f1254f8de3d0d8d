"""Segments of a mask network by its queries: the pixels of a class that one query contributes most to.

q*(z) = argmax_q P_q(c(z)) mask_q(z), c(z) the predicted class (the argmax of MaskFormer's panoptic inference, Cheng et
al. 2021, section 3.3, among the contributions to the class that the pixel has). One segment for each pair of class and
query, connected or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.segments import query_kernels as kernels
from trust_seg_ros.segments.bands import band_limits, map_bands
from trust_seg_ros.segments.labelling import Band, Components
from trust_seg_ros.segments.run_kernels import merge_outlines, write_ids
from trust_seg_ros.segments.sum_kernels import add_total, merge_sums
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.mask_kernels import fill_owners
from trust_seg_ros.uncertainty.mask_scores import prepare_queries

_IDS = 256


@dataclass(frozen=True, eq=False)
class Owners:
    """Which query each pixel belongs to.

    Attributes:
        query: (H, W) int32, 0..Q-1; -1 where a pixel has no class.
        mask: (H, W) float32 in [0, 1], the mask of that query there; 0 where there is none.
        probabilities: (Q, q) float32, P(class) of every query.
    """

    query: np.ndarray
    mask: np.ndarray
    probabilities: np.ndarray


def owners(logit_maps: LogitMaps, classes: np.ndarray, threads: int | None = None) -> Owners:
    """The query that gives each pixel most of its class, the lowest of equals.

    The masks on the grid are not held: memory besides the result is the masks at their own resolution, on the host.

    Args:
        logit_maps: class sums with queries, on any device.
        classes: (H, W) uint8, predicted class; 255 = none.
        threads: None for one per core, at most 8.

    Raises:
        MaskQueriesNeededError: the network gives no queries.
        LogitsError: they cannot be used.
    """
    found = prepare_queries(logit_maps, "segments_from: queries")
    probabilities = found.probabilities.cpu().numpy()
    weights = np.full((len(probabilities), _IDS), -1.0, np.float32)
    weights[:, : probabilities.shape[1]] = probabilities
    query, mask = np.empty(classes.shape, np.int32), np.empty(classes.shape, np.float32)
    fill_owners(found.masks.values.cpu().numpy(), weights, classes, query, mask, threads)
    return Owners(query, mask, probabilities)


def find_query_segments(classes: np.ndarray, owned: Owners, threads: int | None = None) -> Components:
    """The segments as ``labelling.find_components`` gives components, numbered in raster order of the first pixel.

    ``Components.classes`` holds a key for each pair of class and query in place of the class, so that a pixel beside
    another query of its own class is at the boundary.

    Args:
        classes: (H, W) uint8, predicted class; 255 belongs to no segment.
        owned: of the same classes.
        threads: None for all available processors; the result does not depend on it.
    """
    queries, n_classes = owned.probabilities.shape
    keys = np.empty(classes.shape, np.int32)
    kernels.write_keys(classes, owned.query, queries, keys)

    def label(limits: tuple[int, int]) -> tuple[Band, np.ndarray]:
        return _label_band(keys, *limits, queries, n_classes)

    found = map_bands(label, band_limits(classes.shape[0]), threads)
    numbered: dict[int, int] = {}
    numbers = tuple(
        np.array([numbered.setdefault(key, len(numbered) + 1) for key in part_keys.tolist()], np.int32)
        for _, part_keys in found
    )
    ids, count = np.zeros(classes.shape, np.int32), len(numbered)
    class_ids, boxes, sizes = np.zeros(count, np.uint8), np.zeros((count, 4), np.int32), np.zeros(count, np.int64)
    for (band, _), part_numbers in zip(found, numbers, strict=True):
        write_ids(band.y0, band.starts, band.ends, band.first, band.labels, part_numbers, ids)
        merge_outlines(part_numbers, band.class_ids, band.boxes, band.sizes, class_ids, boxes, sizes)
    return Components(keys, ids, class_ids, boxes, sizes, tuple(band for band, _ in found), numbers)


def query_metrics(found: Components, owned: Owners, threads: int | None = None) -> np.ndarray:
    """(n, 2) float64: P(class) of the query of every segment, and the mean of its mask over the segment.

    Args:
        found: of :func:`find_query_segments`.
        owned: of the same image.
        threads: None for all available processors; the result does not depend on it.
    """

    def work(band: Band) -> np.ndarray:
        part = np.zeros((len(band.class_ids), 1))
        add_total(owned.mask, band.y0, band.starts, band.ends, band.first, band.labels, part)
        return part

    total = np.zeros((len(found), 1))
    for numbers, part in zip(found.numbers, map_bands(work, found.bands, threads), strict=True):
        merge_sums(numbers, part, total)
    query = np.zeros(len(found), np.intp)
    for band, numbers in zip(found.bands, found.numbers, strict=True):
        row = np.repeat(np.arange(band.y0, band.y1), np.diff(band.first))
        query[numbers[band.labels] - 1] = owned.query[row, band.starts]  # any of its pixels
    return np.column_stack([owned.probabilities[query, found.class_ids], total[:, 0] / found.sizes]).astype(np.float64)


def _label_band(keys: np.ndarray, y0: int, y1: int, queries: int, n_classes: int) -> tuple[Band, np.ndarray]:
    room = (y1 - y0) * keys.shape[1]  # one run per pixel; pages that are never written to are never given out
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    first = np.empty(y1 - y0 + 1, np.int64)
    runs = kernels.find_key_runs(keys, y0, y1, starts, ends, first)
    starts, ends = starts[:runs].copy(), ends[:runs].copy()
    most = min(runs, queries * n_classes)
    labels, part_keys = np.empty(runs, np.int32), np.empty(most, np.int32)
    boxes, sizes = np.empty((most, 4), np.int32), np.empty(most, np.int64)
    table = np.full(queries * n_classes, -1, np.int32)
    m = kernels.label_keys(keys, y0, starts, ends, first, table, labels, part_keys, boxes, sizes)
    part_keys = part_keys[:m].copy()
    class_ids = (part_keys // queries).astype(np.uint8)
    return Band(y0, y1, starts, ends, first, labels, class_ids, boxes[:m].copy(), sizes[:m].copy()), part_keys
