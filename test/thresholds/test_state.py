"""A recording taken up where it was left: what thresholds remember goes from one control to another."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.control import ThresholdControl
from trust_seg_ros.thresholds.shift import ShiftMonitor, ShiftSettings
from trust_seg_ros.thresholds.shift_statistic import ShiftReference

SMOOTHED = ThresholdSettings(
    pixel=PolicySettings("quantile", quantile=0.9, smoothing_s=0.7),
    ood=PolicySettings("mean_std", k=1.0, smoothing_s=0.7),
)
scores = st.lists(st.floats(0.0, 1.0, width=32), min_size=2, max_size=12)


def run(control: ThresholdControl, values: list[float], first: int) -> list[tuple[float, float]]:
    found = []
    for index, value in enumerate(values, first):
        plane = (np.linspace(0.0, 1.0, 64, dtype=np.float32) * np.float32(value)).reshape(8, 8)
        frame = control.begin(SMOOTHED, 10.0 + 0.2 * index)
        found.append((frame.find("pixel", plane).value, frame.find("ood", plane).value))
    return found


@given(scores, st.data())
@settings(max_examples=30, deadline=None)
def test_thresholds_go_on_as_if_nothing_had_happened(values, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    whole = run(ThresholdControl(), values, 0)
    first, second = ThresholdControl(), ThresholdControl()
    before = run(first, values[:cut], 0)
    second.load_state(SMOOTHED, pickle.loads(pickle.dumps(first.state())))
    assert before + run(second, values[cut:], cut) == whole


def test_without_the_memory_they_would_not():
    values = [1.0, 0.2, 0.2]
    assert run(ThresholdControl(), values, 0)[1:] != run(ThresholdControl(), values[1:], 1)


@given(st.lists(st.floats(-3.0, 3.0), min_size=4, max_size=40), st.data())
@settings(max_examples=30, deadline=None)
def test_the_shift_monitor_goes_on_too(values, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    reference = ShiftReference.from_means(np.random.default_rng(0).normal(size=60))
    chosen = ShiftSettings(window_s=4.0, hold_s=0.4, least_frames=3)

    def monitor() -> ShiftMonitor:
        return ShiftMonitor({"entropy": reference}, chosen)

    def states(one, part, first):
        return [one.update("entropy", value, 5.0 + 0.2 * i) for i, value in enumerate(part, first)]

    whole = states(monitor(), values, 0)
    first, second = monitor(), monitor()
    before = states(first, values[:cut], 0)
    second.load_state(first.state())
    assert second.states == first.states
    assert before + states(second, values[cut:], cut) == whole


def test_a_frame_with_the_stamp_of_the_last_has_the_state_of_the_last():
    reference = ShiftReference.from_means(np.random.default_rng(0).normal(size=60))
    first, second = (ShiftMonitor({"entropy": reference}, ShiftSettings(hold_s=0.0)) for _ in range(2))
    for stamp in range(12):
        last = first.update("entropy", 9.0, stamp)
    assert last.fired
    second.load_state(first.state())
    assert second.update("entropy", 9.0, 11) == last


@pytest.mark.parametrize(
    ("policy", "remembers"),
    [
        (PolicySettings("fixed", smoothing_s=1.0), False),
        (PolicySettings("quantile", smoothing_s=0.0), False),
        (PolicySettings("quantile", smoothing_s=1.0), True),
        (PolicySettings("conformal", on_shift="warn"), False),
        (PolicySettings("conformal", on_shift="conservative"), True),
    ],
)
def test_which_settings_look_back(policy, remembers):
    assert ThresholdSettings(pixel=policy).remembers is remembers
