"""Compile every kernel of this package ahead of the first frame."""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.thresholds.flags import ClassThresholds, flags_by_class
from trust_seg_ros.thresholds.policies.base import PerImage
from trust_seg_ros.thresholds.policies.registry import POLICIES
from trust_seg_ros.thresholds.policies.resolution import resolve
from trust_seg_ros.thresholds.regions import RegionThresholds, flags_by_region


def warm_up(device: torch.device | None = None) -> None:
    """Run every policy of the image, and flags by group, once: a few seconds on the first run on a machine.

    Args:
        device: where the network runs; on a GPU, the policies' kernels are compiled, too.
    """
    score = np.linspace(-1.0, 1.0, 112, dtype=np.float32)
    for policy in POLICIES.values():
        if issubclass(policy, PerImage):
            policy().of_image(score, None)
            if device is not None:
                there = torch.from_numpy(score).to(device)
                resolve(policy(), there, classes=torch.zeros_like(there, dtype=torch.uint8))
    classes, thresholds = np.zeros(score.shape, np.uint8), ClassThresholds(np.zeros(1), 0.0)
    regions = RegionThresholds(np.zeros((1, 1)), 0.0)
    for dtype in (np.float32, np.float64):
        flags_by_class(score.astype(dtype), classes, thresholds)
        flags_by_region(score.astype(dtype).reshape(8, 14), regions)
