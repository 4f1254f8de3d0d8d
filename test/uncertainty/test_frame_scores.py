"""Scores of a frame by name: the library's own, each computed once, and what a network cannot give is said."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gradient_cases import answer

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import (
    FeaturesNeededError,
    GradientSettings,
    SettingError,
    energy,
    frame_scores,
    gradient_maps,
    max_logit,
    uncertainty_maps,
)
from trust_seg_ros.uncertainty.errors import StatisticsNeededError
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import (
    CALIBRATED_SCORES,
    GRADIENT_SCORES,
    MASK_SCORES,
    SCORES,
    SOFTMAX_SCORES,
    beyond_range,
    score_range,
)
from trust_seg_ros.uncertainty.standardized import ClassStatistics, standardized_max_logit

STANDARDIZED = "standardized_max_logit"
ANSWER = answer(5, 8, 6, 7, (12, 21), bias=True)
BARE = replace(ANSWER, features=None, classifier=None)
PROBABILITIES = replace(BARE, logits=ANSWER.logits.log_softmax(0), raw=False)


def scores_of(answer: LogitMaps, settings=frame_scores.IN_LOGARITHMS) -> FrameScores:
    return FrameScores(answer, uncertainty_maps(answer), settings)


@pytest.mark.parametrize("settings", [GradientSettings(), GradientSettings(2.0, "published", "log")])
def test_every_score_is_that_of_the_library(settings):
    scores, maps = scores_of(ANSWER, settings), uncertainty_maps(ANSWER)
    both = gradient_maps(ANSWER, p=settings.p, variant=settings.variant, scale=settings.scale)
    expected = {name: getattr(maps, name) for name in SOFTMAX_SCORES}
    expected |= {"max_logit": max_logit(ANSWER), "energy": energy(ANSWER)}
    expected |= {"gradient_onehot": both.onehot, "gradient_uniform": both.uniform}
    for name, plane in expected.items():
        assert torch.equal(scores.get(name), plane), name
    assert set(scores.computed) == set(expected) - set(SOFTMAX_SCORES)


def test_each_is_computed_once_and_gradients_wanted_together_in_one_pass(monkeypatch):
    calls = []

    def counted(function):
        return lambda *args, **kwargs: calls.append(function.__name__) or function(*args, **kwargs)

    for function in (frame_scores.gradient_maps, frame_scores.score_map):
        monkeypatch.setattr(frame_scores, function.__name__, counted(function))
    scores = scores_of(ANSWER)
    scores.compute(["gradient_uniform", "energy", "gradient_onehot"])
    assert calls == ["gradient_maps", "score_map"]
    for name in (*GRADIENT_SCORES, "energy"):
        scores.get(name)
    assert calls == ["gradient_maps", "score_map"]
    one = scores_of(ANSWER)
    one.compute(["gradient_onehot"])
    assert set(one.computed) == {"gradient_onehot"}, "the other label costs, too"


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (ANSWER, {}),
        (BARE, dict.fromkeys(GRADIENT_SCORES, "gives no features")),
        (PROBABILITIES, dict.fromkeys(GRADIENT_SCORES, "no features")
         | {"max_logit": "'max_logit' needs raw logits", "energy": "'energy' needs raw logits"}),
    ],
    ids=["all", "no features", "probabilities"],
)  # fmt: skip
def test_what_is_missing_is_told_with_the_reason(answer, missing):
    found = scores_of(answer).missing()
    assert {found.pop(name)[:11] for name in MASK_SCORES} == {"the score '"}
    found = {name: why for name, why in found.items() if name not in CALIBRATED_SCORES}
    assert set(found) == set(missing)
    assert [name for name, words in missing.items() if words not in found[name]] == []


def test_the_standardised_max_logit_needs_statistics():
    maps = uncertainty_maps(ANSWER)
    statistics = ClassStatistics(np.arange(5.0), np.linspace(1.0, 2.0, 5), np.full(5, 5000))
    scores = FrameScores(ANSWER, maps, statistics=NetworkStatistics(statistics))
    assert torch.equal(scores.get(STANDARDIZED), standardized_max_logit(ANSWER, maps.classes, statistics))
    assert STANDARDIZED in scores.computed
    with pytest.raises(StatisticsNeededError, match="trust-seg calibrate"):
        scores_of(ANSWER).get(STANDARDIZED)


def test_a_score_that_cannot_be_given_is_an_error_and_never_another_score():
    with pytest.raises(FeaturesNeededError, match="choose another score"):
        scores_of(BARE).get("gradient_onehot")
    with pytest.raises(FeaturesNeededError):
        scores_of(BARE).compute(GRADIENT_SCORES)
    with pytest.raises(SettingError, match="no score 'softmax'"):
        scores_of(ANSWER).get("softmax")


@pytest.mark.parametrize("settings", [GradientSettings(p, v, s) for p in (0.5, 2.0) for v in ("exact", "published")
                                      for s in ("norm", "log")])  # fmt: skip
def test_every_score_lies_in_its_range(settings):
    wide = answer(5, 8, 12, 15, (24, 45), spread=40.0, seed=3)
    scores = scores_of(wide, settings)
    for name in SCORES:
        if name in (*CALIBRATED_SCORES, *MASK_SCORES):  # any real number, or tested with their own cases
            continue
        low, high = score_range(name, 5, settings)
        plane = scores.get(name)
        assert low <= plane.min() <= plane.max() <= high * (1 + 1e-6), name


@pytest.mark.parametrize(
    ("name", "threshold", "words"),
    [
        ("entropy", 0.7, ""),
        ("entropy", 1.0, ""),
        ("entropy", 3.2, "3.2 is above all values of entropy (0 to 1): no pixel is flagged"),
        ("margin", -0.5, "-0.5 is below all values of margin (0 to 1): every pixel is flagged"),
        ("variation_ratio", 0.8, "0.8 is above all values of variation_ratio (0 to 0.75): no pixel is flagged"),
        ("max_logit", -1e6, ""),
        ("gradient_onehot", -100.0, "-100 is below all values of gradient_onehot (-87 to inf): every pixel is flagged"),
        ("gradient_uniform", 100.0, "100 is above all values of gradient_uniform (-inf to 87): no pixel is flagged"),
    ],
)
def test_a_threshold_beyond_the_range_is_told_in_words(name, threshold, words):
    assert beyond_range(name, threshold, 4) == words


def test_a_threshold_that_is_infinite_is_beyond_what_is_bounded():
    assert "no pixel" in beyond_range("entropy", math.inf, 4)
    assert beyond_range("energy", math.inf, 4) == ""
