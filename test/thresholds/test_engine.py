"""Policies from frame to frame: those that need no calibration."""

import math

import numpy as np
import pytest

from trust_seg_ros.thresholds.engine import ThresholdEngine
from trust_seg_ros.thresholds.policies import CurvesNeededError, PolicyError, PolicySettings, Quantile, resolve


def score_map(seed=0, scale=1.0):
    return (np.random.default_rng(seed).random((120, 160)) * scale).astype(np.float32)


def test_a_fixed_threshold_looks_at_no_score():
    engine = ThresholdEngine(PolicySettings("fixed", value=0.4))
    assert not engine.needs_score()
    assert engine.update(None, 1.0).value == 0.4


@pytest.mark.parametrize("policy", ["quantile", "mean_std", "otsu"])
def test_policies_of_the_image_follow_it(policy):
    settings = PolicySettings(policy)
    engine, score = ThresholdEngine(settings), score_map()
    assert engine.needs_score()
    found = engine.update(score, 1.0)
    assert found.value == resolve(settings.chosen, score)
    np.testing.assert_array_equal(found.flags(score), score >= np.float32(found.value))


def test_smoothing_is_by_the_stamps():
    engine = ThresholdEngine(PolicySettings("quantile", smoothing_s=1.0))
    first = engine.update(score_map(), 5.0).value
    second = engine.update(score_map(scale=0.5), 6.0).value
    assert second == pytest.approx(0.5 * first + 0.5 * first * math.exp(-1), rel=1e-6)
    engine.reset()
    assert engine.update(score_map(scale=0.5), 6.1).value == pytest.approx(0.5 * first, rel=1e-6)


def test_a_frame_without_usable_scores_keeps_the_threshold():
    engine = ThresholdEngine(PolicySettings("otsu", smoothing_s=1.0))
    first = engine.update(score_map(), 5.0).value
    assert engine.update(np.full((9, 9), np.nan, np.float32), 5.1).value == first
    assert engine.update(np.zeros(0), 5.2).value == first


def test_pixels_without_a_class_do_not_count_and_are_flagged():
    score, classes = score_map(), np.zeros((120, 160), np.uint8)
    score[:60], classes[:60] = 1.0, 255
    found = ThresholdEngine(PolicySettings("quantile", quantile=0.5)).update(score, 0.0, classes=classes)
    assert found.value == resolve(Quantile(0.5), score[60:])
    assert found.flags(score, classes)[:60].all()


def test_new_settings_of_the_same_policy_keep_the_past():
    engine = ThresholdEngine(PolicySettings("quantile", smoothing_s=1.0), score="entropy")
    first = engine.update(score_map(), 5.0).value
    new = engine.with_settings(PolicySettings("quantile", quantile=0.5, smoothing_s=2.0))
    median = resolve(Quantile(0.5), score_map())
    want = median + (first - median) * math.exp(-0.5)
    assert new.update(score_map(), 6.0).value == pytest.approx(want, rel=1e-6)


def test_the_engine_before_a_change_is_left_as_it_was():
    engine = ThresholdEngine(PolicySettings("quantile", smoothing_s=1.0))
    twin = ThresholdEngine(PolicySettings("quantile", smoothing_s=1.0))
    for each in (engine, twin):
        each.update(score_map(), 5.0)
    engine.with_settings(PolicySettings("quantile", smoothing_s=3.0)).update(score_map(scale=9.0), 6.0)
    assert engine.update(score_map(1), 7.0) == twin.update(score_map(1), 7.0)


@pytest.mark.parametrize(
    ("settings", "score"),
    [(PolicySettings("otsu", smoothing_s=1.0), None), (PolicySettings("quantile", smoothing_s=1.0), "margin")],
)
def test_another_policy_or_score_starts_anew(settings, score):
    engine = ThresholdEngine(PolicySettings("quantile", smoothing_s=1.0), score="entropy")
    engine.update(score_map(scale=100.0), 5.0)
    new = engine.with_settings(settings, score=score)
    assert new.score == (score or "entropy")
    assert new.update(score_map(), 5.5).value == resolve(settings.chosen, score_map())


@pytest.mark.parametrize("policy", ["target_recall", "conformal"])
def test_calibrated_policies_are_refused_at_once_without_a_calibration(policy):
    with pytest.raises(CurvesNeededError, match="trust-seg calibrate"):
        ThresholdEngine(PolicySettings(policy))
    with pytest.raises(CurvesNeededError, match=policy):
        ThresholdEngine(PolicySettings()).with_settings(PolicySettings(policy))


def test_the_stricter_of_a_constant_and_the_image_is_in_force_under_shift():
    score = score_map()
    image = resolve(Quantile(0.9), score)
    for value, want, lowered in ((0.95, image, True), (0.3, 0.3, False)):
        engine = ThresholdEngine(PolicySettings("fixed", value=value, quantile=0.9, on_shift="conservative"))
        assert not engine.needs_score()
        assert engine.needs_score(shifted=True)
        found = engine.update(score, 1.0, shifted=True)
        assert (found.value, found.lowered) == (want, lowered)
        assert engine.update(None, 2.0).value == value


def test_a_warning_changes_no_threshold():
    engine = ThresholdEngine(PolicySettings("fixed", value=0.95))
    assert engine.update(None, 1.0, shifted=True).value == 0.95


def test_the_past_of_one_shift_does_not_count_in_the_next():
    engine = ThresholdEngine(PolicySettings("fixed", value=99.0, smoothing_s=10.0, on_shift="conservative"))
    engine.update(score_map(scale=50.0), 1.0, shifted=True)
    engine.update(None, 2.0)
    found = engine.update(score_map(), 3.0, shifted=True).value
    assert found == resolve(Quantile(0.95), score_map())


@pytest.mark.parametrize("policy", ["quantile", "mean_std", "otsu"])
def test_policies_of_the_image_are_the_same_under_shift(policy):
    engine = ThresholdEngine(PolicySettings(policy, on_shift="conservative"))
    found = engine.update(score_map(), 1.0, shifted=True)
    assert found == engine.update(score_map(), 1.0)
    assert not found.lowered


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("policy", "otsus", "'otsus': expected one of auto, fixed, quantile"),
        ("on_shift", "panic", "'panic': expected one of warn, conservative"),
        ("value", math.nan, "value = nan: expected a number"),
        ("quantile", 1.5, "quantile = 1.5: expected"),
        ("k", -1.0, "k = -1.0: expected"),
        ("recall", 2.0, "recall = 2.0: expected"),
        ("alpha", 0.0, "alpha = 0.0: expected"),
        ("smoothing_s", -1.0, "smoothing_s = -1.0: expected seconds"),
        ("smoothing_s", math.inf, "smoothing_s = inf: expected seconds"),
    ],
)
def test_settings_out_of_range_are_named_whatever_the_policy(field, value, expected):
    with pytest.raises(PolicyError, match=expected):
        PolicySettings(**{field: value})


def test_settings_in_words():
    assert PolicySettings("quantile", quantile=0.98).describe() == "quantile 0.98"
    assert PolicySettings("conformal", alpha=0.1).describe() == "conformal alpha = 0.1"
    assert PolicySettings("otsu", recall=0.5).describe() == "otsu"
