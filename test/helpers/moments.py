"""Moments made by hand, and the label maps that their exports must give back."""

import numpy as np
from library_results import LABELS, made

from trust_seg_ros.mining.moment import Moment


def moment(name, classes, *, rank=1, why='3 <unsure> "cars" & more', **more):
    """A moment whose network saw this class map, 255 = none."""
    return Moment(name, made(classes, **more), "drive/", 1_000_000 * rank, rank, 0.5, why)


def seen(one):
    """(H, W) uint8 label map of a moment: classes, the number after the last one on unknown objects, 255 = none."""
    segments = one.result.segments
    table = np.concatenate([[255], segments.class_ids]).astype(np.uint8)
    values = table[segments.ids]
    for thing in one.result.unknown_objects:
        values[thing.mask] = len(one.result.labels)
    return values


def read_back(folder, names):
    """Name -> (H, W) uint8 label map of a data set, coded as that of :func:`seen`."""
    import cv2

    found = {}
    for name in names:
        values = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        mask = folder / "labels_masks" / f"{name}_labels_semantic.png"
        if mask.exists():
            marked = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
            assert ((marked == 0) == (values < 255)).all()
            values = np.where(marked == 1, len(LABELS), values).astype(np.uint8)
        found[name] = values
    return found
