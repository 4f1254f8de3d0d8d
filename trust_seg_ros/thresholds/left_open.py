"""Thresholds on pixel scores that nobody has set: what they are, and what is to be said of them."""

from __future__ import annotations

import math

from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.registry import TARGET_POLICIES
from trust_seg_ros.thresholds.settings import OOD_OF_MODEL, PAPER_OOD, ThresholdSettings
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES, find_score

_ENTROPY = "entropy"
"""The score that the defaults are numbers for."""


def ood_without_model(score: str) -> float:
    """The OoD threshold that ``OOD_OF_MODEL`` stands for where no OoD meta model of the score gives one.

    ``PAPER_OOD`` for scores of the softmax, which share its scale. A number for the entropy means nothing in logits,
    distances or logarithms, so for other scores it is inf: nothing is out of distribution until a threshold is set.
    """
    return PAPER_OOD if score in SOFTMAX_SCORES else math.inf


def no_ood_threshold(settings: ThresholdSettings, resolved: ThresholdSettings) -> str:
    """That no OoD threshold is set and none is known, in words; "" if there is one.

    Args:
        settings: as the user has set them.
        resolved: the same with what they leave open put in.
    """
    if not _open(settings) or resolved.ood.value < math.inf:
        return ""
    return (
        f"OoD threshold: none is set and none is known for {settings.ood_score}, so no pixel is out of distribution: "
        f"{_ways_out(settings.ood_score)}"
    )


def borrowed_thresholds(settings: ThresholdSettings, resolved: ThresholdSettings) -> list[str]:
    """Thresholds nobody chose for their score: defaults that are numbers for the entropy; a sentence for each.

    Args:
        settings, resolved: as in :func:`no_ood_threshold`.
    """
    found, score = [], settings.pixel_score
    default = ThresholdSettings().pixel.value
    if resolved.pixel.policy == Fixed.name and settings.pixel.value == default and score not in SOFTMAX_SCORES:
        found.append(
            f"pixel threshold {default:g}: the default, which is a number for the entropy; set thresholds.pixel for "
            f"{score}{_unit(score)}, calibrate (trust-seg calibrate --score {score}), or set thresholds.pixel_policy "
            "to one that follows the image"
        )
    score = settings.ood_score
    if _open(settings) and score != _ENTROPY and resolved.ood.value == PAPER_OOD == ood_without_model(score):
        found.append(
            f"OoD threshold {PAPER_OOD:g}: the paper's for the entropy, as none is set and none is known for {score}: "
            f"{_ways_out(score)}"
        )
    return found


def _open(settings: ThresholdSettings) -> bool:
    return settings.ood.policy == Fixed.name and settings.ood.value == OOD_OF_MODEL


def _ways_out(score: str) -> str:
    others = ", ".join(name for name in TARGET_POLICIES["ood"] if name != Fixed.name)
    return (
        f"set ood.threshold{_unit(score)}, ood.policy ({others}), or ood.meta_model (trust-seg benchmark --score "
        f"{score} --save-meta)"
    )


def _unit(score: str) -> str:
    unit = find_score(score).unit
    return f" ({unit})" if unit else ""
