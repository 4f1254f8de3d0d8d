"""Compile every kernel of this package ahead of the first frame."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.thresholds.flags import ClassThresholds, flags_by_class
from trust_seg_ros.thresholds.policies.base import PerImage
from trust_seg_ros.thresholds.policies.registry import POLICIES
from trust_seg_ros.thresholds.regions import RegionThresholds, flags_by_region


def warm_up() -> None:
    """Run every policy of the image, and flags by group, once: a few seconds on the first run on a machine."""
    score = np.linspace(-1.0, 1.0, 100, dtype=np.float32)
    for policy in POLICIES.values():
        if issubclass(policy, PerImage):
            policy().of_image(score, None)
    classes, thresholds = np.zeros(score.shape, np.uint8), ClassThresholds(np.zeros(1), 0.0)
    regions = RegionThresholds(np.zeros((1, 1)), 0.0)
    for dtype in (np.float32, np.float64):
        flags_by_class(score.astype(dtype), classes, thresholds)
        flags_by_region(score.astype(dtype).reshape(10, 10), regions)
