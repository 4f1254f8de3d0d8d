"""The shift monitor over time."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.thresholds.shift import ShiftMemory, ShiftMonitor, ShiftSettings
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference


def reference(mean=0.4, std=0.02, images=200, seed=0):
    return ShiftReference(np.random.default_rng(seed).normal(mean, std, images))


def two():
    return {"brightness": reference(), "entropy": reference(0.1, seed=1)}


def play(monitor, values, start=0.0, dt=0.1, name="brightness"):
    return [monitor.update({name: value}, start + i * dt) for i, value in enumerate(values)]


def test_fires_when_the_light_goes_and_is_quiet_again_after():
    rng, monitor = np.random.default_rng(1), ShiftMonitor(two())
    day = play(monitor, rng.normal(0.4, 0.02, 600))
    assert not any(state.fired for state in day)
    night = play(monitor, rng.normal(0.1, 0.02, 600), 60.0)
    first = [state.fired for state in night].index(True)
    assert first < 200, "20 s for 15 standard deviations"
    assert night[-1].fired
    assert night[-1].statistic == "brightness"
    assert night[-1].difference == pytest.approx(-15.0, abs=1.5)
    assert night[-1].p_value <= ShiftSettings.level
    assert night[-1].text.startswith("brightness of the image is 0.0")
    assert "standard deviations below the calibration data (0.4 ± 0.0" in night[-1].text
    again = play(monitor, rng.normal(0.4, 0.02, 600), 120.0)
    quiet = [state.fired for state in again].index(False)
    assert 50 <= quiet < 450, "the hold at least"
    assert not any(state.fired for state in again[quiet:]), "evidence starts anew"


def test_a_larger_shift_is_found_sooner_and_both_tails_count():
    found = []
    for shift in (4.0, 6.0, 12.0, -12.0, 40.0):
        rng, monitor = np.random.default_rng(2), ShiftMonitor(two())
        fired = [state.fired for state in play(monitor, 0.4 + 0.02 * (shift + rng.standard_normal(3000)))]
        found.append(fired.index(True))
    assert found[0] > found[1] > found[2] >= found[4]
    assert found[3] == pytest.approx(found[2], abs=60)


def test_evidence_of_several_statistics_is_averaged_and_the_others_are_named():
    monitor = ShiftMonitor(two())
    for k in range(300):
        state = monitor.update({"brightness": 0.7, "entropy": 0.4}, 0.1 * k)
    assert state.fired
    assert len(state.others) == 1
    assert state.text.endswith(f"; also {state.others[0]}")
    alone = ShiftMonitor({"entropy": reference(0.1, seed=1)})
    one, both = (
        [s.fired for s in play(m, [0.4] * 300, name="entropy")].index(True) for m in (alone, ShiftMonitor(two()))
    )
    assert one <= both < one + 60, "watching more costs little"


def test_few_frames_say_nothing():
    monitor = ShiftMonitor(two(), ShiftSettings(least_frames=4))
    states = play(monitor, [0.9] * 5, dt=10.0)
    assert [state.known for state in states] == [False, False, False, True, True]
    assert not any(state.fired for state in states[:3])
    assert states[1].text == "2 frames so far, more are needed"
    assert [state.frames for state in states] == [1, 2, 3, 4, 5]


def test_time_that_jumps_starts_a_new_drive():
    monitor = ShiftMonitor(two())
    assert play(monitor, [0.9] * 300)[-1].fired
    back = monitor.update({"brightness": 0.9}, 1.0)
    assert (back.fired, back.frames) == (False, 1)
    assert play(monitor, [0.9] * 300, 2.0)[-1].fired
    hours_later = monitor.update({"brightness": 0.9}, 9000.0)
    assert (hours_later.fired, hours_later.frames) == (False, 1)
    monitor.reset()
    assert (monitor.current.frames, monitor.current.text) == (0, "0 frames so far, more are needed")


def test_frames_that_do_not_count():
    monitor = ShiftMonitor(two())
    first = monitor.update({"brightness": 0.4}, 1.0)
    assert monitor.update({"brightness": 0.9}, 1.0) == first, "the same stamp"
    assert monitor.update({"brightness": 0.9}, math.nan) == first
    assert monitor.update({"brightness": math.nan, "else": 3.0}, 2.0).value == first.value
    assert monitor.update({}, 3.0).frames == 3
    assert monitor.update({"entropy": math.inf}, 4.0).p_value == 1.0


def test_frames_without_a_stamp_are_one_frame():
    states = play(ShiftMonitor(two()), [0.9] * 50, dt=0.0)
    assert {state.frames for state in states} == {1}
    assert not states[-1].fired


def test_nothing_to_watch_never_fires():
    state = ShiftMonitor({}).update({"brightness": 3.0}, 1.0)
    assert (state.fired, state.known, state.p_value) == (False, False, 1.0)


def test_one_frame_alone_cannot_decide():
    monitor = ShiftMonitor(two())
    play(monitor, [0.4] * 300)
    assert not monitor.update({"brightness": 1e9}, 31.0).fired
    slow = ShiftMonitor(two())
    play(slow, [0.4] * 30, dt=20.0)
    assert not slow.update({"brightness": 1e9}, 600.0).fired


def test_a_parked_car_at_an_unusual_place_does_not_pile_up_evidence():
    states = play(ShiftMonitor(two()), [0.4 + 0.02 * 2.5] * 7200, dt=1.0)
    assert not any(state.fired for state in states)


@given(st.lists(st.floats(-1.0, 2.0) | st.just(math.nan), min_size=4, max_size=60), st.data())
@settings(max_examples=30, deadline=None)
def test_the_memory_goes_through_json_at_any_frame(values, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    whole = play(ShiftMonitor(two()), values, dt=0.7)
    first, second = ShiftMonitor(two()), ShiftMonitor(two())
    before = play(first, values[:cut], dt=0.7)
    second.load_state(ShiftMemory.from_json(json.loads(json.dumps(asdict(first.state())))))
    assert repr(second.state()) == repr(first.state())
    after = [second.update({"brightness": v}, 0.7 * i) for i, v in enumerate(values[cut:], cut)]
    assert repr(before + after) == repr(whole)


@pytest.mark.parametrize("tau_s", [0.0, 10.0])
def test_an_ordinary_drive_is_quiet_for_a_day(tau_s):
    """24 h at 1 Hz, 24 clips as references; docs/results/time/shift.md has 10 Hz."""
    rng = np.random.default_rng(6)
    rho = math.exp(-1.0 / tau_s) if tau_s else 0.0

    def drive(seconds):
        values, steps = [], rng.standard_normal(seconds) * math.sqrt(1 - rho * rho)
        last = rng.standard_normal()
        for step in steps.tolist():
            last = rho * last + step
            values.append(last)
        return values

    alarms = 0
    for _ in range(24):
        monitor, fired = ShiftMonitor({"brightness": ShiftReference(np.array(drive(300)))}), False
        for state in play(monitor, drive(3600), dt=1.0):
            alarms, fired = alarms + (state.fired and not fired), state.fired
    assert alarms <= 1


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
