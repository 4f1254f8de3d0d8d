"""``~/summary``: the numbers of a frame, for logs and dashboards; a diagnostic array of one status."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.thresholds.frame_statistics import IMAGE_STATISTICS, image_statistics, sampled_map_mean
from trust_seg_ros.types import UNLABELLED, OodSegments, SegmentTable, SegmentTrust, ShiftState, TrustFrame, Wanted

SUMMARY = "summary"
"""Name of the topic, relative to the node, and of its status."""

SUMMARY_TYPE = "diagnostic_msgs/msg/DiagnosticArray"

NEEDS = Wanted(segments=True, ood=True, pixel_flags=True)
"""What a frame must hold for all numbers to be known."""

UNKNOWN = "nan"
"""Value of a number that is not known: a float in every language."""

_THRESHOLDS = ("pixel", "unreliable", "ood", "ood_meta")
_STEPS = ("network",)

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Circumstances:
    """What a summary tells beside the result.

    Attributes:
        processing_ms: from taking the frame to its last message; NaN = not known.
        age_ms: from the frame's stamp to its last message; NaN = not known.
        trust_state: NOMINAL, DEGRADED or UNTRUSTED, when the frame was done; "" = there is no such state (a replay).
        reasons: keys of why it is not NOMINAL.
    """

    processing_ms: float = math.nan
    age_ms: float = math.nan
    trust_state: str = ""
    reasons: tuple[str, ...] = ()


def summary_fields(result: TrustFrame, around: Circumstances | None = None) -> Pairs:
    """The keys and values of the status, always the same keys in the same order.

    Values are text: numbers with a point, in at most 6 digits; ``nan`` where one is not known (a part that the frame
    does not hold, a threshold of each class). Shares and sizes are parts of the image, 0 to 1.

    Args:
        result: what became of the frame; with the parts of ``NEEDS``, everything is known.
        around: times and the trust state; None = a result of a recording.
    """
    around, grid = around or Circumstances(), result.on_grid
    height, width = result.size
    numbers: dict[str, float] = {
        "width": width,
        "height": height,
        "entropy_mean": sampled_map_mean(grid.maps, "entropy"),
        "margin_mean": sampled_map_mean(grid.maps, "margin"),
        "unlabelled_share": _share(grid.maps.classes.numpy(force=True) == UNLABELLED),
        "faulty_share": grid.maps.faulty_pixels / max(1, grid.maps.pixels),
        "flagged_share": math.nan if grid.pixel_flags is None else _share(grid.pixel_flags),
        **_segments(grid.segments, grid.trust),
        **_ood(grid.ood),
        **{f"threshold_{name}": result.thresholds.get(name, math.nan) for name in _THRESHOLDS},
        **_shift(result.shift),
        **_image(result),
        **{f"{step}_ms": result.timings_ms.get(step, math.nan) for step in _STEPS},
        "processing_ms": around.processing_ms,
        "age_ms": around.age_ms,
    }
    words = {
        "shift_statistic": "" if result.shift is None else result.shift.statistic,
        "trust_state": around.trust_state,
        "reasons": " ".join(around.reasons),
    }
    return tuple((name, number_text(value)) for name, value in numbers.items()) + tuple(words.items())


def number_text(value: float) -> str:
    """A number with a point and at most 6 digits; ``nan``, ``inf``, ``-inf`` as every language reads them."""
    return f"{value:.6g}"


def summary_message(result: TrustFrame, around: Circumstances | None = None) -> tuple[int, str]:
    """Level (0 to 2) and text of the status: those of the trust state."""
    around = around or Circumstances()
    level = {"DEGRADED": 1, "UNTRUSTED": 2}.get(around.trust_state, 0)
    found = f"{result.size[1]}×{result.size[0]}{result.on_grid.counts}"
    return level, f"{around.trust_state}: {found}" if around.trust_state else found


def _share(flags: np.ndarray) -> float:
    return float(np.count_nonzero(flags)) / max(1, flags.size)


def _segments(table: SegmentTable | None, trust: SegmentTrust | None) -> Mapping[str, float]:
    """How many, how many unreliable, and the one that is most likely wrong."""
    names = ("segments", "unreliable_segments", "unreliable_share", "p_wrong_max", "p_wrong_max_size")
    found = dict.fromkeys(names, math.nan)
    if table is None:
        return found
    found["segments"] = len(table)
    if trust is None:
        return found
    whole = max(1, table.ids.size)
    found["unreliable_segments"] = int(np.count_nonzero(trust.unreliable))
    found["unreliable_share"] = float(table.sizes[trust.unreliable].sum()) / whole
    found["p_wrong_max"], found["p_wrong_max_size"] = _largest(trust.p_wrong, table.sizes, whole)
    return found


def _ood(ood: OodSegments | None) -> Mapping[str, float]:
    """How many are kept, and the one that is most likely out of distribution."""
    found = dict.fromkeys(("ood_segments", "ood_share", "p_ood_max", "p_ood_max_size"), math.nan)
    if ood is None:
        return found
    whole = max(1, ood.ids.size)
    found["ood_segments"] = int(np.count_nonzero(ood.kept))
    found["ood_share"] = float(ood.sizes[ood.kept].sum()) / whole
    if ood.p_ood is not None:
        found["p_ood_max"], found["p_ood_max_size"] = _largest(ood.p_ood[ood.kept], ood.sizes[ood.kept], whole)
    return found


def _largest(p: np.ndarray, sizes: np.ndarray, whole: int) -> tuple[float, float]:
    """The largest probability, and the size of the largest segment that has it as a part of the image."""
    known = np.isfinite(p)
    if not known.any():
        return math.nan, math.nan
    most = float(p[known].max())
    return most, float(sizes[known & (p == most)].max()) / whole


def _shift(state: ShiftState | None) -> Mapping[str, float]:
    if state is None:
        return dict.fromkeys(("shift_fired", "shift_p_value", "shift_difference"), math.nan)
    return {"shift_fired": state.fired, "shift_p_value": state.p_value, "shift_difference": state.difference}


def _image(result: TrustFrame) -> Mapping[str, float]:
    """Numbers of the image itself: as the shift monitor has measured them, else measured here."""
    missing: Iterable[str] = [name for name in IMAGE_STATISTICS if name not in result.watched]
    measured = image_statistics(result.frame.image, missing) if missing else {}
    return {name: result.watched.get(name, measured.get(name, math.nan)) for name in IMAGE_STATISTICS}
