"""Scores by name are those of the functions, on the embedded network's answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from feature_cases import statistics as feature_statistics

from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.uncertainty import energy, max_logit, uncertainty_maps
from trust_seg_ros.uncertainty.errors import FeaturesNeededError, RawLogitsNeededError, SettingError
from trust_seg_ros.uncertainty.feature_scores import feature_maps
from trust_seg_ros.uncertainty.gradient import gradient_maps
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import MASK_SCORES, SCORES, score_map
from trust_seg_ros.uncertainty.standardized import ClassStatistics, standardized_max_logit


@pytest.fixture(scope="module")
def answer():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    return NetworkSettings(device="cpu").load().infer(image)


def test_every_name_gives_its_map(answer):
    maps = uncertainty_maps(answer)
    statistics = ClassStatistics(np.arange(11.0), np.linspace(1.0, 3.0, 11), np.full(11, 5000))
    features = feature_statistics(64, 8, 9)
    known = NetworkStatistics(statistics, lambda: features)
    found = {name: score_map(name, answer, maps, statistics=known) for name in SCORES if name not in MASK_SCORES}
    for score in found.values():
        assert score.shape == (64, 96)
        assert score.dtype == torch.float32
    assert found["entropy"] is maps.entropy
    assert found["margin"] is maps.margin
    assert found["variation_ratio"] is maps.variation_ratio
    gradients = gradient_maps(answer)
    for name, expected in (
        ("max_logit", max_logit(answer)),
        ("energy", energy(answer)),
        ("standardized_max_logit", standardized_max_logit(answer, maps.classes, statistics)),
        *feature_maps(answer, lambda: features).items(),
        ("gradient_onehot", gradients.onehot),
        ("gradient_uniform", gradients.uniform),
    ):
        torch.testing.assert_close(found[name], expected, rtol=0, atol=0)


def test_gradient_settings_are_passed_on(answer):
    maps, settings = uncertainty_maps(answer), GradientSettings(1.0, "published", "log")
    expected = gradient_maps(answer, p=1.0, variant="published", scale="log")
    torch.testing.assert_close(score_map("gradient_uniform", answer, maps, settings), expected.uniform, rtol=0, atol=0)


def test_what_a_network_cannot_give_is_refused(answer):
    maps = uncertainty_maps(answer)
    with pytest.raises(SettingError, match="no score 'entrop'; choose one of: entropy, margin"):
        score_map("entrop", answer, maps)
    with pytest.raises(FeaturesNeededError):
        score_map("gradient_onehot", replace(answer, features=None, classifier=None), maps)
    with pytest.raises(RawLogitsNeededError):
        score_map("energy", replace(answer, raw=False), maps)
