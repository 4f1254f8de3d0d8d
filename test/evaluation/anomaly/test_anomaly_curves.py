"""Pixel measures of anomaly segmentation: hand-worked numbers, scikit-learn as a witness, pools against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from trust_seg_ros.evaluation.anomaly.curves import (
    Counts,
    auroc,
    average_precision,
    average_precision_bounds,
    best_f1,
    fpr_at_tpr,
)
from trust_seg_ros.evaluation.anomaly.pooling import METHODS, pooled_scores
from trust_seg_ros.evaluation.errors import AnomalyError


def counts_of(score, truth, method="exact"):
    pool = pooled_scores(method)
    pool.add(np.atleast_2d(np.asarray(score, np.float32)), np.atleast_2d(np.asarray(truth, np.uint8)))
    return pool.counts()


@pytest.mark.parametrize("method", ["exact", "histogram"])
def test_hand_worked_curve_with_a_tie_and_void(method):
    # falling: 0.9 anomaly; 0.5 tie of one anomaly and one other; 0.2 other; the void pixel at 1.0 does not count
    counts = counts_of([0.9, 0.5, 0.5, 0.2, 1.0], [1, 1, 0, 0, 255], method)
    assert counts.true_positives.tolist() == [1, 2, 2]
    assert counts.false_positives.tolist() == [0, 1, 2]
    # recall 1/2 at precision 1, then recall 1 at precision 2/3
    assert average_precision(counts) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    # of the four pairs (anomaly, other) three are in order and one is a tie
    assert auroc(counts) == pytest.approx(3.5 / 4)
    assert fpr_at_tpr(counts) == pytest.approx(1 / 2)
    threshold, f1 = best_f1(counts)
    assert (threshold, f1) == (pytest.approx(0.5, rel=1e-4), pytest.approx(4 / 5))


def test_95_percent_is_reached_by_19_of_20():
    score = np.linspace(1, 0, 24)
    truth = [1] * 19 + [0, 0, 0, 1, 0]
    assert fpr_at_tpr(counts_of(score, truth)) == 0.0
    assert fpr_at_tpr(counts_of(score, truth), 0.951) == pytest.approx(3 / 4)


def test_a_constant_score_has_the_share_of_anomalies_and_one_half():
    counts = counts_of(np.full(10, 0.3), [1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    assert average_precision(counts) == pytest.approx(0.3)
    assert auroc(counts) == pytest.approx(0.5)
    assert fpr_at_tpr(counts) == 1.0


scores = st.lists(
    st.tuples(st.one_of(st.floats(-50, 50, width=32), st.sampled_from([0.0, -0.0, 0.5, 1.0])), st.sampled_from([0, 1])),
    min_size=2,
    max_size=60,
).filter(lambda rows: {t for _, t in rows} == {0, 1})


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(scores)
def test_measures_are_those_of_scikit_learn(rows):
    score, truth = (np.array(column) for column in zip(*rows, strict=True))
    counts = counts_of(score, truth)
    assert average_precision(counts) == pytest.approx(average_precision_score(truth, score), abs=1e-12)
    assert auroc(counts) == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    fpr, tpr, _ = roc_curve(truth, score, drop_intermediate=False)
    assert fpr_at_tpr(counts) == pytest.approx(fpr[np.argmax(tpr >= 0.95 - 1e-12)])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(scores)
def test_the_histogram_keeps_order_and_its_bounds_hold_the_exact_value(rows):
    score, truth = (np.array(column) for column in zip(*rows, strict=True))
    exact, coarse = counts_of(score, truth), counts_of(score, truth, "histogram")
    assert (np.diff(coarse.thresholds) < 0).all()
    for i, threshold in enumerate(coarse.thresholds):  # a bin's threshold counts exactly what the histogram counted
        called = score.astype(np.float32) >= np.float32(threshold)
        assert (called & (truth == 1)).sum() == coarse.true_positives[i]
        assert (called & (truth == 0)).sum() == coarse.false_positives[i]
    low, high = average_precision_bounds(coarse)
    assert low - 1e-12 <= average_precision(exact) <= high + 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_pooled_over_images_curves_are_those_of_all_pixels_together(method):
    rng = np.random.default_rng(0)
    pool, every_score, every_truth = pooled_scores(method), [], []
    for share in (0.02, 0.2, 0.0):  # one image without anomalies
        truth = (rng.random((60, 80)) < share).astype(np.uint8)
        score = np.clip(rng.normal(0.3 + 0.25 * truth, 0.15), 0, 1).astype(np.float32)
        truth[rng.random(truth.shape) < 0.1] = 255
        pool.add(score, truth)
        every_score.append(score[truth < 255])
        every_truth.append(truth[truth < 255])
    score, truth = np.concatenate(every_score), np.concatenate(every_truth)
    error = {"exact": 1e-12, "histogram": 1e-4, "binned": 1e-2}[method]
    counts = pool.counts()
    assert average_precision(counts) == pytest.approx(average_precision_score(truth, score), abs=error)
    assert auroc(counts) == pytest.approx(roc_auc_score(truth, score), abs=error)
    assert (counts.positives, counts.negatives) == ((truth == 1).sum(), (truth == 0).sum())


@pytest.mark.parametrize(
    ("score", "truth", "text"),
    [
        (np.zeros((2, 2), np.float32), np.zeros((2, 3), np.uint8), "expected floating point"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), "uint8"),
        (np.zeros((2, 2), np.float32), np.full((2, 2), 7, np.uint8), r"label values \[7\]"),
        (np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), np.uint8), "4 scores are not a number"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_judged_is_refused(method, score, truth, text):
    with pytest.raises(AnomalyError, match=text):
        pooled_scores(method).add(score, truth)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("label", [0, 1, 255])
def test_a_data_set_of_one_kind_has_no_curve(method, label):
    with pytest.raises(AnomalyError, match="curves need both"):
        counts_of([0.1, 0.2], [label, label], method)


def test_an_unknown_method_and_an_empty_curve_are_refused():
    with pytest.raises(AnomalyError, match="choose one of: exact, histogram, binned"):
        pooled_scores("per_image")
    with pytest.raises(AnomalyError):
        Counts(np.empty(0), np.empty(0), np.empty(0))
