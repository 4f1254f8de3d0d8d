"""Objects and flagged segments by their tracks: what is kept of a long drive, however it is cut."""

import math
from dataclasses import replace

import numpy as np
import pytest
from drive_frames import made_result
from trust_frames import but

from trust_seg_ros.recordings.replay import tracked_objects
from trust_seg_ros.recordings.replay.flagged_tracks import FlaggedFollower, add_flagged, flagged_sums
from trust_seg_ros.recordings.replay.tracked_objects import ObjectFollower, most_certain
from trust_seg_ros.types import OodSegments, SegmentTracks, SegmentTrust

NAMES = ("road", "car", "sky")
SECOND = 10**9


def tracks_of(ids, frames=1):
    n = len(ids)
    seen, first = np.full(n, frames, np.int32), np.ones(n, np.int64)
    return SegmentTracks(np.array(ids), seen, first, np.zeros((n, 2)), np.zeros(n))


def frame(tracks, p_ood, sizes=None, kept=None, frames=1):
    """A frame of 24 x 32 with one OoD segment per track, four pixels wide."""
    n = len(tracks)
    ids = np.zeros((24, 32), np.int32)
    for k in range(n):
        ids[4 * (k // 8) : 4 * (k // 8) + 3, 4 * (k % 8) : 4 * (k % 8) + 3] = k + 1
    boxes = np.array([[4 * (k % 8), 4 * (k // 8), 4 * (k % 8) + 3, 4 * (k // 8) + 3] for k in range(n)], np.int32)
    result = made_result(np.zeros((24, 32), np.uint8))
    found = replace(
        result.ood,
        ids=ids,
        sizes=np.array(sizes or [9] * n, np.int64),
        boxes=boxes.reshape(-1, 4),
        score=np.full(n, 0.5),
        p_ood=np.array(p_ood, np.float64),
        kept=np.ones(n, bool) if kept is None else np.array(kept),
        class_ids=np.ones(n, np.uint8),
        p_class=np.ones(n),
    )
    assert isinstance(found, OodSegments)
    return but(result, ood=found, ood_tracks=tracks_of(tracks, frames))


def random_drive(seed, count=40):
    """(frame, numbers of the tracks that may go on): tracks come, go, are lost for a while and found again."""
    rng, living, number, found = np.random.default_rng(seed), {}, 1, []
    for _ in range(count):
        for _ in range(rng.integers(0, 3)):
            living[number] = int(rng.integers(1, 7))
            number += 1
        seen = [track for track in living if rng.random() < 0.8]
        result = frame(seen, rng.random(len(seen)).round(1), kept=rng.random(len(seen)) < 0.8)
        living = {track: left - 1 for track, left in living.items() if left > 1}
        found.append((result, np.array(sorted(living), np.int64)))
    return found


def gathered(frames, cut):
    """(objects kept, number of all) of a drive in chunks of ``cut`` frames."""
    past, kept, total = None, [], 0
    for begin in range(0, len(frames), cut):
        chunk = ObjectFollower(past)
        for k, (result, alive) in enumerate(frames[begin : begin + cut], begin):
            chunk.add(result, NAMES, "/camera", k * SECOND, 0, alive)
        past, total = chunk.handed_on(), total + chunk.total
        kept = most_certain([*kept, *chunk.finished])
    return most_certain([*kept, *past.objects]), total + len(past.objects)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("most", [3, 200])
def test_objects_do_not_depend_on_the_chunks_and_the_most_certain_are_kept(seed, most, monkeypatch):
    monkeypatch.setattr(tracked_objects, "MOST", most)
    frames = random_drive(seed)
    whole, total = gathered(frames, len(frames))
    for cut in (1, 7):
        assert gathered(frames, cut) == (whole, total)
    sightings = {}
    for k, (result, _) in enumerate(frames):
        for i in np.flatnonzero(result.ood.kept).tolist():
            sightings.setdefault(int(result.on_grid.ood_tracks.ids[i]), []).append((k, float(result.ood.p_ood[i])))
    assert total == len(sightings) > 10
    rank = {track: (max(p for _, p in seen), -seen[0][0], -track) for track, seen in sightings.items()}
    assert [one.track for one in whole] == sorted(sightings, key=lambda track: rank[track], reverse=True)[:most]
    for one in whole:
        seen = sightings[one.track]
        assert (one.first.recorded_ns, one.last.recorded_ns) == (seen[0][0] * SECOND, seen[-1][0] * SECOND)
        assert (one.frames, one.best.p_ood) == (len(seen), max(p for _, p in seen))
        assert one.pictured is not None
        assert one.pictured.p_ood == one.best.p_ood, "its crop is of its most certain frame"
        assert one.class_name == "car"


def test_of_a_crowded_frame_only_the_most_certain_get_crops():
    follower = ObjectFollower()
    follower.add(frame(range(1, 41), np.linspace(0.1, 0.9, 40)), NAMES, "/camera", 0, 0, np.arange(1, 41))
    pictured = [one.track for one in follower.handed_on().objects if one.crop]
    assert pictured == list(range(25, 41))


def test_an_object_tells_its_largest_segment_and_the_frames_it_was_followed_in():
    follower = ObjectFollower()
    alive = np.array([5])
    follower.add(frame([5], [0.9], [9], frames=1), NAMES, "/camera", 0, 0, alive)
    follower.add(frame([5], [0.2], [40], kept=[False], frames=2), NAMES, "/camera", SECOND, 0, alive)
    follower.add(frame([5], [math.nan], [20], frames=3), NAMES, "/camera", 2 * SECOND, 0, np.array([]))
    (one,) = follower.finished
    assert (one.frames, one.followed, one.largest, one.best.p_ood) == (2, 3, 20, 0.9)
    assert follower.handed_on().objects == ()


def flagged_frame(tracks, unreliable, class_ids):
    result = made_result(np.arange(len(tracks), dtype=np.uint8)[None].repeat(2, 0))
    table = replace(result.segments, class_ids=np.array(class_ids, np.uint8))
    trust = SegmentTrust(np.zeros(len(tracks)), np.ones(len(tracks)), np.array(unreliable))
    return but(result, segments=table, trust=trust, tracks=tracks_of(tracks))


def test_flagged_tracks_are_counted_once_whatever_the_chunks():
    frames = [
        (flagged_frame([1, 2, 3], [True, False, True], [0, 1, 1]), np.array([1, 2, 3])),
        (flagged_frame([1, 2, 3], [False, False, True], [0, 1, 1]), np.array([1, 2, 3])),
        (flagged_frame([1, 2, 4], [True, False, True], [0, 1, 2]), np.array([1, 2, 4])),
        (flagged_frame([2, 4], [False, False], [1, 2]), np.array([2, 4])),
    ]
    for cut in (1, 2, 4):
        past, total = None, FlaggedFollower(3).sums
        for begin in range(0, 4, cut):
            chunk = FlaggedFollower(3, past)
            for k, (result, alive) in enumerate(frames[begin : begin + cut], begin):
                chunk.add(result, k * SECOND, alive)
            past, total = chunk.handed_on(), add_flagged(total, chunk.sums)
        assert set(past) == {4}
        total = add_flagged(total, flagged_sums(past.values(), 3))
        assert total.tracks.tolist() == [1, 1, 1]
        assert total.once.tolist() == [0, 0, 1]
        assert total.frames.tolist() == [2, 2, 1]
        assert total.total_ns.tolist() == total.longest_ns.tolist() == [2 * SECOND, SECOND, 0]


def test_without_a_meta_model_nothing_is_flagged():
    follower = FlaggedFollower(3)
    follower.add(but(flagged_frame([1], [True], [0]), trust=None), 0, np.array([1]))
    assert follower.handed_on() == {}
