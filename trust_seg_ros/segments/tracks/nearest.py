"""Matches by the distance of centroids what the overlap of masks left over: small and thin things that moved far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trust_seg_ros.segments.tracks import kernels
from trust_seg_ros.segments.tracks.state import TrackerState

REACH = 1.0
"""Furthest a centroid may lie from where its track is expected, in mean diameters, sqrt(pixels), of the two."""
REACH_OF_DIAGONAL = 0.01
"""And so many diagonals of the grid more where the velocity is not known yet."""
SIZES = 2.5
"""Largest ratio of their sizes."""
_MOST = 256  # of each; a table of distances of more takes longer than the overlap


def match_nearest(
    before: TrackerState,
    class_ids: np.ndarray,
    sizes: np.ndarray,
    centroids: np.ndarray,
    shape: Sequence[int],
    elapsed: np.ndarray,
    of_track: np.ndarray,
    of_segment: np.ndarray,
) -> None:
    """Match, nearest first, one to one; fills ``of_track`` and ``of_segment`` where they are -1.

    Args:
        before: the tracks.
        class_ids, sizes, centroids: of the new segments, (n,), (n,), (n, 2).
        shape: of the grid.
        elapsed: (t,) seconds since each track was last seen.
        of_track, of_segment: (t,), (n,) int64 what is matched already.
    """
    free, open_segments = _largest(of_track < 0, before.sizes), _largest((of_segment < 0) & (sizes > 0), sizes)
    if not len(free) or not len(open_segments):
        return
    expected = before.centroids[free] + before.velocities[free] * elapsed[free, None]
    old, new = before.sizes[free], sizes[open_segments]
    unsure = np.where(before.frames[free] == 1, REACH_OF_DIAGONAL * math.hypot(*shape[:2]), 0.0)
    pairs, distances = np.empty((len(free) * len(open_segments), 2), np.int64), np.empty(len(free) * len(open_segments))
    count = kernels.find_near(
        expected,
        0.5 * REACH * np.sqrt(old) + unsure,
        old,
        before.class_ids[free],
        centroids[open_segments],
        0.5 * REACH * np.sqrt(new),
        new,
        class_ids[open_segments],
        SIZES,
        pairs,
        distances,
    )
    tracks, segments = pairs[:count].T
    order = np.lexsort((open_segments[segments], before.ids[free[tracks]], distances[:count]))
    kernels.take_best(free[tracks[order]], open_segments[segments[order]], of_track, of_segment)


def _largest(among: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Positions of the ``_MOST`` largest that are among them, ascending."""
    found = np.flatnonzero(among)
    if len(found) > _MOST:
        found = np.sort(found[np.argsort(-sizes[found], kind="stable")[:_MOST]])
    return found
