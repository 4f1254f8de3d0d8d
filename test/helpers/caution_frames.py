"""Caution maps made by hand."""

import numpy as np

from trust_seg_ros.ground.caution_frame import CautionFrame, Feet
from trust_seg_ros.ground.placing import GroundPlane


def feet(points=((10.0, 1.0, 0.0), (20.0, -2.0, 0.1)), p=(0.9, 0.6)):
    """Feet of a car and of something unknown."""
    n = len(points)
    classes, kinds = np.resize([1, 255], n).astype(np.uint8), np.resize([1, 3], n).astype(np.uint8)
    sigma, pixels = np.resize([0.5, 2.0], n).astype(np.float32), np.arange(n, dtype=np.int32)
    return Feet(np.array(points, np.float64).reshape(n, 3), np.array(p, np.float32), classes, kinds, sigma, pixels)


def caution_frame(**changes):
    """3 rows along y, 4 columns along x: free, P above the threshold, faded below it, a hazard, unknown."""
    p = np.array(
        [[0.02, 0.199, 0.2, np.nan], [0.05, 0.4, 0.95, np.nan], [0.1, 0.1, 0.5, np.nan]],
        np.float32,
    )
    seen = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], bool)
    occupancy = np.where(np.isfinite(p), np.floor(100 * np.nan_to_num(p) + 0.5), -1).astype(np.int8)
    parts = {
        "occupancy": occupancy,
        "p": p,
        "seen": seen,
        "free_below": 0.2,
        "resolution": 0.5,
        "origin": (10.0, -1.5),
        "in_fixed": False,
        "plane": GroundPlane(offset=-0.3),
        "feet": feet(),
        "stamp_ns": 5,
    }
    return CautionFrame(**(parts | changes))
