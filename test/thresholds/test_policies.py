"""What each policy means, on cases worked by hand, and what happens at the edges."""

import math

import cv2
import numpy as np
import pytest

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.thresholds.flags import ClassThresholds, flags, flags_by_class
from trust_seg_ros.thresholds.policies import (
    Conformal,
    CurvesNeededError,
    Fixed,
    MeanStd,
    Otsu,
    PolicyError,
    Quantile,
    TargetRecall,
    resolve,
)

PER_IMAGE = [Quantile(0.9), MeanStd(0.0), MeanStd(2.0), Otsu()]
SIZES = [(1, 1), (7, 9), (300, 400)]  # the last takes the compiled way


def f32(*values):
    return np.array(values, np.float32)


def test_a_quantile_flags_the_highest_scores():
    score = np.arange(100, dtype=np.float32)[::-1].reshape(10, 10)
    found = flags(score, resolve(Quantile(0.95), score))
    assert sorted(score[found].tolist()) == [95, 96, 97, 98, 99]


@pytest.mark.parametrize(("q", "flagged"), [(0.07, 93), (0.9, 10), (0.95, 5), (0.951, 4), (1.0, 0)])
def test_a_quantile_is_the_decimal_it_is_written_as(q, flagged):
    score = np.arange(100, dtype=np.float32)  # in floating point 0.07 * 100 is more than 7
    assert flags(score, resolve(Quantile(q), score)).sum() == flagged


def test_ties_at_the_quantile_are_not_flagged():
    score = f32(0, 0, 1, 1, 1, 1, 1, 1, 2, 2)
    assert flags(score, resolve(Quantile(0.5), score)).sum() == 2


def test_mean_and_deviation_by_hand():
    score = f32(2, 4, 4, 4, 5, 5, 7, 9)  # mean 5, standard deviation 2
    assert resolve(MeanStd(1.5), score) == 8.0


def test_a_large_offset_does_not_swamp_the_deviation():
    score = (np.tile(f32(2, 4, 4, 4, 5, 5, 7, 9), 1000) + np.float32(1e6)).reshape(80, 100)
    assert resolve(MeanStd(1.5), score) == 1e6 + 8.0


def test_otsu_lies_in_the_middle_between_two_modes():
    score = f32(*[0.0] * 30, *[1.0] * 10)
    assert resolve(Otsu(), score) == 0.5


def test_otsu_of_three_modes_by_hand():
    # means 0, 4, 16; splitting off the last: 6/7 * 1/7 * (16 - 8/3)^2 = 21.8; the first: 4/7 * 3/7 * 8^2 = 15.7
    score = f32(0, 0, 4, 4, 4, 4, 16)
    assert 4.0 < resolve(Otsu(), score) < 16.0
    assert flags(score, resolve(Otsu(), score)).tolist() == [False] * 6 + [True]


def test_otsu_splits_as_opencv_does():
    rng = np.random.default_rng(3)
    grey = np.concatenate([rng.normal(80, 20, 9000), rng.normal(180, 15, 3000)]).clip(1, 254).astype(np.uint8)
    grey[:2] = 0, 255  # so that a bin is a grey value for both
    threshold, white = cv2.threshold(grey.reshape(100, 120), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    score = grey.reshape(100, 120).astype(np.float32)
    np.testing.assert_array_equal(flags(score, resolve(Otsu(), score)), white > 0)
    assert abs(resolve(Otsu(), score) - threshold) <= 1.5


@pytest.mark.parametrize("policy", [Otsu(), MeanStd(1.0), Quantile(0.9)])
def test_a_stretched_score_is_split_alike(policy):
    score = np.random.default_rng(0).random((100, 100)).astype(np.float32)
    want = flags(score, resolve(policy, score))
    stretched = score * np.float32(64) - np.float32(16)
    assert np.count_nonzero(flags(stretched, resolve(policy, stretched)) != want) <= 2  # rounding at a bin's edge


@pytest.mark.parametrize("policy", PER_IMAGE)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, 1.0, -7.3, 3e38])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_map_is_not_flagged(policy, size, value, dtype):
    score = np.full(size, value, dtype)
    t = resolve(policy, score)
    assert not flags(score, t).any()
    assert t == float(np.nextafter(dtype(value), dtype(np.inf)))


@pytest.mark.parametrize("policy", PER_IMAGE)
@pytest.mark.parametrize("size", SIZES)
def test_faulty_pixels_do_not_count_and_are_flagged(policy, size):
    score = np.random.default_rng(0).random(size, np.float32)
    want = resolve(policy, score)
    faulty = np.concatenate([score, np.full(size, np.inf, np.float32), np.full(size, np.nan, np.float32)])
    assert resolve(policy, faulty) == want
    found = flags(faulty, want)
    assert found[size[0] : 2 * size[0]].all()
    assert not found[2 * size[0] :].any()


@pytest.mark.parametrize("policy", PER_IMAGE)
@pytest.mark.parametrize("size", SIZES)
def test_pixels_without_a_class_do_not_count_and_are_flagged(policy, size):
    rng = np.random.default_rng(0)
    score = rng.random(size, np.float32)
    want = resolve(policy, score)
    with_void = np.concatenate([score, np.ones(size, np.float32)])
    classes = np.repeat(np.array([3, 255], np.uint8), size[0])[:, None].repeat(size[1], 1)
    assert resolve(policy, with_void, classes=classes) == want
    assert flags(with_void, math.inf, classes)[size[0] :].all()


@pytest.mark.parametrize("policy", PER_IMAGE)
@pytest.mark.parametrize("score", [np.zeros(0), np.zeros((0, 4), np.float32), np.full((100, 100), np.nan, np.float32)])
def test_without_scores_there_is_no_threshold(policy, score):
    assert resolve(policy, score) == math.inf
    assert not flags(score, math.inf).any()


@pytest.mark.parametrize("policy", PER_IMAGE)
def test_an_image_that_is_faulty_everywhere_is_flagged_everywhere(policy):
    score, classes = np.ones((90, 90), np.float32), np.full((90, 90), 255, np.uint8)
    assert flags(score, resolve(policy, score, classes=classes), classes).all()


def test_two_neighbouring_numbers_are_told_apart():
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    score = f32(*[low] * 50, high)
    for policy in (Otsu(), MeanStd(0.0), Quantile(0.5)):
        assert flags(score, resolve(policy, score)).sum() == 1, policy


def test_probabilities_of_segments_stay_in_double_precision():
    p = np.array([0.1, 0.1 + 1e-12, 0.1 + 2e-12, 0.1 + 3e-12])
    assert flags(p, resolve(Quantile(0.75), p)).tolist() == [False, False, False, True]


def test_numbers_beyond_division_count_as_constant():
    score = np.array([-1.7e308, 1.7e308])
    assert not flags(score, resolve(Otsu(), score)).any()


def test_maps_need_not_be_contiguous():
    score = np.random.default_rng(2).random((300, 200), np.float32)[::2, ::-1].T
    for policy in PER_IMAGE:
        assert resolve(policy, score) == resolve(policy, score.copy())


def test_a_constant_needs_no_scores():
    assert resolve(Fixed(0.25), None) == 0.25
    assert resolve(Fixed(-math.inf), None) == -math.inf


@pytest.mark.parametrize("policy", [TargetRecall(0.9), Conformal(0.1)])
def test_calibrated_policies_ask_for_a_calibration(policy):
    with pytest.raises(CurvesNeededError, match="trust-seg calibrate"):
        resolve(policy, np.zeros(3))


def test_a_policy_for_images_asks_for_the_image():
    with pytest.raises(PolicyError, match="scores of the image"):
        resolve(Otsu(), None)


@pytest.mark.parametrize(
    ("policy", "value", "expected"),
    [
        (Fixed, math.nan, "nan: expected a number"),
        (Fixed, "0.5", "'0.5': expected a number"),
        (Quantile, 0.0, r"quantile = 0.0: expected a number in \(0, 1\]"),
        (Quantile, 1.01, "quantile = 1.01"),
        (Quantile, math.nan, "quantile = nan"),
        (MeanStd, -0.1, r"k = -0.1: expected a number in \[0, 100\]"),
        (MeanStd, math.inf, "k = inf"),
        (TargetRecall, 0.0, "recall = 0.0"),
        (TargetRecall, True, "recall = True"),
        (Conformal, 0.0, r"alpha = 0.0: expected a number in \(0, 1\)"),
        (Conformal, 1.0, "alpha = 1.0"),
    ],
)
def test_values_out_of_range_are_named(policy, value, expected):
    with pytest.raises(PolicyError, match=expected) as raised:
        policy(value)
    assert isinstance(raised.value, TrustSegError)


def test_classes_that_do_not_belong_to_the_scores_are_refused():
    score = np.zeros((3, 4), np.float32)
    for classes in (np.zeros((4, 3), np.uint8), np.zeros((3, 4), np.int32)):
        for use in (
            lambda c: flags(score, 0.5, c),
            lambda c: flags_by_class(score, c, ClassThresholds(np.zeros(2), 0.5)),
            lambda c: resolve(Otsu(), score, classes=c),
        ):
            with pytest.raises(PolicyError, match=r"expected \(3, 4\) uint8"):
                use(classes)


def test_each_class_has_its_own_threshold_or_that_of_all():
    thresholds = ClassThresholds(np.array([0.2, np.nan, 0.8]), 0.5)
    score = f32(0.3, 0.3, 0.3, 0.6, 0.6, 0.6, 0.6, 0.0, math.nan)
    classes = np.array([0, 1, 2, 0, 1, 2, 7, 255, 255], np.uint8)
    assert flags_by_class(score, classes, thresholds).tolist() == [True, False, False, True, True, False, *[True] * 3]


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.zeros(256)])
def test_thresholds_of_classes_have_a_shape(values):
    with pytest.raises(PolicyError, match=r"expected \(q,\)"):
        ClassThresholds(values, 0.5)
    with pytest.raises(PolicyError, match="fallback = nan"):
        ClassThresholds(np.zeros(2), math.nan)
