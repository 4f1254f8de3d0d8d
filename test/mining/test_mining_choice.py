"""The fast choice and the one word by word from the definition choose the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.mining.choice import k_centre, k_centre_reference, peaks, peaks_reference

WHOLE = st.integers(0, 4)


@st.composite
def pools(draw):
    n, d = draw(st.integers(0, 14)), draw(st.integers(1, 3))
    vectors = draw(st.lists(st.lists(WHOLE, min_size=d, max_size=d), min_size=n, max_size=n))
    weights = draw(st.lists(WHOLE, min_size=n, max_size=n))
    return np.array(vectors, float).reshape(n, d), np.array(weights, float)


@given(pools(), st.integers(0, 16), st.sampled_from([0.0, 1.0, 1.5]), st.booleans())
@settings(deadline=None)
def test_fast_choice_is_the_reference(pool, number, apart, begins):
    vectors, weights = pool
    first = len(weights) // 2 if begins and len(weights) else -1
    found = k_centre(vectors, weights, number, apart, first)
    assert found == k_centre_reference(vectors, weights, number, apart, first)
    assert len(set(found)) == len(found) <= number


@given(
    st.lists(st.tuples(st.one_of(st.just(float("nan")), st.integers(0, 20).map(float)), st.integers(0, 2), WHOLE)),
    st.sampled_from([0.0, 0.5, 2.0, 100.0]),
)
@settings(deadline=None)
def test_fast_peaks_are_the_reference(frames, apart):
    times, recordings, weights = (np.array([f[k] for f in frames], float) for k in range(3))
    found = peaks(times, recordings.astype(int), weights, apart)
    np.testing.assert_array_equal(found, peaks_reference(times, recordings.astype(int), weights, apart))


def test_most_to_learn_comes_first_then_what_is_far_from_it():
    vectors = np.array([[0.0], [0.1], [5.0], [9.0]])
    assert k_centre(vectors, np.array([2.0, 3.0, 1.0, 1.0]), 3) == [1, 3, 2]


def test_repeats_are_left_out_even_where_the_budget_is_larger():
    vectors = np.array([[0.0], [0.01], [0.02], [3.0]])
    assert k_centre(vectors, np.ones(4), 4, apart=0.1) == [0, 3]


def test_nothing_to_learn_anywhere_still_fills_the_budget():
    assert k_centre(np.array([[0.0], [1.0], [2.0]]), np.zeros(3), 2) == [0, 1]


@pytest.mark.parametrize("number", [0, -3])
def test_no_number_chooses_nothing(number):
    assert k_centre(np.ones((3, 2)), np.ones(3), number) == []


def test_one_object_over_twenty_frames_is_one_peak():
    times = np.arange(40) / 20
    weights = np.where(times < 1, 1 + times, 0.5)
    kept = np.flatnonzero(peaks(times, np.zeros(40, int), weights, 1.0))
    assert kept.tolist() == [19, 39]  # 19 is 0.95 s: the last with the object; 39 is a second later


def test_frames_without_time_and_of_other_recordings_are_all_kept():
    assert peaks(np.full(3, np.nan), np.zeros(3, int), np.ones(3), 5.0).all()
    assert peaks(np.zeros(2), np.arange(2), np.ones(2), 5.0).all()
