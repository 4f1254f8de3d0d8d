"""Compiled kernels of tracking: runs of a map of segments, their overlap with the next map, and who gets whom.

All are serial and release the GIL; ``reference.py`` holds the same in plain NumPy.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def find_runs(
    ids: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    owners: np.ndarray,
    first: np.ndarray,
    sizes: np.ndarray,
    centroids: np.ndarray,
    extents: np.ndarray,
) -> int:
    """Write the runs of a map of segments (0 = none, 1..n), and each segment's centroid and extent.

    ``owners`` are the numbers less 1; row y has the runs ``first[y]`` to ``first[y + 1]``; ``sizes`` (n,) are pixels,
    which a centroid's sums are divided by; ``centroids`` (n, 2) column and row, ``extents`` (n, 2) width and height,
    at least 1, are written. Returns the number of runs; minus a number of the map that is above n, where there is one.
    """
    height, width = ids.shape
    boxes = np.empty((len(sizes), 4), np.int32)  # left, top, right, bottom (exclusive)
    for k in range(len(sizes)):
        centroids[k, 0] = centroids[k, 1] = 0.0
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = width, height, 0, 0
    count = 0
    for y in range(height):
        first[y] = count
        x = 0
        while x < width:
            k = ids[y, x]
            begin = x
            x += 1
            while x + 8 <= width:  # eight at a time: most neighbours are alike
                differ = 0
                for i in range(8):
                    differ |= ids[y, x + i] ^ k
                if differ != 0:
                    break
                x += 8
            while x < width and ids[y, x] == k:
                x += 1
            if k > len(sizes):
                return -int(k)
            if k != 0:
                rows[count], starts[count], ends[count], owners[count] = y, begin, x, k - 1
                count += 1
                centroids[k - 1, 0] += 0.5 * (begin + x - 1) * (x - begin)
                centroids[k - 1, 1] += y * (x - begin)
                boxes[k - 1, 0] = min(boxes[k - 1, 0], begin)
                boxes[k - 1, 1] = min(boxes[k - 1, 1], y)
                boxes[k - 1, 2] = max(boxes[k - 1, 2], x)
                boxes[k - 1, 3] = y + 1
    first[height] = count
    for k in range(len(sizes)):
        pixels = max(sizes[k], 1)
        centroids[k, 0] /= pixels
        centroids[k, 1] /= pixels
        extents[k, 0] = max(boxes[k, 2] - boxes[k, 0], 1)
        extents[k, 1] = max(boxes[k, 3] - boxes[k, 1], 1)
    return count


@jit
def count_overlaps(
    rows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    owners: np.ndarray,
    shifts: np.ndarray,
    track_classes: np.ndarray,
    first: np.ndarray,
    new_starts: np.ndarray,
    new_ends: np.ndarray,
    new_owners: np.ndarray,
    class_ids: np.ndarray,
    keys: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Pixels that each moved track shares with each segment of its class, in a hash table.

    Args:
        rows, starts, ends, owners: runs of the tracks, (R,) int32.
        shifts: (t, 2) int32 columns and rows that each track is moved by.
        track_classes: (t,) uint8.
        first, new_starts, new_ends, new_owners: runs of the new frame's segments, as of :func:`find_runs`.
        class_ids: (n,) uint8 their classes.
        keys: (2**k,) int64, -1 where free; a pair is ``track * 2**32 + segment``.
        counts: (2**k,) int64, 0.

    Returns:
        Number of pairs; -1 = the table is too small (more than half full), its contents are of no use.
    """
    height = len(first) - 1
    mask, pairs = len(keys) - 1, 0
    for r in range(len(rows)):
        k = owners[r]
        y = rows[r] + shifts[k, 1]
        if y < 0 or y >= height:
            continue
        begin, end = starts[r] + shifts[k, 0], ends[r] + shifts[k, 0]
        low, high = first[y], first[y + 1]
        while low < high:  # the first run of the row that ends right of where this one begins
            middle = (low + high) // 2
            if new_ends[middle] <= begin:
                low = middle + 1
            else:
                high = middle
        for q in range(low, first[y + 1]):
            if new_starts[q] >= end:
                break
            j = new_owners[q]
            if class_ids[j] != track_classes[k]:
                continue
            key = np.int64(k) << 32 | np.int64(j)
            slot = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
            while keys[slot] != key and keys[slot] != -1:
                slot = (slot + 1) & mask
            if keys[slot] == -1:
                pairs += 1
                if 2 * pairs > len(keys):
                    return -1
                keys[slot] = key
            counts[slot] += min(end, new_ends[q]) - max(begin, new_starts[q])
    return pairs


@jit
def take_best(tracks: np.ndarray, segments: np.ndarray, of_track: np.ndarray, of_segment: np.ndarray) -> None:
    """Give each pair to each other, best first, unless one of them is taken; -1 = free.

    Args:
        tracks, segments: (p,) the pairs, best first.
        of_track: (t,) int64 segment of every track.
        of_segment: (n,) int64 track of every segment.
    """
    for p in range(len(tracks)):
        k, j = tracks[p], segments[p]
        if of_track[k] < 0 and of_segment[j] < 0:
            of_track[k], of_segment[j] = j, k


@jit
def find_near(
    expected: np.ndarray,
    reach: np.ndarray,
    old: np.ndarray,
    old_classes: np.ndarray,
    centroids: np.ndarray,
    half: np.ndarray,
    new: np.ndarray,
    new_classes: np.ndarray,
    ratio: float,
    pairs: np.ndarray,
    distances: np.ndarray,
) -> int:
    """Write the pairs of a track and a segment of its class and about its size that lies near where it is expected.

    Args:
        expected: (t, 2) column and row where each track should be.
        reach: (t, 2) how far away it may be in either, before the segment's own part.
        old, old_classes: (t,) sizes and classes.
        centroids: (n, 2) where each segment is.
        half: (n, 2) the segment's own part of the reach.
        new, new_classes: (n,) sizes and classes.
        ratio: largest ratio of two sizes.
        pairs, distances: (t * n, 2), (t * n,) room for the answer; distances are shares of the reach, 0 to 1.

    Returns:
        Number of pairs.
    """
    count = 0
    for k in range(len(expected)):
        for j in range(len(centroids)):
            if old_classes[k] != new_classes[j] or max(old[k], new[j]) > ratio * min(old[k], new[j]):
                continue
            across = abs(centroids[j, 0] - expected[k, 0]) / (reach[k, 0] + half[j, 0])
            along = abs(centroids[j, 1] - expected[k, 1]) / (reach[k, 1] + half[j, 1])
            if across <= 1.0 and along <= 1.0:
                pairs[count, 0], pairs[count, 1], distances[count] = k, j, max(across, along)
                count += 1
    return count
