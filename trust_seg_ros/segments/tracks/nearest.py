"""Matches by the distance of centroids what the overlap of masks left over: small and thin things that moved far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trust_seg_ros.segments.tracks import kernels
from trust_seg_ros.segments.tracks.state import TrackerState

REACH = 1.0
"""Furthest a centroid may lie from where its track is expected, across and down, in widths and heights: the mean of the
two boxes."""
REACH_OF_DIAGONAL = 0.01
"""And so many diagonals of the grid more, twice as many for a track seen once: poles are narrower than they move."""
SIZES = 4.0
"""Largest ratio of their sizes; what is partly hidden changes much from frame to frame."""
_MOST = 256  # of each; a table of distances of more takes longer than the overlap


def match_nearest(
    before: TrackerState,
    class_ids: np.ndarray,
    sizes: np.ndarray,
    centroids: np.ndarray,
    extents: np.ndarray,
    shape: Sequence[int],
    moved: np.ndarray,
    of_track: np.ndarray,
    of_segment: np.ndarray,
) -> None:
    """Match, nearest first, one to one; fills ``of_track`` and ``of_segment`` where they are -1.

    Args:
        before: the tracks.
        class_ids, sizes, centroids, extents: of the new segments, (n,), (n,), (n, 2), (n, 2) widths and heights.
        shape: of the grid.
        moved: (t, 2) columns and rows that each track should have moved since it was last seen.
        of_track, of_segment: (t,), (n,) int64 what is matched already.
    """
    free, open_segments = _largest(of_track < 0, before.sizes), _largest((of_segment < 0) & (sizes > 0), sizes)
    if not len(free) or not len(open_segments):
        return
    pairs, distances = np.empty((len(free) * len(open_segments), 2), np.int64), np.empty(len(free) * len(open_segments))
    unknown = (before.frames[free] == 1)[:, None]  # a velocity that is not known yet is taken for 0
    beyond = REACH_OF_DIAGONAL * math.hypot(*shape[:2]) * np.where(unknown, 2.0, 1.0)
    count = kernels.find_near(
        before.centroids[free] + moved[free],
        0.5 * REACH * before.extents[free] + beyond,
        before.sizes[free],
        before.class_ids[free],
        centroids[open_segments],
        0.5 * REACH * extents[open_segments],
        sizes[open_segments],
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
