"""The registry of pixel scores: rows that fit together, and unknown names that are refused with the nearest ones."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from feature_cases import statistics as feature_statistics
from gradient_cases import answer
from mask_cases import mask_answer

from trust_seg_ros.types import Classifier, LayerFeatures, UncertaintyMaps
from trust_seg_ros.uncertainty import GradientSettings, SettingError, UncertaintyError, uncertainty_maps
from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.perturbation_settings import KINDS
from trust_seg_ros.uncertainty.pixel_score import Group, Need, PixelScore, ScoreInput
from trust_seg_ros.uncertainty.registry import SCORE_ROWS
from trust_seg_ros.uncertainty.score_names import (
    FEATURE_SCORES,
    GRADIENT_SCORES,
    LOGIT_SCORES,
    MASK_SCORES,
    PERTURBATION_SCORES,
    PIXEL_SCORES,
    SCORES,
    SOFTMAX_SCORES,
    beyond_range,
    find_score,
    score_map,
    score_range,
    scores_that_need,
)
from trust_seg_ros.uncertainty.standardized import ClassStatistics

ANSWER = answer(5, 8, 6, 7, (12, 21), bias=True)
CLASSES = ClassStatistics(np.arange(5.0), np.linspace(1.0, 2.0, 5), np.full(5, 5000))
FEATURES = feature_statistics(8, 3, 9)
STATISTICS = NetworkStatistics(CLASSES, lambda: FEATURES)
MASKS = mask_answer(5, 4, 6, 7, (12, 21))


def test_the_names_by_group():
    assert SOFTMAX_SCORES == ("entropy", "margin", "variation_ratio")
    assert LOGIT_SCORES == ("max_logit", "energy")
    assert GRADIENT_SCORES == ("gradient_onehot", "gradient_uniform")
    assert FEATURE_SCORES == ("vim", "knn", "cdnp")
    assert MASK_SCORES == ("rba", "max_class_sum", "class_sum_entropy", "mask_uncertainty", "maskomaly")
    of_logits = (*SOFTMAX_SCORES, *LOGIT_SCORES, "standardized_max_logit", *GRADIENT_SCORES)
    assert (*of_logits, *MASK_SCORES, *FEATURE_SCORES) == SCORES
    assert PERTURBATION_SCORES == KINDS
    assert (*SCORES, *KINDS) == PIXEL_SCORES
    assert len(set(PIXEL_SCORES)) == len(SCORE_ROWS)
    assert {row.group for row in SCORE_ROWS} == set(get_args(Group))


def test_what_a_row_needs_is_what_its_function_misses():
    """Each need, taken away alone, makes the scores fail that name it, and no others."""
    bare = replace(ANSWER, features=None, classifier=None)
    lacking = {
        "class sums": (ANSWER, STATISTICS, _ones),
        "mask queries": (replace(MASKS, queries=None), STATISTICS, _ones),
        "raw logits": (replace(bare, logits=ANSWER.logits.log_softmax(0), raw=False), STATISTICS, _ones),
        "last layer": (replace(bare, layer=LayerFeatures("", ANSWER.features)), STATISTICS, _ones),
        "features": (replace(ANSWER, classifier=Classifier(torch.zeros(5, 8, 3, 3))), STATISTICS, _ones),
        "calibration": (ANSWER, NetworkStatistics(features=lambda: FEATURES), _ones),
        "feature statistics": (ANSWER, NetworkStatistics(CLASSES), _ones),
        "passes": (ANSWER, STATISTICS, None),
    }
    assert set(lacking) == set(get_args(Need))
    for need, (logits, statistics, perturbed) in lacking.items():
        maps, failed = uncertainty_maps(logits), []
        for name in PIXEL_SCORES:
            try:
                score_map(name, logits, maps, None, statistics, perturbed)
            except UncertaintyError:
                failed.append(name)
        expected = set(scores_that_need(need)) | (set() if logits.linear else set(MASK_SCORES))
        if logits.linear:  # it has no logits
            expected |= {name for name in SCORES if find_score(name).needs} - {*scores_that_need("class sums")}
        if need == "raw logits":  # the answer has neither of the others either
            expected |= {*scores_that_need("last layer"), *scores_that_need("features")}
        assert set(failed) == expected, need


def _ones(kind: str) -> torch.Tensor:
    return torch.ones(12, 21)


@pytest.mark.parametrize("variant", ["exact", "published"])
@pytest.mark.parametrize("p", [0.5, 2.0])
def test_the_direction_of_gradients_is_their_sign_and_logits_are_negated(p, variant):
    settings = GradientSettings(p, variant, "log")
    signs = {name: find_score(name).sign(settings) for name in PIXEL_SCORES}
    assert {name: signs.pop(f"gradient_{name}") for name in ("onehot", "uniform")} == {
        name: settings.sign(name) for name in ("onehot", "uniform")
    }
    assert {name for name, sign in signs.items() if sign < 0} == {
        "max_logit",
        "energy",
        "standardized_max_logit",
        "rba",
    }


def test_ranges_depend_on_classes_and_gradients_where_scores_do():
    assert score_range("variation_ratio", 4) == (0.0, 0.75)
    assert score_range("energy", 4) == (-math.inf, math.inf)
    assert score_range("gradient_uniform", 4) == (-math.inf, 87.0)
    assert score_range("gradient_uniform", 4, GradientSettings(0.5, "published", "norm")) == (0.0, math.inf)
    assert score_range("mc_dropout", 4) == (0.0, 1.0)


def test_maps_that_every_frame_has_are_not_computed_again():
    maps = uncertainty_maps(ANSWER)
    for name in SOFTMAX_SCORES:
        assert score_map(name, ANSWER, maps) is getattr(maps, name)
    assert {row.name for row in SCORE_ROWS if row.held} < set(UncertaintyMaps.__dataclass_fields__)


def test_scores_of_further_passes_come_from_the_pipeline():
    maps = uncertainty_maps(ANSWER)
    given = torch.rand(12, 21)
    assert score_map("mc_dropout", ANSWER, maps, perturbed={"mc_dropout": given}.__getitem__) is given
    with pytest.raises(PerturbationUnavailableError, match="input_noise needs several more passes of the network"):
        score_map("input_noise", ANSWER, maps)


def test_a_row_that_needs_what_nothing_gives_is_refused():
    with pytest.raises(ValueError, match=r"'new' needs 'luck'; expected raw logits, last layer"):
        PixelScore("new", "softmax", lambda given: given.maps.entropy, "text", ("luck",))
    row = PixelScore("new", "logits", _first, "text", limits=(0.0, 2.0))
    assert (row.held, row.single_pass, row.range(3, GradientSettings()), row.sign(GradientSettings())) == (
        False,
        True,
        (0.0, 2.0),
        1,
    )


def _first(given: ScoreInput) -> torch.Tensor:
    return given.maps.entropy


@pytest.mark.parametrize(
    "ask",
    [
        find_score,
        lambda name: score_map(name, ANSWER, uncertainty_maps(ANSWER)),
        lambda name: score_range(name, 4),
        lambda name: beyond_range(name, 0.5, 4),
        lambda name: FrameScores(ANSWER, uncertainty_maps(ANSWER)).get(name),
        lambda name: FrameScores(ANSWER, uncertainty_maps(ANSWER)).compute(["entropy", name]),
    ],
    ids=["row", "map", "range", "beyond", "frame", "several"],
)
def test_an_unknown_score_is_refused_with_the_nearest(ask):
    with pytest.raises(SettingError, match=r"no score 'enrgy'; choose one of: entropy, margin.*; did you mean energy"):
        ask("enrgy")
