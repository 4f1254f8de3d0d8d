"""Tables that ``trust-seg calibrate`` prints at the end: softmax, thresholds, classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.table import Table

from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskOutOfReachError, images_needed
from trust_seg_ros.thresholds.engine import LEAST_POSITIVES
from trust_seg_ros.thresholds.temperature import Temperature
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.standardized import LEAST_PIXELS

UNITS = {"p_wrong": ("P(false positive)", "segments"), "p_ood": ("P(OoD)", "objects")}
"""Probability of segments -> its name, and what is counted."""
_UNTOUCHED = "no OoD segment touches some of them"


def best_words(best: Json, network: str) -> str:
    """Which score finds misclassified pixels best, in words."""
    name, every = best["score"], best["auroc"]
    others = ", ".join(f"{other} {100 * value:.1f}" for other, value in every.items() if other != name)
    beside = f" (others: {others})" if others else ""
    return f"best score of {network} for misclassified pixels, by AUROC: {name}, {100 * every[name]:.1f} %{beside}"


def temperature_table(found: Temperature) -> Table:
    """Temperature, negative log-likelihood and calibration error, before and after."""
    table = Table(title=f"Softmax, {found.pixels:,} random pixels", title_justify="left")
    for name in ("", "T = 1", f"T = {found.value:.4g}"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row("negative log-likelihood", f"{found.nll_before:.4f}", f"{found.nll_after:.4f}")
    table.add_row("expected calibration error", f"{100 * found.ece_before:.2f} %", f"{100 * found.ece_after:.2f} %")
    return table


def thresholds_table(calibration: Calibration, recalls: Sequence[float], alphas: Sequence[float]) -> Table:
    """The threshold for every recall and alpha, and what it would flag in the calibration data.

    Args:
        calibration: what was learned.
        recalls: in (0, 1], for target_recall.
        alphas: in (0, 1), for conformal; where one is impossible, its row says why.
    """
    table = Table(title="Thresholds: what is at or above is flagged", title_justify="left")
    for name in ("score", "policy", "threshold", "flagged", "found", "note"):
        table.add_column(name, justify="right" if name in ("threshold", "flagged", "found") else "left")
    for name, found in {**calibration.scores, **calibration.segments}.items():
        shown, unit = UNITS.get(name, (name, "pixels"))
        curve = found.recall
        if curve is None:
            table.add_row(shown, "recall", "", "", "", f"nothing is wrong: no {unit} to find")
            shown = ""
        for recall in recalls:
            if curve is not None:
                table.add_row(shown, f"recall {recall:g}", *_reached(found, curve, recall))
                shown = ""
        for alpha in alphas:
            table.add_row(shown, f"alpha {alpha:g}", *_guaranteed(found, alpha))
            shown = ""
        table.add_section()
    return table


def threshold_rows(calibration: Calibration, recalls: Sequence[float], alphas: Sequence[float]) -> list[Json]:
    """The thresholds of :func:`thresholds_table` as numbers; None where there is none or everything is flagged."""
    rows = []
    for name, found in {**calibration.scores, **calibration.segments}.items():
        for recall in recalls:
            value = None if found.recall is None else found.recall.threshold(recall)
            rows.append({"score": name, "policy": "target_recall", "at": recall, "threshold": value})
        for alpha in alphas:
            try:
                enough = found.risk.images >= images_needed(alpha, found.risk.bound)
                value = found.risk.threshold(alpha) if enough else None
            except RiskOutOfReachError:
                value = None
            rows.append({"score": name, "policy": "conformal", "at": alpha, "threshold": value})
    return rows


def classes_table(calibration: Calibration) -> Table:
    """Largest logit and misclassified pixels by predicted class."""
    table = Table(title="By predicted class", title_justify="left")
    table.add_column("class")
    statistics = calibration.class_statistics
    if statistics is not None:
        for name in ("pixels", "max logit", "deviation"):
            table.add_column(name, justify="right")
    table.add_column("misclassified", justify="right")
    table.add_column("thresholds of its own")
    curves = next(iter(calibration.scores.values())).class_recall
    for k, name in enumerate(calibration.class_names):
        cells = [name]
        if statistics is not None:
            own = statistics.count[k] >= LEAST_PIXELS
            count = f"{statistics.count[k]:,}" if own else f"fewer than {LEAST_PIXELS:,}"
            note = "" if own else " (of all)"
            cells += [count, f"{statistics.mean[k]:.3f}{note}", f"{statistics.std[k]:.3f}{note}"]
        curve = curves[k]
        wrong = 0 if curve is None else curve.positives
        enough = "yes" if wrong >= LEAST_POSITIVES else f"no, fewer than {LEAST_POSITIVES:,} misclassified pixels"
        table.add_row(*cells, f"{wrong:,}", enough)
    return table


def _reached(found: ScoreCalibration, curve: RecallCurve, recall: float) -> tuple[str, str, str, str]:
    threshold = curve.threshold(recall)
    if threshold > -math.inf:
        return *_effect(found, threshold), ""
    if curve.thresholds[0] == -math.inf:
        return "", "", "", f"out of reach: {_UNTOUCHED}; {100 * curve.recall[0]:.1f} % at most"
    return *_effect(found, threshold), "flags everything"


def _guaranteed(found: ScoreCalibration, alpha: float) -> tuple[str, str, str, str]:
    images, needed = found.risk.images, images_needed(alpha, found.risk.bound)
    if images < needed:
        return "", "", "", f"needs {needed} images, has {images}"
    try:
        threshold = found.risk.threshold(alpha)
    except RiskOutOfReachError:
        least = (images * float(found.risk.risk[0]) + found.risk.bound) / (images + 1)
        return "", "", "", f"out of reach: {_UNTOUCHED}; alpha of at least {least:.3g}"
    return *_effect(found, threshold), "flags everything" if threshold == -math.inf else ""


def _effect(found: ScoreCalibration, threshold: float) -> tuple[str, str, str]:
    """Threshold, share of everything that is flagged, share of the mistakes that is found."""
    text = "-inf" if threshold == -math.inf else f"{threshold:.4g}"
    return text, share_above(found.flagged, threshold), share_above(found.recall, threshold)


def share_above(curve: RecallCurve | None, threshold: float) -> str:
    """The share at or above a threshold of the curve, as text; "" without a curve."""
    if curve is None:
        return ""
    place = int(np.searchsorted(curve.thresholds, threshold))
    share = 1.0 if threshold == -math.inf else float(curve.recall[place]) if place < len(curve.recall) else 0.0
    return f"{100 * share:.1f} %"
