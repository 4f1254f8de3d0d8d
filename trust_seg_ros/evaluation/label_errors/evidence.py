"""Evidence of one image: its disputed regions, and those of a copy with errors made on purpose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.label_errors.injected import MadeError, make_errors
from trust_seg_ros.evaluation.label_errors.regions import Regions, edges, find_regions
from trust_seg_ros.segments import targets
from trust_seg_ros.types import UNLABELLED, SegmentTable

CELLS = 8
"""Rows and columns of the raster in which classes are counted by place."""
MADE = 6
"""Errors made in the copy of an image."""
FOUND = 0.5
"""Share of a region's pixels that an error must have changed for the region to find it."""
_BEST = 0.6  # IoU with the error, relative to the region of the largest one, of regions to learn from
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts over pixels with a label and a prediction; those of several images are added.

    Attributes:
        pairs: (q, q) int64, rows = label, columns = predicted class.
        log_label: (q,) float64, by label the sum of log p of the labelled class.
        log_right: (q,) float64, the same over pixels predicted right.
        places: (CELLS, CELLS, q) int64, pixels by place and label.
    """

    pairs: np.ndarray
    log_label: np.ndarray
    log_right: np.ndarray
    places: np.ndarray

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.pairs + other.pairs,
            self.log_label + other.log_label,
            self.log_right + other.log_right,
            self.places + other.places,
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """One image.

    Attributes:
        regions: of the labels as they are.
        made: of the copy, those that find an error that was made, see ``FOUND``: of every error the regions that match
            it best.
        counts: of the labels as they are.
        metrics: (n, m) float64 metrics of the predicted segments.
        wrong: (n,) bool, no pixel of the segment has the class it claims.
        judged: (n,) bool, segments with an interior.
        size: (H, W).
    """

    regions: Regions
    made: Regions
    counts: Counts
    metrics: np.ndarray
    wrong: np.ndarray
    judged: np.ndarray
    size: tuple[int, int]


def evidence_of(
    image: np.ndarray,
    truth: np.ndarray,
    classes: np.ndarray,
    prob: np.ndarray,
    table: SegmentTable,
    rng: np.random.Generator,
    min_size: int = 1,
) -> Evidence:
    """The evidence of one image.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8 labels, 255 = no class.
        classes: (H, W) uint8 predicted classes, 255 = none.
        prob: (q, H, W) floating point, softmax of the network.
        table: the predicted segments, without the pixels that ``truth`` ignores.
        rng: source of chance of the errors made in the copy.
        min_size: pixels of the smallest region.
    """
    edge = edges(image)
    regions = find_regions(truth, classes, prob, table.ids, edge, min_size)
    labels, errors = make_errors(truth, MADE, rng)
    copy = find_regions(labels, classes, prob, table.ids, edge, min_size) if errors else regions
    return Evidence(
        regions,
        copy.chosen(finding(copy, errors)),
        _counts(truth, classes, prob),
        table.metrics,
        targets(table, truth).iou_adj == 0,
        table.interior_sizes > 0,
        (truth.shape[0], truth.shape[1]),
    )


def finding(regions: Regions, errors: list[MadeError]) -> np.ndarray:
    """(n,) bool, regions that find an error: at least ``FOUND`` of their pixels, and nearly the best IoU of such."""
    sizes, chosen = np.diff(regions.starts), np.zeros(len(regions), bool)
    owner = np.repeat(np.arange(len(regions)), sizes)
    for error in errors:
        changed = error.changed.ravel()
        inside = np.bincount(owner, weights=changed[regions.pixels], minlength=len(regions))
        iou = np.where(inside >= FOUND * sizes, inside / (sizes + changed.sum() - inside), 0.0)
        chosen |= (iou > 0) & (iou >= _BEST * iou.max(initial=0.0))
    return chosen


def _counts(truth: np.ndarray, classes: np.ndarray, prob: np.ndarray) -> Counts:
    q = len(prob)
    known = (truth != UNLABELLED) & (classes != UNLABELLED)
    labels, said = truth[known].astype(np.int64), classes[known].astype(np.int64)
    rows, columns = np.nonzero(known)
    logs = np.log(np.maximum(prob.reshape(q, -1)[labels, rows * truth.shape[1] + columns].astype(float), _LEAST))
    right = labels == said
    cell = rows * CELLS // truth.shape[0] * CELLS + columns * CELLS // truth.shape[1]
    return Counts(
        np.bincount(labels * q + said, minlength=q * q).reshape(q, q),
        np.bincount(labels, weights=logs, minlength=q),
        np.bincount(labels[right], weights=logs[right], minlength=q),
        np.bincount(cell * q + labels, minlength=CELLS * CELLS * q).reshape(CELLS, CELLS, q),
    )
