"""Results of the pipeline for tests of the replay: of a short synthetic drive, and of class maps made by hand."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segments import ood_segments, segment_table
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame, GridFrame, LogitMaps, SegmentTrust, TrustFrame
from trust_seg_ros.uncertainty import uncertainty_maps

SIZE = (120, 160)


@lru_cache(maxsize=1)
def drive_results(count=3):
    """Class names, and the results of some frames of a drive with unknown objects."""
    shipped = TrustPipeline.load(PipelineSettings(device="cpu"))
    anywhere = replace(shipped.ood_model, image_sizes=(), grid=None)  # judge these small images as they are
    pipeline = TrustPipeline(shipped.network, shipped.meta, ood_model=anywhere, grid="image")
    drive = SyntheticDrive(DriveSettings(seed=3, size=SIZE, unknown_rate=8.0))
    thresholds = ThresholdSettings.constants(
        ood=0.4, ood_min_size=15, unreliable=0.4, unreliable_min_share=0.0, pixel=0.5, ood_meta=0.3
    )
    frames = [Frame(drive.frame(i * 10).image, stamp_ns=(i + 1) * 10**9) for i in range(count)]
    return tuple(pipeline.labels.names), [pipeline(frame, thresholds) for frame in frames]


def made_result(classes, judged=True, seed=0, q=11):
    """What the pipeline would say of (H, W) class ids with random certainties; 255 = its logits are not finite."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 0.3, (q, *classes.shape)).astype(np.float32)
    sure = rng.uniform(1, 6, classes.shape)
    for c in range(q):
        logits[c] += np.where(classes == c, sure, 0)
    logits[:, classes == 255] = np.nan
    answer = LogitMaps(torch.from_numpy(logits), classes.shape)
    maps = uncertainty_maps(answer)
    table = segment_table(maps, answer)
    p_wrong, iou = rng.random((2, len(table)))
    trust = SegmentTrust(p_wrong, iou, p_wrong >= 0.5) if judged else None
    return TrustFrame(
        Frame(rng.integers(0, 256, (*classes.shape, 3), dtype=np.uint8), stamp_ns=5),
        GridFrame(maps, table, trust, maps.entropy.numpy() >= 0.5, ood_segments(maps.entropy, 0.4, 2)),
        thresholds={"pixel": 0.5, "unreliable": 0.5, "ood": 0.4},
        timings_ms={"network": 12.5},
    )
