"""Figures of a calibration: the reliability diagram, and the share that every threshold finds and misses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.evaluation.report.drawing import BLUE, GREY, ORANGE, RED, STRONG, figure
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve, least_alpha
from trust_seg_ros.thresholds.engine import LEAST_POSITIVES
from trust_seg_ros.thresholds.temperature import Temperature

_SEGMENTS = {
    "p_wrong": ("P(false positive)", "wrong segments"),
    "p_ood": ("P(OoD)", "OoD objects"),
}

_LEAST = 30  # the accuracy of a bin with fewer pixels is not drawn


def write_figures(calibration: Calibration, folder: str | Path, alphas: tuple[float, ...] = (0.1,)) -> list[Path]:
    """Draw a calibration: ``reliability.png``, and ``NAME.png`` of every score and segment probability.

    Args:
        calibration: the calibration; missing parts are left out.
        folder: made if needed; existing figures are replaced.
        alphas: mark the conformal thresholds for these alphas, if there are enough images.

    Returns:
        The files written.

    Raises:
        CalibrationError: the folder cannot be written to.
    """
    folder, written = Path(folder).expanduser(), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if calibration.temperature is not None and calibration.temperature.bins_before:
            written.append(_reliability(calibration.temperature, folder / "reliability.png"))
        for name, score in calibration.scores.items():
            written.append(_score(name, score, calibration.class_names, alphas, folder / f"{name}.png"))
        for name, found in calibration.segments.items():
            written.append(_segments(name, found.risk, alphas, folder / f"{name}.png"))
    except OSError as error:
        raise CalibrationError(f"{folder}: figures cannot be written there ({error.strerror or error})") from error
    return written


def _reliability(found: Temperature, path: Path) -> Path:
    """Accuracy against confidence, and the share of pixels per bin (Guo et al. 2017, figure 1)."""
    rows = (
        ("as it is", found.bins_before, found.ece_before, RED),
        (f"T = {found.value:.3g}", found.bins_after, found.ece_after, BLUE),
    )
    with figure(str(path), 9.6) as drawn:
        top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        top.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.4, label="perfectly calibrated")
        for text, bins, ece, colour in rows:
            share, mean, accuracy = np.array(bins).T
            some = share * found.pixels >= _LEAST
            top.plot(mean[some], accuracy[some], "o-", color=colour, label=f"{text}: ECE {100 * ece:.2f} %")
            bottom.step((np.arange(len(share)) + 0.5) / len(share), share, where="mid", color=colour)
        title = f"Reliability of the softmax, {found.pixels:,} random pixels"
        top.set(xlim=(0, 1), ylim=(0, 1.005), ylabel="accuracy", title=title)
        top.legend(loc="upper left")
        bottom.set(
            xlabel=f"confidence; accuracy of bins with {_LEAST} pixels at least",
            ylabel="share of the pixels",
            yscale="log",
        )
    return path


def _score(
    name: str, score: ScoreCalibration, class_names: tuple[str, ...], alphas: tuple[float, ...], path: Path
) -> Path:
    """Risk and recall against the threshold; recall of every predicted class below."""
    with figure(str(path), 10.4) as drawn:
        top, bottom = drawn.subplots(2, 1, sharex=True)
        if score.recall is not None:
            _line(top, score.recall.thresholds, score.recall.recall, BLUE, "found, of all misclassified pixels")
            top.set_xlim(*_shown(score.recall))
        _risk(top, score.risk, alphas, "missed, mean over the images")
        top.set(ylim=(0, 1.005), ylabel="share", title=f"{name}: pixels at or above the threshold are flagged")
        top.legend(loc="best", fontsize=12)
        largest = [
            (curve.positives, label, curve)
            for label, curve in zip(class_names, score.class_recall, strict=False)
            if curve is not None and curve.positives >= LEAST_POSITIVES
        ]
        largest.sort(key=lambda row: row[:2], reverse=True)
        for (count, label, curve), colour in zip(largest, STRONG, strict=False):
            _line(bottom, curve.thresholds, curve.recall, colour, f"{label} ({count:,})")
        bottom.set(ylim=(0, 1.005), ylabel="found", xlabel=f"threshold on {name}")
        more = f", the {len(STRONG)} with most" if len(largest) > len(STRONG) else ""
        bottom.set_title(f"by predicted class (misclassified pixels, {LEAST_POSITIVES:,} at least{more})")
        if largest:
            bottom.legend(loc="best", fontsize=12)
        else:
            bottom.text(0.5, 0.5, "no class has as many", transform=bottom.transAxes, ha="center", color=GREY)
    return path


def _segments(name: str, curve: RiskCurve, alphas: tuple[float, ...], path: Path) -> Path:
    """Risk against the threshold on a probability of segments."""
    probability, what = _SEGMENTS.get(name, (name, "segments"))
    with figure(str(path), 6.4) as drawn:
        axes = drawn.subplots()
        _risk(axes, curve, alphas, f"{what} missed, mean over the images")
        axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel=f"threshold on {probability}", ylabel="share")
        axes.set_title(f"Share of the {what} of an image that a threshold on {probability} misses")
        axes.legend(loc="upper left")
    return path


def _risk(axes: Axes, curve: RiskCurve, alphas: tuple[float, ...], text: str) -> None:
    """The mean loss, the bound that conformal risk control compares with alpha, and the thresholds it gives."""
    n = curve.images
    _line(axes, curve.thresholds, curve.risk, RED, f"{text} ({n} images)")
    bound = (n * curve.risk + curve.bound) / (n + 1)
    where = np.isfinite(curve.thresholds)
    bound_text = f"bound with {n} images, {least_alpha(n, curve.bound):.2g} at least"
    axes.plot(curve.thresholds[where], bound[where], color=RED, ls=":", lw=1.6, label=bound_text)
    for alpha in alphas:
        try:
            threshold = curve.threshold(alpha)
        except TrustSegError:
            continue
        if math.isfinite(threshold):
            axes.plot(threshold, alpha, "o", color=ORANGE, markersize=9, label=f"alpha = {alpha:g}: {threshold:.4g}")


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, text: str) -> None:
    where = np.isfinite(x)
    axes.plot(x[where], y[where], color=colour, label=text)


def _shown(curve: RecallCurve) -> tuple[float, float]:
    """The thresholds between which the recall falls, with a margin: a score without a range has long, flat ends."""
    where = np.isfinite(curve.thresholds)
    x, recall = curve.thresholds[where], curve.recall[where]
    inside = x[(recall > 0.002) & (recall < 0.998)]
    if not len(inside):
        inside = x
    margin = 0.05 * float(inside[-1] - inside[0]) or 0.5
    return float(inside[0]) - margin, float(inside[-1]) + margin
