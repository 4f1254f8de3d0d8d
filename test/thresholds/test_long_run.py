"""The promise of feedback: the mean error approaches alpha for any sequence, within a bound that is stated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.thresholds.long_run import MOST_STEP, LongRun
from trust_seg_ros.thresholds.policies import PolicyError


def error_at(position, wished):
    """Any loss that an adversary likes, but none with everything flagged and all of it with nothing flagged."""
    return 0.0 if position <= 0.0 else 1.0 if position >= 1.0 else wished


steps = st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 12), st.booleans()), min_size=1, max_size=200)


@given(st.floats(0.01, 0.99), st.floats(1e-4, MOST_STEP), st.floats(0.0, 1.0), steps)
@settings(max_examples=200, deadline=None)
def test_the_mean_error_is_within_the_bound_for_any_sequence_of_late_and_rare_feedback(alpha, rate, start, sequence):
    """Errors, delays, order and whether a frame has feedback are the adversary's."""
    run, waiting = LongRun(alpha, rate, start), []
    for now, (wished, late, answered) in enumerate(sequence):
        for due in [w for w in waiting if w[0] <= now]:
            waiting.remove(due)
            run.feedback(*due[1:])
        error = error_at(run.position, wished)
        ticket = run.frame()
        if answered:
            waiting.append((now + late, ticket, error))
    s = run.state
    if not s.counted:
        assert run.bound == math.inf
        return
    reach = (s.outstanding + 1) * rate * s.largest + 1e-9
    assert -reach <= s.position <= 1.0 + reach
    assert abs(s.mean_error - alpha) <= run.bound + 1e-9
    assert s.mean_error == pytest.approx(alpha + (s.start - s.position) / (rate * s.weight), abs=1e-6)


def test_with_feedback_on_every_frame_it_is_the_bound_of_gibbs_and_candes():
    run, rng = LongRun(0.1, 0.02, 0.5), np.random.default_rng(0)
    for _ in range(1000):
        run.feedback(run.frame(), error_at(run.position, float(rng.random() < 0.6)))
    assert run.state.weight == 1000
    assert run.bound == pytest.approx((1 + 0.02) / (0.02 * 1000))
    assert abs(run.state.mean_error - 0.1) <= run.bound


@pytest.mark.parametrize("every", [1, 10, 100])
def test_rare_feedback_moves_it_as_fast_as_frequent_feedback(every):
    run = LongRun(0.1, 0.0005, 0.5)
    for number in range(1000):
        ticket = run.frame()
        if number % every == every - 1:
            run.feedback(ticket, 0.3)
    assert run.position == pytest.approx(0.5 - 0.0005 * 1000 * 0.2)
    assert run.state.weight == pytest.approx(1000)


def test_no_single_feedback_moves_it_by_more_than_a_tenth_of_the_scale():
    run = LongRun(0.1, 0.001, 0.5)
    for _ in range(100_000):
        ticket = run.frame()
    run.feedback(ticket, 1.0)
    assert run.position == pytest.approx(0.5 - MOST_STEP * 0.9)


def test_feedback_that_tells_no_error_counts_for_the_rate_alone():
    run = LongRun(0.1, 0.001, 0.5)
    for _ in range(10):
        run.feedback(run.frame(), None)
    assert (run.position, run.state.used, run.state.gap, run.bound) == (0.5, 0, 1.0, math.inf)


def test_feedback_in_the_wrong_order_is_used():
    run = LongRun(0.1, 0.001, 0.5)
    first, second = run.frame(), run.frame()
    run.feedback(second, 0.2)
    run.feedback(first, 0.4)
    assert (run.state.used, run.state.newest, run.state.outstanding) == (2, 1, 1)
    assert run.position < 0.5


def test_another_alpha_counts_anew_from_where_it_stands():
    run = LongRun(0.1, 0.01, 0.5)
    for _ in range(5):
        run.feedback(run.frame(), 0.6)
    same, other = run.aimed_at(0.1, 0.01), run.aimed_at(0.2, 0.01)
    assert same.state == run.state
    assert (other.position, other.state.mean_error, other.bound) == (run.position, None, math.inf)
    other.feedback(other.frame(), 0.2)
    assert (other.position, other.state.counted, other.state.mean_error) == (run.position, 1, 0.2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.0, 0.01, 0.5), r"alpha = 0.0: expected a number in \(0, 1\)"),
        ((0.1, 0.2, 0.5), r"rate = 0.2: expected a number in \(0, 0.1\]"),
        ((0.1, 0.01, math.nan), r"start = nan: expected a number in \[0, 1\]"),
    ],
)
def test_a_value_out_of_its_range_is_refused(values, words):
    with pytest.raises(PolicyError, match=words):
        LongRun(*values)
