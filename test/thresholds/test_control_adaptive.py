"""Policy ``adaptive`` among all thresholds: frames are remembered as they are judged, and the state goes on."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.control import PolicyRefusedError, ThresholdControl

SETTINGS = ThresholdSettings(pixel=PolicySettings("adaptive", value=0.36, adaptive_rate=0.1, on_shift="conservative"))
RNG = np.random.default_rng(0)
SCORE, CLASSES = RNG.random((20, 20), np.float32), RNG.integers(0, 3, (20, 20), dtype=np.uint8)
WRONG = ((CLASSES + 1) % 3).astype(np.uint8)


def judge(control, stamp_s, settings=SETTINGS):
    """The threshold that a frame was judged by."""
    frame = control.begin(settings, stamp_s)
    flagged = frame.pixel_flags(SCORE, CLASSES, faulty=False)
    assert np.array_equal(flagged, np.float32(frame.numbers["pixel"]) <= SCORE)
    return frame.numbers["pixel"]


def test_the_next_frame_is_judged_by_what_feedback_has_taught():
    control = ThresholdControl()
    assert "pixel" not in control.constants(SETTINGS), "no constant"
    assert judge(control, 1.0) == pytest.approx(0.36)
    assert control.adaptation.feedback(1.0, WRONG) == "used"
    missed = (np.float32(0.36) > SCORE).mean()
    assert judge(control, 1.1) == pytest.approx((0.6 + 0.1 * (0.1 - missed)) ** 2)


def test_another_control_goes_on_from_the_state():
    first, second = ThresholdControl(), ThresholdControl()
    judge(first, 1.0)
    first.adaptation.feedback(1.0, WRONG)
    second.load_state(SETTINGS, pickle.loads(pickle.dumps(first.state())))
    assert judge(second, 1.1) == judge(first, 1.1) != 0.36
    assert second.adaptation.feedback(1.0, WRONG) == "unknown"  # frames that wait are no part of it
    assert second.state().adapted.counts == {"used": 1, "unknown": 1}


def test_other_settings_keep_what_was_learned_and_another_score_does_not():
    control = ThresholdControl()
    judge(control, 1.0)
    control.adaptation.feedback(1.0, WRONG)
    learned = judge(control, 1.1)
    assert judge(control, 1.2, SETTINGS.with_policy("unreliable", value=0.3)) == pytest.approx(learned)
    assert judge(control, 1.3, SETTINGS.with_policy("pixel", adaptive_alpha=0.5)) == pytest.approx(learned)
    assert judge(control, 1.4, replace(SETTINGS, pixel_score="margin")) == pytest.approx(0.36)


def test_a_reset_forgets_the_frames_only():
    control = ThresholdControl()
    judge(control, 1.0)
    control.adaptation.feedback(1.0, WRONG)
    learned = judge(control, 1.1)
    control.reset()
    assert judge(control, 0.5) == learned
    assert control.adaptation.feedback(1.1, WRONG) == "unknown"


def test_other_policies_have_no_adaptation():
    control = ThresholdControl()
    judge(control, 1.0, ThresholdSettings())
    assert control.adaptation is None
    assert control.state().adapted is None


def test_a_score_without_limits_is_refused_before_it_is_used():
    with pytest.raises(PolicyRefusedError, match="pixel flags by energy: policy adaptive: energy has no limits"):
        ThresholdControl().check(replace(SETTINGS, pixel_score="energy"))
