"""Threshold policies in the pipeline, with the shipped network and meta models."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.remarks import remarks
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.adaptation import FeedbackError
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.control import PolicyRefusedError
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.thresholds.policies import Otsu, Quantile, resolve
from trust_seg_ros.types import Frame, Wanted

GRID = np.linspace(0.0, 1.0, 101)


@pytest.fixture(scope="module")
def loaded():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


@pytest.fixture
def pipeline(loaded):
    curve = ScoreCalibration(RecallCurve(GRID, 1 - GRID, 5000), RiskCurve(GRID, GRID, 99), (), tuple(GRID[40:60]))
    calibration = Calibration(
        loaded.network.name,
        loaded.labels.names,
        scores={"entropy": curve},
        segments={"p_wrong": replace(curve, frame_means=()), "p_ood": replace(curve, frame_means=())},
        summary={"ood": {"min_size": 50}},
    )
    return TrustPipeline(loaded.network, loaded.meta, ood_model=loaded.ood_model, calibration=calibration, grid="image")


@pytest.fixture
def image():
    rough = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, (128, 96), interpolation=cv2.INTER_CUBIC)


def test_policies_of_the_image_act_on_their_own_scores(pipeline, image):
    settings = ThresholdSettings(
        pixel=PolicySettings("quantile", quantile=0.9),
        pixel_score="margin",
        unreliable=PolicySettings("quantile", quantile=0.8),
        ood=PolicySettings("otsu"),
        ood_min_size=1,
        unreliable_min_share=0.0,
    )
    result = pipeline(Frame(image), settings)
    score, entropy = result.maps.margin.numpy(), result.maps.entropy.numpy()
    limit, ood = resolve(Quantile(0.9), score), resolve(Otsu(), entropy)
    assert np.array_equal(result.pixel_flags, score >= np.float32(limit))
    p_wrong = result.trust.p_wrong
    assert np.array_equal(result.trust.unreliable, p_wrong >= resolve(Quantile(0.8), p_wrong))
    assert 0 < result.trust.unreliable.sum() <= 0.2 * len(p_wrong)
    assert np.array_equal(result.ood.ids > 0, entropy >= np.float32(ood))
    assert (result.thresholds["pixel"], result.thresholds["ood"], result.thresholds["ood_meta"]) == (
        limit,
        ood,
        1 - pipeline.ood_model.discard_above,
    )


def test_calibrated_thresholds(pipeline, image):
    conformal, recall = PolicySettings("conformal", alpha=0.25), PolicySettings("target_recall", recall=0.7)
    settings = ThresholdSettings(pixel=conformal, unreliable=recall, ood_meta=conformal)
    result = pipeline(Frame(image), settings)
    # 99 images: 0.99 risk + 0.01 <= 0.25
    assert [result.thresholds[t] for t in ("pixel", "unreliable", "ood_meta")] == pytest.approx([0.24, 0.3, 0.24])
    assert np.array_equal(result.pixel_flags, result.maps.entropy.numpy() >= np.float32(0.24))
    assert result.segments.sizes.min() < settings.unreliable_min_share * image[..., 0].size
    assert np.array_equal(result.trust.unreliable, result.trust.p_wrong >= 0.3), "a promise is of segments of any size"
    assert result.thresholds["unreliable_min_share"] == 0.0
    said = [text for text in remarks(pipeline, replace(settings, unreliable_min_share=0.01)) if "min_share" in text]
    assert said == [
        "thresholds.unreliable_min_share = 0.01 has no effect: policy target_recall flags segments of any size, as it "
        "promises something about all of them"
    ]
    assert not [text for text in remarks(pipeline, settings) if "min_share" in text]


def test_check_refuses_what_the_calibration_lacks(pipeline, loaded):
    conformal = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.01))
    pipeline.check(conformal)
    with pytest.raises(PolicyRefusedError, match="needs at least 199 calibration images, there are 99"):
        pipeline.check(conformal.with_policy("pixel", alpha=0.005))
    with pytest.raises(PolicyRefusedError, match="pixel flags by margin: policy conformal: expected a calibration"):
        pipeline.check(replace(conformal, pixel_score="margin"))
    with pytest.raises(PolicyRefusedError, match="pixel flags by entropy: policy conformal: expected a calibration"):
        TrustPipeline(loaded.network).check(conformal)


@pytest.mark.parametrize(("value", "share"), [(math.inf, 0.0), (-math.inf, 1.0)])
def test_thresholds_may_be_infinite(pipeline, image, value, share):
    result = pipeline(Frame(image), ThresholdSettings.constants(pixel=value, ood=value))
    assert result.pixel_flags.mean() == share
    assert (result.ood.ids > 0).mean() == share
    assert result.thresholds["pixel"] == value


def test_thresholds_of_parts_that_nobody_asked_for_are_constants_or_absent(pipeline, image):
    settings = ThresholdSettings(pixel=PolicySettings("otsu"), unreliable=PolicySettings("otsu"))
    result = pipeline(Frame(image), settings, Wanted(segments=False, ood=False))
    assert set(result.thresholds) == {"pixel", "unreliable_min_share", "ood", "ood_min_size", "ood_meta"}


def test_the_monitor_sees_softmax_scores_whatever_is_wanted_and_starts_afresh_on_reset(pipeline, image):
    nothing = Wanted(segments=False, ood=False, pixel_flags=False)
    for second in range(1, 5):
        result = pipeline(Frame(image, second * 10**9), wanted=nothing)
    assert (result.shift.statistic, result.shift.frames) == ("entropy", 4)
    assert set(result.watched) == set(pipeline.watched) == {"entropy"}
    by_margin = ThresholdSettings(pixel_score="margin")
    assert pipeline(Frame(image, 5 * 10**9), by_margin).shift.frames == 5, "whatever flags pixels"
    assert pipeline.unwatched["margin"] == "the calibration does not hold it"
    pipeline.reset()
    assert pipeline(Frame(image, 6 * 10**9)).shift.frames == 1


@pytest.mark.parametrize(
    ("summary", "made_on"),
    [({"grid_size": [360, 480], "grid": "image"}, True), ({"grid": "area:480x360"}, True), ({"grid": "image"}, False),
     ({}, False)],
)  # fmt: skip
def test_a_calibration_of_another_grid_is_remarked_on(pipeline, image, summary, made_on):
    calibration = replace(pipeline.calibration, summary=summary)
    other = TrustPipeline(pipeline.network, pipeline.meta, calibration=calibration, grid="area:240x180")
    settings = ThresholdSettings(unreliable=PolicySettings("conformal", alpha=0.25))

    def said(settings, sizes=None):
        return [text for text in remarks(other, settings, sizes) if "calibrat" in text]

    assert said(settings) == [], "before the first frame nothing is known of its grid"
    other(Frame(image), settings)
    assert said(settings, [(360, 480), (370, 490)]) == []
    expected = (
        "calibrated thresholds are rough (unreliable segments): scores are made on a grid of 240x180, the "
        "calibration was made on one of 480x360: set grid to area:480x360, or calibrate on this grid (trust-seg "
        "calibrate --grid)"
    )
    assert said(settings) == [expected] * made_on
    assert said(ThresholdSettings.constants()) == [], "nothing calibrated is in use"
    found = said(settings, [(360, 480), (180, 240), (90, 120)])
    assert [("240x180 or 120x90" in text) for text in found] == [True] * made_on


def test_promises_that_nothing_keeps_are_remarked_on(pipeline, loaded):
    at = pipeline.ood_fitted_at
    kept = ThresholdSettings(ood=PolicySettings(value=at), ood_meta=PolicySettings("conformal"))
    kept = replace(kept, ood_score=pipeline.ood_model.score)
    assert remarks(pipeline, kept) == ()
    for settings, words in (
        (kept.with_policy("ood", value=at / 2), "the calibration was made at"),
        (kept.with_policy("ood", policy="otsu"), "OoD segments at otsu, the calibration was made at"),
        (replace(kept, ood_min_size=51), "OoD segments of 51 pixels and more, the calibration was made for 50"),
        (replace(kept, ood_score="margin"), "OoD segments are of margin, the calibration was made for"),
    ):
        assert words in remarks(pipeline, settings)[-1]
    assert remarks(pipeline, kept, [(360, 480)]) == ()
    assert remarks(pipeline, kept, [(360, 480), (720, 1280)])[-1] == (
        "calibration of P(OoD) void: segments are made on a grid of 1280x720, the OoD meta model was fitted on one of "
        "480x360: set grid to area:480x360, or fit one on this grid"
    )
    bare = TrustPipeline(loaded.network)
    assert remarks(bare, ThresholdSettings(unreliable=PolicySettings("otsu"))) == (
        "unreliable segments: policy otsu has no effect without a meta model",
    )


def test_feedback_moves_the_pixel_threshold_from_the_conformal_one(pipeline, image):
    settings = ThresholdSettings(pixel=PolicySettings("adaptive", adaptive_alpha=0.3, adaptive_rate=0.1))
    assert pipeline.adapted is None
    result = pipeline(Frame(image, stamp_ns=1_700_000_000_123_456_789), settings)
    start = result.thresholds["pixel"]
    assert start == pytest.approx(pipeline.calibration.curves("entropy").risk.threshold(0.3))
    classes = result.maps.classes.numpy()
    truth = np.where(classes == 0, 1, 0).astype(np.uint8)  # all of it is wrong
    missed = 1 - result.pixel_flags.mean()
    twice = np.kron(truth, np.ones((2, 2), np.uint8))
    assert pipeline.feedback(1_700_000_000_123_456_789, twice) == "used"
    assert pipeline.feedback(1_700_000_000_123_456_789, truth) == "again"
    assert pipeline.feedback(5, truth) == "unknown"
    after = pipeline(Frame(image, stamp_ns=1_700_000_000_200_000_000), settings).thresholds["pixel"]
    assert after == pytest.approx((math.sqrt(start) + 0.1 * (0.3 - missed)) ** 2)
    assert pipeline.adapted.threshold == after
    assert pipeline.adapted.state.long_run.mean_error == pytest.approx(missed)


def test_feedback_of_another_label_set_is_refused(pipeline):
    with pytest.raises(FeedbackError, match="class 19: expected the network's ids, 0 to 10"):
        pipeline.feedback(1, np.full((4, 4), 19, np.uint8))
    assert pipeline.feedback(1, np.zeros((4, 4), np.uint8)) == "unknown", "no policy that learns from it"
