"""Results of the library made by hand: a class map, and numbers that a meta model might have given."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from trust_seg_ros.library import TrustFrame
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.types import Frame, GridFrame, OodSegments, SegmentTable, SegmentTrust, UncertaintyMaps

LABELS = LabelSet("three", ("Road", "<b>Tree & Bush</b>", "Straßenbahn 路"))
"""Names with markup, spaces and letters beyond ASCII."""


def components(classes):
    """(H, W) class map, 255 = none -> ids of its 8-connected components, and the class of each."""
    ids, found = np.zeros(classes.shape, np.int32), []
    for class_id in np.unique(classes[classes < 255]):
        parts, count = ndimage.label(classes == class_id, np.ones((3, 3)))
        ids[parts > 0] = parts[parts > 0] + len(found)
        found += [class_id] * count
    return ids, np.array(found, np.uint8)


def boxes_of(ids):
    """(n, 4) left, top, right, bottom."""
    sides = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(ids)]
    return np.array(sides, np.int32).reshape(-1, 4)


def made(classes, *, judged=True, unknown=None, size=None, name="", labels=LABELS, segments=True, p_ood=0.8):
    """A result whose grid has this class map, for an image of ``size`` (default: that of the grid).

    Args:
        classes: (H', W') class ids, 255 = none.
        judged: whether there is a meta model.
        unknown: (H', W') bool, pixels of unknown objects; None: not asked for.
        size: (H, W) of the image.
        name: of the image.
        labels: the classes.
        segments: whether segments were asked for.
        p_ood: P(OoD) of all; None: no meta model.
    """
    classes = np.asarray(classes, np.uint8)
    ids, class_ids = components(classes)
    n, rng = len(class_ids), np.random.default_rng(0)
    sizes = np.bincount(ids.ravel(), minlength=n + 1)[1:].astype(np.int64)
    table = SegmentTable(ids, class_ids, boxes_of(ids), sizes, sizes // 2, ("E", "V", "S"), rng.random((n, 3)))
    p_wrong = rng.random(n)
    trust = SegmentTrust(p_wrong, 1 - p_wrong, p_wrong >= 0.5, np.zeros(n, bool)) if judged else None
    plane = torch.from_numpy(rng.random(classes.shape, np.float32))
    maps = UncertaintyMaps(torch.from_numpy(classes), plane, plane, plane)
    flags = plane.numpy() > 0.9
    ood = None if unknown is None else _ood(np.asarray(unknown, bool), p_ood)
    grid = GridFrame(maps, table if segments else None, trust if segments else None, flags, ood)
    image = rng.integers(0, 256, (*(size or classes.shape), 3), np.uint8)
    return TrustFrame(Frame(image), grid, {"unreliable": 0.5}, labels=labels, name=name)


def _ood(mask, p_ood):
    parts, count = ndimage.label(mask, np.ones((3, 3)))
    ids, ones = parts.astype(np.int32), np.ones(count)
    sizes = np.bincount(ids.ravel(), minlength=count + 1)[1:].astype(np.int64)
    judged = None if p_ood is None else p_ood * ones
    return OodSegments(ids, boxes_of(ids), sizes, 0.9 * ones, ones > 0, judged, np.zeros(count, np.uint8), 0.3 * ones)


def blocks(seed=0, size=(24, 32), classes=3):
    """A class map of random blocks, with some pixels of no class."""
    rng = np.random.default_rng(seed)
    found = np.kron(rng.integers(0, classes, (size[0] // 4, size[1] // 4)), np.ones((4, 4))).astype(np.uint8)
    found[rng.random(size) < 0.02] = 255
    return found
