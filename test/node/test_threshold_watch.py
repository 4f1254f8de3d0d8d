"""When label_info is sent, and what the diagnostics say of guarantees."""

import math
from dataclasses import replace

import pytest

from trust_seg_ros.messages.label_info import LabelInfo
from trust_seg_ros.node.threshold_watch import guarantee
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.promises import promises
from trust_seg_ros.types import ShiftState

FIXED = ThresholdSettings()
QUANTILE = ThresholdSettings(pixel=PolicySettings("quantile"))
CONFORMAL = ThresholdSettings(pixel=PolicySettings("conformal"), ood_meta=PolicySettings("conformal", alpha=0.1))
STATE = ShiftState(False, 20, True, 0.8, "entropy", "mean entropy", 0.12, 0.1, 0.02)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def labels(sent):
    return LabelInfo(("red", "blue"), lambda fields: sent.append(fields.threshold))


def test_constants_are_sent_when_they_are_set_and_only_then(labels, sent):
    labels.settings_changed(FIXED, 0.75)
    labels.settings_changed(replace(FIXED, ood_min_size=7), 0.75)
    labels.settings_changed(FIXED.with_policy("pixel", value=0.5), 0.5)
    assert sent == [0.25, 0.5]


@pytest.mark.parametrize(
    "settings", [QUANTILE, ThresholdSettings(pixel=PolicySettings("conformal", conformal_by="image"))]
)
def test_a_threshold_that_follows_the_image_is_sent_as_0_and_once(labels, sent, settings):
    labels.settings_changed(settings, None)
    labels.settings_changed(replace(settings, ood_min_size=7), None)
    assert sent == [0.0]
    labels.settings_changed(FIXED, 0.75)
    labels.settings_changed(settings, None)
    assert sent == [0.0, 0.25, 0.0]


@pytest.mark.parametrize(("threshold", "expected"), [(math.inf, -1.0), (-math.inf, 2.0), (1.5, -0.5)])
def test_thresholds_without_limit_have_one_on_the_wire(labels, sent, threshold, expected):
    labels.settings_changed(FIXED, threshold)
    assert sent == [expected]


@pytest.mark.parametrize(
    "policy",
    [
        PolicySettings("target_recall", per_class=True),
        PolicySettings("conformal", conformal_by="class"),
        PolicySettings("conformal", conformal_by="region"),
    ],
)
def test_thresholds_by_class_or_region_are_no_threshold_on_confidence(labels, sent, policy):
    settings = ThresholdSettings(pixel=policy)
    labels.settings_changed(settings, 0.3)
    assert sent == [0.0]


@pytest.mark.parametrize(
    ("settings", "state", "gap", "words"),
    [
        (FIXED, STATE, "", "none: no threshold is conformal"),
        (CONFORMAL, STATE, "", "holds: pixel flags conformal alpha = 0.05, OoD segments conformal alpha = 0.1"),
        (CONFORMAL, replace(STATE, fired=True), "", "void, the data has shifted: pixel flags"),
        (CONFORMAL, replace(STATE, known=False), "", "not known (the shift monitor needs more frames): pixel"),
        (CONFORMAL, None, "", "not known (there is no calibration): pixel"),
        (CONFORMAL, STATE, "other segments", "holds: pixel flags conformal alpha = 0.05; void for OoD segments: other"),
        (ThresholdSettings(ood_meta=PolicySettings("conformal")), STATE, "other segments", "void: other segments"),
    ],
)
def test_whether_the_guarantee_holds(settings, state, gap, words):
    unwatched = "" if state is not None else "there is no calibration"
    assert guarantee(settings, state, unwatched, gap).startswith(words)


def test_what_feedback_and_groups_promise_is_told_apart():
    adaptive = ThresholdSettings(pixel=PolicySettings("adaptive"))
    assert guarantee(adaptive, None).startswith("pixels in the long run, as far as feedback comes")
    by_class = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.1, conformal_by="class"))
    assert "groups that share the common threshold (pixel thresholds) have no promise" in guarantee(by_class, None)
    for_all = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.1))
    assert "groups" not in guarantee(for_all, None)
    assert promises(adaptive).holds[0].endswith("as long as feedback comes")


def test_a_guarantee_is_void_on_another_grid_than_the_calibrations():
    conformal = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.1))
    said = guarantee(conformal, None, off_grid="scores are made on a grid of 96x72")
    assert said == "void, scores are made on a grid of 96x72: pixel flags conformal alpha = 0.1"
    assert guarantee(ThresholdSettings(), None, off_grid="other").startswith("none: no threshold is conformal")
