"""Figures of the study: clean images, with a few shifted conditions beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.evaluation.meta.study import Spread
from trust_seg_ros.evaluation.report.drawing import BLUE, GREY, ORANGE, STRONG, colours, figure
from trust_seg_ros.evaluation.trust.distance import NAMES as RANGES
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.measures import falling_counts, risk_coverage
from trust_seg_ros.evaluation.trust.study import Judged, Study

BESIDE = 3
"""Largest number of shifted conditions drawn beside the clean images."""
_FIRST_RECALL = 1e-3  # precision over only a few pixels is noisy
Curve = tuple[np.ndarray, np.ndarray]


def roc(s: Study, path: Path) -> bool:
    """True against false positive rate; False if no curve is defined."""
    chance = np.linspace(0, 1, 201)
    with figure(str(path), 8.6, _width(s)) as drawn:
        for axes, judged in _panels(drawn, s):
            if not _curves(axes, s, judged, _roc_curve, "AUROC", lambda o: o.auroc):
                return False
            axes.plot(chance, chance, color=GREY, ls="--", lw=1.4)
            axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="share of the right pixels that are flagged")
            axes.set(ylabel="share of the misclassified pixels that are found", title=f"ROC: {judged.name}")
            axes.legend(loc="lower right")
    return True


def precision_recall(s: Study, path: Path) -> bool:
    """Precision against recall; False if no curve is defined."""
    with figure(str(path), 8.6, _width(s)) as drawn:
        for axes, judged in _panels(drawn, s):
            if not _curves(axes, s, judged, _pr_curve, "AuPRC", lambda o: o.auprc):
                return False
            axes.axhline(judged.wrong, color=GREY, ls="--", lw=1.4, label=f"chance: {100 * judged.wrong:.1f} %")
            axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="recall of misclassified pixels", ylabel="precision")
            axes.set_title(f"Precision and recall: {judged.name}")
            axes.legend(loc="upper right")
    return True


def risk(s: Study, path: Path) -> bool:
    """Error rate of the pixels kept against the share kept, most trusted first."""
    with figure(str(path), 8.6, _width(s)) as drawn:
        for axes, judged in _panels(drawn, s):
            _curves(axes, s, judged, _risk_curve, "AURC", lambda o: o.aurc)
            kept = np.linspace(0.001, 1, 500)
            best = np.maximum(kept - (1 - judged.wrong), 0) / kept
            axes.plot(kept, best, color=GREY, ls="--", lw=1.4, label="best possible order")
            axes.set(xlim=(0, 1), ylim=(0, max(1.05 * judged.wrong, 1e-3)), xlabel="coverage: share of pixels kept")
            axes.set(ylabel="risk: error rate of these", title=f"Risk and coverage: {judged.name}")
            axes.legend(loc="upper left")
    return True


def reliability(s: Study, path: Path) -> bool:
    """Accuracy against confidence, and the share of pixels per bin."""
    shown = (s.clean, *_beside(s))
    with figure(str(path), 9.6) as drawn:
        top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        top.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.4, label="perfectly calibrated")
        for judged, colour in zip(shown, STRONG, strict=False):
            found = judged.reliability
            some = found.pixels > 0
            if not some.any():
                return False
            mean, share = found.confidence[some] / found.pixels[some], found.right[some] / found.pixels[some]
            top.plot(mean, share, "o-", color=colour, label=f"{judged.name}: ECE {100 * found.ece:.2f} %")
            middle = (np.arange(len(some)) + 0.5) / len(some)
            bottom.step(middle, found.pixels / found.pixels.sum(), where="mid", color=colour)
        top.set(xlim=(0, 1), ylim=(0, 1.005), ylabel="accuracy", title="Reliability of the softmax confidence")
        top.legend(loc="upper left")
        bottom.set(xlabel="confidence", ylabel="share of pixels", yscale="log")
    return True


def trade(s: Study, arrangement: Arrangement, path: Path) -> bool:
    """Recall against the share flagged: the curve of the best score, and the point of each policy."""
    right, wrong = s.clean.curves[s.best_score]
    try:
        counts = falling_counts(np.arange(len(right), dtype=np.float64), wrong, right)
    except AnomalyError:
        return False
    flagged = (counts.true_positives + counts.false_positives) / (counts.positives + counts.negatives)
    with figure(str(path), 8.6) as drawn:
        axes = drawn.subplots()
        axes.plot(np.append(0, flagged), np.append(0, counts.recall), color=GREY, label="one constant for all images")
        markers = "osD^vP*Xhd<>"
        shown = [o for o in s.clean.outcomes[arrangement.name] if o.score == s.best_score]
        for k, (o, colour) in enumerate(zip(shown, colours(len(shown)), strict=True)):
            x, y = Spread.of(o.flagged), Spread.of(o.recall)
            if np.isfinite(x.mean) and np.isfinite(y.mean):
                axes.errorbar(
                    x.mean,
                    y.mean,
                    np.nan_to_num(y.std),
                    np.nan_to_num(x.std),
                    fmt=markers[k % len(markers)],
                    color=colour,
                    markersize=10,
                    capsize=3,
                    label=f"{o.policy.name}: {100 * y.mean:.1f} % of {100 * x.mean:.1f} %",
                )
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="share of all pixels that are flagged")
        axes.set(ylabel="recall of misclassified pixels", title=f"Policies on {s.best_score}, {arrangement.name}")
        axes.legend(loc="lower right")
    return True


def distance(s: Study, path: Path) -> bool:
    """Error rate and share of all errors by distance to the boundary of the predicted segment."""
    q = len(s.counts.classes)
    counts = s.counts.scores[s.best_score].groups[2 * q + 1 :].sum(-1)
    pixels = counts.sum(1)
    total, wrong = pixels.sum(), counts[:, 1].sum()
    if not wrong:
        return False
    place = np.arange(len(RANGES))
    with figure(str(path), 6.4) as drawn:
        axes = drawn.subplots()
        rows = (
            (counts[:, 1] / np.maximum(pixels, 1), BLUE, "error rate"),
            (counts[:, 1] / wrong, ORANGE, "share of all errors"),
            (pixels / total, "#BBBBBB", "share of all pixels"),
        )
        for k, (values, colour, label) in enumerate(rows):
            bars = axes.bar(place + 0.27 * (k - 1), values, 0.25, color=colour, label=label)
            axes.bar_label(bars, [f"{100 * v:.0f}" for v in values], fontsize=11)
        axes.set_xticks(place, RANGES)
        axes.set(xlabel="distance to the boundary of the predicted segment, px", title="Where the errors lie (%)")
        axes.grid(visible=False, axis="x")
        drawn.legend(loc="outside lower center", ncols=3)
    return True


def _beside(s: Study) -> tuple[Judged, ...]:
    """Shifted conditions to draw: all if there are few, else the first, middle and last of the first corruption."""
    if len(s.shifted) <= BESIDE:
        return s.shifted
    first = [judged for judged in s.shifted if judged.kind == s.shifted[0].kind]
    return tuple(first[k] for k in sorted({0, len(first) // 2, len(first) - 1}))


def _panels(drawn: Figure, s: Study) -> list[tuple[Axes, Judged]]:
    """One panel for clean images, one for the last shifted condition drawn."""
    shown = (s.clean, *_beside(s)[-1:])
    axes = np.atleast_1d(drawn.subplots(1, len(shown), squeeze=True))
    return list(zip(axes.tolist(), shown, strict=True))


def _width(s: Study) -> float:
    return 18.0 if s.shifted else 10.0


def _curves(
    axes: Axes, s: Study, judged: Judged, curve: Callable[..., Curve], measure: str, value: Callable[..., float]
) -> bool:
    """One line for every score, best first in the legend; False if there is none."""
    order = sorted(judged.orderings, key=lambda score: -np.nan_to_num(s.clean.orderings[score].auroc))
    of_score = dict(zip(s.clean.orderings, colours(len(s.clean.orderings)), strict=True))
    for score in order:
        try:
            x, y = curve(*judged.curves[score])
        except AnomalyError:
            return False
        label = f"{score}: {measure} {100 * value(judged.orderings[score]):.2f} %"
        axes.plot(x, y, color=of_score.get(score, GREY), label=label)
    return True


def _roc_curve(right: np.ndarray, wrong: np.ndarray) -> Curve:
    counts = falling_counts(np.arange(len(right), dtype=np.float64), wrong, right)
    return np.append(0.0, counts.false_positive_rate), np.append(0.0, counts.recall)


def _pr_curve(right: np.ndarray, wrong: np.ndarray) -> Curve:
    counts = falling_counts(np.arange(len(right), dtype=np.float64), wrong, right)
    start = int(np.searchsorted(counts.recall, _FIRST_RECALL))
    return counts.recall[start:], counts.precision[start:]


def _risk_curve(right: np.ndarray, wrong: np.ndarray) -> Curve:
    return risk_coverage(wrong, right)


DRAWN: Sequence[tuple[str, str, Callable[[Study, Path], bool]]] = (
    ("roc", "Is a pixel misclassified? ROC of every score", roc),
    ("precision_recall", "Precision and recall of misclassified pixels", precision_recall),
    ("risk_coverage", "Error rate of the pixels kept, the most trusted first", risk),
    ("reliability", "Reliability diagram of the softmax confidence", reliability),
    ("distance", "Errors by distance to the boundary of the predicted segment", distance),
)
"""Name, caption, function."""
