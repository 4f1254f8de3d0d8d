"""Clocks that jump, and images that are missing."""

import random

import pytest

from trust_seg_ros.trust_state.clocks import StampWatch, StepWatch
from trust_seg_ros.trust_state.missing import MissingImages


def test_stamps_that_go_on_have_not_jumped_however_long_frames_wait():
    watch, draw = StampWatch(), random.Random(0)
    assert not any(watch.see(0.1 * k, 100.0 + 0.1 * k + draw.uniform(0, 3)) for k in range(500))


def test_stamps_that_go_back_or_forward_have_jumped_once():
    watch = StampWatch()
    assert watch.see(10.0, 50.0) == watch.see(10.1, 50.1) == 0.0
    assert watch.see(7.2, 50.2) == pytest.approx(-2.9)
    assert not any(watch.see(7.3 + 0.1 * k, 50.3 + 0.1 * k) for k in range(10))
    assert watch.see(18.3, 51.3) == pytest.approx(10.0)
    assert watch.see(18.4, 51.4) == 0.0


def test_a_pause_of_the_camera_is_no_jump():
    watch = StampWatch()
    watch.see(1.0, 1.1)
    assert watch.see(61.0, 61.1) == 0.0


def test_without_a_clock_stamps_can_only_go_back():
    watch = StampWatch()
    assert watch.see(1.0, None) == watch.see(50.0, None) == 0.0
    assert watch.see(49.0, None) == pytest.approx(-1.0)


def test_steps_of_the_nodes_clock():
    watch = StepWatch()
    assert watch.see(1000.0, 1.0) == watch.see(1001.0, 2.0) == watch.see(1002.3, 3.0) == 0.0
    assert watch.see(902.3, 3.0) == pytest.approx(-100.0)
    assert watch.see(903.3, 4.0) == 0.0
    assert watch.see(None, 5.0) == watch.see(77.0, 6.0) == 0.0, "simulated time in between"


def shares(gaps, looks_every=0.05):
    """What is missing at every look, for images that come after these gaps."""
    missing, times, now, found = MissingImages(), [], 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
    at, received = 0.0, 0
    while at < now:
        at += looks_every
        while received < len(times) and times[received] <= at:
            received += 1
        found.append((at, missing.see(received, at)))
    return found


def test_a_camera_with_jitter_misses_nothing():
    draw = random.Random(1)
    assert max(share for _, share in shares([draw.uniform(0.03, 0.17) for _ in range(1500)])) < 0.25
    assert max(share for _, share in shares([draw.uniform(0.8, 1.2) for _ in range(200)])) < 0.25


def test_every_second_image_missing_is_seen_in_time():
    found = shares([0.1] * 300 + [0.2] * 50)
    first = next(at for at, share in found if share >= 0.25)
    assert 31.0 < first < 31.9, "1.5 s after the loss begins at 30 s"
    assert max(share for _, share in found) == pytest.approx(0.5, abs=0.04)


def test_a_tenth_missing_is_not_told():
    assert max(share for _, share in shares([0.1] * 300 + ([0.1] * 8 + [0.2]) * 30)) < 0.25
