"""Scores and OoD segments in the pipeline, with the shipped network."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from ood_models import size_model
from places import DATA

from trust_seg_ros.meta import MetaModelError, shipped
from trust_seg_ros.pipeline import PipelineSettings, ScoreUnavailableError, TrustPipeline
from trust_seg_ros.remarks import remarks
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError
from trust_seg_ros.thresholds.settings import ThresholdError
from trust_seg_ros.types import Frame, LogitMaps, Wanted
from trust_seg_ros.uncertainty import RawLogitsNeededError, SettingError, energy, gradient_maps, max_logit
from trust_seg_ros.uncertainty.standardized import ClassStatistics, standardized_max_logit


@pytest.fixture(scope="module")
def pipeline():
    loaded = TrustPipeline.load(PipelineSettings(device="cpu", ood_meta_model="none"))
    pipeline = TrustPipeline(loaded.network, replace(loaded.meta, grid=None))  # judges images as they are
    pipeline.warm_up((96, 128))
    return pipeline


@pytest.fixture
def image():
    rough = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, (128, 96), interpolation=cv2.INTER_CUBIC)


def ood_model(pipeline, **changes):
    fitted = {"fitted_thresholds": (0.3, 0.9)} if not changes.keys() & {"score", "threshold"} else {}
    return replace(size_model("embedded", pipeline.labels.names, even=60.0), **fitted, **changes)


def test_ood_segments_are_judged_by_the_score_the_model_knows(pipeline, image):
    judging = TrustPipeline(pipeline.network, pipeline.meta, ood_model=ood_model(pipeline))
    thresholds = ThresholdSettings.constants(ood=0.9, ood_min_size=10)
    found = judging(Frame(image), thresholds).ood
    plain = pipeline(Frame(image), thresholds).ood
    assert np.array_equal(found.sizes, plain.sizes)
    assert plain.p_ood is None
    large = plain.sizes >= 10
    assert np.allclose(found.p_ood[large], 1 / (1 + np.exp(-(plain.sizes[large] - 60) / 50)))
    assert np.array_equal(found.kept, plain.sizes >= 60)
    assert found.false_alarm.any()
    assert remarks(judging, thresholds) == ()
    other = replace(thresholds, ood_score="margin")
    assert judging(Frame(image), other).ood.p_ood is None
    said = "judges segments of entropy, the current ones are of margin; set ood.score to entropy"
    assert any(said in text for text in remarks(judging, other))


UNITS = {
    "margin": None,
    "energy": "logits, about −20 to 0 for usual networks",
    "gradient_onehot": "logarithm of a norm",
}
"""Score -> its unit as it is said; None for a score of the softmax, on which the paper's threshold means something."""


@pytest.mark.parametrize("score", UNITS)
def test_a_score_without_a_threshold_of_its_own_is_refused_or_remarked_on(pipeline, image, score):
    """0.7 is a number for the entropy: of energies it flags no pixel or all of them."""
    bare = TrustPipeline(pipeline.network)
    left_open = ThresholdSettings.constants(ood_score=score)
    (said,) = remarks(bare, left_open)
    result = bare(Frame(image), left_open)
    if UNITS[score] is None:
        bare.check(left_open)
        assert result.thresholds["ood"] == 0.7
        assert said.startswith(
            f"OoD threshold 0.7: the paper's for the entropy, as none is set and none is known for {score}"
        )
    else:
        assert result.thresholds["ood"] == np.inf
        assert not (result.ood.ids > 0).any()
        assert said.startswith(f"OoD threshold: none is set and none is known for {score}, so no pixel is")
        assert f"set ood.threshold ({UNITS[score]}), ood.policy (quantile, mean_std, otsu), or ood.meta_m" in said
        with pytest.raises(SettingError, match=f"none is known for {score}"):
            bare.check(left_open)
        bare.check(left_open, one_at_a_time=True)
    other_policy = ThresholdSettings(ood_score=score, ood=PolicySettings("quantile"))
    for chosen in (ThresholdSettings.constants(ood_score=score, ood=0.5), other_policy):
        assert remarks(bare, chosen) == ()
        bare.check(chosen)
    unit = {"gradient": {"p": 0.5, "variant": "exact", "scale": "log"}}
    judging = TrustPipeline(pipeline.network, ood_model=ood_model(pipeline, score=score, threshold=-3.0, summary=unit))
    judging.check(left_open)
    assert judging.resolved(left_open).ood.value < 0
    assert not [text for text in remarks(judging, left_open) if "none is known" in text]


def test_the_default_pixel_threshold_on_another_score_than_the_softmaxs_is_remarked_on(pipeline, shipped_pipeline):
    bare = TrustPipeline(pipeline.network)
    for score, said in (("energy", True), ("gradient_uniform", True), ("input_noise", True), ("margin", False)):
        left_open = ThresholdSettings(pixel_score=score)
        found = [text for text in remarks(bare, left_open) if text.startswith("pixel threshold 0.6: the default")]
        assert bool(found) is said, score
        assert all("set thresholds.pixel for" in text for text in found)
        for chosen in (PolicySettings("fixed", value=0.61), PolicySettings("quantile")):
            assert remarks(bare, replace(left_open, pixel=chosen)) == (), score
    assert remarks(shipped_pipeline, ThresholdSettings(pixel_score="margin")) == ()


PHOTOGRAPHS = DATA / "roadanomaly_open" / "images"


def test_ood_segments_are_cut_at_the_threshold_their_model_knows(pipeline, image):
    model = ood_model(pipeline, threshold=0.9)
    judging = TrustPipeline(pipeline.network, ood_model=model)
    left_open, set_to_it = (judging(Frame(image), t) for t in (None, ThresholdSettings.constants(ood=0.9)))
    assert left_open.thresholds["ood"] == pytest.approx(0.9)
    np.testing.assert_array_equal(left_open.ood.sizes, set_to_it.ood.sizes)
    assert not [text for text in remarks(judging, ThresholdSettings()) if "OoD" in text]
    assert [
        text for text in remarks(judging, ThresholdSettings.constants(ood=0.7)) if "fitted on segments at 0.9" in text
    ]
    assert pipeline(Frame(image)).thresholds["ood"] == 0.7  # without a model the paper's


@pytest.fixture(scope="module")
def shipped_pipeline():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


@pytest.fixture(scope="module")
def older_pipeline(shipped_pipeline):
    """As an older file, which names the size of its images and no grid, is used."""
    older = replace(shipped_pipeline.ood_model, grid=None, image_sizes=((360, 480),))
    return TrustPipeline(shipped_pipeline.network, replace(shipped_pipeline.meta, grid=None), ood_model=older)


def test_an_older_model_judges_images_of_about_the_size_it_was_fitted_on(older_pipeline):
    assert older_pipeline.ood_model.image_sizes == ((360, 480),)
    assert remarks(older_pipeline, ThresholdSettings()) == (), "no frame was seen yet"
    thresholds = ThresholdSettings.constants(ood_min_size=10)
    rough = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    for size, judged in (((360, 480), True), ((330, 500), True), ((384, 640), False)):
        found = older_pipeline(Frame(cv2.resize(rough, size[::-1], interpolation=cv2.INTER_CUBIC)), thresholds).ood
        assert (found.sizes >= 10).any()
        assert (found.p_ood is not None) is judged
        if not judged:
            assert np.array_equal(found.kept, found.sizes >= 10)
        assert any("without being judged" in text for text in remarks(older_pipeline, thresholds)) is not judged
    (remark,) = (text for text in remarks(older_pipeline, thresholds) if "without being judged" in text)
    assert remark == (
        "no P(OoD), OoD segments are kept without being judged: images are 640×384, the OoD meta model was fitted on "
        "images of 480×360"
    )
    assert remarks(older_pipeline, thresholds, [(360, 480)]) == ()
    assert len(remarks(older_pipeline, thresholds, [(720, 1280), (360, 480), (60, 80)])) == 2
    sizes = [(360, 480)]
    margin = remarks(older_pipeline, replace(thresholds, ood_score="margin"), sizes)
    assert any("the current ones are of margin" in text for text in margin)
    assert not any("without being judged" in text for text in margin), "of another score the size does not matter"
    older_pipeline.reset()
    assert remarks(older_pipeline, thresholds) == (), "the node resets after its rehearsal on noise"
    older_pipeline.warm_up((96, 128))
    assert remarks(older_pipeline, thresholds) == (), "noise of the warm-up is no image of the camera"


def test_with_an_older_model_every_segment_of_a_photograph_of_another_size_is_kept(older_pipeline):
    photographs = [
        image
        for path in sorted(PHOTOGRAPHS.glob("*"))[:9]
        if (image := cv2.imread(str(path))) is not None and not older_pipeline.ood_model.judges(image.shape[:2])
    ][:2]
    if not photographs:
        pytest.skip(f"no photographs of another size than 480×360 in {PHOTOGRAPHS}")
    for image in photographs:
        found = older_pipeline(Frame(np.ascontiguousarray(image[..., ::-1]))).ood
        assert found.p_ood is None
        assert found.kept.any()
        assert np.array_equal(found.kept, found.sizes >= ThresholdSettings().ood_min_size)
        assert f"images are {image.shape[1]}×{image.shape[0]}" in remarks(older_pipeline, ThresholdSettings())[0]


def test_a_model_of_another_gradient_norm_is_refused(pipeline):
    fitted = ood_model(pipeline, score="gradient_onehot", summary={"gradient": {"p": 2.0, "variant": "exact"}})
    with pytest.raises(MetaModelError, match=r"with p = 2.0, exact; set are p = 0.5, exact"):
        TrustPipeline(pipeline.network, pipeline.meta, ood_model=fitted)


def test_ood_segments_and_flags_may_be_of_any_score(pipeline, image):
    logits = pipeline.network.infer(image)
    both = gradient_maps(logits, p=pipeline.gradient.p, scale="log")
    expected = {"max_logit": max_logit(logits), "energy": energy(logits)}
    expected |= {"gradient_onehot": both.onehot, "gradient_uniform": both.uniform}
    for name, plane in expected.items():
        assert pipeline.unavailable(name) is None
        t = float(plane.quantile(0.8))
        result = pipeline(Frame(image), ThresholdSettings.constants(ood_score=name, ood=t, pixel_score=name, pixel=t))
        assert set(result.scores) == {name}
        assert np.array_equal(result.pixel_flags, plane.numpy() >= np.float32(t)), name
        assert np.array_equal(result.ood.ids > 0, result.pixel_flags), name
        assert "scores" in result.timings_ms


def test_scores_are_computed_only_when_wanted(pipeline, image):
    nothing = Wanted(segments=False, ood=False, pixel_flags=False)
    thresholds = ThresholdSettings.constants(ood_score="energy", pixel_score="max_logit")
    assert pipeline(Frame(image), thresholds, nothing).scores == {}
    wished = replace(nothing, scores=("gradient_uniform",))
    assert set(pipeline(Frame(image), thresholds, wished).scores) == {"gradient_uniform"}


def test_a_score_that_there_is_not_is_refused_with_the_nearest(pipeline, image):
    with pytest.raises(SettingError, match=r"no score 'enrgy'; choose one of: entropy, .*; did you mean energy or"):
        pipeline.unavailable("enrgy")
    with pytest.raises(SettingError, match=r"no score 'gradient_one'; .*; did you mean gradient_onehot"):
        pipeline(Frame(image), wanted=Wanted(scores=("gradient_one",)))
    for what in ("pixel_score", "ood_score"):
        for settings in (ThresholdSettings, ThresholdSettings.constants):
            with pytest.raises(ThresholdError, match=rf"{what} = 'margn': expected one of .*; did you mean margin\?"):
                settings(**{what: "margn"})


def test_what_a_network_lacks_is_known_without_a_warm_up_and_refused(pipeline, image):
    class Probabilities:
        def __init__(self, network):
            self.name, self.labels, self._network = "probabilities", network.labels, network

        def infer(self, image):
            answer = self._network.infer(image)
            return LogitMaps(answer.logits.log_softmax(0), answer.size, raw=False)

    bare = TrustPipeline(Probabilities(pipeline.network))
    assert "raw logits" in bare.unavailable("energy")
    assert "features" in bare.unavailable("gradient_onehot")
    assert bare.unavailable("margin") is None
    bare.check(ThresholdSettings())
    with pytest.raises(
        ScoreUnavailableError, match="'probabilities' cannot give the score 'max_logit' for pixel flags"
    ):
        bare.check(ThresholdSettings.constants(pixel_score="max_logit"))
    with pytest.raises(RawLogitsNeededError):
        bare(Frame(image), ThresholdSettings.constants(ood_score="energy"))


def test_thresholds_that_no_score_reaches_are_remarked_on(pipeline):
    assert remarks(pipeline, ThresholdSettings()) == ()
    found = remarks(pipeline, ThresholdSettings.constants(ood=3.2, pixel=-1.0, pixel_score="margin"))
    assert found == (
        "pixel threshold -1 is below all values of margin (0 to 1): every pixel is flagged",
        "OoD threshold 3.2 is above all values of entropy (0 to 1): no pixel is flagged",
    )


@pytest.fixture
def calibration(pipeline):
    statistics = ClassStatistics(np.linspace(3.0, 8.0, 11), np.linspace(1.0, 2.0, 11), np.full(11, 5000))
    return Calibration("embedded", tuple(pipeline.labels.names), statistics)


def test_class_statistics_come_from_the_calibration(pipeline, calibration, image, tmp_path):
    calibration.save(tmp_path / "calibration.json")
    settings = PipelineSettings(device="cpu", calibration=str(tmp_path / "calibration.json"), grid="image")
    loaded = TrustPipeline.load(settings)
    result = loaded(Frame(image), wanted=Wanted(scores=("standardized_max_logit",)))
    logits = pipeline.network.infer(image)
    expected = standardized_max_logit(logits, result.maps.classes, calibration.class_statistics)
    assert torch.allclose(result.scores["standardized_max_logit"], expected, atol=1e-5)


def test_a_calibration_of_another_network_or_a_missing_one_is_refused(pipeline, calibration, tmp_path):
    with pytest.raises(CalibrationError, match="'other'"):
        TrustPipeline(pipeline.network, calibration=replace(calibration, network="other"))
    with pytest.raises(CalibrationError, match="trust-seg calibrate"):
        TrustPipeline.load(PipelineSettings(device="cpu", calibration=str(tmp_path / "none.json")))


@pytest.fixture
def shipping(tmp_path, monkeypatch):
    """The folder of shipped meta models, with those of segments alone."""
    shutil.copy(shipped.shipped_meta("embedded", "segments"), tmp_path)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    return tmp_path


def test_auto_is_the_shipped_ood_model_when_there_is_one_that_fits(pipeline, shipping):
    assert TrustPipeline.load(PipelineSettings(device="cpu")).ood_model is None
    path = shipping / "embedded_ood_meta.json"
    ood_model(pipeline).save(path)
    assert TrustPipeline.load(PipelineSettings(device="cpu")).ood_model.features == ("S",)
    assert TrustPipeline.load(PipelineSettings(device="cpu", ood_meta_model="none")).ood_model is None
    ood_model(pipeline, class_names=("a", "b")).save(path)
    assert TrustPipeline.load(PipelineSettings(device="cpu")).ood_model is None
    with pytest.raises(MetaModelError, match="knows the 2 classes a, b"):
        TrustPipeline.load(PipelineSettings(device="cpu", ood_meta_model=str(path)))
    path.write_text("{")
    with pytest.raises(MetaModelError, match="not a readable JSON file"):
        TrustPipeline.load(PipelineSettings(device="cpu"))


def test_a_threshold_of_a_gradient_score_in_the_other_unit_is_refused(pipeline, image):
    """The file of the model holds logarithms; a norm, as studies print it, would flag the whole image."""
    gradient = {"p": 0.5, "variant": "exact", "scale": "log"}
    model = ood_model(pipeline, score="gradient_uniform", threshold=-3.5, summary={"gradient": gradient})
    judging = TrustPipeline(pipeline.network, pipeline.meta, ood_model=model)
    mistaken = ThresholdSettings.constants(ood=-33.1, ood_min_size=10, ood_score="gradient_uniform")
    expected = r"OoD threshold: -33\.1 is the threshold of the OoD meta model as the norm itself; .* set -3\.5"
    with pytest.raises(SettingError, match=expected):
        judging.check(mistaken)
    for value in (-3.5, -3.0, -40.0):
        judging.check(replace(mistaken, ood=replace(mistaken.ood, value=value)))


def test_a_model_whose_threshold_cannot_be_a_norm_is_refused_with_its_name(pipeline):
    fitted = ood_model(pipeline, score="gradient_onehot", threshold=-3.0, summary={})
    with pytest.raises(MetaModelError, match=r"its threshold -3 is no norm of gradient_onehot.*\"scale\": \"log\""):
        TrustPipeline(pipeline.network, ood_model=fitted)


def test_a_threshold_that_makes_the_whole_image_one_object_is_remarked(pipeline, image):
    judging = TrustPipeline(pipeline.network, pipeline.meta)
    flooding = ThresholdSettings.constants(ood=-80.0, ood_min_size=10, ood_score="gradient_uniform")
    assert remarks(judging, flooding) == ()
    judging(Frame(image), flooding)
    (said,) = remarks(judging, flooding)
    assert said == (
        "OoD threshold -80: no pixel of the newest image has a smaller gradient_uniform (gradient scores are "
        "logarithms of norms), so that the whole image is one OoD segment; a larger threshold finds objects"
    )
    assert remarks(judging, replace(flooding, ood=replace(flooding.ood, value=1.0))) == ()
    judging.reset()
    assert remarks(judging, flooding) == ()
