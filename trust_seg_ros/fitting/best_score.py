"""The score of a calibration that tells misclassified pixels best from right ones."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.types import Json


def auroc_of(score: ScoreCalibration, pixels: int) -> float:
    """AUROC of finding the misclassified among all labelled pixels, in [0, 1], from the stored curves.

    Between two thresholds the curve is straight, as for ties. NaN where nothing or everything is wrong.

    Args:
        score: curves of a pixel score.
        pixels: number of labelled pixels.
    """
    if score.recall is None or score.flagged is None or score.recall.positives >= pixels:
        return float("nan")
    wrong = score.recall.positives
    at = np.union1d(score.recall.thresholds, score.flagged.thresholds)[::-1]
    found, every = (
        np.append(curve.recall, 0.0)[np.searchsorted(curve.thresholds, at)] for curve in (score.recall, score.flagged)
    )
    false = (every * pixels - found * wrong) / (pixels - wrong)
    x, y = (np.concatenate([[0.0], np.clip(values, 0.0, 1.0), [1.0]]) for values in (false, found))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def best_score(found: Calibration) -> Json | None:
    """Name and AUROC of the best score, and the AUROC of all; None where no pixel is wrong."""
    every = {name: auroc_of(score, found.summary["pixels"]) for name, score in found.scores.items()}
    known = {name: value for name, value in every.items() if not np.isnan(value)}
    if not known:
        return None
    best = max(known, key=lambda name: known[name])
    return {"purpose": "misclassified pixels", "score": best, "auroc": {k: round(v, 4) for k, v in known.items()}}
