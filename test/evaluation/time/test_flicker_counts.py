"""Toggles of flags, counted by hand."""

import numpy as np
import pytest

from trust_seg_ros.evaluation.time.flicker import LONGEST_STEP_S, Flicker, FlickerCounts


def counted(frames, hz=10.0):
    """Counts of frames {owner: flag}."""
    flicker = Flicker()
    for k, flags in enumerate(frames):
        flicker.add(np.array(list(flags)), np.array(list(flags.values()), bool), round(k * 1e9 / hz))
    return flicker.counts


def test_every_change_counts_and_the_time_between_sightings():
    counts = counted([{1: 0}, {1: 1}, {1: 1}, {1: 0}])
    assert counts.toggles == 2
    assert counts.seconds == pytest.approx(0.3)
    assert counts.per_minute == pytest.approx(60 * 2 / 0.3)
    assert counts.flagged_share == pytest.approx(2 / 3)


def test_owners_are_apart_and_one_seen_once_says_nothing():
    counts = counted([{1: 0, 2: 1}, {2: 1, 3: 1}, {1: 1, 2: 0}])
    assert counts.toggles == 2
    assert counts.seconds == pytest.approx(0.2 + 0.2)


def test_number_0_belongs_to_nobody_and_a_second_owner_of_a_number_is_left_out():
    flicker = Flicker()
    for k, flag in enumerate((False, True)):
        flicker.add(np.array([0, 5, 5]), np.array([flag, flag, not flag]), k * 10**8)
    assert flicker.counts.toggles == 1


def test_sightings_long_apart_are_not_compared():
    flicker = Flicker()
    for stamp, flag in ((0, False), (round((LONGEST_STEP_S + 0.1) * 1e9), True)):
        flicker.add(np.array([1]), np.array([flag]), stamp)
    assert flicker.counts == FlickerCounts()
    assert np.isnan(flicker.counts.per_minute)


def test_a_pair_counts_if_either_sighting_does():
    flicker = Flicker()
    for k, counts in enumerate((False, True, False, False)):
        flicker.add(np.array([1]), np.array([k % 2 == 1]), k * 10**8, np.array([counts]))
    assert flicker.counts.toggles == 2


def test_counts_of_drives_add_up():
    assert FlickerCounts(1, 2.0, 0.5) + FlickerCounts(3, 4.0, 1.0) == FlickerCounts(4, 6.0, 1.5)
