"""Alarms and delays, counted by hand: pictures of one row, segments and objects by their columns."""

import numpy as np
import pytest

from trust_seg_ros.evaluation.time.alarms import VISIBLE, WITHIN_S, AlarmCounts, Alarms
from trust_seg_ros.evaluation.tracking.overlaps import frame_overlap

WIDE = 4 * VISIBLE


def row(*places):
    """A row with values at (from, to, value)."""
    found = np.zeros((1, WIDE), np.int64)
    for start, end, value in places:
        found[0, start:end] = value
    return found


def counted(frames, unknown=(), hz=10.0):
    """Counts of frames: (segments, objects, kept, tracks)."""
    alarms = Alarms(unknown)
    for k, (ids, objects, kept, tracks) in enumerate(frames):
        alarms.add(frame_overlap(ids, len(kept), objects), np.array(kept, bool), np.array(tracks), round(k * 1e9 / hz))
    return alarms.counts()


NOTHING = (row(), row(), [], [])


def seen(track, kept=True):
    """A segment that is no object."""
    return row((0, 9, 1)), row(), [kept], [track]


def test_an_alarm_lasts_while_its_track_is_kept_without_a_break():
    assert counted([seen(1), seen(1), seen(1)]).alarms == 1
    assert counted([seen(1), NOTHING, seen(1)]).alarms == 2
    assert counted([seen(1), seen(1, kept=False), seen(1)]).alarms == 2
    assert counted([seen(1), seen(2)]).alarms == 2


def test_false_alarms_and_false_segments_per_minute():
    counts = counted([seen(1), seen(1), NOTHING, seen(2), seen(3, kept=False), NOTHING])
    assert (counts.alarms, counts.false, counts.false_segments) == (2, 2, 3)
    assert counts.minutes == pytest.approx(6 / 600)
    assert counts.false_per_minute == pytest.approx(2 / 0.01)


def test_an_alarm_that_meets_an_unknown_object_once_is_none():
    thing = row((0, VISIBLE, 1))
    meets = row((0, 9, 1)), thing, [True], [1]
    beside = row((VISIBLE, VISIBLE + 9, 1)), thing, [True], [1]
    assert counted([beside, meets, beside], [True]).false == 0
    assert counted([beside, meets, beside], [True]).false_segments == 2
    assert counted([beside, meets, beside], [False]).false == 1  # a known object makes no alarm true


def unknown_frames(found_at, length, size=VISIBLE):
    """An unknown object from the first frame on, met by a kept segment from a frame on."""
    frames = []
    for k in range(length):
        met = found_at is not None and k >= found_at
        frames.append((row((0, 9, int(met))), row((0, size, 1)), [True] * met, [1] * met))
    return frames


def test_delay_counts_from_the_first_frame_with_enough_pixels():
    assert counted(unknown_frames(3, 10), [True]).delays == pytest.approx((0.3,))
    small = unknown_frames(None, 4, VISIBLE - 1) + unknown_frames(2, 10)
    assert counted(small, [True]).delays == pytest.approx((0.2,))
    early = unknown_frames(0, 4, VISIBLE - 1) + unknown_frames(0, 10)
    assert counted(early, [True]).delays == (0.0,)


def test_found_within_and_never():
    soon, late, never = (counted(unknown_frames(k, 12), [True]) for k in (5, 6, None))
    assert (soon.found_soon, late.found_soon, never.found_soon) == (1.0, 0.0, 0.0)
    assert (late.found, never.found) == (1.0, 0.0)
    assert (soon + late + never).found_soon == pytest.approx(1 / 3)
    assert (soon + late + never).median_delay == pytest.approx(0.55)
    assert np.isnan(never.median_delay)


def test_an_object_seen_too_briefly_says_nothing_unless_it_was_found():
    frames = round(WITHIN_S * 10)
    assert counted(unknown_frames(None, frames), [True]).delays == ()
    assert counted(unknown_frames(None, frames + 1), [True]).delays == (np.inf,)
    assert counted(unknown_frames(1, frames), [True]).delays == pytest.approx((0.1,))


def test_time_that_a_known_object_is_taken_for_unknown():
    half, less = VISIBLE // 2, VISIBLE // 2 - 1
    thing = row((0, VISIBLE, 1))
    frames = [(row((0, covered, 1)), thing, [True], [1]) for covered in (half, half, less, half, less)]
    counts = counted(frames, [False])
    assert counts.known_seconds == pytest.approx(0.4)
    assert counts.known_flagged == pytest.approx(0.3)
    assert counts.known_longest == pytest.approx(0.2)
    assert counts.delays == ()


def test_a_hidden_object_ends_the_stretch():
    flagged = row((0, VISIBLE, 1)), row((0, VISIBLE, 1)), [True], [1]
    counts = counted([flagged, flagged, NOTHING, flagged, flagged], [False])
    assert counts.known_longest == pytest.approx(0.1)
    assert counts.known_seconds == pytest.approx(0.2)


def test_without_frames_there_is_nothing():
    assert Alarms().counts() == AlarmCounts()
    assert np.isnan(AlarmCounts().false_per_minute)
    assert np.isnan(AlarmCounts().found_soon)
