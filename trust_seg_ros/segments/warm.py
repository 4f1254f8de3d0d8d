"""Compile every kernel of this package ahead of the first frame."""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.segments.history import MetricHistory, TimeWindow
from trust_seg_ros.segments.labelling import components
from trust_seg_ros.segments.matching import targets
from trust_seg_ros.segments.ood import ood_segments
from trust_seg_ros.segments.softmax import maps_from_softmax
from trust_seg_ros.segments.table import segment_table, segment_table_from_softmax
from trust_seg_ros.segments.tracks import Tracker
from trust_seg_ros.types import LogitMaps

_ROWS = 128


def warm_up() -> None:
    """Run everything once on a small image, tall enough for several bands of rows, so that joining them runs, too.

    Compiled code is kept in the user's cache directory, so only the first run on a machine takes seconds.
    """
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal((3, _ROWS, 10), np.float32))
    prob = torch.softmax(logits, dim=0)
    maps = maps_from_softmax(prob)
    truth = rng.integers(0, 3, (_ROWS, 10), dtype=np.uint8)
    table = segment_table(maps, LogitMaps(logits, (_ROWS, 10)), "meta_ood", ground_truth=truth)
    segment_table_from_softmax(prob, maps=maps)
    for variant in ("component", "released"):
        targets(table, truth, variant)
    ood_segments(maps.entropy, 0.5)
    tracker, history = Tracker(), MetricHistory(("S",), TimeWindow(1.0))
    for stamp_ns, step in ((1, 0), (100_000_001, 3)):  # the second has shifted by more than small segments are wide
        ids, n = components(np.roll(truth, step, axis=1))
        sizes = np.bincount(ids.ravel(), minlength=n + 1)[1:]
        tracks = tracker.update(ids, np.zeros(n, np.uint8), sizes, stamp_ns)
        history.update(sizes[:, None].astype(np.float64), tracks, tracks.ids)
