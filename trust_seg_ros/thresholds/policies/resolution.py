"""From a policy to the threshold of one image."""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.support.gpu import kernels_for
from trust_seg_ros.thresholds.policies.base import (
    Calibrated,
    Curves,
    CurvesNeededError,
    PerImage,
    Policy,
    PolicyError,
)
from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.registry import UNCALIBRATED
from trust_seg_ros.types import UNLABELLED

_MOST_COUNTED = 2**31 - 1
"""Values that kernels on a GPU can count."""


def resolve(
    policy: Policy,
    score: np.ndarray | torch.Tensor | None,
    curves: Curves | None = None,
    *,
    classes: np.ndarray | torch.Tensor | None = None,
    threads: int | None = None,
) -> float:
    """The threshold that a policy gives for one image. Scores at or above it are flagged.

    Per-image policies leave out values that are not finite (+inf marks faulty pixels, which are flagged whatever the
    threshold; NaN is never flagged) and, with ``classes``, pixels without a class, whose maximal softmax scores are
    meaningless. An image without contrast gets the next number above its value: nothing is flagged.

    Args:
        policy: one of the registry's.
        score: (H, W) float32 score map, or (n,) float64 probabilities of segments; may be None for a policy that is
            not per image. A tensor of any device: a map on a GPU is counted there where there are kernels for it.
        curves: curves of that score, for a calibrated policy.
        classes: like ``score``, uint8 predicted classes; ``UNLABELLED`` = none. A tensor if the score is one.
        threads: how many threads work on a map; None for one per core, at most 8.

    Returns:
        In the unit of the score; +inf if a per-image policy finds no finite score, for example in an image without
        segments; -inf if no threshold of a calibration curve is strict enough: everything is flagged. Never NaN.

    Raises:
        CurvesNeededError: a calibrated policy without its curve.
        TooFewImagesError: too few calibration images for this alpha.
        PolicyError: a per-image policy without scores, or ``classes`` of another shape.
    """
    if isinstance(policy, PerImage):
        if score is None:
            raise PolicyError(f"{policy}: expected the scores of the image, got none")
        if isinstance(score, torch.Tensor):
            found = _of_device(policy, score, classes)
            if found is not None:
                return found
        return policy.of_image(_labelled(_floating(score), classes), threads)
    if isinstance(policy, Calibrated):
        curve = None if curves is None else curves.get(policy.needs)
        if curve is None:
            others = f"{', '.join(UNCALIBRATED[:-1])} or {UNCALIBRATED[-1]}"
            raise CurvesNeededError(
                f"policy {policy.name}: expected a calibration of this score, there is none; make one with trust-seg "
                f"calibrate and load it, or choose {others}"
            )
        return policy.of_curve(curve)
    if isinstance(policy, Fixed):
        return float(policy.value)
    raise PolicyError(f"{policy}: expected a policy of the image, a calibrated one or a constant")


def check_alike(score: np.ndarray | torch.Tensor, classes: np.ndarray | torch.Tensor) -> None:
    """Refuse classes that do not belong to the scores.

    Raises:
        PolicyError: another shape, or another type than uint8.
    """
    if classes.shape != score.shape or classes.dtype not in (np.uint8, torch.uint8):
        shapes = tuple(classes.shape), tuple(score.shape)
        raise PolicyError(f"classes {shapes[0]} {classes.dtype}: expected {shapes[1]} uint8, like the scores")


def _of_device(policy: PerImage, score: torch.Tensor, classes: np.ndarray | torch.Tensor | None) -> float | None:
    """The threshold of a map that lies on a GPU; None if it is to be copied."""
    if score.dtype != torch.float32 or score.numel() > _MOST_COUNTED or not kernels_for(score.device):
        return None
    if classes is not None:
        check_alike(score, classes)
        classes = torch.as_tensor(classes, device=score.device)
    return policy.of_device(score, classes)


def _array(values: np.ndarray | torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _floating(score: np.ndarray | torch.Tensor) -> np.ndarray:
    score = _array(score)
    return score if score.dtype in (np.float32, np.float64) else score.astype(np.float64)


def _labelled(score: np.ndarray, classes: np.ndarray | torch.Tensor | None) -> np.ndarray:
    """The scores, NaN where there is no class. A copy is made only where there are such pixels, which is rare."""
    if classes is None:
        return score
    classes = _array(classes)
    check_alike(score, classes)
    if classes.size == 0 or classes.max() != UNLABELLED:
        return score
    return np.where(classes == UNLABELLED, score.dtype.type(np.nan), score)
