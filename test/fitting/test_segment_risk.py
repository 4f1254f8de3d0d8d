"""Curves of segments and objects: hand-worked and against the definition."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from trust_seg_ros.fitting.curve_builder import UNIT_GRID, CurveBuilder
from trust_seg_ros.fitting.segment_risk import (
    image_losses,
    object_probabilities,
    object_risk_curve,
    segment_recall_curve,
    segment_risk_curve,
)
from trust_seg_ros.segments import ood_segments
from trust_seg_ros.thresholds.curves import CurveError, RiskOutOfReachError, TooFewImagesError


def test_hand_worked_segments():
    p_wrong = np.array([0.9, 0.2, 0.6, 0.4, 0.9])
    wrong = np.array([True, False, True, True, True])
    image = np.array([0, 0, 0, 2, 2])  # image 1 has no segment, image 3 none either
    curve = segment_risk_curve(p_wrong, wrong, image, 4)
    assert curve.thresholds.tolist() == [0.0, 0.4, 0.6, 0.9, 1.0]
    assert curve.risk.tolist() == [0.0, 0.0, 0.125, 0.25, 0.5]
    assert curve.images == 4
    assert curve.threshold(0.2) == 0.4  # 4/5 * 0 + 1/5
    assert curve.threshold(0.3) == 0.6
    assert curve.threshold(0.4) == 0.9
    recall = segment_recall_curve(p_wrong, wrong)
    assert recall.positives == 4
    assert [recall.threshold(r) for r in (1.0, 0.75, 0.5)] == [0.4, 0.6, 0.9]


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 100_000), n=st.integers(0, 60), images=st.integers(1, 12))
def test_curves_equal_the_definition(seed, n, images):
    rng = np.random.default_rng(seed)
    values = rng.choice(np.append(rng.random(30), [0.0, 1.0, 0.5]), n)
    values[rng.random(n) < rng.choice([0.0, 0.1])] = np.nan
    wrong, image = rng.random(n) < 0.5, rng.integers(0, images, n)
    curve = segment_risk_curve(values, wrong, image, images)
    losses = image_losses(values[wrong], image[wrong], images, curve.thresholds)
    for threshold, risk, column in zip(curve.thresholds, curve.risk, losses.T, strict=True):
        shares = []
        for i in range(images):
            own = values[wrong & (image == i)]
            shares.append(np.mean([not v >= threshold for v in own]) if len(own) else 0.0)
        assert np.allclose(column, shares)
        assert risk == pytest.approx(np.mean(shares), abs=1e-12)
    # between two thresholds of the curve the risk is that of the upper one, so none is missing
    seen = values[wrong & np.isfinite(values)]
    assert set(seen) <= set(curve.thresholds)
    assert {0.0, 1.0} <= set(curve.thresholds)


def test_the_exact_curve_is_never_stricter_than_one_on_a_grid():
    rng = np.random.default_rng(5)
    image = rng.integers(0, 200, 4000)
    p_wrong = rng.beta(1, 3, 4000)
    wrong = rng.random(4000) < p_wrong
    exact, builder = segment_risk_curve(p_wrong, wrong, image, 200), CurveBuilder(UNIT_GRID)
    for i in range(200):
        builder.add(p_wrong[image == i], wrong[image == i])
    for alpha in (0.01, 0.05, 0.1, 0.2):
        assert (
            builder.risk_curve().threshold(alpha)
            <= exact.threshold(alpha)
            < builder.risk_curve().threshold(alpha) + 2 / 1024
        )


def test_long_curves_are_thinned_to_the_safe_side():
    rng = np.random.default_rng(6)
    p_wrong, image = rng.beta(2, 2, 20_000), rng.integers(0, 500, 20_000)
    wrong = np.ones(20_000, bool)
    full = segment_risk_curve(p_wrong, wrong, image, 500, points=50_000)
    thin = segment_risk_curve(p_wrong, wrong, image, 500, points=301)
    assert len(full.thresholds) == 20_002
    assert len(thin.thresholds) <= 301
    assert set(thin.thresholds) <= set(full.thresholds)
    for alpha in (0.01, 0.05, 0.1, 0.2):
        t_full, t_thin = full.threshold(alpha), thin.threshold(alpha)
        assert t_thin <= t_full
        assert thin.risk[thin.thresholds == t_thin] >= full.risk[full.thresholds == t_full] - 1 / 299


def test_nothing_wrong_and_no_segments():
    curve = segment_risk_curve(np.array([0.3]), np.array([False]), np.array([0]), 30)
    assert curve.threshold(0.1) == 1.0
    empty = segment_risk_curve(np.empty(0), np.empty(0, bool), np.empty(0, int), 9)
    assert empty.threshold(0.1) == 1.0
    with pytest.raises(TooFewImagesError, match="at least 19 calibration images, there are 9"):
        empty.threshold(0.05)
    with pytest.raises(CurveError, match="nothing was wrong"):
        segment_recall_curve(np.array([0.3]), np.array([False]))


def test_the_highest_probability_that_objects_are_touched_with():
    unknown = np.zeros((6, 12), bool)
    unknown[1:3, 1:3] = unknown[3, 3] = True  # one object: 8-connected
    unknown[1:4, 6:8] = True
    unknown[5, 11] = True
    unknown[5, 0] = True
    ids = np.zeros((6, 12), np.int32)
    ids[1, 0:2], ids[3, 3:7], ids[0, 0], ids[5, 0] = 1, 2, 3, 4
    p_ood = np.array([0.4, 0.7, 0.99, np.nan])
    # in raster order: both of the first row, what lies below left (its segment too small to be judged), the corner
    assert object_probabilities(ids, p_ood, unknown).tolist() == [0.7, 0.7, -math.inf, -math.inf]
    assert object_probabilities(ids, p_ood, np.zeros_like(unknown)).tolist() == []
    none = object_probabilities(np.zeros_like(ids), np.empty(0), unknown)
    assert none.tolist() == [-math.inf] * 4


def test_objects_of_real_segments():
    score = np.zeros((40, 60), np.float32)
    score[5:15, 5:15], score[20:30, 40:50] = 0.9, 0.8
    unknown = score > 0.85
    found = ood_segments(score, 0.7, 10)
    assert object_probabilities(found.ids, np.array([0.3, 0.6]), unknown).tolist() == [0.3]


def test_objects_that_nothing_touches_limit_what_can_be_promised():
    p_found = np.append(np.linspace(0.05, 0.95, 95), np.full(5, -math.inf))
    curve = object_risk_curve(p_found, np.arange(100), 100)
    assert curve.thresholds[:2].tolist() == [-math.inf, 0.0]
    assert curve.risk[0] == pytest.approx(0.05)
    assert curve.threshold(0.1) == p_found[4]  # (5 + 4 + 1) / 101
    with pytest.raises(RiskOutOfReachError, match=r"still miss 0.05 on average; choose an alpha of at least 0.0594"):
        curve.threshold(0.05)
    discarded = object_risk_curve(p_found, np.arange(100), 100, discarded=True)
    assert discarded.thresholds[0] == 0.0
    assert discarded.risk[0] == 0.0
    assert discarded.risk[-1] == pytest.approx(0.95)
    assert discarded.threshold(0.05) == p_found[4]  # (4 + 1) / 101
    two = object_risk_curve(np.array([0.4, -math.inf, 0.8]), np.array([0, 0, 1]), 2, discarded=True)
    assert two.thresholds.tolist() == [0.0, 0.4, 0.8, 1.0]
    assert two.risk.tolist() == [0.0, 0.0, 0.25, 0.75]  # half of the first image's objects, all of the second's
    found = np.array([0.4])
    assert np.array_equal(
        object_risk_curve(found, np.zeros(1, int), 1, discarded=True).risk,
        object_risk_curve(found, np.zeros(1, int), 1).risk,
    )


def test_what_does_not_fit_is_refused():
    one, zero = np.array([0.5]), np.array([0])
    for values, image, images, text in (
        (np.array([1.5]), zero, 1, "expected probabilities"),
        (np.array([-0.5]), zero, 1, "expected probabilities"),
        (one, np.array([1]), 1, "expected 0 to 0"),
        (one, np.array([-1]), 1, "expected 0 to 0"),
        (one, np.array([0.0]), 1, "float64"),
        (one, np.array([0, 1]), 2, r"expected \(n,\) both"),
        (one, zero, 0, "at least one"),
    ):
        with pytest.raises(CurveError, match=text):
            object_risk_curve(values, image, images)
    with pytest.raises(CurveError, match="at least 2"):
        object_risk_curve(one, zero, 1, points=1)
    with pytest.raises(CurveError, match="as P"):
        segment_risk_curve(one, np.array([True, False]), zero, 1)
    ids = np.zeros((2, 2), np.int32)
    with pytest.raises(CurveError, match="bool"):
        object_probabilities(ids, one, ids)
    with pytest.raises(CurveError, match="at most 1"):
        object_probabilities(ids + 2, one, ids == 0)
