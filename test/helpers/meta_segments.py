"""Segments with a known structure, to judge meta models by."""

import numpy as np

from trust_seg_ros.meta.data import SegmentData

NAMES = ("S", "E", "D", "cprob_0", "cprob_1", "still")


def segments(n=400, images=20, drives=("a", "b"), seed=0, **changed):
    """D tells the IoU, E tells it with much noise, S tells nothing, "still" is constant."""
    rng = np.random.default_rng(seed)
    iou_adj = np.clip(rng.normal(0.3, 0.4, n), 0, 1)
    d = 1 - iou_adj + rng.normal(0, 0.15, n)
    e = 1 - iou_adj + rng.normal(0, 0.6, n)
    sky = rng.random(n)
    metrics = np.stack([rng.integers(9, 5000, n), e, d, 1 - sky, sky, np.full(n, 0.1)], 1).astype(float)
    parts = {
        "names": NAMES,
        "metrics": metrics,
        "iou": iou_adj * 0.9,
        "iou_adj": iou_adj,
        "class_ids": (sky > 0.5).astype(np.uint8),
        "image": np.sort(rng.integers(0, images, n)).astype(np.int32),
        "images": tuple(f"image_{k:02d}" for k in range(images)),
        "drives": tuple(drives[k * len(drives) // images] for k in range(images)),
        "network": "net",
        "class_names": ("road", "sky"),
    }
    return SegmentData(**{**parts, **changed})
