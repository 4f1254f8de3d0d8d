"""OoD segments of a frame: found, named, judged; specks are listed but not measured."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ood_models import size_model

from trust_seg_ros.meta import ood_judge
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.meta.ood_judge import OodJudge, fitted_threshold
from trust_seg_ros.segments import ood_segment_table, ood_segments
from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty import GradientSettings, uncertainty_maps

NAMES = ("road", "car", "sky")
MODEL = size_model("net", NAMES)


def frame(seed=0, size=(40, 60)):
    """Smooth random logits and the score of their own softmax."""
    make = torch.Generator().manual_seed(seed)
    coarse = 3 * torch.randn(1, 3, 6, 8, generator=make)
    logits = torch.nn.functional.interpolate(coarse, size, mode="bilinear")[0]
    logits += 0.4 * torch.randn(logits.shape, generator=make)
    answer = LogitMaps(logits, size)
    return answer, uncertainty_maps(answer)


def judged(answer, maps, model=MODEL, *, name="entropy", threshold=0.7, min_size=20, least=0.5):
    return OodJudge(3, model)(name, maps.entropy, threshold, min_size, least, maps, answer)


def test_large_segments_are_judged_small_ones_listed():
    answer, maps = frame()
    found = judged(answer, maps)
    plain = ood_segments(maps.entropy, 0.7, 20)
    for field in ("ids", "boxes", "sizes", "score"):
        np.testing.assert_array_equal(getattr(found, field), getattr(plain, field))
    large = plain.sizes >= 20
    assert 0 < large.sum() < len(large)
    np.testing.assert_allclose(found.p_ood[large], 1 / (1 + np.exp(-(plain.sizes[large] - 100) / 50)))
    assert np.isnan(found.p_ood[~large]).all()
    np.testing.assert_array_equal(found.kept, plain.sizes >= 100)
    np.testing.assert_array_equal(found.too_small, ~large)
    np.testing.assert_array_equal(found.false_alarm, large & (plain.sizes < 100))
    assert found.false_alarm.any()
    assert found.kept.any()


@given(st.integers(0, 1000), st.integers(1, 200), st.sampled_from([None, MODEL]))
def test_leaving_specks_out_before_measuring_changes_no_metric(seed, min_size, model):
    answer, maps = frame(seed)
    found = judged(answer, maps, model, min_size=min_size)
    table = ood_segment_table(maps.entropy, 0.7, maps, answer)  # all of them
    large = found.sizes >= min_size
    np.testing.assert_array_equal(found.class_ids[large], table.class_ids[large])
    assert (found.class_ids[~large] == UNLABELLED).all()
    cprob = np.column_stack([table.column(f"cprob_{c}") for c in range(3)])
    np.testing.assert_allclose(found.p_class[large], cprob.max(axis=1)[large], rtol=1e-6)
    if model is not None:
        np.testing.assert_allclose(found.p_ood[large], model.p_ood(table)[large])


def test_specks_alone_are_not_measured_at_all(monkeypatch):
    monkeypatch.setattr(ood_judge, "ood_segment_table", None)  # calling it would fail
    answer, maps = frame()
    found = judged(answer, maps, min_size=100_000)
    assert len(found.kept) > 0
    assert found.too_small.all()


def test_without_a_model_nothing_is_measured_unless_names_are_wanted(monkeypatch):
    monkeypatch.setattr(ood_judge, "ood_segment_table", None)  # calling it would fail
    answer, maps = frame()
    found = OodJudge(3)("entropy", maps.entropy, 0.7, 20, 0.5, maps, answer, named=False)
    assert found.kept.any()
    assert found.class_ids is found.p_class is found.p_ood is None


@pytest.mark.parametrize("threshold", [3.2, -1.0])
def test_nothing_and_everything(threshold):
    answer, maps = frame()
    found = judged(answer, maps, threshold=threshold)
    assert len(found.kept) == (1 if threshold < 0 else 0)
    assert found.kept.all()
    assert found.sizes.sum() == (maps.classes.numel() if threshold < 0 else 0)


def test_a_model_of_another_score_is_not_asked():
    answer, maps = frame()
    other = judged(answer, maps, size_model("net", NAMES, score="energy"))
    assert other.p_ood is None
    np.testing.assert_array_equal(other.kept, other.sizes >= 20)
    assert (other.class_ids[other.kept] < 3).all()


def test_images_of_another_size_are_not_judged_and_nothing_is_discarded():
    answer, maps = frame()
    there, elsewhere = (judged(answer, maps, replace(MODEL, image_sizes=(size,))) for size in ((44, 60), (45, 60)))
    np.testing.assert_array_equal(there.p_ood, judged(answer, maps).p_ood)
    assert there.false_alarm.any()
    assert elsewhere.p_ood is None
    np.testing.assert_array_equal(elsewhere.kept, elsewhere.sizes >= 20)
    assert not elsewhere.false_alarm.any()


@pytest.mark.parametrize("least", [0.0, 0.9, 1.0])
def test_the_least_p_ood_decides(least):
    answer, maps = frame()
    found = judged(answer, maps, least=least)
    large = found.sizes >= 20
    np.testing.assert_array_equal(found.kept[large], found.p_ood[large] >= least)


def test_faulty_pixels_are_segments_too():
    answer, _ = frame()
    answer.logits[:, :10, :10] = torch.nan
    maps = uncertainty_maps(answer)
    found = judged(answer, maps)
    assert found.ids[5, 5] > 0
    assert np.isfinite(found.p_ood[found.sizes >= 20]).all()


def test_a_model_of_metrics_that_nobody_computes_is_refused():
    with pytest.raises(MetaModelError, match="cannot be computed for 3 classes"):
        OodJudge(3, replace(MODEL, features=("Q",)))


@pytest.mark.parametrize(
    ("score", "stored", "settings", "expected"),
    [
        ("entropy", 0.7, GradientSettings(scale="log"), 0.7),
        ("gradient_onehot", math.e**3, GradientSettings(scale="log"), 3.0),
        ("gradient_onehot", math.e**3, GradientSettings(), math.e**3),
        ("gradient_uniform", -(math.e**2), GradientSettings(scale="log"), -2.0),
        ("gradient_uniform", 5.0, GradientSettings(scale="log"), math.nan),
    ],
)
def test_the_threshold_of_a_gradient_model_is_told_as_a_logarithm(score, stored, settings, expected):
    model = size_model("net", NAMES, score=score, threshold=stored)
    assert fitted_threshold(model, settings) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("score", "stored", "settings", "expected"),
    [
        ("gradient_onehot", 3.0, GradientSettings(scale="log"), 3.0),
        ("gradient_uniform", -2.0, GradientSettings(scale="log"), -2.0),
        ("gradient_onehot", 3.0, GradientSettings(), math.e**3),
        ("gradient_uniform", -2.0, GradientSettings(), -(math.e**2)),
        ("gradient_onehot", 1000.0, GradientSettings(), 3.4028234663852886e38),
        ("entropy", 0.7, GradientSettings(), 0.7),
    ],
)
def test_a_file_in_logarithms_says_so(score, stored, settings, expected, tmp_path):
    summary = {"gradient": {"p": 0.5, "variant": "exact", "scale": "log"}}
    replace(size_model("net", NAMES, score=score, threshold=stored), summary=summary).save(tmp_path / "ood.json")
    model = load_ood_model(tmp_path / "ood.json")
    assert fitted_threshold(model, settings) == pytest.approx(expected)
    assert OodJudge(3, model, settings).model is model


def test_a_file_of_a_score_that_there_is_not_is_refused_with_the_nearest(tmp_path):
    size_model("net", NAMES, score="enrgy").save(tmp_path / "ood.json")
    with pytest.raises(MetaModelError, match=r"ood\.json: .*no score 'enrgy'; choose one of: .*; did you mean energy"):
        load_ood_model(tmp_path / "ood.json")


@pytest.mark.parametrize("said", [{"p": 0.5, "variant": "exact", "scale": "ln"}, "norms"])
def test_a_gradient_that_makes_no_sense_is_refused(said):
    model = replace(size_model("net", NAMES, "gradient_onehot"), summary={"gradient": said})
    with pytest.raises(MetaModelError, match="expected p, variant, and scale norm or log"):
        OodJudge(3, model, GradientSettings(0.5, "exact", "log"))


def test_a_model_of_another_gradient_norm_is_refused():
    fitted = replace(size_model("net", NAMES, "gradient_onehot"), summary={"gradient": {"p": 0.5, "variant": "exact"}})
    assert OodJudge(3, fitted, GradientSettings(0.5, "exact", "log")).model is fitted
    for other in (GradientSettings(2.0), GradientSettings(0.5, "published")):
        with pytest.raises(MetaModelError, match=r"gradient_onehot with p = 0.5, exact; set are p = "):
            OodJudge(3, fitted, other)
    assert OodJudge(3, replace(fitted, score="entropy"), GradientSettings(2.0)).model is not None


def test_outside_the_range_or_at_a_threshold_it_was_not_fitted_at_nothing_is_discarded():
    answer, maps = frame()
    inside = judged(answer, maps)
    assert inside.false_alarm.any()
    assert not inside.outside.any()
    narrow = replace(MODEL, ranges=np.array([[40.0, 80.0]]), base_rate=0.7)
    found = judged(answer, maps, narrow)
    large = found.sizes >= 20
    width = 40.0
    beyond = large & ((found.sizes < 40 - 0.05 * width) | (found.sizes > 80 + 0.05 * width))
    np.testing.assert_array_equal(found.outside, beyond)
    assert found.kept[beyond].all()
    assert found.false_alarm.any()
    np.testing.assert_array_equal(found.kept[large & ~beyond], found.p_ood[large & ~beyond] >= 0.5)
    several = replace(MODEL, fitted_thresholds=(0.6, 0.9))
    for model, threshold, discards in ((MODEL, 0.71, False), (several, 0.71, True), (several, 0.5, False)):
        found = judged(answer, maps, model, threshold=threshold)
        assert found.false_alarm.any() == discards, (threshold, model.thresholds)
        assert found.outside[found.judged].all() != discards
