"""Curves of a calibration in few digits, so that its file is small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve

_SHORT = 1e5


def short(calibration: Calibration) -> Calibration:
    """The calibration with short curves of its pixel scores; everything else as it is."""
    return replace(calibration, scores={name: _short_score(score) for name, score in calibration.scores.items()})


def short_recall(curve: RecallCurve) -> RecallCurve:
    """The curve in five decimals, rounded down, without thresholds that flag no more than the next: a small file.

    The threshold of any recall is the same, or stricter by what rounding costs.
    """
    recall = np.floor(curve.recall * _SHORT) / _SHORT
    kept = _changes(recall)
    return RecallCurve(curve.thresholds[kept], recall[kept], curve.positives)


def short_risk(curve: RiskCurve) -> RiskCurve:
    """The same of a risk, rounded up."""
    risk = np.minimum(np.ceil(curve.risk * _SHORT) / _SHORT, curve.bound)
    kept = _changes(risk)
    return RiskCurve(curve.thresholds[kept], risk[kept], curve.images, curve.bound)


def _changes(values: np.ndarray) -> np.ndarray:
    """(k,) bool: the first, the last, and where the next value is another."""
    kept = np.append(values[1:] != values[:-1], True)
    kept[0] = True  # its threshold may be -inf, which says something
    return kept


def _short_score(score: ScoreCalibration) -> ScoreCalibration:
    return ScoreCalibration(
        None if score.recall is None else short_recall(score.recall),
        short_risk(score.risk),
        tuple(None if curve is None else short_recall(curve) for curve in score.class_recall),
        score.frame_means,
        None if score.flagged is None else short_recall(score.flagged),
        None if score.groups is None else score.groups.changed(short_risk),
    )
