"""Feature statistics from pixels: by the definitions of their papers, from seeded samples away from void."""

import numpy as np
import pytest
import torch
from feature_cases import feature_answer

from trust_seg_ros.fitting.best_score import auroc_of, best_score
from trust_seg_ros.fitting.calibrate import Calibrator
from trust_seg_ros.fitting.feature_fit import (
    PART_BYTES,
    WIDEST,
    farthest_points,
    fit_features,
    residual_directions,
    spherical_means,
)
from trust_seg_ros.fitting.feature_sample import FeatureSample, grid_classes
from trust_seg_ros.types import Classifier, LogitMaps, Placement
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError
from trust_seg_ros.uncertainty.feature_scores import feature_maps

NAMES = ("a", "b", "c")


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(500, 6)) * [9, 7, 5, 0.5, 0.3, 0.1] + rng.normal(size=6)).astype(np.float32)
    weight, bias = rng.normal(size=(3, 6)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    logits = features @ weight.T + bias + 20
    classifier = Classifier(torch.from_numpy(weight)[:, :, None, None], torch.from_numpy(bias))
    return features, logits, classifier


def test_vim_is_fitted_as_its_paper_says(pixels):
    features, logits, classifier = pixels
    found = fit_features(features, logits, classifier, bank=20)
    weight, bias = classifier.weight[:, :, 0, 0].double().numpy(), classifier.bias.double().numpy()
    origin = -np.linalg.pinv(weight) @ bias
    np.testing.assert_allclose(found.origin, origin, rtol=1e-5, atol=1e-5)
    centred = features.astype(np.float64) - origin
    values, vectors = np.linalg.eig(centred.T @ centred)
    principal = vectors[:, np.argsort(-values)[:3]]
    rest = np.linalg.norm(centred - centred @ principal @ principal.T, axis=1)
    assert found.alpha == pytest.approx(logits.max(1).sum() / rest.sum(), rel=1e-3)
    maps = LogitMaps(torch.from_numpy(logits.T.copy())[:, :, None], (500, 1), True,
                     torch.from_numpy(features.T.copy())[:, :, None], classifier)  # fmt: skip
    score = feature_maps(maps, lambda: found, ("vim", "cdnp"))
    l = logits.astype(np.float64)  # noqa: E741  as in the paper
    energy = -np.log(np.exp(l - l.max(1, keepdims=True)).sum(1)) - l.max(1)
    np.testing.assert_allclose(score["vim"][:, 0], found.alpha * rest + energy, rtol=2e-3, atol=2e-3)
    assert abs(score["cdnp"].mean()) < 1e-3  # two standardised parts
    assert found.energy.mean == pytest.approx(energy.mean(), rel=1e-5)


def test_a_named_layer_has_its_mean_as_origin(pixels):
    found = fit_features(pixels[0], pixels[1], None, layer="neck", bank=20)
    np.testing.assert_allclose(found.origin, pixels[0].mean(0), rtol=1e-5, atol=1e-5)
    assert found.layer == "neck"


def test_a_pixel_of_weight_two_counts_as_two(pixels):
    features, logits, classifier = pixels
    twice = np.where(np.arange(500) < 200, 2.0, 1.0)
    found = fit_features(features, logits, classifier, weights=twice, bank=20)
    again = np.concatenate([np.arange(500), np.arange(200)])
    expected = fit_features(features[again], logits[again], classifier, bank=20)
    assert found.alpha == pytest.approx(expected.alpha, rel=1e-3)
    assert (found.energy.mean, found.energy.std) == pytest.approx((expected.energy.mean, expected.energy.std))
    a, b = (s.residual.double().numpy() for s in (found, expected))
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=2e-3)


def test_probabilities_have_a_bank_and_no_energy(pixels):
    found = fit_features(pixels[0], None, None, bank=20)
    assert np.isnan([found.alpha, found.energy.mean, found.energy.std]).all()
    assert found.distance.std > 0


def test_residual_directions_are_those_of_least_variance():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 4)) * [5, 0.1, 3, 0.2]
    found = residual_directions(x, np.ones(300)).astype(float)
    assert found.shape == (4, 2)
    assert (np.abs(found[[0, 2]]) < 0.05).all()


def test_wide_features_get_fewer_vectors_so_that_the_file_stays_small():
    d = 700
    rng = np.random.default_rng(0)
    found = fit_features(rng.normal(size=(1500, d)).astype(np.float32), None, None, bank=1000)
    assert len(found.bank) == PART_BYTES // (2 * d) < 1000
    assert found.residual.shape[1] <= d // 2


def test_means_are_found_where_the_features_lie():
    rng = np.random.default_rng(0)
    corners = np.eye(5, dtype=np.float32)
    x = np.repeat(corners, 40, 0) + rng.normal(size=(200, 5)).astype(np.float32) * 0.02
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = spherical_means(x, 5)
    assert np.allclose(np.sort((found @ corners.T).argmax(1)), range(5))
    assert (found @ corners.T).max(1).min() > 0.999
    assert np.array_equal(found, spherical_means(x, 5)), "the same from the same seed"
    assert len(spherical_means(x[:4], 5)) == 4


def test_farthest_points_are_those_of_the_definition():
    x = np.random.default_rng(2).normal(size=(60, 3)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    chosen = list(farthest_points(x, 6))
    for i in range(1, 6):
        nearest = [max(x[j] @ x[c] for c in chosen[:i]) for j in range(60)]
        assert x[chosen[i]] @ x[chosen[0]] <= 1
        assert nearest[chosen[i]] == pytest.approx(min(nearest), abs=1e-6)


@pytest.mark.parametrize(
    ("features", "bank", "words"),
    [
        (np.ones((6, 6), np.float32), 3, r"6 labelled pixels for features of 6 values .*expected more pixels.*--split"),
        (np.ones((60, 6), np.float32), 2, r"a bank of 2 features; expected 3 to 2000"),
        (np.ones((60, 6), np.float32), 2001, r"a bank of 2001 features"),
        (np.ones((60, 6), np.float32), 3, r"features of the last layer's input lie in .* name another layer"),
        (np.ones((2, WIDEST + 1), np.float32), 3, r"16,385 features at a pixel; expected at most 16,384"),
    ],
    ids=["few pixels", "small bank", "large bank", "constant", "wide"],
)
def test_what_cannot_be_fitted_is_refused(features, bank, words):
    with pytest.raises(FeatureStatisticsError, match=words):
        fit_features(features, None, None, bank=bank)


def test_cells_near_void_have_no_class():
    truth = np.zeros((40, 60), np.uint8)
    truth[:, 30:] = 1
    truth[20, 10] = 255
    found = grid_classes(truth, (10, 15))
    assert found.shape == (10, 15)
    assert set(np.unique(found[:, 8:])) == {1}
    assert (found[4:6, 1:4] == 255).all()
    assert (found[:3] != 255).all()
    assert (found[8:] != 255).all()


def test_cells_of_a_grid_that_the_image_does_not_fill():
    """An answer of 40x60 cut out of 48x64, upsampled by four from 12x16: three rows and two columns lie beyond it."""
    truth = np.arange(40 * 60).reshape(40, 60) % 7
    truth = truth.astype(np.uint8)
    placement = Placement((40, 60), (-0.375, -0.375), (0.25, 0.25))
    found = grid_classes(truth, (12, 16), placement)
    assert (found[:10, :15] == truth[2::4, 2::4]).all()
    assert (found[10:] == 255).all()
    assert (found[:, 15:] == 255).all()
    corners = grid_classes(truth, (14, 20), Placement((40, 60), (0.0, 0.0), (13 / 39, 19 / 59)))
    assert (corners[0, 0], corners[-1, -1]) == (truth[0, 0], truth[-1, -1])


def sample_of(places, seed=0):
    sample = FeatureSample(NAMES, seed)
    for place in places:
        truth = np.random.default_rng(place).integers(0, 3, (24, 32)).astype(np.uint8)
        sample.add(feature_answer(3, 5, 24, 32, (24, 32), seed=place), truth, place)
    return sample.pixels()


def test_the_sample_depends_on_the_seed_and_not_on_the_order():
    first, again, other = sample_of([0, 1, 2]), sample_of([2, 0, 1]), sample_of([0, 1, 2], seed=1)
    order = [np.lexsort(part[0].T) for part in (first, again)]
    assert np.array_equal(first[0][order[0]], again[0][order[1]])
    assert np.array_equal(first[1][order[0]], again[1][order[1]])
    assert first[0].shape == other[0].shape
    assert not np.array_equal(first[0], other[0])


def test_logits_and_features_of_a_sample_belong_together():
    answer = feature_answer(3, 5, 24, 32, (24, 32), seed=7)
    sample = FeatureSample(NAMES)
    sample.add(answer, np.random.default_rng(0).integers(0, 3, (24, 32)).astype(np.uint8), 0)
    features, logits, weights = sample.pixels()
    flat = {tuple(row): k for k, row in enumerate(answer.features.flatten(1).T.tolist())}
    places = [flat[tuple(row)] for row in features.tolist()]
    assert weights.sum() == pytest.approx(24 * 32)
    assert np.array_equal(logits, answer.logits.flatten(1).T.numpy()[places])


def test_a_class_without_pixels_and_features_of_another_width_are_refused():
    sample = FeatureSample(NAMES)
    sample.add(feature_answer(3, 5, 8, 8, (8, 8)), np.zeros((8, 8), np.uint8), 0)
    assert sample.absent == ("b", "c")
    with pytest.raises(FeatureStatisticsError, match=r"0 pixels of b, c away from"):
        sample.pixels()
    assert len(sample.pixels(allow_absent=True)[0]) == 64
    with pytest.raises(FeatureStatisticsError, match="features of 6 values; expected as many as"):
        sample.add(feature_answer(3, 6, 8, 8, (8, 8)), np.zeros((8, 8), np.uint8), 1)
    with pytest.raises(FeatureStatisticsError, match="0 pixels"):
        FeatureSample(NAMES).pixels(allow_absent=True)


def test_the_best_score_is_that_of_the_largest_auroc():
    calibrator = Calibrator("net", NAMES, scores=("entropy", "energy"))
    wrong, scores = [], []
    for seed in range(3):
        answer = feature_answer(3, 5, 20, 20, (20, 20), seed=seed)
        maps = uncertainty_maps(answer)
        truth = np.where(maps.entropy.numpy() > np.random.default_rng(seed).random((20, 20)), 2, maps.classes)
        calibrator.add(answer, maps, truth.astype(np.uint8))
        wrong.append(truth != maps.classes.numpy())
        scores.append(maps.entropy.numpy())
    found = calibrator.result()
    wrong, scores = np.concatenate(wrong).ravel(), np.concatenate(scores).ravel()
    pairs = scores[wrong][:, None] - scores[~wrong][None]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert auroc_of(found.scores["entropy"], wrong.size) == pytest.approx(expected, abs=0.01)
    best = best_score(found)
    assert best["score"] == "entropy"
    assert best["auroc"]["entropy"] > best["auroc"]["energy"]
