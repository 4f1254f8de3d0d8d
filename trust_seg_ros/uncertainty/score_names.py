"""Pixel scores by name: the list of names, the map of a score, and its range."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.errors import SettingError
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.pixel_score import Need, PerturbedScores, PixelScore, ScoreInput
from trust_seg_ros.uncertainty.registry import SCORE_ROWS

SOFTMAX_SCORES = tuple(row.name for row in SCORE_ROWS if row.held)
"""Scores that ``UncertaintyMaps`` holds already."""
LOGIT_SCORES = tuple(row.name for row in SCORE_ROWS if row.group == "logits")
GRADIENT_SCORES = tuple(row.name for row in SCORE_ROWS if row.group == "gradient")
"""Scores that depend on ``GradientSettings``."""
MASK_SCORES = tuple(row.name for row in SCORE_ROWS if row.group == "mask")
"""Scores of mask networks."""
FEATURE_SCORES = tuple(row.name for row in SCORE_ROWS if row.group == "feature")
"""Scores that compare features with ``FeatureStatistics``."""
SCORES = tuple(row.name for row in SCORE_ROWS if row.single_pass)
"""Names of all single-pass scores; scores that every network can give come first."""
PERTURBATION_SCORES = tuple(row.name for row in SCORE_ROWS if not row.single_pass)
"""Scores of perturbed passes, which run the network several more times; they flag pixels only."""
PIXEL_SCORES = (*SCORES, *PERTURBATION_SCORES)
"""All names."""

IN_LOGARITHMS = GradientSettings(scale="log")
"""Gradient settings that suit thresholds and averages, see docs/methods/gradient.md."""

_ROWS = {row.name: row for row in SCORE_ROWS}


def find_score(name: str) -> PixelScore:
    """The row of a score.

    Raises:
        SettingError: no such score; the text lists all and names the nearest.
    """
    if name not in _ROWS:
        raise SettingError(unknown("score", name, PIXEL_SCORES))
    return _ROWS[name]


def scores_that_need(need: Need) -> tuple[str, ...]:
    """Names of the scores that need something."""
    return tuple(row.name for row in SCORE_ROWS if need in row.needs)


def left_out_notes(missing: Mapping[str, str]) -> list[str]:
    """What to say of scores that a network cannot give, when all that it can give were wanted.

    Nothing of the scores of mask networks, where the network is none: it lacks nothing.

    Args:
        missing: name of a score -> why the network cannot give it.
    """
    unsaid = MASK_SCORES if set(MASK_SCORES) <= set(missing) else ()
    return [f"{name} left out: {reason}" for name, reason in missing.items() if name not in unsaid]


CALIBRATED_SCORES = (*scores_that_need("calibration"), *scores_that_need("feature statistics"))
"""Scores that compare with statistics of ``trust-seg calibrate``."""


def score_map(
    name: str,
    logit_maps: LogitMaps,
    maps: UncertaintyMaps,
    gradient: GradientSettings | None = None,
    statistics: NetworkStatistics = NO_STATISTICS,
    perturbed: PerturbedScores | None = None,
) -> torch.Tensor:
    """One score of every pixel; higher = less trustworthy.

    Args:
        name: one of ``PIXEL_SCORES``.
        logit_maps: the network's answer for an image.
        maps: the maps of the same answer.
        gradient: norm and variant of the gradient scores; None = the defaults (p = 0.5, exact). They are compared and
            averaged over segments here, so ``scale="log"`` is the better choice where p is small.
        statistics: statistics of the network, for standardized_max_logit and feature scores.
        perturbed: computes the perturbation scores; None = they are unavailable.

    Returns:
        (H, W) float32 on the device of the logits; the score's maximum at faulty pixels.

    Raises:
        SettingError: no such score.
        StatisticsNeededError: standardized_max_logit or a feature score without statistics.
        FeatureStatisticsError: statistics of features cannot be read, or are of other features.
        MaskQueriesNeededError: a score of mask networks, of another network.
        RawLogitsNeededError: a score of the logits, of a network that gives probabilities only.
        FeaturesNeededError: a gradient or feature score of a network that gives no features.
        PerturbationUnavailableError: a perturbation score without ``perturbed``, or the network does not support it.
        LogitsError, FeaturesError: the network's answer cannot be used.
    """
    given = ScoreInput(logit_maps, maps, gradient or GradientSettings(), statistics, perturbed)
    return find_score(name).function(given)


def score_range(name: str, classes: int, gradient: GradientSettings = IN_LOGARITHMS) -> tuple[float, float]:
    """Least and largest finite value that a score can have; infinite where there is no limit.

    Args:
        name: one of ``PIXEL_SCORES``.
        classes: number q of classes.
        gradient: settings of the gradient scores.

    Raises:
        SettingError: no such score.
    """
    return find_score(name).range(classes, gradient)


def beyond_range(name: str, threshold: float, classes: int, gradient: GradientSettings = IN_LOGARITHMS) -> str:
    """What a threshold outside of a score's range means, in words; "" for one inside."""
    low, high = score_range(name, classes, gradient)
    if low <= threshold <= high:
        return ""
    side, many = ("below", "every") if threshold < low else ("above", "no")
    return f"{threshold:g} is {side} all values of {name} ({low:g} to {high:g}): {many} pixel is flagged"
