"""A recording taken up where it was left: what thresholds remember goes from one control to another."""

import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.control import ThresholdControl, ThresholdState
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps

SMOOTHED = ThresholdSettings(
    pixel=PolicySettings("quantile", quantile=0.9, smoothing_s=0.7),
    ood=PolicySettings("mean_std", k=1.0, smoothing_s=0.7),
)
GRID = np.linspace(0.0, 1.0, 5)
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


def test_the_shift_monitor_goes_on_too():
    reference = ScoreCalibration(
        RecallCurve(GRID, 1 - GRID, 50), RiskCurve(GRID, GRID, 60), (), tuple(np.random.default_rng(0).random(60))
    )
    calibration = Calibration("net", ("road", "sky"), scores={"entropy": reference})
    first, second = ThresholdControl(calibration), ThresholdControl(calibration)
    for k in range(20):
        watched = watch(first, k)
    second.load_state(SMOOTHED, pickle.loads(pickle.dumps(first.state())))
    assert watch(second, 20) == watch(first, 20)
    assert watched.frames == 20
    through_json = ThresholdState.from_json(json.loads(json.dumps(first.state().to_json())))
    assert through_json == first.state()


def watch(control: ThresholdControl, k: int):
    """The state of the monitor after frame k, of a camera that gets brighter."""
    image = np.full((12, 16, 3), 10 * k, np.uint8)
    answer = LogitMaps(torch.zeros(2, 3, 4) + torch.tensor([0.1 * k, 0.0])[:, None, None], (12, 16))
    frame = control.begin(SMOOTHED, 10.0 + 0.2 * k)
    frame.watch(image, answer, uncertainty_maps(answer))
    return frame.shift


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
