"""Segments, and how far to trust each.

These types hold arrays, so each is equal to itself only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class SegmentTable:
    """The segments (8-connected components of equal predicted class) of one image, on the host.

    Attributes:
        ids: (H, W) int32; 0 = no segment (unlabelled), else 1..n numbered in raster order of the first pixel.
        class_ids: (n,) uint8 predicted class.
        boxes: (n, 4) int32 left, top, right, bottom in pixels of ``ids``, right and bottom exclusive.
        sizes: (n,) int64 number of pixels S, of the grid that it was judged on.
        interior_sizes: (n,) int64 number of interior pixels S_in.
        names: names of the metrics, the columns of ``metrics``.
        metrics: (n, len(names)) float64.
    """

    ids: np.ndarray
    class_ids: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    interior_sizes: np.ndarray
    names: tuple[str, ...]
    metrics: np.ndarray

    def __len__(self) -> int:
        return len(self.class_ids)

    def __repr__(self) -> str:
        return f"SegmentTable({len(self)} segments, {len(self.names)} metrics)"

    def column(self, name: str) -> np.ndarray:
        """One metric of every segment, (n,) float64; ``KeyError`` lists the known metrics."""
        try:
            return self.metrics[:, self.names.index(name)]
        except ValueError:
            raise KeyError(f"no segment metric {name!r}; there are: {', '.join(self.names)}") from None


@dataclass(frozen=True, eq=False)
class SegmentTrust:
    """Predictions of the meta models for each segment.

    Attributes:
        p_wrong: (n,) float64 in [0, 1], P(false positive), i.e. P(IoU_adj = 0).
        iou: (n,) float64 in [0, 1], predicted IoU_adj.
        unreliable: (n,) bool, p_wrong at or above the current threshold, and the segment large enough to be flagged.
        outside: (n,) bool, the metrics lie outside the range that the meta models were fitted on, and the predictions
            are drawn towards the base rates; None = not known.
        p_wrong_alone: (n,) P(false positive) by this frame alone, where ``p_wrong`` is that of the track over time
            (calm flags); None = ``p_wrong`` is that.
    """

    p_wrong: np.ndarray
    iou: np.ndarray
    unreliable: np.ndarray
    outside: np.ndarray | None = None
    p_wrong_alone: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"SegmentTrust({len(self.p_wrong)} segments, {int(self.unreliable.sum())} unreliable)"


@dataclass(frozen=True, eq=False)
class OodSegments:
    """Out-of-distribution segments: 8-connected components of {score >= threshold}; may span classes.

    Attributes:
        ids: (H, W) int32; 0 = none, 1..m in raster order of the first pixel.
        boxes: (m, 4) int32 left, top, right, bottom (exclusive), in pixels of ``ids``.
        sizes: (m,) int64 pixels of the grid that it was found on.
        score: (m,) float64 mean score over the segment, in the unit of the score; +inf if the segment holds faulty
            pixels and the score is not bounded.
        kept: (m,) bool, False where the segment was discarded (too small, or a false alarm) or waits.
        p_ood: (m,) float64 in [0, 1], P(OoD), i.e. P(some pixel of it is truly out of distribution); NaN where the
            segment was too small to be judged. None without an OoD meta model of the current score.
        class_ids: (m,) uint8, class of the highest mean probability over the segment; ``UNLABELLED`` where it was too
            small to be measured. None when nothing was measured.
        p_class: (m,) float64 in [0, 1], that mean probability; NaN where it was too small.
        outside: (m,) bool, the metrics lie outside the range that the meta model was fitted on: kept, whatever its
            P(OoD). None without an OoD meta model of the current score.
        waiting: (m,) bool, would be kept, but was not seen for long enough yet (calm flags); None = nothing waits.
        p_ood_alone: (m,) P(OoD) by this frame alone, where ``p_ood`` is that of the track over time; None = ``p_ood``
            is that.
    """

    ids: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    score: np.ndarray
    kept: np.ndarray
    p_ood: np.ndarray | None = None
    class_ids: np.ndarray | None = None
    p_class: np.ndarray | None = None
    outside: np.ndarray | None = None
    waiting: np.ndarray | None = None
    p_ood_alone: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"OodSegments({len(self.kept)} segments, {int(self.kept.sum())} kept)"

    @property
    def judged(self) -> np.ndarray:
        """(m,) bool, segments that a meta model judged."""
        if self.p_ood is None:
            return np.zeros(len(self.kept), bool)
        found: np.ndarray = np.isfinite(self.p_ood)
        return found

    @property
    def false_alarm(self) -> np.ndarray:
        """(m,) bool, segments that are large enough, but were discarded by the meta model."""
        if self.p_ood is None:
            return np.zeros(len(self.kept), bool)
        discarded: np.ndarray = ~self.kept & np.isfinite(self.p_ood) & ~self._waiting
        return discarded

    @property
    def too_small(self) -> np.ndarray:
        """(m,) bool, segments that were discarded for their size."""
        small: np.ndarray = ~self.kept & ~self.false_alarm & ~self._waiting
        return small

    @property
    def _waiting(self) -> np.ndarray:
        return np.zeros(len(self.kept), bool) if self.waiting is None else self.waiting
