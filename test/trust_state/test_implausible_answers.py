"""Answers that nothing explains but a wrong network."""

import numpy as np

from trust_seg_ros.thresholds.shift_statistic import ShiftReference
from trust_seg_ros.trust_state.plausible import implausible

REFERENCES = {"entropy": ShiftReference.from_means(np.random.default_rng(0).gamma(60.0, 0.0016, 200))}


def test_means_of_the_calibration_and_somewhat_beyond_are_plausible():
    means = REFERENCES["entropy"].means
    assert all(implausible({"entropy": float(mean)}, REFERENCES) == "" for mean in means)
    assert implausible({"entropy": 1.3 * float(means.max())}, REFERENCES) == ""


def test_a_coin_toss_and_certainty_everywhere_are_not():
    assert "above the calibration data" in implausible({"entropy": 0.99}, REFERENCES)
    assert "below the calibration data" in implausible({"entropy": 0.0001}, REFERENCES)


def test_what_is_not_known_is_not_implausible():
    assert implausible({"entropy": 0.99}, {}) == ""
    assert implausible({"margin": 0.99}, REFERENCES) == ""
