"""What is compiled before the first frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from trust_seg_ros import segments, uncertainty
from trust_seg_ros.thresholds import ThresholdSettings, warm
from trust_seg_ros.uncertainty.feature_scores import warm_up_features
from trust_seg_ros.uncertainty.perturbed_network import PerturbedNetwork

EVERYTHING = ThresholdSettings.constants(unreliable=0.0, unreliable_min_share=0.0, pixel=0.0, ood=0.0, ood_min_size=1)
"""Flags everywhere, so that every branch runs."""


def compile_kernels(told: Callable[[str], None], device: torch.device) -> None:
    """Compile what every network on ``device`` needs; ``told`` is called with the name of each step."""
    thresholds = partial(warm.warm_up, device)
    compiled: tuple[tuple[str, Callable[[], None]], ...] = (
        ("pixel maps", uncertainty.warm_up),
        ("segments", segments.warm_up),
        ("thresholds", thresholds),
    )
    for number, (what, compile_all) in enumerate(compiled, 1):
        told(f"compiling kernels, part {number} of 5: {what}")
        compile_all()


def compile_scores(
    perturbed: PerturbedNetwork, gradient_p: float | None, features: bool, told: Callable[[str], None]
) -> None:
    """Compile what the scores of this network need on a CPU.

    Args:
        perturbed: the network, for scores of many passes.
        gradient_p: order of the norm of its gradient scores; None = it gives none.
        features: whether there are statistics for feature scores.
        told: called with the name of each step.
    """
    told("compiling kernels, part 4 of 5: perturbation")
    perturbed.warm_up()
    if gradient_p is not None:
        told("compiling kernels, part 5 of 5: gradients")
        uncertainty.warm_up_gradients(gradient_p)
    if features:
        warm_up_features()
