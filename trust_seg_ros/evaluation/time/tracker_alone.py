"""The tracker without a network: it follows the segments of the true class map, with objects taken out for a while."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trust_seg_ros.evaluation.time.alarms import VISIBLE
from trust_seg_ros.evaluation.time.recorded import Recorded
from trust_seg_ros.evaluation.time.sequences import UNKNOWN
from trust_seg_ros.evaluation.tracking.matching import match
from trust_seg_ros.evaluation.tracking.measures import LONGEST_GAP, TrackingCounter, TrackingCounts
from trust_seg_ros.evaluation.tracking.overlaps import frame_overlap
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.segments.tracks.tracker import Tracker
from trust_seg_ros.synthetic.settings import NO_CLASS, TREE
from trust_seg_ros.types import UNLABELLED

PERIOD = 20
"""Every so many frames an object is taken out once, at a time of its own."""


def tracker_alone(
    drive: Recorded,
    settings: TrackingSettings,
    gap: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, TrackingCounts]:
    """Counts of tracking on the true class map of a synthetic drive.

    Args:
        drive: with truth and objects.
        settings: of the tracker.
        gap: for so many of ``PERIOD`` frames each object is missing from the map; 0 = never.
        progress: called with the number of frames done and of all.

    Returns:
        "things" (without trees and unknown objects) and "unknown objects" -> their counts.
    """
    assert 0 <= gap <= LONGEST_GAP
    classes = np.array([0, *(one.class_id for one in drive.objects)], np.int64)
    trackers = {name: Tracker(settings) for name in ("things", "unknown objects")}
    counters = {name: TrackingCounter() for name in trackers}
    n = len(drive.stamps)
    for k, shot in enumerate(drive.shots()):
        assert shot.truth is not None and shot.objects is not None  # noqa: PT018
        missing = _missing(shot.objects, k, gap)
        for name, tracker in trackers.items():
            ood = name == "unknown objects"
            wanted = (shot.truth == UNKNOWN) == ood
            found = find_components(np.where(wanted & ~missing, shot.truth, np.uint8(UNLABELLED)))
            of_class = None if ood else found.class_ids
            tracks = tracker.update(found.ids, of_class, found.sizes, shot.frame.stamp_ns).ids
            objects = np.where(wanted, shot.objects, 0)
            overlap = frame_overlap(found.ids, len(found.sizes), objects)
            theirs = classes[overlap.numbers]
            same = found.class_ids[overlap.segments] == (UNKNOWN if ood else theirs[overlap.objects])
            overlap = overlap.among(same)
            chosen = (overlap.object_sizes >= VISIBLE) & (theirs == NO_CLASS if ood else theirs != TREE)
            of_things = np.isin(found.class_ids, [UNKNOWN] if ood else np.setdiff1d(classes[1:], [TREE, NO_CLASS]))
            counters[name].add(overlap, match(overlap, "cover"), tracks, chosen, of_things)
        progress(k + 1, n)
    return {name: counter.counts() for name, counter in counters.items()}


def _missing(objects: np.ndarray, frame: int, gap: int) -> np.ndarray:
    """(H, W) bool, pixels of the objects that are taken out of this frame."""
    if not gap:
        return np.zeros(objects.shape, bool)
    numbers = np.arange(int(objects.max(initial=0)) + 1)
    out = ((frame + 7 * numbers) % PERIOD < gap) & (numbers > 0)
    found: np.ndarray = out[objects]
    return found
