"""Conformal risk control keeps its promise on random splits, at pixel and segment level; a wrong method does not."""

import math

import numpy as np
import pytest

from trust_seg_ros.evaluation.trust.conformal_simulation import conformal_simulation
from trust_seg_ros.fitting.curve_builder import CurveBuilder
from trust_seg_ros.fitting.segment_risk import image_losses
from trust_seg_ros.thresholds.curves import CurveError, RiskCurve, TooFewImagesError

ALPHAS = (0.01, 0.05, 0.1, 0.2)
GRID = np.linspace(0, 1, 257)


@pytest.fixture(scope="module")
def pixels():
    """(400, 257) losses of images of very different difficulty, some without any wrong pixel; and flagged shares."""
    rng, builder, losses, shares = np.random.default_rng(0), CurveBuilder(GRID), [], []
    for _ in range(400):
        score = rng.beta(rng.uniform(0.5, 4), rng.uniform(0.5, 4), (8, 10)).astype(np.float32)
        losses.append(builder.add(score, rng.random(score.shape) < rng.choice([0.0, 0.1, 0.4]) * score))
        shares.append([(score >= threshold).mean() for threshold in GRID])
    return np.array(losses), np.array(shares)


@pytest.fixture(scope="module")
def segments():
    """(400, 257) losses of images with 0 to 12 wrong segments."""
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(400), rng.integers(0, 13, 400))
    difficulty = rng.uniform(1, 8, 400)[image]
    return image_losses(rng.beta(difficulty, 2), image, 400, GRID)


def test_expected_pixel_risk_is_at_most_alpha(pixels):
    losses, shares = pixels
    for found in conformal_simulation(losses, GRID, ALPHAS, 300, 200, seed=1, cost=shares):
        assert found.mean <= found.alpha + 2 * found.standard_error
        assert found.kept
        assert found.mean >= found.alpha - 2 / 201 - 0.01  # and not by flagging everything
        assert found.cost.mean() < 0.97


def test_expected_segment_risk_is_at_most_alpha(segments):
    for found in conformal_simulation(segments, GRID, ALPHAS, 300, 200, seed=2):
        assert found.kept
        assert found.mean >= found.alpha - 2 / 201 - 0.01
        assert np.isnan(found.cost).all()


def test_the_least_number_of_images_is_enough(pixels, segments):
    for losses in (pixels[0], segments):
        for alpha, least in ((0.05, 19), (0.1, 9), (0.2, 4)):
            (found,) = conformal_simulation(losses, GRID, [alpha], 500, least, seed=3)
            assert found.kept
        with pytest.raises(TooFewImagesError, match="at least 19 calibration images, there are 18"):
            conformal_simulation(losses, GRID, [0.05], 5, 18)


def test_a_threshold_without_the_correction_breaks_the_promise(pixels, segments):
    for losses in (pixels[0], segments):
        (found,) = conformal_simulation(losses, GRID, [0.1], 500, 9, seed=4, corrected=False)
        assert found.excess > 4
        assert not found.kept


def test_images_that_differ_from_those_calibrated_with_break_the_promise(pixels):
    """That it is exchangeability that the promise rests on: calibrated on the easier half, judged on the other."""
    losses = pixels[0]
    order = np.argsort(losses.mean(axis=1), kind="stable")
    curve = RiskCurve(GRID, losses[order[:200]].mean(axis=0), 200)
    judged = losses[order[200:], np.searchsorted(GRID, curve.threshold(0.1))]
    assert judged.mean() > 0.15


def test_every_split_is_what_a_risk_curve_would_have_chosen(segments):
    n, part, seed = 60, 25, 7
    losses = segments[:n]
    (found,) = conformal_simulation(losses, GRID, [0.15], 20, part, seed)
    places = np.random.default_rng(seed).permuted(np.broadcast_to(np.arange(n), (20, n)), axis=1)
    for row, threshold, risk in zip(places, found.thresholds, found.risk, strict=True):
        assert threshold == RiskCurve(GRID, losses[row < part].mean(axis=0), part).threshold(0.15)
        assert risk == pytest.approx(losses[row >= part][:, np.searchsorted(GRID, threshold)].mean())


def test_what_no_threshold_finds_is_refused_and_counted():
    losses = np.zeros((40, 2))
    losses[:4] = 1.0  # objects that nothing touches
    losses[4:8, 1] = 1.0
    (found,) = conformal_simulation(losses, np.array([-math.inf, 0.5]), [0.16], 400, 20, seed=1)
    assert 0.05 < found.refused < 0.5
    assert np.isnan(found.thresholds).mean() == found.refused
    assert set(found.thresholds[~np.isnan(found.thresholds)]) == {-math.inf, 0.5}
    assert found.kept  # a refused split loses nothing
    assert found.promised == pytest.approx(found.mean * (1 - found.refused))
    # given that there is a threshold, the promise is not kept where so many are refused: the luck of the calibration
    (rare,) = conformal_simulation(losses, np.array([-math.inf, 0.5]), [0.1], 400, 20, seed=1)
    assert rare.refused > 0.7
    assert rare.mean >= 0.15
    assert rare.kept
    (never,) = conformal_simulation(np.ones((40, 1)), np.array([-math.inf]), [0.14], 5, 20)
    assert never.refused == 1.0
    assert math.isnan(never.mean)


def test_everything_is_flagged_where_the_grid_does_not_reach():
    (found,) = conformal_simulation(np.ones((40, 1)), np.array([0.5]), [0.14], 5, 20, cost=np.zeros((40, 1)))
    assert found.thresholds.tolist() == [-math.inf] * 5
    assert found.risk.tolist() == [0.0] * 5
    assert found.cost.tolist() == [1.0] * 5
    assert found.kept


def test_what_does_not_fit_is_refused():
    losses, grid = np.array([[0.0, 0.5], [0.0, 1.0]]), np.array([0.0, 1.0])
    for bad, thresholds, options in (
        (losses[0], grid, {}),
        (losses, grid[:1], {}),
        (losses[:, ::-1], grid, {}),
        (losses * 3, grid, {}),
        (losses, grid[::-1], {}),
        (losses, grid, {"cost": losses[:1]}),
        (losses, grid, {"n_calibration": 2}),
        (losses, grid, {"splits": 0}),
        (losses, grid, {"alphas": [1.0]}),
    ):
        with pytest.raises(CurveError, match="expected"):
            conformal_simulation(bad, thresholds, **{"alphas": [0.5], "splits": 3, "n_calibration": 1, **options})
