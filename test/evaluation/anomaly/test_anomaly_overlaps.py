"""Components kept as overlaps: discarding, segment errors, and pools that stay bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.evaluation.anomaly.curves import auroc, average_precision, average_precision_bounds
from trust_seg_ros.evaluation.anomaly.objects import SizeLimits, match_objects, overlaps
from trust_seg_ros.evaluation.anomaly.pooling import BoundedScores, pooled_scores
from trust_seg_ros.segments.labelling import find_components


def numbered(mask):
    return find_components(np.where(mask, np.uint8(0), np.uint8(255))).ids


def drawn(*rows):
    return np.array([[int(c) for c in row] for row in rows], np.uint8)


def test_errors_by_hand():
    # objects: A (2 pixels), B (1), C (3); found: 1 meets A, 2 meets nothing, 3 meets C, 4 meets C as well
    truth = drawn("110010111", "000000000")
    found = numbered(drawn("100000101", "000100000"))
    met = overlaps(found, truth)
    assert met.found.tolist() == [1, 1, 1, 1]
    assert met.there.tolist() == [2, 1, 3]
    assert met.false_alarms.tolist() == [False, False, False, True]
    assert met.errors() == (1, 1)  # the lone one; B
    assert met.errors(np.array([1, 1, 0, 0], bool)) == (0, 1)  # C is met by one of its two
    assert met.errors(np.array([1, 0, 0, 1], bool)) == (1, 2)
    assert met.errors(np.zeros(4, bool)) == (0, 3)
    assert met.errors(limits=SizeLimits(1, 2)) == (1, 0)  # B is too small to be missed
    assert met.errors(limits=SizeLimits(2, 1)) == (0, 3)


def test_without_objects_or_predictions():
    nothing = np.zeros((3, 4), np.uint8)
    assert overlaps(nothing.astype(np.int32), nothing).errors() == (0, 0)
    assert overlaps(numbered(nothing == 0), nothing).errors() == (1, 0)
    assert overlaps(nothing.astype(np.int32), np.ones((3, 4), np.uint8)).errors() == (0, 1)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.floats(0.1, 0.7),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_discarding_components_is_taking_their_pixels_out_of_the_mask(seed, shape, share, predicted, actual):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 255], shape, p=[0.5, 0.4, 0.1]).astype(np.uint8)
    ids = numbered((rng.random(shape) < share) & (truth != 255))
    kept = rng.random(int(ids.max())) < 0.6
    mask, limits = np.append(False, kept)[ids], SizeLimits(predicted, actual)
    found, expected = overlaps(ids, truth).match(limits, kept), match_objects(mask, truth, limits)
    assert found.siou.tolist() == expected.siou.tolist()
    assert sorted(found.ppv) == sorted(expected.ppv)
    errors = overlaps(ids, truth).errors(kept)
    objects = numbered(truth == 1)
    assert errors[0] == sum(not (truth[ids == k + 1] == 1).any() for k in np.flatnonzero(kept))
    assert errors[1] == sum(not mask[objects == g].any() for g in range(1, int(objects.max()) + 1))


def test_a_bounded_pool_is_exact_first_and_a_histogram_later():
    rng = np.random.default_rng(0)
    images = [
        (rng.random((20, 30)).astype(np.float32), (rng.random((20, 30)) < 0.2).astype(np.uint8)) for _ in range(5)
    ]
    pools = {"exact": pooled_scores("exact"), "histogram": pooled_scores("histogram")}
    within, beyond = BoundedScores(3000), BoundedScores(2999)
    for image in images:
        for pool in (*pools.values(), within, beyond):
            pool.add(*image)
    assert (within.exact, beyond.exact) == (True, False)
    for pool, name in ((within, "exact"), (beyond, "histogram")):
        found, expected = pool.counts(), pools[name].counts()
        np.testing.assert_array_equal(found.thresholds, expected.thresholds)
        np.testing.assert_array_equal(found.true_positives, expected.true_positives)
    low, high = average_precision_bounds(beyond.counts())
    assert low <= average_precision(within.counts()) <= high
    assert high - low < 1e-3
    assert auroc(beyond.counts()) == pytest.approx(auroc(within.counts()), abs=1e-4)
