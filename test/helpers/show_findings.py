"""Findings by hand: a softmax in which every number is known."""

import numpy as np

from trust_seg_ros.evaluation.show.show import Findings
from trust_seg_ros.segmentation import LabelSet
from trust_seg_ros.segments import maps_from_softmax, segment_table_from_softmax, targets
from trust_seg_ros.types import SegmentTrust

PALETTE = np.array([[10, 20, 30], [200, 100, 50], [0, 0, 255]], np.uint8)
LABELS = LabelSet("three", ("road", "car", "sky"), PALETTE)


def stripes(height=96, width=160):
    """(H, W) uint8: sky above road, a car of 30 x 40 on it and a speck of car of 2 x 2 in the sky."""
    classes = np.zeros((height, width), np.uint8)
    classes[: height // 2] = 2
    classes[height // 2 + 10 : height // 2 + 40, 20:60] = 1
    classes[5:7, 100:102] = 1
    return classes


def findings(classes=None, truth=None, judged=True, threshold=0.5, p_wrong=None, iou=None, seed=0):
    """Findings whose prediction is ``classes``."""
    classes = stripes() if classes is None else classes
    rng = np.random.default_rng(seed)
    prob = rng.uniform(0.0, 0.2, (3, *classes.shape)).astype(np.float32)
    np.put_along_axis(prob, classes[None].astype(int), 1.0, 0)
    prob /= prob.sum(0)
    maps = maps_from_softmax(prob)
    table = segment_table_from_softmax(prob, maps=maps, ground_truth=truth)
    n = len(table)
    p_wrong = np.linspace(0.05, 0.95, n) if p_wrong is None else np.asarray(p_wrong, float)
    iou = 1.0 - p_wrong if iou is None else np.asarray(iou, float)
    return Findings(
        rng.integers(0, 256, (*classes.shape, 3), dtype=np.uint8),
        LABELS,
        "by hand",
        maps.classes.numpy(),
        maps.entropy.numpy(),
        table,
        threshold,
        SegmentTrust(p_wrong, iou, p_wrong >= threshold) if judged else None,
        truth,
        None if truth is None else targets(table, truth),
    )
