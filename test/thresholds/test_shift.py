"""The shift monitor over time."""

import math

import numpy as np
import pytest

from trust_seg_ros.thresholds.shift import MOST_FRAMES, ShiftMonitor, ShiftSettings, frame_mean
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference


def reference(mean=0.1, std=0.02, images=200, seed=0):
    return ShiftReference(np.random.default_rng(seed).normal(mean, std, images))


def play(monitor, means, start=0.0, score="entropy", dt=0.1):
    return [monitor.update(score, mean, start + i * dt) for i, mean in enumerate(means)]


def test_fires_when_the_light_goes_and_is_quiet_again_after():
    rng, monitor = np.random.default_rng(1), ShiftMonitor({"entropy": reference()})
    day = play(monitor, rng.normal(0.1, 0.02, 600))
    assert not any(state.fired for state in day)
    assert not monitor.fired
    night = play(monitor, rng.normal(0.2, 0.02, 600), 60.0)
    assert night[-1].fired
    assert monitor.fired
    first = next(i for i, state in enumerate(night) if state.fired)
    assert 50 <= first < 350  # the hold at least, and about a window at most
    assert night[-1].test.difference == pytest.approx(5.0, abs=0.6)
    assert night[-1].text == (
        "entropy: mean of the last 30 s is 0.199, 5.1 standard deviations above the calibration data (0.1 ± 0.019), "
        f"p = {night[-1].test.p_value:.2g}"
    )
    again = play(monitor, rng.normal(0.1, 0.02, 900), 120.0)
    assert not again[-1].fired
    assert "below" in play(monitor, rng.normal(0.0, 0.02, 300), 300.0)[-1].text


def test_the_verdict_must_hold():
    settings = ShiftSettings(window_s=2.0, hold_s=3.0)
    monitor, rng = ShiftMonitor({"entropy": reference()}, settings), np.random.default_rng(2)
    states = play(monitor, rng.normal(0.3, 0.02, 100))
    fired = [state.fired for state in states]
    unlike = [state.test is not None and state.test.p_value < 0.01 for state in states]
    assert unlike.index(True) == 9  # as soon as there are ten frames
    assert fired.index(True) == unlike.index(True) + 30
    quiet = play(monitor, rng.normal(0.1, 0.02, 100), 10.0)
    like = next(i for i, state in enumerate(quiet) if state.test.p_value >= 0.01)
    assert [state.fired for state in quiet].index(False) == like + 30
    # shorter contradictions change nothing
    glances = play(monitor, np.where(np.arange(300) % 40 < 25, 0.1, 0.3) + rng.normal(0, 0.02, 300), 20.0)
    assert not any(state.fired for state in glances)


def test_no_hold_and_few_frames():
    monitor = ShiftMonitor({"entropy": reference()}, ShiftSettings(hold_s=0.0, least_frames=4))
    states = play(monitor, [0.4] * 5)
    assert [state.test is None for state in states] == [True, True, True, False, False]
    assert states[1].text == "entropy: 2 of 4 frames needed"
    assert [state.fired for state in states] == [False, False, False, True, True]
    assert [state.frames for state in states] == [1, 2, 3, 4, 5]


def test_time_that_jumps_forgets():
    monitor = ShiftMonitor({"entropy": reference()}, ShiftSettings(hold_s=0.0))
    assert play(monitor, [0.4] * 50)[-1].fired
    back = monitor.update("entropy", 0.4, 1.0)
    assert (back.fired, back.frames, back.test) == (False, 1, None)
    assert play(monitor, [0.4] * 50, 2.0)[-1].fired
    later = monitor.update("entropy", 0.4, 100.0)
    assert (later.fired, later.frames) == (False, 1)
    play(monitor, [0.4] * 50, 101.0)
    monitor.reset()
    assert not monitor.fired
    assert monitor.states["entropy"].frames == 0


def test_frames_that_do_not_count():
    monitor = ShiftMonitor({"entropy": reference()})
    for mean, stamp in ((0.1, 1.0), (0.1, 1.0), (math.nan, 2.0), (math.inf, 3.0), (0.1, math.nan)):
        state = monitor.update("entropy", mean, stamp)
        assert state.frames == 1


def test_memory_and_window_are_bounded():
    monitor = ShiftMonitor({"entropy": reference()}, ShiftSettings(window_s=2.0))
    states = play(monitor, np.random.default_rng(3).normal(0.1, 0.02, 5000), dt=0.001)
    assert max(state.frames for state in states) <= MOST_FRAMES + 1
    assert states[-1].frames > MOST_FRAMES * 0.9
    slow = play(monitor, [0.1] * 20, 100.0, dt=0.5)
    assert slow[-1].frames == 4


def test_scores_are_watched_apart():
    monitor = ShiftMonitor({"entropy": reference(), "margin": reference(0.3)}, ShiftSettings(hold_s=0.0))
    play(monitor, [0.4] * 20)
    play(monitor, np.random.default_rng(5).normal(0.3, 0.02, 20), score="margin")
    states = monitor.states
    assert states["entropy"].fired
    assert not states["margin"].fired
    assert monitor.fired
    with pytest.raises(ShiftError, match=r"'energy'; there are: entropy, margin"):
        monitor.update("energy", 0.1, 0.0)
    assert not ShiftMonitor({}).fired


@pytest.mark.slow
def test_hours_of_an_ordinary_drive():
    """Scenes of ten seconds, five references: no more alarms than the level allows in 120 windows an hour."""
    rng, rho, starts, hours = np.random.default_rng(6), math.exp(-0.1), 0, 2
    for seed in range(5):
        monitor, value, fired = ShiftMonitor({"entropy": reference(seed=seed)}), 0.0, False
        for i in range(hours * 3600):
            value = rho * value + math.sqrt(1 - rho * rho) * rng.standard_normal()
            state = monitor.update("entropy", 0.1 + 0.02 * value, float(i))
            starts += state.fired and not fired
            fired = state.fired
    assert starts <= 5 * hours * 120 * 0.01


def test_settings_out_of_range():
    for name, value in (
        ("window_s", 0.0),
        ("window_s", math.inf),
        ("level", 0.0),
        ("level", 1.0),
        ("hold_s", -1.0),
        ("least_frames", 1),
        ("independent", 1),
    ):
        with pytest.raises(ShiftError, match=f"{name} = "):
            ShiftSettings(**{name: value})


def test_mean_of_a_frame():
    score = np.array([[0.1, 0.3], [0.5, np.inf]], np.float32)
    assert frame_mean(score) == pytest.approx(0.3)
    assert frame_mean(score[:1]) == pytest.approx(0.2)
    assert math.isnan(frame_mean(np.full((2, 2), np.nan, np.float32)))
    assert math.isnan(frame_mean(np.empty((0, 4), np.float32)))
    assert frame_mean(np.full((2000, 2000), 0.1, np.float32)) == pytest.approx(0.1, rel=1e-7)
