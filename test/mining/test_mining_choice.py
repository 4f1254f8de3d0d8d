"""The fast choice and the one word by word from the definition choose the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.mining.choice import (
    distances,
    distinct,
    distinct_reference,
    representatives,
    representatives_reference,
)

WHOLE = st.integers(0, 4)
TIMES = st.one_of(st.just(float("nan")), st.integers(0, 20).map(float))


@st.composite
def pools(draw):
    """Vectors with many ties, weights, times, recordings."""
    n, d = draw(st.integers(0, 12)), draw(st.integers(1, 3))
    vectors = draw(st.lists(st.lists(WHOLE, min_size=d, max_size=d), min_size=n, max_size=n))
    weights, recordings = (draw(st.lists(WHOLE, min_size=n, max_size=n)) for _ in range(2))
    times = draw(st.lists(TIMES, min_size=n, max_size=n))
    return np.array(vectors, float).reshape(n, d) / 3, np.array(weights, float), np.array(times), np.array(recordings)


@given(pools(), st.integers(0, 14))
@settings(deadline=None)
def test_fast_representatives_are_the_reference(pool, number):
    vectors, weights, *_ = pool
    found = representatives(vectors, weights, number)
    assert found == representatives_reference(vectors, weights, number)
    assert len(set(found)) == len(found) == min(number, len(vectors))


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(deadline=None, max_examples=30)
def test_so_they_are_of_vectors_without_ties(seed, number):
    rng = np.random.default_rng(seed)
    vectors, weights = rng.random((30, 5)), rng.random(30)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert representatives(vectors, weights, number) == representatives_reference(vectors, weights, number)


@given(pools(), st.sampled_from([0.0, 0.5, 2.0, 100.0]), st.sampled_from([-1.0, 0.0, 0.4, 1.0]))
@settings(deadline=None)
def test_fast_suppression_is_the_reference(pool, apart_s, alike):
    found = distinct(*pool, apart_s=apart_s, alike=alike)
    np.testing.assert_array_equal(found, distinct_reference(*pool, apart_s=apart_s, alike=alike))


def test_more_of_the_same_weight_lies_near_the_first():
    vectors = np.array([[0.0], [0.1], [0.2], [1.5]])
    assert representatives(vectors, np.ones(4), 2) == [1, 3]


def test_where_there_is_more_to_learn_comes_first():
    vectors = np.array([[0.0], [0.1], [0.2], [1.5]])
    assert representatives(vectors, np.array([1.0, 1.0, 1.0, 9.0]), 2) == [3, 1]


def test_what_is_chosen_is_near_all_of_it():
    rng = np.random.default_rng(0)
    vectors, weights = rng.random((60, 4)), rng.random(60)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def left(chosen):
        return (weights * np.min([distances(vectors, vectors[k]) for k in chosen], axis=0)).sum()

    found = left(representatives(vectors, weights, 6))
    assert found < min(left(rng.permutation(60)[:6]) for _ in range(100))


def test_nothing_to_learn_anywhere_still_fills_the_budget():
    assert representatives(np.eye(3), np.zeros(3), 2) == [0, 1]


@pytest.mark.parametrize("number", [0, -3])
def test_no_number_chooses_nothing(number):
    assert representatives(np.ones((3, 2)), np.ones(3), number) == []


def test_one_object_over_twenty_frames_is_kept_once():
    times = np.arange(40) / 20
    weights = np.where(times < 1, 1 + times, 0.5)
    kept = distinct(np.arange(40.0)[:, None], weights, times, np.zeros(40), apart_s=1.0, alike=0.0)
    assert np.flatnonzero(kept).tolist() == [19, 39]  # 0.95 s is the last with the object; 1.95 s is a second later


def test_frames_without_time_and_of_other_recordings_are_close_to_none():
    far = np.arange(3.0)[:, None]
    assert distinct(far, np.ones(3), np.full(3, np.nan), np.zeros(3), apart_s=5.0, alike=0.0).all()
    assert distinct(far, np.ones(3), np.zeros(3), np.arange(3), apart_s=5.0, alike=0.0).all()


def test_views_that_are_alike_are_kept_once_in_whichever_recording():
    kept = distinct(np.array([[0.0], [0.04], [1.0]]), np.arange(3.0), np.zeros(3), np.arange(3), apart_s=0, alike=0.05)
    assert kept.tolist() == [False, True, True]
