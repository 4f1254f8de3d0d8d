"""Pixels that the predicted segments and the true objects of one frame share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.evaluation.errors import EvaluationError


@dataclass(frozen=True, eq=False)
class FrameOverlap:
    """What n segments and m objects of a frame share.

    Attributes:
        sizes: (n,) int64 pixels of every segment.
        numbers: (m,) int64 numbers of the objects seen, ascending.
        object_sizes: (m,) int64 their visible pixels.
        segments, objects: (k,) int64 positions of the pairs that share pixels, by object and segment.
        pixels: (k,) int64 how many.
        centres: (n, 2) float64 mean column and row of every segment; NaN where it has no pixel.
        object_centres: (m, 2) float64 of every object.
    """

    sizes: np.ndarray
    numbers: np.ndarray
    object_sizes: np.ndarray
    segments: np.ndarray
    objects: np.ndarray
    pixels: np.ndarray
    centres: np.ndarray
    object_centres: np.ndarray

    def __repr__(self) -> str:
        return f"FrameOverlap({len(self.sizes)} segments, {len(self.numbers)} objects, {len(self.pixels)} pairs)"

    @property
    def iou(self) -> np.ndarray:
        """(k,) float64 intersection over union of every pair."""
        union = self.sizes[self.segments] + self.object_sizes[self.objects] - self.pixels
        found: np.ndarray = self.pixels / union
        return found

    def among(self, allowed: np.ndarray) -> FrameOverlap:
        """Only the pairs where ``allowed`` (k,) is true; segments and objects stay."""
        pairs = {name: getattr(self, name)[allowed] for name in ("segments", "objects", "pixels")}
        return replace(self, **pairs)


def frame_overlap(ids: np.ndarray, count: int, objects: np.ndarray) -> FrameOverlap:
    """The overlap of a map of segments and a map of objects.

    Args:
        ids: (H, W) integers, 0 = no segment, else 1..count.
        count: number of segments.
        objects: (H, W) integers >= 0, 0 = no object, else its number; numbers are best small (they index a table).

    Raises:
        EvaluationError: maps of two shapes, or values out of range.
    """
    if ids.shape != objects.shape or ids.ndim != 2:
        raise EvaluationError(f"segments {ids.shape} and objects {objects.shape}: expected two maps of one shape")
    highest = int(objects.max(initial=0))
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) > count or int(objects.min()) < 0):
        raise EvaluationError(f"segments of 0 to {int(ids.max())}, {count} expected; objects must be 0 or more")
    wide = highest + 1
    table = np.bincount(
        ids.ravel().astype(np.int64) * wide + objects.ravel().astype(np.int64), minlength=(count + 1) * wide
    ).reshape(count + 1, wide)
    seen = np.flatnonzero(table.sum(0)[1:]) + 1
    by_object, by_segment = np.nonzero(table[1:, seen].T)
    return FrameOverlap(
        table.sum(1)[1:],
        seen.astype(np.int64),
        table.sum(0)[seen],
        by_segment,
        by_object,
        table[1:, seen].T[by_object, by_segment],
        _centres(ids, count)[1:],
        _centres(objects, highest)[seen],
    )


def _centres(numbers: np.ndarray, highest: int) -> np.ndarray:
    """(highest + 1, 2) float64 mean column and row of every number; NaN without pixels."""
    flat = numbers.ravel()
    pixels = np.bincount(flat, minlength=highest + 1)
    columns = np.tile(np.arange(numbers.shape[1], dtype=np.float64), numbers.shape[0])
    rows = np.repeat(np.arange(numbers.shape[0], dtype=np.float64), numbers.shape[1])
    with np.errstate(invalid="ignore"):
        return np.stack([np.bincount(flat, part, minlength=highest + 1) / pixels for part in (columns, rows)], 1)
