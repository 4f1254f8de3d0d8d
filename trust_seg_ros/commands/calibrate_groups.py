"""The table of conformal thresholds by class, region and image that ``trust-seg calibrate`` prints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.table import Table

from trust_seg_ros.thresholds.calibration import Calibration
from trust_seg_ros.thresholds.curves import RiskCurve, RiskOutOfReachError, images_needed
from trust_seg_ros.thresholds.group_thresholds import group_names, own_threshold
from trust_seg_ros.thresholds.policies.groupings import ALL, GROUPINGS
from trust_seg_ros.types import Json

_GROUPED = tuple(by for by in GROUPINGS if by != ALL)


def groups_table(calibration: Calibration, score: str, alphas: Sequence[float]) -> Table | None:
    """The threshold of every group for every alpha; None for a score without curves by group.

    Args:
        calibration: what was learned.
        score: name of a pixel score.
        alphas: in (0, 1); the head of a column says how many images each needs.
    """
    found = calibration.scores.get(score)
    if found is None or found.groups is None:
        return None
    table = Table(title=f"Conformal thresholds on {score}, by conformal_by", title_justify="left")
    table.add_column("by")
    table.add_column("group")
    table.add_column("images\nwith errors", justify="right")
    for alpha in alphas:
        table.add_column(f"alpha {alpha:g},\n{images_needed(alpha)} images", justify="right")
    joint = [_number(found.risk, alpha) for alpha in alphas]
    table.add_row(ALL, "all errors", f"{found.risk.images}", *("too few" if t is None else _text(t) for t in joint))
    table.add_section()
    for by in _GROUPED:
        shown = by
        for name, curve in _groups(calibration, score, by):
            cells = [_cell(_number(curve, alpha), common) for alpha, common in zip(alphas, joint, strict=True)]
            table.add_row(shown, name, f"{0 if curve is None else curve.images}", *cells)
            shown = ""
        table.add_section()
    table.caption = "shared: too few images, so the threshold of all errors, without a promise of its own"
    table.caption_justify = "left"
    return table


def group_rows(calibration: Calibration, alphas: Sequence[float]) -> list[Json]:
    """The thresholds of all groups and scores as numbers.

    ``threshold`` is None where everything is flagged, and where there is none at all; ``shared``: it is the one of all
    errors, as the group has fewer images with errors than ``needed``.
    """
    rows = []
    for score, found in calibration.scores.items():
        for by in _GROUPED if found.groups is not None else ():
            for name, curve in _groups(calibration, score, by):
                for alpha in alphas:
                    own = _number(curve, alpha)
                    value = _number(found.risk, alpha) if own is None else own
                    rows.append(
                        {
                            "score": score,
                            "by": by,
                            "group": name,
                            "images": 0 if curve is None else curve.images,
                            "at": alpha,
                            "needed": images_needed(alpha),
                            "threshold": None if value is None or math.isinf(value) else value,
                            "shared": own is None,
                        }
                    )
    return rows


def _groups(calibration: Calibration, score: str, by: str) -> Iterator[tuple[str, RiskCurve | None]]:
    """Name and curve of every group; one without a curve where there are no kinds of images."""
    groups = calibration.scores[score].groups
    if groups is not None:
        names = group_names(by, groups, calibration.class_names)
        yield from zip(names, groups.of(by) or (None,) * len(names), strict=True)


def _number(curve: RiskCurve | None, alpha: float) -> float | None:
    """Its threshold; None with too few images, or where flagging everything is not enough."""
    try:
        value = own_threshold(curve, alpha)
    except RiskOutOfReachError:
        return None
    return None if math.isnan(value) else value


def _cell(own: float | None, common: float | None) -> str:
    return _text(own) if own is not None else "too few" if common is None else f"shared {_text(common)}"


def _text(threshold: float) -> str:
    return "all flagged" if threshold == -math.inf else f"{threshold:.4g}"
