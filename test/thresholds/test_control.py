"""From settings to the thresholds of frames: every target has its policies, its curves and its past."""

import math

import numpy as np
import pytest

from trust_seg_ros.thresholds import PolicySettings, ThresholdError, ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.control import PolicyRefusedError, ThresholdControl
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve

GRID = np.linspace(0.0, 1.0, 101)
SCORE = np.linspace(0.0, 1.0, 12, dtype=np.float32).reshape(3, 4)
CLASSES = np.arange(12, dtype=np.uint8).reshape(3, 4) % 2


def calibration(images=99):
    """Recall 1 - t and risk t at threshold t; class 0 is found at sqrt(t)."""
    own = RecallCurve(GRID, 1 - GRID**2, 5000)
    entropy = ScoreCalibration(RecallCurve(GRID, 1 - GRID, 5000), RiskCurve(GRID, GRID, images), (own, None))
    p_wrong = ScoreCalibration(RecallCurve(GRID, 1 - GRID / 2, 70), RiskCurve(GRID, GRID / 2, images))
    segments = {"p_wrong": p_wrong, "p_ood": ScoreCalibration(None, RiskCurve(GRID, GRID / 4, images))}
    return Calibration("net", ("a", "b"), scores={"entropy": entropy}, segments=segments)


def test_constants_are_settings_with_fixed_policies():
    settings = ThresholdSettings.constants(unreliable=0.1, pixel=0.2, ood=0.3, ood_min_size=4, ood_meta=0.6)
    sizes = {"unreliable_min_share": 0.0003, "ood_min_size": 4.0}
    expected = {"unreliable": 0.1, "pixel": 0.2, "ood": 0.3, "ood_meta": 0.6, **sizes}
    assert ThresholdControl().begin(settings, 0.0).numbers == expected
    assert ThresholdControl().constants(ThresholdSettings()) == {
        "unreliable": 0.5,
        "unreliable_min_share": 0.0003,
        "pixel": 0.6,
        "ood": 0.7,
        "ood_min_size": 50.0,
        "ood_meta": 0.5,
    }


def test_a_score_at_the_threshold_is_flagged_and_a_pixel_without_a_class_always_is():
    frame = ThresholdControl().begin(ThresholdSettings.constants(pixel=float(SCORE[1, 2])), 0.0)
    assert np.array_equal(frame.pixel_flags(SCORE, CLASSES, faulty=False), SCORE[1, 2] <= SCORE)
    faulty = CLASSES.copy()
    faulty[0, 0] = 255
    assert frame.pixel_flags(SCORE, faulty, faulty=True)[0, :2].tolist() == [True, False]


def test_every_target_is_calibrated_by_its_own_curves():
    settings = ThresholdSettings(
        pixel=PolicySettings("conformal", alpha=0.25),
        unreliable=PolicySettings("conformal", alpha=0.25),
        ood_meta=PolicySettings("conformal", alpha=0.2),
    )
    numbers = ThresholdControl(calibration()).constants(settings)
    # 99 images: 0.99 risk + 0.01 <= alpha
    assert [numbers[name] for name in ("pixel", "unreliable", "ood_meta")] == pytest.approx([0.24, 0.48, 0.76])


def test_thresholds_by_class():
    recall = PolicySettings("target_recall", recall=0.36, per_class=True)
    frame = ThresholdControl(calibration()).begin(ThresholdSettings(pixel=recall), 0.0)
    flags = frame.pixel_flags(SCORE, CLASSES, faulty=False)
    assert np.array_equal(flags, np.where(CLASSES == 0, SCORE >= 0.8, SCORE >= 0.64))
    assert frame.numbers["pixel"] == pytest.approx(0.64)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"pixel": PolicySettings("conformal"), "pixel_score": "margin"},
            "pixel flags by margin: policy conformal: exp",
        ),
        (
            {"pixel": PolicySettings("conformal", alpha=0.001)},
            "pixel flags by entropy: alpha = 0.001 needs at least 999",
        ),
        ({"unreliable": PolicySettings("conformal", alpha=0.001)}, "unreliable segments by p_wrong: alpha = 0.001"),
        ({"ood_meta": PolicySettings("target_recall")}, "OoD segments by p_ood: policy target_recall: expected"),
        ({"ood_meta": PolicySettings("conformal", alpha=0.001)}, "OoD segments by p_ood: alpha = 0.001"),
    ],
)
def test_a_policy_that_the_calibration_cannot_serve_is_refused(settings, words):
    control = ThresholdControl(calibration())
    with pytest.raises(PolicyRefusedError) as error:
        control.check(ThresholdSettings(**settings))
    assert words in str(error.value)
    control.check(ThresholdSettings(pixel=PolicySettings(alpha=0.001)))  # not in use


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ood", PolicySettings("target_recall")),
        ("ood", PolicySettings("conformal")),
        ("ood_meta", PolicySettings("otsu")),
        ("pixel_score", "softmax"),
        ("ood_score", "softmax"),
        ("ood_min_size", 0),
    ],
)
def test_what_means_nothing_for_a_target_is_refused(field, value):
    with pytest.raises(ThresholdError, match=f"{field} = .*(expected one of|at least 1)"):
        ThresholdSettings(**{field: value})


def test_smoothing_goes_on_when_other_settings_change_and_is_forgotten_on_reset():
    control = ThresholdControl()
    settings = ThresholdSettings(pixel=PolicySettings("mean_std", k=0.0, smoothing_s=10.0))

    def mean(value, stamp, used=settings):
        return control.begin(used, stamp).find("pixel", np.array([[value, value + 0.1]], np.float32)).value

    assert mean(0.0, 1.0) == pytest.approx(0.05)
    assert 0.05 < mean(0.8, 2.0) < 0.2
    other = settings.with_policy("ood", value=0.2)
    assert 0.05 < mean(0.8, 3.0, other) < 0.3, "another target's threshold"
    assert 0.05 < mean(0.8, 4.0, other.with_policy("pixel", smoothing_s=20.0)) < 0.3
    control.reset()
    assert mean(0.8, 5.0) == pytest.approx(0.85)


def test_what_follows_the_image_is_unknown_before_it():
    frame = ThresholdControl().begin(ThresholdSettings(pixel=PolicySettings("quantile", quantile=0.75)), 0.0)
    assert set(frame.numbers) == {"unreliable", "unreliable_min_share", "ood", "ood_min_size", "ood_meta"}
    assert frame.pixel_flags(SCORE, CLASSES, faulty=False).mean() == 0.25
    assert frame.numbers["pixel"] > SCORE[2, 0]


def test_a_calibration_made_with_another_meta_model_does_not_serve():
    made = calibration()
    made.summary["meta_models"] = {"p_wrong": "abc"}
    settings = ThresholdSettings(unreliable=PolicySettings("conformal", alpha=0.25))
    assert ThresholdControl(made, {"p_wrong": "abc"}).constants(settings)["unreliable"] == pytest.approx(0.48)
    with pytest.raises(
        PolicyRefusedError, match="unreliable segments: the calibration was made with another meta model"
    ):
        ThresholdControl(made, {"p_wrong": "xyz"}).check(settings)
    other = ThresholdSettings(ood_meta=PolicySettings("conformal", alpha=0.2))
    ThresholdControl(made, {"p_wrong": "xyz", "p_ood": "xyz"}).check(other)  # nothing is known of that one
    ThresholdControl(made, {"p_wrong": "xyz"}).check(ThresholdSettings())


@pytest.mark.parametrize(
    ("of_model", "score", "expected"),
    [
        (None, "entropy", 0.7),
        (("entropy", 0.9), "entropy", 0.9),
        (("energy", -3.0), "entropy", 0.7),
        (("energy", -3.0), "energy", -3.0),
        (("energy", -3.0), "margin", 0.7),
        (None, "variation_ratio", 0.7),
        (("entropy", 0.9), "max_logit", math.inf),
        (None, "energy", math.inf),
        (None, "gradient_uniform", math.inf),
        (None, "knn", math.inf),
    ],
)
def test_the_ood_threshold_is_the_models_of_that_score_unless_it_is_set(of_model, score, expected):
    control, left_open = ThresholdControl(ood_at=of_model), ThresholdSettings(ood_score=score)
    assert control.constants(left_open)["ood"] == expected
    assert control.resolved(left_open).ood.value == expected
    assert control.begin(left_open, 0.0).find("ood", None).value == expected
    assert control.constants(ThresholdSettings.constants(ood=0.3, ood_score=score))["ood"] == 0.3


@pytest.mark.parametrize(("of_model", "expected"), [(None, 0.5), (0.07, 0.07)])
def test_the_threshold_on_p_ood_is_the_models_unless_it_is_set(of_model, expected):
    control = ThresholdControl(discard_below=of_model)
    assert control.constants(ThresholdSettings())["ood_meta"] == expected
    assert control.begin(ThresholdSettings(), 0.0).find("ood_meta", None).value == expected
    assert control.constants(ThresholdSettings.constants(ood_meta=0.3))["ood_meta"] == 0.3
