"""How tracks move: velocity and growth of each, measured from step to step, and where that takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trust_seg_ros.segments.tracks.state import TrackerState

STEADY_OVERLAP = 0.5
"""Least overlap, in place, of two sightings whose centroids tell the velocity: otherwise the shape changed, too."""
_SMOOTHING = 0.5  # share of a new velocity
_SMOOTHING_OF_GROWTH = 0.4
_MOST_NEARER = 0.5


def expected_motion(before: TrackerState, elapsed: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """(t, 2) columns and rows that each track should have moved; what comes nearer moves faster and faster."""
    nearer = np.clip(before.growths * elapsed, -_MOST_NEARER, _MOST_NEARER)
    limit = 2.0 * max(shape)
    moved: np.ndarray = np.clip(before.velocities * (elapsed / (1.0 - nearer))[:, None], -limit, limit)
    return moved


def measured_motion(
    before: TrackerState,
    past: np.ndarray,
    centroids: np.ndarray,
    sizes: np.ndarray,
    overlap: np.ndarray,
    elapsed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Velocities (m, 2) and growths (m,) of the tracks that were continued; unchanged where nothing can be said.

    Args:
        before: the tracks.
        past: (m,) positions of those that were continued.
        centroids, sizes: (m, 2), (m,) of the segments that continue them.
        overlap: (m,) by which they were matched; 0 = by their place.
        elapsed: (m,) seconds since they were last seen.
    """
    old, growth = before.velocities[past], before.growths[past]
    usable = (elapsed > 0.0) & ((overlap >= STEADY_OVERLAP) | (overlap == 0.0))
    step = np.where(usable, elapsed, 1.0)
    measured = (centroids - before.centroids[past]) / step[:, None]
    sides = 0.5 * np.log(sizes / np.maximum(before.sizes[past], 1)) / step
    share = np.where(before.frames[past] > 1, _SMOOTHING, 1.0)
    moved = np.where(usable[:, None], old + share[:, None] * (measured - old), old)
    return moved, np.where(usable, growth + _SMOOTHING_OF_GROWTH * (np.clip(sides, -2.0, 2.0) - growth), growth)
