"""Measures of trust: by hand, with ties, and equal to their definitions on random pixels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.evaluation.trust import reference
from trust_seg_ros.evaluation.trust.distance import NAMES, boundary_distance, boundary_distance_reference, ranges
from trust_seg_ros.evaluation.trust.measures import Reliability, aurc, best_aurc, ordering, risk_coverage


def binned(score, wrong):
    """Counts of every distinct score."""
    values = np.unique(score)
    return tuple(np.array([(score[kind] == value).sum() for value in values]) for kind in (wrong, ~wrong))


def test_a_perfect_order_by_hand():
    found = ordering(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
    assert (found.pixels, found.wrong, found.auroc, found.auprc, found.fpr95) == (4, 0.5, 1, 1, 0)
    # error rates of the 1, 2, 3, 4 most trusted: 0, 0, 1/3, 1/2
    assert found.aurc == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert found.excess == pytest.approx(0)


def test_the_worst_order_by_hand():
    found = ordering(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]))
    assert found.auroc == 0
    assert found.fpr95 == 1
    # recall rises at the thresholds of the two least scores: 1/2 * 1/3 + 1/2 * 2/4
    assert found.auprc == pytest.approx(5 / 12)
    assert found.aurc == pytest.approx((1 + 1 + 2 / 3 + 2 / 4) / 4)
    assert found.excess == pytest.approx(found.aurc - (1 / 3 + 1 / 2) / 4)


def test_a_tie_is_one_step_and_counts_half():
    found = ordering(np.array([0, 1]), np.array([1, 1]))
    assert found.auroc == pytest.approx(0.75)
    assert found.auprc == pytest.approx(0.5)
    assert found.fpr95 == pytest.approx(0.5)
    # the most trusted is right; then half a pixel is wrong in the mean, then one
    assert found.aurc == pytest.approx((0 + 0.5 / 2 + 1 / 3) / 3)


def test_a_constant_score_orders_nothing():
    found = ordering(np.array([3]), np.array([9]))
    assert found.auroc == pytest.approx(0.5)
    assert found.auprc == pytest.approx(0.25)
    assert found.fpr95 == 1
    assert found.aurc == pytest.approx(0.25)


@pytest.mark.parametrize(("wrong", "right", "area"), [([0, 0], [4, 1], 0.0), ([2, 5], [0, 0], 1.0)])
def test_pixels_of_one_kind_have_no_curve_but_a_risk(wrong, right, area):
    found = ordering(np.array(wrong), np.array(right))
    assert math.isnan(found.auroc)
    assert math.isnan(found.auprc)
    assert math.isnan(found.fpr95)
    assert found.aurc == pytest.approx(area)
    assert found.excess == pytest.approx(0, abs=1e-12)


def test_no_pixels_at_all():
    found = ordering(np.zeros(3, int), np.zeros(3, int))
    assert found.pixels == 0
    assert math.isnan(found.wrong)
    assert math.isnan(found.aurc)


def test_risk_and_coverage_by_hand():
    coverage, risk = risk_coverage(np.array([0, 1, 0, 1]), np.array([2, 1, 0, 0]))
    assert coverage.tolist() == pytest.approx([0.4, 0.8, 0.8, 1.0])
    assert risk.tolist() == pytest.approx([0, 0.25, 0.25, 0.4])


pixels = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=60)


@settings(deadline=None)
@given(pixels)
def test_counts_give_what_the_definitions_give(drawn):
    score, wrong = np.array([p[0] for p in drawn], np.float32), np.array([p[1] for p in drawn])
    found = ordering(*binned(score, wrong))
    for name, function in (("auroc", reference.auroc), ("auprc", reference.average_precision)):
        assert getattr(found, name) == pytest.approx(function(score, wrong), nan_ok=True)
    assert found.fpr95 == pytest.approx(reference.fpr95(score, wrong), nan_ok=True)
    assert found.aurc == pytest.approx(reference.aurc(score, wrong))
    assert best_aurc(int(wrong.sum()), len(wrong)) == pytest.approx(reference.aurc(wrong.astype(np.float32), wrong))


@settings(deadline=None)
@given(pixels, st.integers(1, 4))
def test_the_blur_bounds_what_binning_can_change(drawn, width):
    score, wrong = np.array([p[0] for p in drawn], np.float32), np.array([p[1] for p in drawn])
    fine, coarse = ordering(*binned(score, wrong)), ordering(*binned(score // width, wrong))
    if not math.isnan(fine.auroc):
        assert abs(fine.auroc - coarse.auroc) <= coarse.blur + 1e-12
        assert abs(fine.auprc - coarse.auprc) <= coarse.blur + 1e-12


def test_the_area_of_many_pixels_keeps_its_digits():
    steps = np.full(4000, 100_000)
    assert aurc(steps // 10, steps - steps // 10) == pytest.approx(0.1, rel=1e-9)


def test_calibration_error_by_hand():
    found = Reliability(np.array([2, 0, 2]), np.array([1, 0, 2]), np.array([0.5, 0.0, 1.6]))
    assert found.ece == pytest.approx((0.5 + 0.4) / 4)
    assert found.overconfidence == pytest.approx((2.1 - 3) / 4)
    assert math.isnan(Reliability(np.zeros(2, int), np.zeros(2, int), np.zeros(2)).ece)


def test_distance_to_the_boundary_by_hand():
    classes = np.zeros((3, 7), np.uint8)
    classes[:, 5:] = 1
    assert boundary_distance(classes)[1].tolist() == [4, 3, 2, 1, 0, 0, 1]
    assert [NAMES[k] for k in ranges(classes)[1]] == ["4-7", "2-3", "2-3", "0-1", "0-1", "0-1", "0-1"]


def test_an_image_of_one_class_is_far_from_any_boundary():
    assert (ranges(np.full((20, 30), 7, np.uint8)) == len(NAMES) - 1).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14))
def test_distance_equals_its_definition(seed, height, width):
    rng = np.random.default_rng(seed)
    classes = np.where(rng.random((height, width)) < rng.random(), 3, 255).astype(np.uint8)
    assert np.array_equal(boundary_distance(classes), boundary_distance_reference(classes))
