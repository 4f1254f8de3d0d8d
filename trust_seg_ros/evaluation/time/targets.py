"""Ground truth of the segments as they are made live: void pixels and unknown objects are part of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trust_seg_ros.segments.matching import targets
from trust_seg_ros.types import UNLABELLED, SegmentTable


def live_targets(table: SegmentTable, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU and adjusted IoU of every segment, (n,) float64 each; NaN where all its pixels are void.

    Fitting removes void pixels before segments are made; live they are made with them. Here void pixels are left out of
    sizes and overlaps, and the parts of a segment that void cuts apart stay one segment. A class that the network does
    not know, such as that of unknown objects, makes a segment wrong there.

    Args:
        table: segments of a frame.
        truth: (H, W) uint8 on the same grid, 255 = void.
    """
    void = truth == UNLABELLED
    ids = np.where(void, np.int32(0), table.ids)
    sizes = np.bincount(ids.ravel(), minlength=len(table) + 1)[1:].astype(np.int64)
    seen = sizes > 0
    place = np.zeros(len(table) + 1, np.int32)
    place[1:][seen] = np.arange(1, int(seen.sum()) + 1)
    kept = replace(
        table,
        ids=place[ids],
        class_ids=table.class_ids[seen],
        boxes=table.boxes[seen],
        sizes=sizes[seen],
        interior_sizes=table.interior_sizes[seen],
        metrics=table.metrics[seen],
    )
    iou, adjusted = np.full(len(table), np.nan), np.full(len(table), np.nan)
    found = targets(kept, truth)
    iou[seen], adjusted[seen] = found.iou, found.iou_adj
    return iou, adjusted
