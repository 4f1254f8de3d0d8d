"""Feature scores: the fast versions equal their definitions, and what cannot be computed is refused."""

from dataclasses import replace

import pytest
import torch
from feature_cases import feature_answer, statistics
from hypothesis import given, settings
from hypothesis import strategies as st
from placements import placements

from trust_seg_ros.types import Classifier, LayerFeatures
from trust_seg_ros.uncertainty import FeaturesNeededError, RawLogitsNeededError, energy, uncertainty_maps
from trust_seg_ros.uncertainty.errors import FeaturesError, FeatureStatisticsError, StatisticsNeededError
from trust_seg_ros.uncertainty.feature_reference import reference_features
from trust_seg_ros.uncertainty.feature_scores import _reduce, compare, feature_maps
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics, Moments, rows_of
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES

ANSWER = feature_answer(5, 8, 6, 7, (12, 21))
STATISTICS = statistics(8, 4, 20)


@st.composite
def cases(draw):
    channels = draw(st.integers(2, 40))
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 30))
    size = draw(st.integers(1, 40)), draw(st.integers(1, 60))
    seed = draw(st.integers(0, 2**31))
    answer = feature_answer(draw(st.integers(2, 20)), channels, h, w, size, seed=seed)
    if draw(st.booleans()):  # memory as networks on the CPU leave it
        answer = replace(answer, features=answer.features.permute(1, 2, 0).contiguous().permute(2, 0, 1))
    if draw(st.booleans()):
        answer = replace(answer, features=answer.features.relu())  # some vectors are zero
    answer = replace(answer, placement=draw(placements(h, w)))
    layer = ""
    if draw(st.booleans()):
        layer, grid = "body.3", (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
        other = torch.randn(channels, *grid, generator=torch.Generator().manual_seed(seed))
        answer = replace(answer, layer=LayerFeatures(layer, other))
    made = statistics(channels, draw(st.integers(1, channels)), draw(st.integers(3, 50)), layer=layer, seed=seed)
    return answer, made


@given(cases())
@settings(max_examples=60, deadline=None)
def test_the_fast_scores_are_those_of_the_definitions(case):
    answer, made = case
    expected = reference_features(answer, made)
    found = feature_maps(answer, lambda: made)
    assert list(found) == list(FEATURE_SCORES)
    for name, score in found.items():
        assert score.dtype == torch.float32
        torch.testing.assert_close(score.double(), expected[name], rtol=1e-4, atol=1e-4)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_the_version_for_other_devices_is_the_same(case):
    answer, made = case
    features, rows = answer.features, rows_of(made, torch.device("cpu"))
    found = compare(features, rows)
    columns = features.flatten(1)
    distance, residual = torch.empty(columns.shape[1]), torch.empty(columns.shape[1])
    _reduce(rows.matrix @ columns, torch.linalg.vector_norm(columns, dim=0), rows, distance, residual)
    torch.testing.assert_close(found.distance, distance, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.residual, residual, rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_gives_the_same():
    there = replace(
        ANSWER,
        logits=ANSWER.logits.cuda(),
        features=ANSWER.features.cuda(),
        classifier=Classifier(ANSWER.classifier.weight.cuda()),
    )
    here, found = feature_maps(ANSWER, lambda: STATISTICS), feature_maps(there, lambda: STATISTICS)
    for name, score in found.items():
        assert score.is_cuda
        torch.testing.assert_close(score.cpu(), here[name], rtol=1e-3, atol=1e-3)


def test_many_pixels_are_compared_in_parts():
    answer = feature_answer(3, 8, 61, 97, (61, 97))
    made = statistics(8, 4, 900)
    found = feature_maps(answer, lambda: made, ("knn",))["knn"]
    corner = replace(answer, logits=answer.logits[:, -3:, -5:], features=answer.features[:, -3:, -5:], size=(3, 5))
    torch.testing.assert_close(found[-3:, -5:].double(), reference_features(corner, made)["knn"], rtol=1e-4, atol=1e-4)


def test_distances_lie_between_nought_and_two_and_a_feature_of_the_bank_has_none():
    bank = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 1e-3], [1.0, -1e-3]]))
    made = FeatureStatistics("", torch.zeros(2), torch.eye(2).half(), 1.0, bank.half(), Moments(0, 1), Moments(0, 1), 9)
    features = torch.tensor([[[5.0, -2.0, 0.0, 0.0]], [[0.0, 0.0, 3.0, 0.0]]])
    answer = replace(feature_answer(3, 2, 1, 4, (1, 4)), features=features)
    knn = feature_maps(answer, lambda: made, ("knn",))["knn"]
    torch.testing.assert_close(knn, torch.tensor([[0.0, 2.0, 1.0, 1.0]]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("what", ["logits", "features"])
def test_pixels_that_are_not_finite_get_infinity_and_their_neighbours_do_not(what):
    answer = feature_answer(5, 8, 4, 4, (4, 4))
    values = getattr(answer, what).clone()
    values[1, 2, 1] = torch.nan
    values[0, 0, 3] = torch.inf
    found = feature_maps(replace(answer, **{what: values}), lambda: STATISTICS)
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[2, 1] = expected[0, 3] = True
    for name, score in found.items():
        faulty = expected if what == "features" or name != "knn" else torch.zeros_like(expected)
        assert torch.equal(score == torch.inf, faulty), name
        assert score[~faulty].isfinite().all()


def test_scores_wanted_together_are_those_wanted_alone():
    maps, known = uncertainty_maps(ANSWER), NetworkStatistics(features=lambda: STATISTICS)
    together, alone = (FrameScores(ANSWER, maps, statistics=known) for _ in range(2))
    together.compute(FEATURE_SCORES)
    assert set(together.computed) == set(FEATURE_SCORES)
    for name in FEATURE_SCORES:
        assert torch.equal(together.get(name), alone.get(name)), name


def test_vim_is_the_energy_where_nothing_is_left_over():
    plain = replace(ANSWER, size=(6, 7))
    none = replace(STATISTICS, alpha=0.0)
    found = feature_maps(plain, lambda: none, ("vim",))["vim"]
    torch.testing.assert_close(found, energy(plain))


def asked_for(answer, source=lambda: STATISTICS, names=FEATURE_SCORES):
    return feature_maps(answer, source, names)


def test_statistics_of_other_features_or_another_layer_are_refused():
    with pytest.raises(FeatureStatisticsError, match=r"of 6 features, the last layer's input has 8; make statistics"):
        asked_for(ANSWER, lambda: statistics(6, 3, 9))
    with pytest.raises(
        FeatureStatisticsError, match=r"of layer 'body', .* of the last layer's input: set features_lay"
    ):
        asked_for(ANSWER, lambda: statistics(8, 3, 9, layer="body"))
    named = replace(ANSWER, layer=LayerFeatures("neck", ANSWER.features))
    with pytest.raises(FeatureStatisticsError, match=r"of the last layer's input, the features are of layer 'neck'"):
        asked_for(named)
    with pytest.raises(StatisticsNeededError, match=r"trust-seg calibrate DATASET --score vim knn cdnp"):
        asked_for(ANSWER, None)


def test_a_network_without_features_is_told_to_name_a_layer():
    with pytest.raises(FeaturesNeededError, match=r"gives no features: name a layer with features_layer"):
        asked_for(replace(ANSWER, features=None, classifier=None))
    wide = replace(ANSWER, classifier=Classifier(torch.zeros(5, 8, 3, 3)))
    with pytest.raises(FeaturesNeededError, match=r"has a last layer of 3x3: name a layer"):
        asked_for(wide)
    with pytest.raises(FeaturesError, match=r"shape \(8, 7\)"):
        asked_for(replace(ANSWER, layer=LayerFeatures("", ANSWER.features[:, 0])))


def test_probabilities_are_enough_for_neighbours_only():
    answer = feature_answer(5, 8, 6, 7, (12, 21), raw=False)
    assert asked_for(answer, names=("knn",))["knn"].isfinite().all()
    for name in ("vim", "cdnp"):
        with pytest.raises(RawLogitsNeededError, match=f"'{name}' needs raw logits.*Use knn"):
            asked_for(answer, names=(name,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bank": torch.ones(2, 8).half()}, r"bank of 2 features; expected at least 3"),
        ({"bank": torch.ones(9, 7).half()}, r"shapes .* expected \(D,\), \(D, r\), \(n, D\)"),
        ({"residual": torch.ones(8, 0).half()}, r"shapes"),
        ({"origin": torch.full((8,), torch.nan)}, r"not finite"),
        ({"distance": Moments(0.0, 0.0)}, r"deviation of knn is 0; expected a number above 0"),
    ],
)
def test_statistics_that_cannot_be_used_are_refused(change, words):
    with pytest.raises(FeatureStatisticsError, match=words):
        replace(STATISTICS, **change)
