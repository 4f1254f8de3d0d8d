"""sIoU, PPV and F1*: drawn by hand, and against set arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from trust_seg_ros.evaluation.anomaly.objects import ANOMALY_TRACK, ObjectMatches, SizeLimits, match_objects, pooled
from trust_seg_ros.evaluation.errors import AnomalyError

ALL = SizeLimits(1, 1)


def drawn(*rows):
    return np.array([[int(c) for c in row] for row in rows], np.uint8)


def match(predicted, truth, limits=ALL):
    return match_objects(predicted.astype(bool), np.where(truth == 9, 255, truth), limits)


def test_half_an_object_found_and_a_false_alarm():
    found = match(drawn("0110001", "0000000"), drawn("1111000", "0000000"))
    assert found.siou.tolist() == [2 / 4]
    assert found.ppv.tolist() == [1.0, 0.0]
    # tau <= 0.5: one hit, no miss, one false alarm: 2/3; above, the object is missed and the alarm false: 0
    assert found.f1(0.25) == found.f1(0.5) == pytest.approx(2 / 3)
    assert found.f1(0.55) == 0.0
    assert found.f1_star == pytest.approx(6 / 11 * 2 / 3)
    assert (found.mean_siou, found.mean_ppv) == (0.5, 0.5)


def test_one_prediction_over_two_objects_is_not_charged_with_the_other_object():
    found = match(drawn("1111111"), drawn("1100111"))
    # k = 2 pixels, K' = 7, A = the 3 pixels on the other object: 2 / (7 - 3); the other: 3 / (7 - 2)
    assert found.siou.tolist() == [2 / 4, 3 / 5]
    assert found.ppv.tolist() == [5 / 7]


def test_an_object_in_two_pieces_is_one_match_of_both():
    found = match(drawn("1101100"), drawn("1111110"))
    assert found.siou.tolist() == [4 / 6]
    assert found.ppv.tolist() == [1.0, 1.0]


def test_void_cuts_the_prediction_before_components_are_taken():
    found = match(drawn("1111111"), drawn("1119000"))
    assert found.siou.tolist() == [1.0]
    assert found.ppv.tolist() == [1.0, 0.0]


def test_small_predictions_are_dropped_first_and_small_objects_become_void():
    predicted, truth = drawn("1101111", "0000000"), drawn("1101100", "0000000")
    # limits 3 and 3: the left prediction (2 pixels) goes; both objects (2 pixels each) become void, and with the right
    # one the two predicted pixels on it; the other two stay although fewer than 3 are left
    found = match(predicted, truth, SizeLimits(3, 3))
    assert found.siou.tolist() == []
    assert found.ppv.tolist() == [0.0]
    # exactly at the limit both stay
    found = match(predicted, truth, SizeLimits(2, 2))
    assert found.siou.tolist() == [1.0, 2 / 4]
    assert found.ppv.tolist() == [1.0, 2 / 4]


def test_diagonal_neighbours_are_connected():
    assert len(match(drawn("10", "01"), drawn("10", "01")).siou) == 1


@pytest.mark.parametrize(
    ("siou", "ppv", "f1", "mean_siou", "mean_ppv"),
    [([], [], 1.0, 1.0, 1.0), ([], [0.0], 0.0, 0.0, 0.0), ([0.0], [], 0.0, 0.0, 0.0)],
)
def test_nothing_there_or_nothing_predicted_is_defined(siou, ppv, f1, mean_siou, mean_ppv):
    found = ObjectMatches(np.array(siou), np.array(ppv))
    assert (found.f1_star, found.mean_siou, found.mean_ppv) == (f1, mean_siou, mean_ppv)


def test_counts_are_summed_over_the_data_set_before_f1_is_taken():
    both = pooled([ObjectMatches(np.array([1.0]), np.array([1.0])), ObjectMatches(np.array([0.0]), np.empty(0))])
    assert both.f1_star == pytest.approx(2 / 3)
    assert pooled([]).f1_star == 1.0


def test_wrong_input_is_refused():
    with pytest.raises(AnomalyError, match="expected bool"):
        match_objects(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), ANOMALY_TRACK)


def by_sets(predicted, truth, limits):
    """The definition with sets of pixels."""
    eight = np.ones((3, 3))

    def sets(mask, limit):
        ids, n = ndimage.label(mask, eight)
        every = [set(zip(*np.nonzero(ids == i), strict=True)) for i in range(1, n + 1)]
        return [s for s in every if len(s) >= limit], [s for s in every if len(s) < limit]

    found, _ = sets(predicted & (truth != 255), limits.predicted)
    there, small = sets(truth == 1, limits.actual)
    void = set().union(*small)
    found = [left for s in found if (left := s - void)]
    siou = []
    for k in there:
        union_found = set().union(*(s for s in found if s & k))
        others = set().union(*(g for g in there if g is not k))
        siou.append(len(k & union_found) / (len(k | union_found) - len(union_found & others)))
    everything = set().union(*there)
    return sorted(siou), sorted(len(s & everything) / len(s) for s in found)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.floats(0.1, 0.9),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_matches_are_those_of_set_arithmetic(seed, shape, share, least_predicted, least_actual):
    rng = np.random.default_rng(seed)
    predicted = rng.random(shape) < share
    truth = rng.choice([0, 1, 255], shape, p=[0.5, 0.4, 0.1]).astype(np.uint8)
    limits = SizeLimits(least_predicted, least_actual)
    found = match_objects(predicted, truth, limits)
    siou, ppv = by_sets(predicted, truth, limits)
    assert sorted(found.siou) == pytest.approx(siou)
    assert sorted(found.ppv) == pytest.approx(ppv)
