"""A judged frame by hand: a road with an unreliable patch, an obstacle, and an unknown object upon the road."""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.segments.labelling import components
from trust_seg_ros.types import GridFrame, OodSegments, SegmentTable, SegmentTrust, UncertaintyMaps

NAMES = ("sky", "road", "pavement", "car")
SKY, ROAD, PAVEMENT, CAR = range(4)


def judged(
    classes: np.ndarray,
    entropy: np.ndarray,
    p_wrong: dict[int, float] | None = None,
    unreliable: tuple[int, ...] = (),
    ood: np.ndarray | None = None,
    p_ood: list[float] | None = None,
    kept: list[bool] | None = None,
) -> GridFrame:
    """A frame whose segments have P(wrong) and flags by their class; ``ood`` holds the numbers of OoD segments."""
    ids, count = components(classes)
    firsts = [np.flatnonzero(ids.ravel() == k + 1)[0] for k in range(count)]
    class_ids = classes.ravel()[firsts].astype(np.uint8) if count else np.zeros(0, np.uint8)
    sizes = np.bincount(ids.ravel(), minlength=count + 1)[1:]
    table = SegmentTable(ids, class_ids, np.zeros((count, 4), np.int32), sizes, sizes, (), np.zeros((count, 0)))
    p = np.array([(p_wrong or {}).get(int(c), 0.0) for c in class_ids])
    trust = SegmentTrust(p, 1 - p, np.isin(class_ids, unreliable))
    known = np.array(p_ood if p_ood is not None else [], float)
    found = OodSegments(
        np.zeros(classes.shape, np.int32) if ood is None else ood.astype(np.int32),
        np.zeros((len(known), 4), np.int32),
        np.ones(len(known), np.int64),
        np.ones(len(known)),
        np.array(kept if kept is not None else [], bool),
        known,
    )
    planes = torch.from_numpy(entropy.astype(np.float32))
    maps = UncertaintyMaps(torch.from_numpy(classes.astype(np.uint8)), planes, planes, planes)
    return GridFrame(maps, table, trust, ood=found)
