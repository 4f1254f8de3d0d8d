"""Calibrated policies in the engine, with real curves."""

import numpy as np
import pytest

from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve, TooFewImagesError
from trust_seg_ros.thresholds.engine import ThresholdEngine, class_thresholds
from trust_seg_ros.thresholds.policies import Conformal, Curves, PolicySettings, Quantile, TargetRecall, resolve

GRID = np.linspace(0.0, 1.0, 101)


def recall_curve(power=1.0, positives=5000):
    """Recall 1 - t^power at threshold t."""
    return RecallCurve(thresholds=GRID, recall=1.0 - GRID**power, positives=positives)


def curves(images=200):
    classes = (recall_curve(2.0), None, recall_curve(0.5, positives=10), recall_curve(0.5))
    return Curves(recall_curve(), RiskCurve(thresholds=GRID, risk=GRID, images=images), classes)


def test_target_recall_reads_the_recall_curve():
    assert resolve(TargetRecall(0.895), None, curves()) == pytest.approx(0.1)


def test_conformal_reads_the_risk_curve():
    alpha = resolve(Conformal(0.1), None, curves())
    assert alpha <= 0.1
    assert alpha > 0.08


def test_calibrated_thresholds_need_no_score_and_act_at_once():
    engine = ThresholdEngine(PolicySettings("target_recall", recall=0.895, smoothing_s=10.0), curves())
    assert not engine.needs_score()
    assert engine.update(None, 1.0).value == pytest.approx(0.1)
    engine = engine.with_settings(PolicySettings("target_recall", recall=0.495, smoothing_s=10.0))
    assert engine.update(None, 1.1).value == pytest.approx(0.5)


def test_too_few_images_are_an_error_before_the_first_frame():
    settings = PolicySettings("conformal", alpha=0.01)
    with pytest.raises(TooFewImagesError, match="99"):
        ThresholdEngine(settings, curves(images=50))


def test_classes_with_enough_errors_have_their_own_threshold():
    settings = PolicySettings("target_recall", recall=0.495, per_class=True)
    found = ThresholdEngine(settings, curves()).update(None, 0.0)
    assert found.value == pytest.approx(0.5)
    own = found.by_class.values
    assert own[0] == pytest.approx(0.71)
    assert own[3] == pytest.approx(0.25)
    assert np.isnan(own[1:3]).all()
    score, classes = np.full(5, 0.6), np.array([0, 1, 2, 3, 200], np.uint8)
    assert found.flags(score, classes).tolist() == [False, True, True, True, True]


def test_per_class_is_for_target_recall_only():
    for policy in ("conformal", "fixed"):
        assert ThresholdEngine(PolicySettings(policy, per_class=True), curves()).update(None, 0.0).by_class is None


def test_how_many_errors_are_enough_can_be_set():
    assert class_thresholds(0.495, curves(), 0.5, least_positives=1).values[2] == pytest.approx(0.25)


def test_under_shift_thresholds_by_class_are_lowered_to_the_quantile():
    settings = PolicySettings("target_recall", recall=0.495, per_class=True, quantile=0.5, on_shift="conservative")
    score = (np.arange(6000, dtype=np.float32) / 10000).reshape(60, 100)
    image = resolve(Quantile(0.5), score)  # 0.3
    found = ThresholdEngine(settings, curves()).update(score, 1.0, shifted=True)
    assert found.lowered
    assert found.value == image
    assert found.by_class.values[[0, 3]].tolist() == [image, pytest.approx(0.25)]


def test_curves_go_with_their_score():
    engine = ThresholdEngine(PolicySettings("target_recall"), curves(), score="entropy")
    assert engine.with_settings(PolicySettings("target_recall"), score="entropy").curves is engine.curves
    other = Curves(recall_curve(3.0))
    assert engine.with_settings(PolicySettings("target_recall"), score="margin", curves=other).curves is other
    assert engine.with_settings(PolicySettings("otsu"), score="margin").curves is None


def test_where_no_threshold_of_the_curve_will_do_everything_is_flagged():
    poor = Curves(RecallCurve(thresholds=GRID, recall=np.full(101, 0.5), positives=5000))
    found = ThresholdEngine(PolicySettings("target_recall", recall=0.9), poor).update(None, 0.0)
    assert found.flags(np.array([-9.0, 0.0], np.float32)).all()
