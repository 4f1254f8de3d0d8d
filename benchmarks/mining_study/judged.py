"""What chosen images bring to the meta model: AUROC of P(wrong) where it was not fitted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.fitting.fit import fit, scores
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.segmentation.settings import NetworkSettings

logging.getLogger("trust_seg_ros.fitting.fit").setLevel(logging.ERROR)  # few images separate some rare class


def segments(data: Path, split: str, store: Path, network: str) -> SegmentData:
    """The segments of a split with their ground truth; collected once."""
    if not store.is_dir() or split not in SegmentStore.open(store).splits:
        collect(NetworkSettings(network), camvid(data, split), store, split, workers=1)
    return SegmentStore.open(store).read(split)


def auroc(data: SegmentData, names: Sequence[str], judged: SegmentData) -> tuple[float, int]:
    """AUROC (0 to 1) on other images of what ``trust-seg fit`` fits on some, and the number of segments of these."""
    numbers = [data.images.index(name) for name in names]
    fitted = data.rows(np.isin(data.image, numbers))
    return scores(fit(fitted), judged)["auroc"], len(fitted)


def of_images(data: SegmentData, names: Sequence[str]) -> SegmentData:
    """The segments of some images."""
    return data.rows(np.isin(data.image, [data.images.index(name) for name in names]))
