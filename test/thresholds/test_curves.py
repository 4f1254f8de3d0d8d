"""Curves and their thresholds: hand-worked, and against their definitions."""

import json
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from trust_seg_ros.fitting.curve_builder import (
    UNIT_GRID,
    CurveBuilder,
    count_wrong_reference,
    quantile_grid,
    unit_grid,
)
from trust_seg_ros.thresholds.curves import (
    CurveError,
    RecallCurve,
    RiskCurve,
    RiskOutOfReachError,
    TooFewImagesError,
    images_needed,
    least_alpha,
)
from trust_seg_ros.thresholds.flags import flags


def test_a_hand_worked_image():
    builder = CurveBuilder([0.0, 0.25, 0.5, 0.75, 1.0])
    score = np.array([[0.1, 0.5, 0.6], [0.75, 0.9, np.inf]], np.float32)
    wrong = np.array([[True, True, False], [True, False, True]])
    loss = builder.add(score, wrong)  # wrong: 0.1, 0.5, 0.75, inf (always flagged)
    assert loss.tolist() == [0.0, 0.25, 0.25, 0.5, 0.75]
    assert builder.add(score, np.zeros_like(wrong)).tolist() == [0.0] * 5  # no errors, no loss
    assert builder.risk_curve().risk.tolist() == [0.0, 0.125, 0.125, 0.25, 0.375]
    assert builder.risk_curve().images == 2
    recall = builder.recall_curve()
    assert recall.recall.tolist() == [1.0, 0.75, 0.75, 0.5, 0.25]
    assert recall.positives == 4
    assert [recall.threshold(r) for r in (1.0, 0.75, 0.6, 0.5, 0.25, 0.1)] == [0.0, 0.5, 0.5, 0.75, 1.0, 1.0]


def test_objects_that_nothing_touches_are_missed_by_every_threshold():
    builder = CurveBuilder([0.0, 0.5])
    builder.add(np.array([-np.inf, 0.7]), np.ones(2, bool))
    assert builder.risk_curve().thresholds.tolist() == [-math.inf, 0.0, 0.5]
    assert builder.risk_curve().risk.tolist() == [0.5, 0.5, 0.5]


def test_nan_is_missed_by_every_threshold_and_no_class_by_none():
    builder = CurveBuilder([0.0, 0.5])
    score, wrong = np.array([np.nan, 0.2, np.nan, 0.0]), np.ones(4, bool)
    assert builder.add(score, wrong, classes=np.array([0, 0, 255, 255], np.uint8)).tolist() == [0.25, 0.5]
    curve = builder.risk_curve()
    assert curve.thresholds.tolist() == [-math.inf, 0.0, 0.5]
    assert curve.risk.tolist() == [0.25, 0.25, 0.5]  # what no threshold finds is lost with everything flagged, too
    assert builder.recall_curve().recall.tolist() == [0.75, 0.5]


def grids(rng):
    """Even, uneven, a single threshold, tiny steps, infinite ends, and far apart."""
    return [
        np.linspace(0, 1, 33),
        np.unique(rng.integers(0, 20, 9) / 20),
        np.array([0.3]),
        np.unique(np.float32(0.5) + np.arange(5) * np.float32(6e-8)),
        np.array([-np.inf, 0.1, 0.25, np.inf]),
        np.unique(np.exp(rng.normal(0, 20, 12))),
        np.array([-1e308, 0.5, 1e308]),
        np.array([-np.inf]),
    ][rng.integers(0, 8)]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 100_000), images=st.integers(1, 4), q=st.integers(0, 5))
def test_builder_equals_the_definition(seed, images, q):
    rng = np.random.default_rng(seed)
    grid = grids(rng)
    builder, losses, pixels = CurveBuilder(grid, q), [], []
    for _ in range(images):
        score = rng.choice(np.concatenate([rng.random(20), grid, rng.integers(0, 21, 9) / 20]), (5, 7))
        with np.errstate(over="ignore"):
            score = score.astype(rng.choice([np.float32, np.float64]))  # ties with the grid, too
        score[rng.random((5, 7)) < 0.1] = rng.choice([np.inf, -np.inf, np.nan])
        wrong, valid = rng.random((5, 7)) < rng.choice([0.0, 0.4]), rng.random((5, 7)) < 0.8
        classes = rng.choice([*range(q + 1), 255], (5, 7)).astype(np.uint8)
        given_classes = classes if q or rng.random() < 0.5 else None
        loss = builder.add(score, wrong, valid, given_classes)
        bad = wrong & valid
        ids = classes[bad] if given_classes is not None else np.empty(0, np.uint8)
        missed = count_wrong_reference(score[bad], np.ones(bad.sum(), bool), ids, grid)
        assert np.allclose(loss, missed / max(bad.sum(), 1))
        for threshold, share in zip(grid, loss, strict=True):  # what the node would flag
            shown = flags(score, threshold, given_classes)
            count = (bad & ~shown).sum()
            assert count <= share * bad.sum() + 1e-9
            with np.errstate(over="ignore"):
                exact = threshold == np.float32(threshold) and threshold > -math.inf
            assert not exact or count == pytest.approx(share * bad.sum())
        losses.append(loss)
        pixels += list(zip(score[bad], classes[bad] if given_classes is not None else [0] * bad.sum(), strict=True))
    risk = builder.risk_curve()
    assert np.allclose(risk.risk[-len(grid) :], np.mean(losses, axis=0))
    assert risk.images == images
    assert builder.positives == len(pixels)
    every = [(builder.recall_curve() if pixels else None, pixels)]
    every += [(curve, [p for p in pixels if p[1] == k]) for k, curve in enumerate(builder.class_recall_curves())]
    assert len(every) == q + 1
    for curve, own in every:
        assert (curve is None) == (not own)
        if curve is not None:
            assert curve.positives == len(own)
            assert np.allclose(curve.recall, [np.mean([-math.inf < s >= t or k == 255 for s, k in own]) for t in grid])


def test_grids_of_thresholds():
    assert len(UNIT_GRID) == 1025
    assert np.array_equal(UNIT_GRID, UNIT_GRID.astype(np.float32))
    assert unit_grid(2).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    values = np.array([np.inf, 3.0, -2.0, np.nan, 3.0, 3.0, 7.0, 1.0], np.float32)
    assert quantile_grid(values).tolist() == [-2.0, 1.0, 3.0, 7.0]
    many = quantile_grid(np.random.default_rng(0).normal(0, 5, 50_000).astype(np.float32), 101)
    assert len(many) == 101
    assert abs(np.median(many)) < 0.2
    assert np.diff(many)[50] < np.diff(many)[0] / 10  # dense where there is much
    with pytest.raises(CurveError, match="0 finite scores"):
        quantile_grid(np.full(3, np.nan))
    with pytest.raises(CurveError, match="exponent"):
        unit_grid(-1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 300), alpha=st.floats(0.005, 0.9))
def test_conformal_threshold_is_the_largest_that_keeps_the_bound(seed, n, alpha):
    rng = np.random.default_rng(seed)
    risk = np.sort(rng.random(30))
    risk[0] = 0.0
    curve = RiskCurve(np.arange(30.0), risk, n)
    if n < images_needed(alpha):
        with pytest.raises(TooFewImagesError, match=f"at least {images_needed(alpha)} calibration images"):
            curve.threshold(alpha)
        return
    found = curve.threshold(alpha)
    kept = [t for t in range(30) if n / (n + 1) * risk[t] + 1 / (n + 1) <= alpha + 1e-12]
    assert found == kept[-1]


@pytest.mark.parametrize(
    ("alpha", "needed"), [(0.1, 9), (0.2, 4), (0.05, 19), (0.01, 99), (0.3, 3), (0.001, 999), (0.9, 1)]
)
def test_images_needed(alpha, needed):
    assert images_needed(alpha) == needed
    assert 1 / (needed + 1) <= alpha * (1 + 1e-12)
    assert least_alpha(needed) <= alpha * (1 + 1e-12)
    assert RiskCurve([0.0], [0.0], needed).threshold(alpha) == 0.0  # the limit itself is enough
    if needed > 1:
        with pytest.raises(
            TooFewImagesError, match=rf"needs at least {needed} calibration images, there are {needed - 1}"
        ):
            RiskCurve([0.0], [0.0], needed - 1).threshold(alpha)


def test_where_no_threshold_is_good_enough_everything_is_flagged():
    assert RiskCurve([0.5], [0.9], 100).threshold(0.05) == -math.inf
    assert RecallCurve([0.5], [0.2], 10).threshold(0.9) == -math.inf


def test_a_risk_that_not_even_flagging_everything_keeps_is_an_error():
    curve = RiskCurve([-math.inf, 0.5], [0.06, 0.9], 99)
    assert curve.threshold(0.07) == -math.inf
    with pytest.raises(RiskOutOfReachError, match=r"still miss 0.06 on average; choose an alpha of at least 0.0694"):
        curve.threshold(0.069)
    assert curve.threshold(0.0694) == -math.inf


def test_a_coarser_grid_is_never_less_strict():
    rng = np.random.default_rng(3)
    fine, coarse = CurveBuilder(UNIT_GRID), CurveBuilder(UNIT_GRID[::64])
    for _ in range(60):
        score = rng.beta(2, 3, (20, 20)).astype(np.float32)
        wrong = rng.random((20, 20)) < score
        fine.add(score, wrong)
        coarse.add(score, wrong)
    for alpha in (0.05, 0.1, 0.3):
        assert coarse.risk_curve().threshold(alpha) <= fine.risk_curve().threshold(alpha)
        assert coarse.recall_curve().threshold(1 - alpha) <= fine.recall_curve().threshold(1 - alpha)


def test_json_keeps_every_digit():
    recall = RecallCurve([-math.inf, 1 / 3, 2.0], [1.0, 0.7, 0.1], 12)
    risk = RiskCurve([-1.5, 1 / 3, 2.0], [0.0, 0.7, 1.1], 12, 1.5)
    for curve in (recall, risk):
        again = type(curve).from_json(json.loads(json.dumps(curve.to_json(), allow_nan=False)))
        assert np.array_equal(again.thresholds, curve.thresholds)
        assert again.to_json() == curve.to_json()


def test_what_cannot_be_used_is_refused():
    for thresholds, recall in (([], []), ([0, 1], [1.0]), ([1, 0], [1.0, 0.5]), ([0, 1], [0.5, 1.0]), ([0], [1.5])):
        with pytest.raises(CurveError):
            RecallCurve(thresholds, recall, 5)
    with pytest.raises(CurveError, match="from 0 to 1 that rise"):
        RiskCurve([0.0, 1.0], [0.5, 0.2], 5)
    with pytest.raises(CurveError, match="nothing was wrong"):
        RecallCurve([0.0], [1.0], 0)
    for alpha in (0.0, 1.0, math.nan, -1.0):
        with pytest.raises(CurveError, match="alpha"):
            RiskCurve([0.0], [0.0], 50).threshold(alpha)
    with pytest.raises(CurveError, match="recall = 0"):
        RecallCurve([0.0], [1.0], 5).threshold(0.0)
    with pytest.raises(CurveError, match="no image"):
        CurveBuilder().risk_curve()
    with pytest.raises(CurveError, match="one shape"):
        CurveBuilder().add(np.zeros((2, 3)), np.zeros((3, 2), bool))
    with pytest.raises(CurveError, match="predicted classes"):
        CurveBuilder(n_classes=2).add(np.zeros((2, 3)), np.zeros((2, 3), bool))
    with pytest.raises(CurveError, match="ascending"):
        CurveBuilder([1.0, 0.0])
