"""Exponential smoothing by time constant."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.thresholds.policies import PolicyError
from trust_seg_ros.thresholds.smoothing import GAP, SmoothedThreshold

VALUES = st.floats(-1e6, 1e6)
TAUS = st.floats(0.01, 100.0)


def after(tau, *updates):
    smoothed = SmoothedThreshold(tau)
    return [smoothed.update(value, stamp) for value, stamp in updates]


def test_the_first_frame_is_taken_as_it_is():
    assert after(1.0, (0.7, 1e9)) == [0.7]


def test_after_a_time_constant_63_percent_of_a_step_have_arrived():
    assert after(2.0, (0.0, 10.0), (1.0, 12.0))[1] == pytest.approx(1 - math.exp(-1), abs=1e-12)


def test_no_time_constant_no_smoothing():
    assert after(0.0, (0.0, 1.0), (1.0, 1.0), (0.3, 0.5)) == [0.0, 1.0, 0.3]


@given(start=VALUES, value=VALUES, tau=TAUS, parts=st.integers(2, 30), share=st.floats(0.01, 1.0))
def test_a_constant_input_gives_the_same_whatever_the_frame_rate(start, value, tau, parts, share):
    end = share * 0.99 * GAP * tau
    at_once = after(tau, (start, 1.0), (value, 1.0 + end))[-1]
    in_parts = after(tau, (start, 1.0), *((value, 1.0 + end * k / parts) for k in range(1, parts + 1)))[-1]
    assert in_parts == pytest.approx(at_once, abs=1e-9 * max(1.0, abs(start), abs(value)), rel=1e-9)


@given(start=VALUES, value=VALUES, tau=TAUS, steps=st.lists(st.floats(0.0, GAP), min_size=1, max_size=20))
def test_a_constant_input_is_approached_from_one_side(start, value, tau, steps):
    smoothed, stamp = SmoothedThreshold(tau), 1.0
    last = smoothed.update(start, stamp)
    for step in steps:
        stamp += 0.99 * step * tau
        now = smoothed.update(value, stamp)
        assert min(last, value) <= now <= max(last, value)
        last = now


@given(
    value=st.floats(allow_nan=False, allow_infinity=False), tau=TAUS, steps=st.lists(st.floats(0, 1000), max_size=20)
)
def test_what_does_not_change_stays_exactly(value, tau, steps):
    smoothed = SmoothedThreshold(tau)
    assert all(smoothed.update(value, 1.0 + sum(steps[:k])) == value for k in range(len(steps) + 1))


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=10))
def test_it_stays_within_what_it_has_seen(values):
    smoothed = SmoothedThreshold(1.0)
    for k, value in enumerate(values):
        assert min(values) <= smoothed.update(value, 1.0 + 0.3 * k) <= max(values)


@pytest.mark.parametrize("stamp", [9.99, 0.0, -5.0, 10.0 + GAP * 2.0 + 0.01, math.nan, math.inf])
def test_a_jump_of_time_starts_anew(stamp):
    assert after(2.0, (0.1, 10.0), (0.9, stamp)) == [0.1, 0.9]


def test_after_a_jump_back_smoothing_goes_on_from_there():
    values = after(1.0, (0.0, 100.0), (1.0, 5.0), (0.0, 6.0))
    assert values[2] == pytest.approx(math.exp(-1))


def test_two_frames_of_one_instant_leave_the_threshold():
    assert after(1.0, (0.2, 3.0), (0.9, 3.0)) == [0.2, 0.2]


def test_a_camera_that_does_not_stamp_is_not_smoothed():
    assert after(1.0, (0.2, 0.0), (0.9, 0.0), (0.4, 0.0)) == [0.2, 0.9, 0.4]


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_values_that_are_no_numbers_leave_no_trace(odd):
    with_odd = after(1.0, (0.2, 1.0), (odd, 1.5), (0.8, 2.0))
    assert with_odd[1] == 0.2
    assert with_odd[2] == after(1.0, (0.2, 1.0), (0.8, 2.0))[1]


def test_an_infinite_first_value_is_not_remembered():
    assert after(1.0, (math.inf, 1.0), (0.8, 1.1)) == [math.inf, 0.8]


def test_an_odd_value_after_a_gap_does_not_revive_the_past():
    assert after(1.0, (0.2, 1.0), (math.inf, 100.0)) == [0.2, math.inf]


def test_reset_forgets():
    smoothed = SmoothedThreshold(1.0)
    smoothed.update(0.1, 1.0)
    smoothed.reset()
    assert smoothed.update(0.9, 1.1) == 0.9


def test_a_continued_one_has_the_past_but_does_not_share_it():
    first = SmoothedThreshold(1.0)
    first.update(0.0, 1.0)
    second = first.continued(2.0)
    assert second.update(1.0, 3.0) == pytest.approx(1 - math.exp(-1))
    assert first.update(0.0, 3.0) == 0.0


@pytest.mark.parametrize("tau", [-0.1, math.nan, math.inf, "1"])
def test_a_time_constant_is_a_number_of_seconds(tau):
    with pytest.raises(PolicyError, match=r"smoothing_s = .*expected seconds"):
        SmoothedThreshold(tau)
