"""Pixels that policies flag, in every draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.trust.counts import DataCounts, ScoreCounts
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve, TooFewImagesError
from trust_seg_ros.thresholds.policies.base import Calibrated as CalibratedPolicy
from trust_seg_ros.thresholds.policies.base import Curves
from trust_seg_ros.thresholds.policies.resolution import resolve


@dataclass(frozen=True)
class Outcome:
    """One policy on one score, judged in every draw of an arrangement.

    Attributes:
        score: name of the score.
        policy: policy that gave the thresholds.
        thresholds: (d,) float64, of each draw; for a per-image policy the mean over the judged images.
        recall: (d,) share of the misclassified pixels that are flagged.
        precision: (d,) share of the flagged pixels that are misclassified; NaN where nothing is flagged.
        flagged: (d,) share of all pixels that are flagged.
        missed: (d,) mean over images of the share of their misclassified pixels that is not flagged, 0 for an image
            without any: the risk that conformal risk control bounds.
        left: (d,) error rate of the pixels that are not flagged; NaN where all are.
        groups: (g, 2) float64, right and wrong pixels flagged of each group over all images, mean over draws.
        reason: why there are no numbers; "" if there are.
    """

    score: str
    policy: NamedPolicy
    thresholds: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    flagged: np.ndarray
    missed: np.ndarray
    left: np.ndarray
    groups: np.ndarray
    reason: str = ""

    @property
    def kept(self) -> float:
        """Share of the draws in which the policy kept its promise; NaN if it promises nothing.

        target_recall promises a recall over all pixels together, conformal a mean share missed per image. Conformal
        promises only the mean over draws, so single draws may miss it.
        """
        policy = self.policy.policy
        if self.reason or not isinstance(policy, CalibratedPolicy):
            return math.nan
        if policy.needs == "recall":
            known = self.recall[np.isfinite(self.recall)]
            return float((known >= policy.promise).mean()) if known.size else math.nan
        return float((self.missed <= policy.promise).mean())


@dataclass(frozen=True)
class Calibrated:
    """Thresholds of one calibrated policy on one score.

    Attributes:
        values: (d,) of each draw of an arrangement; () where there are none.
        reason: why there are none.
    """

    values: np.ndarray
    reason: str = ""


def calibrate(policy: NamedPolicy, score: str, arrangement: Arrangement) -> Calibrated:
    """Thresholds from the calibration images of each draw."""
    counts = arrangement.calibration.scores[score]
    missed = counts.missed if policy.policy.needs == "risk" else None
    values = []
    for draw in arrangement.draws:
        try:
            curves = _curves(policy, counts, missed, draw.calibrated)
            if curves is None:
                return Calibrated(np.empty(0), "no misclassified pixel in the calibration images")
            values.append(resolve(policy.policy, None, curves))
        except TooFewImagesError as error:
            return Calibrated(np.empty(0), str(error))
    return Calibrated(np.array(values, np.float64))


def judge(
    policy: NamedPolicy, score: str, arrangement: Arrangement, data: DataCounts, calibrated: Calibrated | None
) -> Outcome:
    """Judge a policy on some data, clean or shifted.

    Args:
        policy, score: the policy and score to judge.
        arrangement: which images are judged in which draw.
        data: ``arrangement.judged``, or shifted data.
        calibrated: thresholds, for a calibrated policy.
    """
    counts = data.scores[score]
    if calibrated is not None and calibrated.reason:
        none = np.full(len(arrangement.draws), np.nan)
        return Outcome(score, policy, *(none,) * 6, np.full((len(counts.groups), 2), np.nan), calibrated.reason)
    rows = [arrangement.rows(draw, data.images) for draw in arrangement.draws]
    if calibrated is None:
        own = counts.flagged[policy.name]
        found, groups = [own.pixels] * len(rows), own.groups.astype(np.float64)
        thresholds = np.array([_mean(own.thresholds[row]) for row in rows])
    else:
        thresholds = calibrated.values
        found = [counts.at(value) for value in thresholds]
        groups = np.mean([counts.groups_at(value) for value in thresholds], 0)
    values = [_shares(flags[row], counts.totals[row]) for flags, row in zip(found, rows, strict=True)]
    recall, precision, flagged, missed, left = np.array(values).T
    return Outcome(score, policy, thresholds, recall, precision, flagged, missed, left, groups)


def _curves(policy: NamedPolicy, counts: ScoreCounts, missed: np.ndarray | None, chosen: np.ndarray) -> Curves | None:
    """The curve that the policy needs; None if it needs a misclassified pixel and there is none."""
    if missed is not None:
        risk = missed[chosen].mean(0)
        return Curves(risk=RiskCurve(counts.edges, risk, int(chosen.sum())))
    found = counts.wrong_found[chosen].sum(0, dtype=np.int64)
    if not found[0]:
        return None
    return Curves(recall=RecallCurve(counts.edges, found[:-1] / found[0], int(found[0])))


def _shares(flagged: np.ndarray, totals: np.ndarray) -> tuple[float, float, float, float, float]:
    """Recall, precision, flagged, missed, left of some images, from (n, 2) right and wrong pixels."""
    (right, wrong), (all_right, all_wrong) = flagged.sum(0).tolist(), totals.sum(0).tolist()
    errors = totals[:, 1]
    missed = (errors - flagged[:, 1]) / np.maximum(errors, 1)
    kept = all_right + all_wrong - right - wrong
    return (
        _ratio(wrong, all_wrong),
        _ratio(wrong, right + wrong),
        _ratio(right + wrong, all_right + all_wrong),
        _mean(missed),
        _ratio(all_wrong - wrong, kept),
    )


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
