"""The standardised max logit and the statistics it stands on, against their definitions."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import RawLogitsNeededError, SettingError, uncertainty_maps
from trust_seg_ros.uncertainty.errors import StatisticsNeededError
from trust_seg_ros.uncertainty.standardized import (
    LEAST_PIXELS,
    ClassStatistics,
    StatisticsBuilder,
    moments,
    reference_moments,
    reference_standardized_max_logit,
    standardized_max_logit,
)


def answer(seed, q=4, size=(40, 64), scale=3.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, scale, (q, 12, 16)) + rng.normal(0.0, 2.0, (q, 1, 1))
    maps = LogitMaps(torch.from_numpy(logits.astype(np.float32)), size)
    return maps, uncertainty_maps(maps).classes


def statistics(q, seed=0):
    rng = np.random.default_rng(seed)
    return ClassStatistics(rng.normal(5.0, 2.0, q), rng.uniform(0.3, 3.0, q), np.full(q, 5000))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), q=st.integers(2, 19), height=st.integers(1, 70), width=st.integers(1, 70))
def test_it_equals_its_definition(seed, q, height, width):
    maps, classes = answer(seed, q, (height, width))
    found = standardized_max_logit(maps, classes, statistics(q, seed))
    expected = reference_standardized_max_logit(maps, classes, statistics(q, seed))
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-4)


def test_a_hand_worked_pixel():
    maps = LogitMaps(torch.tensor([1.0, 7.0, 3.0])[:, None, None], (1, 1))
    found = standardized_max_logit(maps, uncertainty_maps(maps).classes, ClassStatistics([0, 5, 0], [1, 4, 1], [9] * 3))
    assert found.item() == pytest.approx(-(7 - 5) / 4)


def test_faulty_pixels_get_the_maximum():
    maps, _ = answer(1, size=(12, 16))
    maps.logits[2, 3, 4] = torch.nan
    classes = uncertainty_maps(maps).classes
    found = standardized_max_logit(maps, classes, statistics(4))
    assert torch.isposinf(found[classes == 255]).all()
    assert torch.isfinite(found[classes != 255]).all()
    assert (classes == 255).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), images=st.integers(1, 5))
def test_statistics_do_not_depend_on_how_pixels_come(seed, images):
    builder, values, ids = StatisticsBuilder(3), [], []
    for k in range(images):
        maps, classes = answer(seed + k, 3, (60, 70))
        valid = np.random.default_rng(seed).random((60, 70)) < 0.8
        builder.add(maps, classes, valid)
        full = torch.nn.functional.interpolate(maps.logits[None].double(), (60, 70), mode="bilinear")[0]
        values.append(full.amax(0).numpy()[valid])
        ids.append(classes.numpy()[valid])
    found, values, ids = builder.statistics(), np.concatenate(values), np.concatenate(ids)
    for k in range(3):
        own = values[ids == k]
        if len(own) >= LEAST_PIXELS:
            assert found.count[k] == len(own)
        else:
            assert k in found.pooled
            own = values
        assert found.mean[k] == pytest.approx(own.mean(), rel=1e-5)
        assert found.std[k] == pytest.approx(own.std(), rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(0, 300), q=st.integers(2, 20), kind=st.sampled_from("fd"))
def test_moments_equal_their_definition(seed, n, q, kind):
    rng = np.random.default_rng(seed)
    ids, scores = rng.choice([*range(q + 1), 255], n).astype(np.uint8), rng.normal(-8.0, 3.0, n).astype(kind)
    scores[rng.random(n) < 0.1] = rng.choice([np.inf, -np.inf, np.nan])
    chosen = rng.random(n) < 0.8
    for found, expected in zip(moments(ids, scores, chosen, q), reference_moments(ids, scores, chosen, q), strict=True):
        assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_large_offset_costs_no_digits():
    builder = StatisticsBuilder(2)
    rng = np.random.default_rng(0)
    for _ in range(30):
        builder._join(np.zeros(1000, np.uint8), -1e6 - rng.normal(0.0, 0.01, 1000), np.ones(1000, bool))
    assert builder.statistics().std[0] == pytest.approx(0.01, rel=0.02)


def test_standardised_scores_of_the_same_images_have_mean_0_and_deviation_1():
    maps, classes = answer(5, 3, (160, 180))
    builder = StatisticsBuilder(3)
    builder.add(maps, classes)
    score = standardized_max_logit(maps, classes, builder.statistics())
    for k in range(3):
        own = score[classes == k].double()
        assert len(own) >= LEAST_PIXELS
        assert own.mean().item() == pytest.approx(0.0, abs=1e-4)
        assert own.std(unbiased=False).item() == pytest.approx(1.0, abs=1e-4)


def test_what_cannot_be_used_is_refused():
    maps, classes = answer(0)
    with pytest.raises(StatisticsNeededError, match="trust-seg calibrate"):
        standardized_max_logit(maps, classes, None)
    with pytest.raises(SettingError, match="of 3 classes, the network has 4"):
        standardized_max_logit(maps, classes, statistics(3))
    with pytest.raises(RawLogitsNeededError):
        standardized_max_logit(LogitMaps(maps.logits, maps.size, raw=False), classes, statistics(4))
    with pytest.raises(SettingError, match="no pixel"):
        StatisticsBuilder(4).statistics()
    constant, builder = LogitMaps(torch.ones(2, 4, 4), (40, 40)), StatisticsBuilder(2)
    builder.add(constant, uncertainty_maps(constant).classes)
    with pytest.raises(SettingError, match="all 1600 pixels have the largest logit 1"):
        builder.statistics()
    for mean, std, count in (([1], [1, 2], [1]), ([np.nan], [1], [1]), ([0], [0], [1]), ([0], [1], [-1])):
        with pytest.raises(SettingError):
            ClassStatistics(mean, std, count)


def test_json_keeps_every_digit():
    before = statistics(7)
    after = ClassStatistics.from_json(before.to_json())
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.std, after.std)
    assert np.array_equal(before.count, after.count)
