"""All pixel scores, one row each. The node, the commands and the documentation read them from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError
from trust_seg_ros.uncertainty.feature_scores import feature_maps
from trust_seg_ros.uncertainty.gradient import gradient_onehot, gradient_uniform
from trust_seg_ros.uncertainty.gradient_inputs import LOG_LEAST, GradientSettings, Label
from trust_seg_ros.uncertainty.mask_scores import class_sum_entropy, mask_uncertainty, maskomaly, max_class_sum, rba
from trust_seg_ros.uncertainty.pixel_score import PixelScore, Range, ScoreInput
from trust_seg_ros.uncertainty.scores import energy, max_logit
from trust_seg_ros.uncertainty.standardized import standardized_max_logit


def _held(name: Literal["entropy", "margin", "variation_ratio"]) -> Callable[[ScoreInput], torch.Tensor]:
    """A map that every frame has."""

    def function(given: ScoreInput) -> torch.Tensor:
        found: torch.Tensor = getattr(given.maps, name)
        return found

    return function


def _standardized(given: ScoreInput) -> torch.Tensor:
    classes = given.maps.classes.to(given.logits.logits.device)
    return standardized_max_logit(given.logits, classes, given.statistics.classes)


def _gradient(function: Callable[..., torch.Tensor]) -> Callable[[ScoreInput], torch.Tensor]:
    def score(given: ScoreInput) -> torch.Tensor:
        s = given.gradient
        return function(given.logits, p=s.p, variant=s.variant, scale=s.scale)

    return score


def _gradient_sign(label: Label) -> Callable[[GradientSettings], int]:
    return lambda settings: settings.sign(label)


def _gradient_limits(label: Label) -> Callable[[int, GradientSettings], Range]:
    def limits(classes: int, settings: GradientSettings) -> Range:
        least = LOG_LEAST if settings.scale == "log" else 0.0
        return (-float("inf"), -least) if settings.sign(label) < 0 else (least, float("inf"))

    return limits


def _feature(name: str) -> Callable[[ScoreInput], torch.Tensor]:
    """A score of the features; ``FrameScores`` computes several of them together."""
    return lambda given: feature_maps(given.logits, given.statistics.features, (name,))[name]


def _perturbed(kind: str) -> Callable[[ScoreInput], torch.Tensor]:
    """A perturbation score, computed from further passes that the pipeline runs."""

    def function(given: ScoreInput) -> torch.Tensor:
        if given.perturbed is None:
            raise PerturbationUnavailableError(
                f"{kind} needs several more passes of the network, but only one answer of it is given; "
                "use a TrustPipeline"
            )
        return given.perturbed(kind)

    return function


SCORE_ROWS: tuple[PixelScore, ...] = (
    PixelScore(
        "entropy",
        "softmax",
        _held("entropy"),
        "entropy of the softmax, divided by log q (Rottmann et al., MetaSeg, equation 2)",
        limits=(0.0, 1.0),
    ),
    PixelScore(
        "margin",
        "softmax",
        _held("margin"),
        "1 minus the difference of the two largest probabilities (MetaSeg, equation 3)",
        limits=(0.0, 1.0),
    ),
    PixelScore(
        "variation_ratio",
        "softmax",
        _held("variation_ratio"),
        "1 minus the largest probability (Freeman 1965)",
        limits=lambda classes, gradient: (0.0, 1.0 - 1.0 / classes),
    ),
    PixelScore(
        "max_logit",
        "logits",
        lambda given: max_logit(given.logits),
        "minus the largest logit (Hendrycks et al. 2022)",
        ("raw logits",),
        unit="logits, about −20 to 0 for usual networks",
        direction=-1,
    ),
    PixelScore(
        "energy",
        "logits",
        lambda given: energy(given.logits),
        "minus the logarithm of the sum of the exponentials of all logits (Liu et al. 2020)",
        ("raw logits",),
        unit="logits, about −20 to 0 for usual networks",
        direction=-1,
    ),
    PixelScore(
        "standardized_max_logit",
        "standardised",
        _standardized,
        "minus the largest logit, measured by its mean and spread where its class is predicted (Jung et al. 2021)",
        ("raw logits", "calibration"),
        unit="standard deviations, about −3 to 3",
        direction=-1,
    ),
    PixelScore(
        "gradient_onehot",
        "gradient",
        _gradient(gradient_onehot),
        "norm of the loss's gradient at the last layer, with the predicted class as label (Maag and Riedlinger 2023)",
        ("last layer",),
        _gradient_limits("onehot"),
        "logarithm of a norm",
        _gradient_sign("onehot"),
    ),
    PixelScore(
        "gradient_uniform",
        "gradient",
        _gradient(gradient_uniform),
        "norm of the loss's gradient at the last layer, with a uniform label (Maag and Riedlinger 2023)",
        ("last layer",),
        _gradient_limits("uniform"),
        "logarithm of a norm",
        _gradient_sign("uniform"),
    ),
    PixelScore(
        "rba",
        "mask",
        lambda given: rba(given.logits),
        "rejected by all: minus the sum of the hyperbolic tangents of the class sums (Nayal et al. 2023)",
        ("class sums",),
        lambda classes, gradient: (-float(classes), 0.0),
        direction=-1,
    ),
    PixelScore(
        "max_class_sum",
        "mask",
        lambda given: max_class_sum(given.logits),
        "1 minus the largest class sum (Rai et al. 2023)",
        ("class sums",),
        (-float("inf"), 1.0),
        "below 0 where several masks claim a pixel for one class",
    ),
    PixelScore(
        "class_sum_entropy",
        "mask",
        lambda given: class_sum_entropy(given.logits),
        "entropy of the softmax of the class sums, divided by log q; near 1 everywhere",
        ("class sums",),
        (0.0, 1.0),
    ),
    PixelScore(
        "mask_uncertainty",
        "mask",
        lambda given: mask_uncertainty(given.logits),
        "1 minus the largest probability of a mask times that of its class (Cheng et al. 2021)",
        ("mask queries",),
        (0.0, 1.0),
    ),
    PixelScore(
        "maskomaly",
        "mask",
        lambda given: maskomaly(given.logits),
        "what no confident mask claims, without the borders between masks (Ackermann et al. 2023, the rejection alone)",
        ("mask queries",),
        (0.0, 1.0),
    ),
    PixelScore(
        "vim",
        "feature",
        _feature("vim"),
        "the features' part outside of the usual directions, as a logit, minus the energy (Wang et al. 2022)",
        ("raw logits", "features", "feature statistics"),
        unit="logits, about −20 to 20",
    ),
    PixelScore(
        "knn",
        "feature",
        _feature("knn"),
        "distance of the features to their nearest neighbours in a bank, as 1 minus the cosine (Sun et al. 2022)",
        ("features", "feature statistics"),
        (0.0, 2.0),
    ),
    PixelScore(
        "cdnp",
        "feature",
        _feature("cdnp"),
        "knn and energy, each standardised, added (Galesso et al. 2023)",
        ("raw logits", "features", "feature statistics"),
        unit="standard deviations, about −3 to 6",
    ),
    PixelScore(
        "mc_dropout",
        "perturbation",
        _perturbed("mc_dropout"),
        "how the softmax changes with dropout left on (Gal and Ghahramani 2016)",
        ("passes",),
        (0.0, 1.0),
    ),
    PixelScore(
        "input_noise",
        "perturbation",
        _perturbed("input_noise"),
        "how the softmax changes with noise on the image (Mi et al. 2022)",
        ("passes",),
        (0.0, 1.0),
    ),
    PixelScore(
        "input_scale",
        "perturbation",
        _perturbed("input_scale"),
        "how the softmax changes with the size the network sees the image in (Mi et al. 2022)",
        ("passes",),
        (0.0, 1.0),
    ),
)
"""In the order of choices, options and tables; scores that every network can give come first."""
