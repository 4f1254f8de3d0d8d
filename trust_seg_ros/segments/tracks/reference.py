"""The kernels of tracking in plain NumPy, from the definition; slow, for tests."""

from __future__ import annotations

import numpy as np


def overlaps_reference(
    masks: list[np.ndarray], shifts: np.ndarray, track_classes: np.ndarray, ids: np.ndarray, class_ids: np.ndarray
) -> dict[tuple[int, int], int]:
    """Pixels that each moved track shares with each segment of its class.

    Args:
        masks: (H, W) bool for every track, where it was last seen.
        shifts: (t, 2) columns and rows that each is moved by.
        track_classes: (t,) its class.
        ids: (H, W) the new frame's segments, 0 = none, else 1..n.
        class_ids: (n,) their classes.

    Returns:
        (track, segment less 1) -> pixels, where there are any.
    """
    height, width = ids.shape
    found: dict[tuple[int, int], int] = {}
    for k, mask in enumerate(masks):
        y, x = np.nonzero(mask)
        x, y = x + int(shifts[k, 0]), y + int(shifts[k, 1])
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        met, pixels = np.unique(ids[y[inside], x[inside]], return_counts=True)
        for j, count in zip(met.tolist(), pixels.tolist(), strict=True):
            if j and class_ids[j - 1] == track_classes[k]:
                found[k, j - 1] = count
    return found


def take_best_reference(pairs: list[tuple[int, int]]) -> dict[int, int]:
    """Track -> segment: pairs, best first, whose two are not taken yet."""
    chosen: dict[int, int] = {}
    for k, j in pairs:
        if k not in chosen and j not in chosen.values():
            chosen[k] = j
    return chosen
