import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import r2_score, roc_auc_score

from trust_seg_ros.evaluation.meta.measures import accuracy, auroc, correlations, majority, r_squared, sigma

WRONG = np.array([True, True, False, False, False])
LOGITS = np.array([2.0, -1.0, 0.5, -1.0, -3.0])


def test_accuracy_by_hand():
    assert accuracy(LOGITS, WRONG) == pytest.approx(3 / 5)  # the first, the fourth and the fifth are right
    assert accuracy(np.stack([LOGITS, -LOGITS]), WRONG).tolist() == pytest.approx([3 / 5, 2 / 5])


def test_auroc_by_hand():
    # of 2 * 3 pairs: 2.0 wins three; -1.0 wins one, loses one, and one is a draw
    assert auroc(LOGITS, WRONG) == pytest.approx(4.5 / 6)


def test_majority_by_hand():
    assert majority(WRONG) == pytest.approx(3 / 5)


def test_sigma_and_r_squared_by_hand():
    true, predicted = np.array([0.0, 0.2, 0.4, 1.0]), np.array([0.1, 0.2, 0.2, 0.9])
    # squares of the residuals: 0.01, 0, 0.04, 0.01; about the mean 0.4: 0.16, 0.04, 0, 0.36
    assert sigma(predicted, true) == pytest.approx(np.sqrt(0.06 / 4))
    assert r_squared(predicted, true) == pytest.approx(1 - 0.06 / 0.56)


def test_sigma_does_not_excuse_an_offset():
    assert sigma(np.full(3, 0.2), np.full(3, 0.5)) == pytest.approx(0.3)


def test_correlations_by_hand():
    true = np.array([0.0, 0.5, 1.0])
    metrics = np.array([[1.0, 5.0, 7.0, 0.0], [2.0, 3.0, 7.0, 1.0], [3.0, 1.0, 7.0, 0.0]])
    assert correlations(metrics, true) == pytest.approx([1.0, -1.0, np.nan, 0.0], nan_ok=True)


finite = st.floats(-1e6, 1e6)


@given(st.data())
def test_equal_to_scikit_learn_and_numpy(data):
    n = data.draw(st.integers(2, 40))
    scores = data.draw(arrays(float, (3, n), elements=st.integers(-5, 5)))
    positive = data.draw(arrays(bool, n))
    for row, value in zip(scores, np.atleast_1d(auroc(scores, positive)), strict=True):
        if 0 < positive.sum() < n:
            assert value == pytest.approx(roc_auc_score(positive, row))
        else:
            assert np.isnan(value)
    true = data.draw(arrays(float, n, elements=st.floats(0, 1)))
    if np.ptp(true) > 1e-3:
        assert r_squared(scores[0], true) == pytest.approx(r2_score(true, scores[0]))
        expected = [np.corrcoef(row, true)[0, 1] if np.ptp(row) else np.nan for row in scores]
        assert correlations(scores.T, true) == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_what_cannot_be_told_is_nan():
    one = np.ones(3, bool)
    assert np.isnan(auroc(np.arange(3.0), one))
    assert np.isnan(auroc(np.zeros((4, 3)), one)).all()
    assert np.isnan(r_squared(np.zeros(3), np.full(3, 0.1)))
    assert np.isnan(correlations(np.random.rand(3, 2), np.zeros(3))).all()
    nothing = np.empty(0)
    assert np.isnan([accuracy(nothing, nothing > 0), sigma(nothing, nothing), majority(nothing > 0)]).all()


def test_a_constant_of_rounded_numbers_has_no_correlation():
    metrics = np.full((1000, 1), 0.1)  # the mean of many 0.1 is not 0.1
    assert np.isnan(correlations(metrics, np.linspace(0, 1, 1000))).all()
