"""Threshold policies: each turns the scores of an image, or calibration curves, into one number.

A policy is one class in one file, and one row in ``registry.py``; the node's parameters, options, documentation and the
words of reports come from both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trust_seg_ros.thresholds.policies.adaptive import Adaptive
from trust_seg_ros.thresholds.policies.base import (
    Calibrated,
    Curves,
    CurvesNeededError,
    PerImage,
    Policy,
    PolicyError,
)
from trust_seg_ros.thresholds.policies.conformal import Conformal
from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.mean_std import MeanStd
from trust_seg_ros.thresholds.policies.otsu import Otsu
from trust_seg_ros.thresholds.policies.quantile import Quantile
from trust_seg_ros.thresholds.policies.registry import POLICIES
from trust_seg_ros.thresholds.policies.settings import PolicySettings
from trust_seg_ros.thresholds.policies.target_recall import TargetRecall

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.policies.resolution import resolve

__all__ = [
    "POLICIES",
    "Adaptive",
    "Calibrated",
    "Conformal",
    "Curves",
    "CurvesNeededError",
    "Fixed",
    "MeanStd",
    "Otsu",
    "PerImage",
    "Policy",
    "PolicyError",
    "PolicySettings",
    "Quantile",
    "TargetRecall",
    "resolve",
]


def __getattr__(name: str) -> object:
    if name != "resolve":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trust_seg_ros.thresholds.policies.resolution import resolve  # loads torch, which --help has no use for

    return resolve
