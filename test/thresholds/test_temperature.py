"""Temperature and calibration error: hand-worked, and found again where they are known."""

import json

import numpy as np
import pytest
import torch

from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.thresholds.temperature import (
    LogitSample,
    Temperature,
    _logits_at,
    expected_calibration_error,
    nll,
    reliability,
)
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.logits import prepare


def drawn(temperature, seed=0, size=(120, 160), q=4):
    """Logits whose labels are drawn from softmax(l / temperature)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 3.0, (q, *size))
    p = np.exp(logits / temperature)
    p = (p / p.sum(0)).cumsum(0)
    truth = (rng.random(size) > p).sum(0).astype(np.uint8)
    return LogitMaps(torch.from_numpy(logits.astype(np.float32)), size), np.minimum(truth, q - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    sample = LogitSample(per_image=15_000)
    for seed in range(3):
        sample.add(*drawn(temperature, seed))
    found = sample.temperature()
    assert found.pixels == 45_000
    assert found.value == pytest.approx(temperature, rel=0.05)
    assert found.nll_after <= found.nll_before
    assert found.ece_after < 0.01
    if temperature != 1.0:
        assert found.ece_before > 0.05


def test_the_minimum_is_the_least_of_many():
    maps, truth = drawn(1.7, size=(40, 50))
    sample = LogitSample(per_image=10_000)
    sample.add(maps, truth)
    logits = maps.logits.numpy().reshape(4, -1).T.astype(np.float64)
    every = [nll(logits / t, truth.ravel().astype(np.intp)) for t in np.geomspace(0.1, 10, 400)]
    assert sample.temperature().nll_after <= min(every) + 1e-6


def test_only_labelled_pixels_are_drawn_and_upsampled_as_the_maps_are():
    rng = np.random.default_rng(2)
    maps = LogitMaps(torch.from_numpy(rng.normal(size=(3, 5, 6)).astype(np.float32)), (20, 24))
    truth = np.full((20, 24), 255, np.uint8)
    truth[3:9, 4:20] = 1
    sample = LogitSample(per_image=50)
    sample.add(maps, truth)
    assert len(sample) == 50
    full = torch.nn.functional.interpolate(maps.logits[None], (20, 24), mode="bilinear")[0].numpy()
    allowed = full[:, truth == 1].T
    for row in sample._logits[0]:
        assert np.abs(allowed - row).max(axis=1).min() < 1e-5


def test_logits_of_some_pixels_are_those_of_the_whole_map():
    rng = np.random.default_rng(3)
    for low, size in (((5, 6), (20, 24)), ((7, 9), (7, 9)), ((1, 3), (11, 2)), ((30, 40), (13, 17))):
        logits = torch.from_numpy(rng.normal(size=(3, *low)).astype(np.float32))
        full = torch.nn.functional.interpolate(logits[None], size, mode="bilinear")[0].numpy().reshape(3, -1)
        places = rng.permutation(size[0] * size[1])
        found = _logits_at(prepare(LogitMaps(logits, size)), places)
        assert np.allclose(found, full[:, places].T, atol=1e-5)
        full = torch.nn.functional.interpolate(logits[None], size, mode="bilinear", align_corners=True)[0].numpy()
        cornered = LogitMaps(logits, size, placement=Where(corners=True).placement(low, size))
        assert np.allclose(_logits_at(prepare(cornered), places), full.reshape(3, -1)[:, places].T, atol=1e-5)


def test_hand_worked_calibration_error():
    confidence, correct = np.array([0.95, 0.95, 0.55, 0.55]), np.array([1, 0, 1, 1])
    count, mean, accuracy = reliability(confidence, correct, 10)
    assert count[[5, 9]].tolist() == [2, 2]
    assert accuracy[[5, 9]].tolist() == [1.0, 0.5]
    assert mean[9] == pytest.approx(0.95)
    assert expected_calibration_error(confidence, correct, 10) == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    assert expected_calibration_error(np.array([1.0, 0.5]), np.array([1, 1]), 2) == pytest.approx(
        0.25
    )  # ends belong below


def test_nothing_labelled_and_damaged_files():
    maps, truth = drawn(1.0, size=(8, 8))
    sample = LogitSample()
    sample.add(maps, np.full_like(truth, 255))
    assert sample.temperature() is None
    good = Temperature(1.5, 0.4, 0.3, 0.1, 0.02, 99)
    assert Temperature.from_json(good.to_json()) == good
    for change in ({"value": 0.0}, {"ece_after": float("nan")}):
        with pytest.raises(ValueError, match="temperature"):
            Temperature.from_json(good.to_json() | change)


def test_the_reliability_diagram_is_kept_and_comes_back():
    sample = LogitSample(per_image=5000)
    sample.add(*drawn(2.0))
    found = sample.temperature()
    for bins, ece in ((found.bins_before, found.ece_before), (found.bins_after, found.ece_after)):
        share, mean, accuracy = np.array(bins).T
        assert share.sum() == pytest.approx(1.0)
        assert (share * np.abs(mean - accuracy)).sum() == pytest.approx(ece)
    assert Temperature.from_json(found.to_json()) == found
    assert Temperature.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(ValueError, match="three numbers"):
        Temperature.from_json(found.to_json() | {"bins_after": [[0.5, 0.5]]})


def test_many_images_share_the_memory_equally():
    sample = LogitSample(per_image=100, most=450)
    for seed in range(9):
        sample.add(*drawn(1.0, seed, size=(20, 30)))
    assert [len(rows) for rows in sample._truth] == [50] * 9
    assert [rows.shape for rows in sample._logits] == [(50, 4)] * 9
    before = LogitSample(per_image=50)  # truth and logits still belong together
    for seed in range(9):
        before.add(*drawn(1.0, seed, size=(20, 30)))
    assert nll(np.concatenate(sample._logits), np.concatenate(sample._truth)) == pytest.approx(
        nll(np.concatenate(before._logits), np.concatenate(before._truth)), abs=0.25
    )
