"""The warm-up compiles what a frame takes."""

import numpy as np

from trust_seg_ros.thresholds import policy_kernels
from trust_seg_ros.thresholds.flags import ClassThresholds, flags_by_class
from trust_seg_ros.thresholds.policies import MeanStd, Otsu, Quantile, resolve
from trust_seg_ros.thresholds.regions import RegionThresholds, flags_by_region
from trust_seg_ros.thresholds.warm import warm_up

KERNELS = [k for name, k in vars(policy_kernels).items() if hasattr(k, "signatures") and not name.startswith("_")]


def test_after_the_warm_up_nothing_is_compiled():
    warm_up()
    before = {k.__name__: list(k.signatures) for k in KERNELS}
    assert len(before) >= 7
    assert all(before.values())
    score, classes = np.random.default_rng(0).random((90, 100), np.float32), np.zeros((90, 100), np.uint8)
    for policy in (Quantile(0.9), MeanStd(1.0), Otsu()):
        resolve(policy, score, classes=classes)
    flags_by_class(score, classes, ClassThresholds(np.array([0.3, np.nan]), 0.5))
    flags_by_class(score[0].astype(np.float64), classes[0], ClassThresholds(np.array([0.3]), 0.5))
    flags_by_region(score, RegionThresholds(np.array([[0.3, np.nan]]), 0.5), classes)
    flags_by_region(score.astype(np.float64), RegionThresholds(np.zeros((3, 3)), 0.5))
    assert {k.__name__: list(k.signatures) for k in KERNELS} == before
