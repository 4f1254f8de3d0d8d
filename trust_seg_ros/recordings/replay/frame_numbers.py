"""Numbers of a frame: its row of the frame table, and sums over its segments by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from trust_seg_ros.recordings.replay.records import (
    FRAME_COLUMNS,
    TEXT_COLUMNS,
    TRUE_FALSE_COLUMNS,
    WHOLE_COLUMNS,
    ClassSums,
)
from trust_seg_ros.thresholds.frame_statistics import STATISTICS, frame_mean
from trust_seg_ros.types import SegmentTable, TrustFrame

ENTROPY = "E"
"""Name of the segment metric that holds the mean entropy."""
_NONE = math.nan


def frame_numbers(result: TrustFrame, pixel_score: np.ndarray | None) -> dict[str, float | int | bool | str]:
    """The columns of ``FRAME_COLUMNS`` that are computed from a frame's result.

    Sums over segments replace passes over the maps: every pixel with a class lies in exactly one segment, and a pixel
    without a class has entropy 1.

    Args:
        result: result of the pipeline; parts that were not computed give 0 segments, and NaN for what is said of them.
        pixel_score: float32 map, on the grid, that the pixel threshold acts on; None = unknown. Its mean is over the
            finite scores.

    Returns:
        Column -> number; shares in 0..1, NaN if the frame does not have it.
    """
    judged = result.on_grid
    pixels = max(1, math.prod(judged.size))
    flags, table, trust, ood = judged.pixel_flags, judged.segments, judged.trust, judged.ood
    limits, shift = result.thresholds, result.shift
    unreliable = _NONE if table is None or trust is None else int(table.sizes[trust.unreliable].sum())
    return {
        "faulty_pixels": int(judged.maps.faulty_pixels),
        "entropy_mean": _entropy_mean(result, pixels),
        "score_mean": _NONE if pixel_score is None else frame_mean(pixel_score),
        "flagged_pixels": _NONE if flags is None else np.count_nonzero(flags) / pixels,
        "segments": 0 if table is None else len(table),
        "unreliable_segments": _count(None if trust is None else trust.unreliable),
        "unreliable_pixels": unreliable / pixels,
        "segments_outside": _count(None if trust is None else trust.outside),
        "ood_segments": _count(None if ood is None else ood.kept),
        "ood_pixels": _NONE if ood is None else int(ood.sizes[ood.kept].sum()) / pixels,
        "ood_segments_judged": _count(None if ood is None else ood.judged),
        "ood_segments_outside": _count(None if ood is None else ood.outside),
        **{f"threshold_{name}": float(limits.get(name, _NONE)) for name in ("pixel", "unreliable", "ood", "ood_meta")},
        **{f"watched_{name}": float(result.watched.get(name, _NONE)) for name in STATISTICS},
        "shift_statistic": _NONE if shift is None else float(shift.difference),
        "shift_of": "" if shift is None else shift.statistic,
        "shift_p_value": _NONE if shift is None or not shift.known else float(shift.p_value),
        "shift_fired": shift is not None and bool(shift.fired),
        "network_ms": float(result.timings_ms.get("network", _NONE)),
    }


def _count(chosen: np.ndarray | None) -> float:
    """Number of the chosen; NaN where nothing was judged, which is not the same as none."""
    return _NONE if chosen is None else int(np.count_nonzero(chosen))


def frame_table(frames: Iterable[Mapping[str, object]]) -> dict[str, np.ndarray]:
    """Rows of the frame table as columns.

    Args:
        frames: rows; missing values become "" (text), false, 0 (whole numbers) or NaN.

    Returns:
        Every column of ``FRAME_COLUMNS`` -> (n,) array of object, bool, int64 or float64.
    """
    rows = list(frames)
    return {name: _column([row.get(name) for row in rows], name) for name in FRAME_COLUMNS}


def class_sums(result: TrustFrame, q: int) -> ClassSums:
    """Sums over the segments of a frame by predicted class, of ``q`` classes; all 0 without segments."""
    table, trust = result.on_grid.segments, result.trust
    if table is None or not len(table):
        return no_class_sums(q)
    classes = table.class_ids

    def total(weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(classes, weights, minlength=q).astype(np.float64)

    count, none = total(), np.zeros(q)
    return ClassSums(
        pixels=total(table.sizes),
        entropy=total(_entropies(table)),
        segments=count,
        unreliable=none if trust is None else total(trust.unreliable),
        unreliable_pixels=none if trust is None else total(table.sizes * trust.unreliable),
        p_wrong=none if trust is None else total(table.sizes * trust.p_wrong),
        iou=none if trust is None else total(table.sizes * trust.iou),
        judged=none if trust is None else count,
        judged_pixels=none if trust is None else total(table.sizes),
    )


def no_class_sums(q: int) -> ClassSums:
    """The sums over no segments: all 0."""
    return ClassSums(*(np.zeros(q) for _ in ClassSums.__dataclass_fields__))


def add_class_sums(a: ClassSums, b: ClassSums) -> ClassSums:
    """The sum of two sums."""
    return ClassSums(**{name: value + getattr(b, name) for name, value in vars(a).items()})


def _entropy_mean(result: TrustFrame, pixels: int) -> float:
    table = result.on_grid.segments
    if table is None or ENTROPY not in table.names:
        return frame_mean(result.on_grid.maps.entropy.numpy(force=True))
    return (float(_entropies(table).sum()) + pixels - int(table.sizes.sum())) / pixels


def _entropies(table: SegmentTable) -> np.ndarray:
    """(n,) sum of the entropy over each segment."""
    return table.column(ENTROPY) * table.sizes


def _column(values: list[object], name: str) -> np.ndarray:
    if name in TEXT_COLUMNS:
        return np.array(["" if value is None else value for value in values], object)
    if name in TRUE_FALSE_COLUMNS:
        return np.array([bool(value) for value in values], bool)
    if name in WHOLE_COLUMNS:
        return np.array([0 if value is None else value for value in values], np.int64)
    return np.array([math.nan if value is None else value for value in values], np.float64)
