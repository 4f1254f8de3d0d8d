"""Per-image thresholds: the compiled versions against the definition, and what the definition promises."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from score_cases import QUANTILES, TINY, maps

from trust_seg_ros.thresholds import policy_fast, policy_reference
from trust_seg_ros.thresholds.flags import ClassThresholds, flags, flags_by_class, flags_by_class_reference


@settings(max_examples=200, deadline=None)
@given(score=maps(), q=QUANTILES, threads=st.sampled_from([1, 2, 3]))
def test_the_compiled_quantile_is_that_of_the_definition(score, q, threads):
    assert policy_fast.quantile_threshold(score, q, threads) == policy_reference.quantile_threshold(score, q)


@settings(max_examples=150, deadline=None)
@given(score=maps(), threads=st.sampled_from([1, 2, 3]))
def test_the_compiled_otsu_threshold_is_that_of_the_definition(score, threads):
    assert policy_fast.otsu_threshold(score, threads) == policy_reference.otsu_threshold(score)


@settings(max_examples=100, deadline=None)
@given(score=hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats() | st.sampled_from([0.1, 0.5, 0.9])))
def test_the_otsu_threshold_of_segments_is_that_of_the_definition(score):
    assert policy_fast.otsu_threshold(score) == policy_reference.otsu_threshold(score)


@settings(max_examples=150, deadline=None)
@given(score=maps(), k=st.floats(0, 5))
def test_the_compiled_mean_and_deviation_are_those_of_the_definition(score, k):
    got, want = (f.mean_std_threshold(score, k) for f in (policy_fast, policy_reference))
    finite = score[np.isfinite(score)]
    largest = float(np.abs(finite).max()) if finite.size else 1.0
    assert got == want or abs(got - want) <= 1.3e-7 * (1 + k) * largest + float(TINY)


@settings(max_examples=50, deadline=None)
@given(score=maps(), k=st.floats(0, 5))
def test_thresholds_do_not_depend_on_the_number_of_threads(score, k):
    found = [policy_fast.mean_std_threshold(score, k, threads) for threads in (1, 2, 5)]
    assert found[0] == found[1] == found[2]


@settings(max_examples=100, deadline=None)
@given(score=maps(), q=QUANTILES)
def test_the_quantile_is_the_smallest_number_that_flags_few_enough(score, q):
    t = policy_fast.quantile_threshold(score, q)
    finite = score[np.isfinite(score)]
    if finite.size == 0:
        assert t == math.inf
        return
    most = (1 - Fraction(repr(q))) * finite.size
    below = np.nextafter(np.float32(t), np.float32(-np.inf))
    assert int(np.sum(finite >= np.float32(t))) <= most < int(np.sum(finite >= below))


@settings(max_examples=100, deadline=None)
@given(counts=hnp.arrays(np.int64, st.integers(2, 40), elements=st.integers(0, 5)))
def test_running_sums_find_a_split_with_the_largest_variance(counts):
    if np.count_nonzero(counts) < 2:
        counts[0] = counts[-1] = 1
    variances = [_between(counts, split) for split in range(1, len(counts))]
    found = policy_fast.best_split(counts)
    assert variances[math.floor(found) - 1] == variances[math.ceil(found) - 1] == max(variances)


def _between(counts, split):
    """As Otsu writes it: total variance less that within the parts, exactly."""
    values = [Fraction(i) for i, c in enumerate(counts) for _ in range(int(c))]
    low, high = [v for v in values if v < split], [v for v in values if v >= split]
    return _scatter(values) - _scatter(low) - _scatter(high)


def _scatter(values):
    mean = sum(values) / len(values) if values else 0
    return sum((v - mean) ** 2 for v in values)


@settings(max_examples=100, deadline=None)
@given(
    score=maps(),
    q=st.integers(0, 255),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float32, np.float64]),
    threads=st.sampled_from([1, 2]),
)
def test_flags_by_class_are_those_of_the_definition(score, q, seed, dtype, threads):
    rng = np.random.default_rng(seed)
    thresholds = ClassThresholds(np.where(rng.random(q) < 0.3, np.nan, rng.standard_normal(q)), 0.25)
    classes = rng.integers(0, 256, score.shape, dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        score = score.astype(dtype)
    got = flags_by_class(score, classes, thresholds, threads=threads)
    np.testing.assert_array_equal(got, flags_by_class_reference(score, classes, thresholds))


@pytest.mark.parametrize("threads", [1, 2])
def test_one_threshold_for_all_classes_is_that_threshold(threads):
    rng = np.random.default_rng(1)
    score, classes = rng.random((123, 457), np.float32), rng.integers(0, 19, (123, 457), dtype=np.uint8)
    classes[3, 4] = 255
    want = flags(score, 0.7, classes)
    assert want[3, 4]
    got = flags_by_class(score, classes, ClassThresholds(np.full(19, 0.7), 0.1), threads=threads)
    np.testing.assert_array_equal(got, want)
