"""Ground truth for segments: IoU and adjusted IoU (Rottmann et al., MetaSeg, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trust_seg_ros.segments.errors import MapShapeError, TargetError
from trust_seg_ros.segments.labelling import Components, check_classes, find_components
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import UNLABELLED, SegmentTable

Variant = Literal["component", "released"]


@dataclass(frozen=True)
class SegmentTargets:
    """What ground truth says of each segment.

    Attributes:
        iou: (n,) float64 in [0, 1].
        iou_adj: (n,) float64 in [0, 1]; 0 together with ``iou`` and 1 together with it, and never below it in the
            variant ``component``.
    """

    iou: np.ndarray
    iou_adj: np.ndarray

    @property
    def false_positive(self) -> np.ndarray:
        """(n,) bool, IoU_adj = 0: no pixel of the segment has the class it claims."""
        wrong: np.ndarray = self.iou_adj == 0
        return wrong


def apply_ignore(classes: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """The class map without the pixels that ground truth ignores; to be done before components are taken.

    Args:
        classes: (H, W) uint8 predicted classes.
        ground_truth: (H, W) uint8, 255 = ignore.

    Returns:
        A new (H, W) uint8 map, 255 wherever ``ground_truth`` is 255.

    Raises:
        MapShapeError: not two uint8 maps of one shape.
    """
    classes, ground_truth = check_classes(classes), _check_truth(ground_truth, classes.shape)
    return np.where(ground_truth == UNLABELLED, np.uint8(UNLABELLED), classes)


def targets(table: SegmentTable, ground_truth: np.ndarray, variant: Variant = "component") -> SegmentTargets:
    """IoU and IoU_adj of every segment.

    With K' the union of the ground-truth components of k's class that meet k, IoU = |k ∩ K'| / |k ∪ K'|. The adjusted
    IoU does not count against k what other segments of its class cover:
    IoU_adj = |k ∩ K'| / (|k| + #{z in K' predicted as another class}).

    Args:
        table: segments of a class map from which ignored pixels were removed (:func:`apply_ignore`).
        ground_truth: (H, W) uint8 classes, 255 = ignore.
        variant: ``component``, as above and in the paper; or ``released``, as in the authors' code, which in IoU_adj
            puts in place of K' the 8-connected pieces of {ground truth = c, prediction ≠ c} that touch k.

    Raises:
        TargetError: unknown variant, or a segment reaches into ignored pixels.
        MapShapeError: ground truth is not a uint8 map of the same shape.
    """
    if variant not in ("component", "released"):
        raise TargetError(f"no variant {variant!r} of the adjusted IoU; choose 'component' or 'released'")
    truth = _check_truth(ground_truth, table.ids.shape)
    actual = find_components(truth)
    shared, missed = np.zeros(len(table), np.int64), np.zeros(len(actual), np.int64)
    pairs = np.empty((truth.size, 2), np.int32)  # pages never written to cost nothing
    class_ids = np.require(table.class_ids, np.uint8, ["C", "W"])
    ids = np.require(table.ids, np.int32, ["C", "W"])
    count, ignored = _overlap(ids, class_ids, truth, actual.ids, shared, missed, pairs)
    if ignored:
        raise TargetError(
            f"{ignored} pixels of segments lie where ground truth is 255 (ignore); remove them before components are "
            "taken: segment_table(..., ground_truth=...) or apply_ignore(classes, ground_truth)"
        )
    met = _unique_pairs(pairs[:count])
    union = table.sizes + _sum_over(met, actual.sizes, len(table)) - shared
    beyond = _sum_over(met, missed, len(table)) if variant == "component" else _missed_beside(ids, class_ids, truth)
    return SegmentTargets(shared / union, shared / (table.sizes + beyond))


def _check_truth(ground_truth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    truth = check_classes(ground_truth, "ground truth")
    if truth.shape != shape:
        raise MapShapeError(f"ground truth has shape {truth.shape}; expected {shape}, the shape of the class map")
    return truth


def _unique_pairs(pairs: np.ndarray) -> np.ndarray:
    """Distinct (segment, ground-truth component) pairs of numbers, (P, 2) int64 counted from 0."""
    keys = np.unique(pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1].astype(np.int64))
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1) - 1


def _sum_over(pairs: np.ndarray, sizes: np.ndarray, n: int) -> np.ndarray:
    """Per segment, the sum of ``sizes`` over its partners; exact, float64 holds integers up to 2**53."""
    return np.bincount(pairs[:, 0], weights=sizes[pairs[:, 1]].astype(np.float64), minlength=n)


def _missed_beside(ids: np.ndarray, class_ids: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Per segment, pixels of the missed pieces of its class that touch it (the ``released`` variant)."""
    predicted = np.append(class_ids, np.uint8(UNLABELLED))[ids - 1]  # id 0 looks at the end
    pieces: Components = find_components(np.where(predicted == truth, np.uint8(UNLABELLED), truth))
    room = truth.size  # mostly enough; pages that are never written to cost nothing
    while True:
        pairs = np.empty((room, 2), np.int32)
        count = _touching(ids, class_ids, truth, pieces.ids, pairs)
        if count <= room:
            return _sum_over(_unique_pairs(pairs[:count]), pieces.sizes, len(class_ids))
        room = count


@jit
def _overlap(
    ids: np.ndarray,
    class_ids: np.ndarray,
    truth: np.ndarray,
    actual: np.ndarray,
    shared: np.ndarray,
    missed: np.ndarray,
    pairs: np.ndarray,
) -> tuple[int, int]:
    """Count, per segment, pixels of the right class; per ground-truth component, pixels predicted otherwise.

    Returns the number of ``pairs`` written (segment, component; with repetitions) and of segment pixels without truth.
    """
    count, ignored = 0, 0
    for y in range(ids.shape[0]):
        last_k, last_g = 0, 0
        for x in range(ids.shape[1]):
            k, g = ids[y, x], actual[y, x]
            if g == 0:
                ignored += k != 0
            elif k != 0 and class_ids[k - 1] == truth[y, x]:
                shared[k - 1] += 1
                if k != last_k or g != last_g:
                    pairs[count, 0], pairs[count, 1] = k, g
                    count += 1
                    last_k, last_g = k, g
            else:
                missed[g - 1] += 1
    return count, ignored


@jit
def _touching(ids: np.ndarray, class_ids: np.ndarray, truth: np.ndarray, pieces: np.ndarray, pairs: np.ndarray) -> int:
    """Pairs (segment, missed piece of its class beside it), with repetitions; counts on when ``pairs`` is full."""
    height, width = ids.shape
    count = 0
    for y in range(height):
        for x in range(width):
            if pieces[y, x] == 0:
                continue
            last = 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    k = ids[v, u]
                    if k != 0 and k != last and class_ids[k - 1] == truth[y, x]:
                        if count < len(pairs):
                            pairs[count, 0], pairs[count, 1] = k, pieces[y, x]
                        count += 1
                        last = k
    return count
