"""Figures that show whether promises are kept under shift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from trust_seg_ros.evaluation.meta.study import Spread
from trust_seg_ros.evaluation.report.drawing import BLACK, colours, figure
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.outcomes import Outcome
from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy
from trust_seg_ros.evaluation.trust.study import Judged, Study
from trust_seg_ros.thresholds.policies import Calibrated, Quantile

_SHOWN = 4


def promises(s: Study, arrangement: Arrangement, path: Path) -> bool:
    """Share of misclassified pixels missed per image, by policy: against severity, or one row per condition."""
    shown = [policy for policy in _chosen(s) if not np.isnan(_missed(s.clean, arrangement, s, policy).mean)]
    if not shown or not s.shifted:
        return False
    by_kind = _kinds(s.shifted)
    if any(len(found) > 1 for found in by_kind.values()):
        return _against_severity(s, arrangement, shown, by_kind, path)
    return _rows(s, arrangement, shown, path)


def _chosen(s: Study) -> list[NamedPolicy]:
    """Calibrated policies first, then per-image policies."""
    own = [policy for policy in s.policies if policy.fits(s.best_score)]
    calibrated = [policy for policy in own if policy.calibrated]
    return [*calibrated, *(p for p in own if isinstance(p.policy, Quantile)), *own][:_SHOWN]


def _missed(judged: Judged, arrangement: Arrangement, s: Study, policy: NamedPolicy) -> Spread:
    found: Outcome = judged.outcome(arrangement.name, s.best_score, policy.name)
    return Spread.of(found.missed)


def _kinds(shifted: Sequence[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for judged in shifted:
        if judged.kind:
            found.setdefault(judged.kind, []).append(judged)
    return {kind: sorted(rows, key=lambda judged: judged.severity) for kind, rows in found.items()}


def _against_severity(
    s: Study,
    arrangement: Arrangement,
    shown: Sequence[NamedPolicy],
    by_kind: dict[str, list[Judged]],
    path: Path,
) -> bool:
    with figure(str(path), 5.2 * -(-len(shown) // 2) + 0.8, 14) as drawn:
        grid = drawn.subplots(-(-len(shown) // 2), min(2, len(shown)), sharex=True, squeeze=False)
        for axes, policy in zip(grid.ravel(), shown, strict=False):
            for colour, (kind, rows) in zip(colours(len(by_kind)), by_kind.items(), strict=True):
                values = [_missed(judged, arrangement, s, policy) for judged in (s.clean, *rows)]
                x = [0, *(judged.severity for judged in rows)]
                axes.plot(x, [v.mean for v in values], "o-", color=colour, label=kind)
            _limit(axes.axhline, policy)
            axes.set_title(policy.name)
            axes.set_ylim(bottom=0)
            axes.set_xticks(range(6), ["clean", *"12345"])
        for axes in grid.ravel()[len(shown) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel("severity")
        for axes in grid[:, 0]:
            axes.set_ylabel("missed per image")
        handles = grid[0, 0].get_legend_handles_labels()
        drawn.legend(*handles, loc="outside lower center", ncols=4)
        drawn.suptitle(f"Misclassified pixels missed under shift, {s.best_score} (dashed: what was promised)", x=0.4)
    return True


def _rows(s: Study, arrangement: Arrangement, shown: Sequence[NamedPolicy], path: Path) -> bool:
    conditions = (s.clean, *s.shifted)
    y = np.arange(len(conditions))[::-1]
    with figure(str(path), 2.6 + 0.6 * len(conditions)) as drawn:
        axes: Axes = drawn.subplots()
        for k, (policy, colour) in enumerate(zip(shown, colours(len(shown)), strict=True)):
            values = [_missed(judged, arrangement, s, policy) for judged in conditions]
            mean, std = [v.mean for v in values], [np.nan_to_num(v.std) for v in values]
            axes.errorbar(mean, y + 0.12 * (k - 1), xerr=std, fmt="o", color=colour, capsize=3, label=policy.name)
            _limit(axes.axvline, policy, colour)
        axes.set_yticks(y, [judged.name for judged in conditions])
        axes.set(xlabel="missed per image", title=f"Misclassified pixels missed, {s.best_score} (dashed: promised)")
        axes.set_xlim(left=0)
        drawn.legend(loc="outside lower right", ncols=2)
    return True


def _limit(draw: Callable[..., Line2D], policy: NamedPolicy, colour: str = BLACK) -> None:
    if isinstance(policy.policy, Calibrated) and policy.policy.needs == "risk":
        draw(policy.policy.promise, color=colour, ls="--", lw=1.4)
