"""The figures: LASSO path (MetaSeg, Fig. 4), predicted against true IoU (Fig. 3), ROC, classes, correlations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import roc_curve

from trust_seg_ros.evaluation.meta.judge import ACC, ALL, AUROC, ENTROPY, FALSE_POSITIVE, IOU_ADJ, JUDGED, R2
from trust_seg_ros.evaluation.meta.judge import Path as LassoPath
from trust_seg_ros.evaluation.meta.measures import correlations
from trust_seg_ros.evaluation.meta.names import symbol
from trust_seg_ros.evaluation.meta.study import Spread, Study, column
from trust_seg_ros.evaluation.report.drawing import BLACK, BLUE, GREY, ORANGE, RED, STRONG, figure, label_ends
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.features import design_matrix

BARS = 30
"""Largest number of bars in the figure of correlations."""


def lasso(s: Study, path: Path) -> bool:
    """Coefficients, ACC and AUROC of the L1-penalised classifier against λ, means over runs; falls to the right.

    Returns:
        False, and no file, if no run has a path.
    """
    paths = [outcome.path for outcome in s.outcomes if outcome.path is not None]
    if not paths:
        return False
    with figure(str(path), 9.6) as drawn:
        top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(1.7, 1))
        _coefficients(top, s, paths)
        for measure, colour, values in (
            (AUROC, BLUE, [p.auroc for p in paths]),
            (ACC, ORANGE, [p.accuracy for p in paths]),
        ):
            mean, std = np.mean(values, 0), np.std(values, 0)
            bottom.fill_between(s.lambdas, mean - std, mean + std, color=colour, alpha=0.25, lw=0)
            bottom.plot(s.lambdas, mean, color=colour, label=f"{measure}, L1-penalised")
            baseline = s.spread(FALSE_POSITIVE, ENTROPY, JUDGED, measure).mean
            bottom.axhline(baseline, color=colour, ls=":", label=f"{measure}, entropy baseline")
        bottom.set(xlabel="penalty λ of the mean log-loss", title=f"Judged part{_over(paths)}")
        bottom.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        for axes in (top, bottom):
            axes.axvline(
                _chosen(s.lambdas, paths), color=GREY, ls="--", lw=1.4, label="λ chosen inside the fitted part"
            )
        bottom.legend(loc="lower right", fontsize=12)
    return True


def scatter(s: Study, path: Path) -> bool:
    """Predicted against true IoU_adj of judged segments, coloured by size; of the first run where runs overlap."""
    shown = s.outcomes if s.arrangement.name == "by_drive" else s.outcomes[:1]
    rows = np.concatenate([outcome.rows for outcome in shown])
    predicted = np.concatenate([outcome.iou_adj for outcome in shown])
    size = column(s.data, "S")[rows]
    order = np.argsort(-size, kind="stable")
    r2 = s.spread(IOU_ADJ, ALL, JUDGED, R2)
    which = "all runs" if len(shown) == len(s.outcomes) else f"{shown[0].name} of {len(s.outcomes)}"
    with figure(str(path), 8.6) as drawn:
        axes = drawn.subplots()
        points = axes.scatter(
            s.data.iou_adj[rows][order],
            np.clip(predicted, 0, 1)[order],
            c=size[order],
            s=6 + 3 * np.sqrt(size[order] / np.pi) ** 0.8,
            norm=LogNorm(),
            cmap="viridis",
            alpha=0.45,
            linewidths=0,
        )
        axes.plot([0, 1], [0, 1], color=BLACK, ls="--", lw=1.4)
        axes.set(
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
            xlabel=r"true $\mathrm{IoU}_\mathrm{adj}$",
            ylabel=r"predicted $\mathrm{IoU}_\mathrm{adj}$, clipped to [0, 1]",
            title=f"Meta regression: R² = {_percent(r2)} ({len(rows):,} judged segments, {which})",
        )
        bar = drawn.colorbar(points, ax=axes, label="pixels of the segment", pad=0.01)
        assert bar.solids is not None  # they exist once the bar is drawn
        bar.solids.set_alpha(1)
    return True


def roc(s: Study, path: Path) -> bool:
    """ROC of the classifier and of the entropy baseline, means over runs; False if none is defined."""
    rates = np.linspace(0, 1, 201)
    with figure(str(path), 8.6) as drawn:
        axes = drawn.subplots()
        for model, scores, colour in ((ALL, "logit", BLUE), (ENTROPY, "entropy_logit", ORANGE)):
            curves = []
            for outcome in s.outcomes:
                wrong = s.data.false_positive[outcome.rows]
                if np.isfinite(outcome.logit).all() and 0 < wrong.sum() < len(wrong):
                    false, true, _ = roc_curve(wrong, getattr(outcome, scores))
                    curves.append(np.interp(rates, false, true))
            if not curves:
                return False
            mean, std = np.mean(curves, 0), np.std(curves, 0)
            area = s.spread(FALSE_POSITIVE, model, JUDGED, AUROC)
            axes.fill_between(rates, mean - std, mean + std, color=colour, alpha=0.25, lw=0)
            axes.plot(rates, mean, color=colour, label=f"{model}: AUROC {_percent(area)}")
        axes.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.4)
        axes.set(
            xlim=(0, 1),
            ylim=(0, 1.005),
            aspect="equal",
            xlabel="share of the true segments that are reported",
            ylabel="share of the false positives that are found",
            title="Is a segment a false positive?",
        )
        axes.legend(loc="lower right")
    return True


def classes(s: Study, path: Path) -> bool:
    """AUROC per predicted class of the classifier and of the entropy baseline, judged parts pooled over runs."""
    groups = [g for g in s.groups(s.data.class_ids, s.data.class_names) if np.isfinite(g.auroc)]
    if not groups:
        return False
    groups.sort(key=lambda g: g.auroc)
    y = np.arange(len(groups))
    with figure(str(path), 2.0 + 0.55 * len(groups)) as drawn:
        axes = drawn.subplots()
        axes.hlines(y, [g.auroc for g in groups], [g.entropy_auroc for g in groups], color="#BBBBBB", lw=4)
        axes.scatter([g.entropy_auroc for g in groups], y, s=110, color=ORANGE, marker="D", label=ENTROPY, zorder=3)
        axes.scatter([g.auroc for g in groups], y, s=140, color=BLUE, label=ALL, zorder=3)
        axes.axvline(0.5, color=GREY, ls="--", lw=1.4)
        axes.set_yticks(y, [f"{g.name}  ({g.segments:,}; {100 * g.wrong:.0f} %)" for g in groups])
        axes.set(xlabel="AUROC", title="Per predicted class (segments; share of false positives)")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.margins(x=0.04)
        drawn.legend(loc="outside lower right", ncols=2)
    return True


def correlation(data: SegmentData, names: Sequence[str], path: Path) -> bool:
    """Pearson's ρ of the metrics with IoU_adj, strongest first; the bars show |ρ|, the colours its sign."""
    rho = correlations(design_matrix(data, names), data.iou_adj)
    order = [k for k in np.argsort(-np.nan_to_num(abs(rho)), kind="stable") if np.isfinite(rho[k])][:BARS]
    if not order:
        return False
    y = np.arange(len(order))[::-1]
    with figure(str(path), 1.8 + 0.34 * len(order)) as drawn:
        axes = drawn.subplots()
        axes.barh(y, abs(rho[order]), color=[BLUE if rho[k] > 0 else RED for k in order], height=0.72)
        for k, at in zip(order, y, strict=True):
            axes.text(abs(rho[k]) + 0.008, at, f"{rho[k]:+.2f}".replace("-", "−"), va="center", fontsize=12)
        axes.set_yticks(y, [symbol(names[k], data.class_names) for k in order])
        first = f"the {len(order)} strongest of {len(names)} metrics" if len(order) < len(names) else "all metrics"
        axes.set(
            xlim=(0, 1.05),
            ylim=(-0.8, len(order) - 0.2),
            xlabel="|ρ|",
            title=rf"Correlation with $\mathrm{{IoU}}_\mathrm{{adj}}$, {first}",
        )
        axes.grid(visible=False, axis="y")
        axes.legend(
            handles=[Patch(color=BLUE, label="grows with the IoU"), Patch(color=RED, label="falls with the IoU")],
            loc="lower right",
        )
    return True


def _coefficients(axes: Axes, s: Study, paths: Sequence[LassoPath]) -> None:
    mean = np.mean([p.coefficients for p in paths], 0)
    strong = _strongest(mean, int(np.argmin(abs(np.log(s.lambdas / _chosen(s.lambdas, paths))))))
    for j in range(mean.shape[1]):
        if j not in strong:
            axes.plot(s.lambdas, mean[:, j], color="#BDBDBD", lw=1.1)
    for colour, j in zip(STRONG, strong, strict=False):
        axes.plot(s.lambdas, mean[:, j], color=colour)
    axes.set_xscale("log")
    axes.set_xlim(s.lambdas.max(), s.lambdas.min())
    axes.set(
        ylabel="coefficient", title="L1-penalised classifier of false positives: coefficients of standardised metrics"
    )
    axes.axhline(0, color=BLACK, lw=0.8)
    texts = [symbol(s.names[j], s.data.class_names) for j in strong]
    label_ends(axes, s.lambdas[-1], [mean[-1, j] for j in strong], texts, STRONG[: len(strong)])


def _strongest(coefficients: np.ndarray, chosen: int) -> list[int]:
    """The metrics to name: most of them strong at the chosen λ, the others anywhere on the path."""
    here, anywhere = (
        np.argsort(-values, kind="stable") for values in (abs(coefficients[chosen]), abs(coefficients).max(0))
    )
    return list(dict.fromkeys([*here[: len(STRONG) - 3], *anywhere]))[: len(STRONG)]


def _over(paths: Sequence[LassoPath]) -> str:
    return f": mean over {len(paths)} runs, band ± standard deviation" if len(paths) > 1 else ""


def _chosen(lambdas: np.ndarray, paths: Sequence[LassoPath]) -> float:
    """Geometric mean of the penalties chosen in the runs."""
    return float(np.exp(np.log(lambdas[[p.chosen for p in paths]]).mean()))


def _percent(value: Spread) -> str:
    return f"{100 * value.mean:.1f}" + ("" if np.isnan(value.std) else f" ± {100 * value.std:.1f}") + " %"
