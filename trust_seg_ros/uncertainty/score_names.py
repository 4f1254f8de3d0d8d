"""Anomaly scores by name: what ``ood.score`` and ``trust-seg benchmark --score`` may be."""

from __future__ import annotations

import torch

from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.errors import SettingError
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.perturbation_settings import PERTURBATION_SCORES
from trust_seg_ros.uncertainty.scores import energy, max_logit
from trust_seg_ros.uncertainty.standardized import ClassStatistics, standardized_max_logit

SOFTMAX_SCORES = ("entropy", "margin", "variation_ratio")
"""Scores that ``UncertaintyMaps`` holds already."""
LOGIT_SCORES = ("max_logit", "energy")
STANDARDIZED = "standardized_max_logit"
"""Needs class statistics of the network besides."""
GRADIENT_SCORES = ("gradient_onehot", "gradient_uniform")
SCORES = (*SOFTMAX_SCORES, *LOGIT_SCORES, STANDARDIZED, *GRADIENT_SCORES)
"""All names of scores of a single pass, those that every network can give first."""
PIXEL_SCORES = (*SCORES, *PERTURBATION_SCORES)
"""What may flag pixels: those of perturbed passes, too, which ask the network several times more."""


def score_map(
    name: str,
    logit_maps: LogitMaps,
    maps: UncertaintyMaps,
    gradient: GradientSettings | None = None,
    statistics: ClassStatistics | None = None,
) -> torch.Tensor:
    """One anomaly score of every pixel; higher = more likely out of distribution.

    Args:
        name: one of ``SCORES``.
        logit_maps: the network's answer for an image.
        maps: the maps of the same answer.
        gradient: norm and variant of the gradient scores; None = the defaults (p = 0.5, exact). They are compared and
            averaged over segments here, so ``scale="log"`` is the better choice where p is small.
        statistics: of the network, for standardized_max_logit.

    Returns:
        (H, W) float32 on the device of the logits; the score's maximum at faulty pixels.

    Raises:
        SettingError: no such score.
        StatisticsNeededError: standardized_max_logit without statistics.
        RawLogitsNeededError: a score of the logits, of a network that gives probabilities only.
        FeaturesNeededError: a gradient score of a network that gives no features or no last convolution.
        LogitsError, FeaturesError: the network's answer cannot be used.
    """
    if name in SOFTMAX_SCORES:
        return getattr(maps, name)
    if name == "max_logit":
        return max_logit(logit_maps)
    if name == "energy":
        return energy(logit_maps)
    if name == STANDARDIZED:
        return standardized_max_logit(logit_maps, maps.classes.to(logit_maps.logits.device), statistics)
    if name not in GRADIENT_SCORES:
        raise SettingError(f"no score {name!r}; choose one of: {', '.join(SCORES)}")
    from trust_seg_ros.uncertainty.gradient import gradient_onehot, gradient_uniform

    settings = gradient or GradientSettings()
    function = gradient_onehot if name == "gradient_onehot" else gradient_uniform
    return function(logit_maps, p=settings.p, variant=settings.variant, scale=settings.scale)
