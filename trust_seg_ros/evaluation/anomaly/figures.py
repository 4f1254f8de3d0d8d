"""Precision-recall and ROC curves of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trust_seg_ros.evaluation.anomaly.benchmark import ScoreResult
from trust_seg_ros.evaluation.report.drawing import GREY, colours, figure

_POINTS = 2000


def pr(results: Sequence[ScoreResult], path: Path) -> bool:
    """Precision against recall of every score; a circle marks the threshold used."""
    with figure(str(path), 8.6) as drawn:
        axes = drawn.subplots()
        for result, colour in zip(results, colours(len(results)), strict=True):
            counts = result.pixels.counts
            rows = _thinned(counts.recall)
            label = f"{result.score}: AuPRC {100 * result.pixels.auprc:.1f} %"
            axes.step(counts.recall[rows], counts.precision[rows], where="pre", color=colour, label=label)
            if (here := _at(result)) is not None:
                axes.plot(counts.recall[here], counts.precision[here], "o", color=colour, markersize=8)
        share = counts.positives / (counts.positives + counts.negatives)
        axes.axhline(share, color=GREY, ls="--", lw=1.4, label=f"chance: {100 * share:.2f} %")
        title = "Anomalous pixels (circle: threshold used)"
        axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="recall", ylabel="precision", title=title)
        axes.legend(loc="upper right")
    return True


def roc(results: Sequence[ScoreResult], path: Path) -> bool:
    """True against false positive rate of every score, the latter on a scale that shows small rates."""
    with figure(str(path), 8.6) as drawn:
        axes = drawn.subplots()
        for result, colour in zip(results, colours(len(results)), strict=True):
            counts = result.pixels.counts
            rows = _thinned(counts.false_positive_rate)
            label = f"{result.score}: AUROC {100 * result.pixels.auroc:.1f} %, FPR95 {100 * result.pixels.fpr95:.1f} %"
            x, y = (np.append(0.0, rate[rows]) for rate in (counts.false_positive_rate, counts.recall))
            axes.plot(x, y, color=colour, label=label)
        chance = np.linspace(0, 1, 201)  # not a straight line on this scale
        axes.plot(chance, chance, color=GREY, ls="--", lw=1.4, label="chance")
        axes.axhline(0.95, color=GREY, ls=":", lw=1.4)
        axes.set_xscale("function", functions=(np.sqrt, np.square))
        axes.set_xticks([0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1])
        axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="false positive rate (square-root scale)")
        axes.set(ylabel="true positive rate", title="Anomalous pixels")
        axes.legend(loc="lower right")
    return True


def _thinned(rate: np.ndarray) -> np.ndarray:
    """Positions of enough points to draw a curve: evenly by rank at first, then wherever the rate changes."""
    first = np.arange(min(len(rate), _POINTS))
    steps = np.searchsorted(rate, np.linspace(0, 1, _POINTS)).clip(max=len(rate) - 1)
    return np.unique(np.concatenate([first, steps, [len(rate) - 1]]))


def _at(result: ScoreResult) -> int | None:
    """Position of the threshold used on the curve; None if no pixel reaches it."""
    reached = int((result.pixels.counts.thresholds >= result.threshold).sum())
    return reached - 1 if reached else None
