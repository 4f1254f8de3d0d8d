"""Which segment is which object, frame by frame: three rules, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.tracking.overlaps import FrameOverlap

LEAST_COVER = 0.5
"""Least share of an object's visible pixels that its segment covers, by the rule ``cover``."""
LEAST_IOU = 0.5
"""Least intersection over union of a match by the rule ``iou``."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Matches of one frame.

    Attributes:
        segment: (m,) int64 position of the segment of every object, -1 = none.
        false: (n,) bool, segments that are no object.
    """

    segment: np.ndarray
    false: np.ndarray

    def __repr__(self) -> str:
        return (
            f"Matches({int((self.segment >= 0).sum())} of {len(self.segment)} objects, {int(self.false.sum())} false)"
        )


def _cover(overlap: FrameOverlap) -> Matches:
    """Each object is the segment that covers most of it, at least half; objects that touch may share one.

    A segment is false if less than half of it lies on objects.
    """
    share = overlap.pixels / overlap.object_sizes[overlap.objects]
    return Matches(_best(overlap, share, LEAST_COVER), 2 * _on_objects(overlap) < overlap.sizes)


def _best_iou(overlap: FrameOverlap) -> Matches:
    """Each object is the segment of the highest IoU, however low, as Maag et al. 2022 count; the others are false."""
    segment = _best(overlap, overlap.iou, 0.0)
    return Matches(segment, _unmatched(overlap, segment))


def _one_to_one(overlap: FrameOverlap) -> Matches:
    """Pairs of an IoU of at least a half, one to one, of the largest sum; the others are false (CLEAR MOT)."""
    iou = np.zeros((len(overlap.numbers), len(overlap.sizes)))
    iou[overlap.objects, overlap.segments] = np.where(overlap.iou >= LEAST_IOU, overlap.iou, 0.0)
    segment = np.full(len(overlap.numbers), -1, np.int64)
    objects, segments = linear_sum_assignment(iou, maximize=True)
    found = iou[objects, segments] > 0
    segment[objects[found]] = segments[found]
    return Matches(segment, _unmatched(overlap, segment))


RULES: dict[str, Callable[[FrameOverlap], Matches]] = {"cover": _cover, "iou": _one_to_one, "best": _best_iou}
"""Name -> rule.

``cover`` suits segments of classes: of two cars that overlap in the picture the network makes one segment, and both are
found in it. ``iou`` is that of Bernardin and Stiefelhagen (Evaluating multiple object tracking performance: the CLEAR
MOT metrics, 2008) with masks in place of boxes. ``best`` is that of Maag et al. (Two video data sets for tracking and
retrieval of out-of-distribution objects, ACCV 2022) in the code they published.
"""


def match(overlap: FrameOverlap, rule: str) -> Matches:
    """The matches of a frame by one of ``RULES``; of equal ones the first segment is taken.

    Raises:
        EvaluationError: there is no such rule.
    """
    if rule not in RULES:
        raise EvaluationError(f"no rule {rule!r} to match segments and objects; there are: {', '.join(RULES)}")
    return RULES[rule](overlap)


def _best(overlap: FrameOverlap, value: np.ndarray, least: float) -> np.ndarray:
    """(m,) segment of the largest value of every object, -1 where it is below ``least``."""
    segment = np.full(len(overlap.numbers), -1, np.int64)
    order = np.lexsort((overlap.segments, -value, overlap.objects))
    objects, first = np.unique(overlap.objects[order], return_index=True)
    best = order[first]
    enough = value[best] >= least
    segment[objects[enough]] = overlap.segments[best[enough]]
    return segment


def _on_objects(overlap: FrameOverlap) -> np.ndarray:
    return np.bincount(overlap.segments, overlap.pixels, minlength=len(overlap.sizes))


def _unmatched(overlap: FrameOverlap, segment: np.ndarray) -> np.ndarray:
    false = overlap.sizes > 0
    false[segment[segment >= 0]] = False
    return false
