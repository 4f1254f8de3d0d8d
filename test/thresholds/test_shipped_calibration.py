import logging

import pytest

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.remarks import pixel_policy, remarks
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings, shipped
from trust_seg_ros.thresholds.calibration import CalibrationError, load_calibration
from trust_seg_ros.thresholds.shipped import FOLDER, calibration_path, chosen_calibration
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

MODELS = ("embedded", "embedded:compact_camvid11")
BARE = {"device": "cpu", "meta_model": "none", "ood_meta_model": "none"}
FLAGS = Wanted(segments=False, ood=False)


@pytest.fixture(scope="module")
def embedded():
    return TrustPipeline.load(PipelineSettings(**BARE))


@pytest.fixture(scope="module")
def frame():
    return Frame(training_sample(12345)[0])


@pytest.mark.parametrize("model", MODELS)
def test_every_embedded_network_ships_a_small_calibration_of_its_own_weights(model):
    path = calibration_path("auto", model)
    assert path.stat().st_size < 400_000
    found, network = load_calibration(path), load_network(model, device="cpu")
    assert found.network_sha256 == network_sha256(network)
    found.check_fits(network.name, network.labels.names, GradientSettings(2.0), network_sha256(network))
    assert set(found.scores) == {"entropy", "margin"}
    assert not found.segments, "the meta models have seen the images"


def test_words_for_no_calibration_and_for_files():
    assert [calibration_path(word, "embedded") for word in ("", "none")] == [None, None]
    assert calibration_path("auto", "hf:some/network") is None
    assert calibration_path("auto", "embedded:no_such_weights") is None
    assert calibration_path("mine.json", "embedded").name == "mine.json"


def test_by_default_the_pixel_threshold_is_what_finds_four_fifths_of_the_calibrated_mistakes(embedded, frame):
    threshold = embedded.calibration.curves("entropy").recall.threshold(0.8)
    result = embedded(frame, wanted=FLAGS)
    assert result.thresholds["pixel"] == threshold
    assert (result.pixel_flags == (result.maps.entropy.numpy() >= threshold)).all()
    assert result.shift is not None, "the shift monitor watches"
    assert embedded.resolved(ThresholdSettings()).pixel.describe() == "target_recall 0.8"
    assert pixel_policy(embedded, ThresholdSettings()) == "auto: target_recall 0.8"
    assert remarks(embedded, ThresholdSettings()) == ()


def test_without_a_calibration_of_the_score_auto_is_the_constant_and_says_so(embedded, frame):
    bare, settings = TrustPipeline(embedded.network), ThresholdSettings()
    bare.check(settings)
    assert bare(frame, wanted=FLAGS).thresholds["pixel"] == 0.6
    assert pixel_policy(bare, settings).startswith("auto: fixed, as there is no calibration of entropy: nobody knows")
    energy = ThresholdSettings(pixel_score="energy")
    embedded.check(energy)
    assert embedded.constants(energy)["pixel"] == 0.6
    assert embedded.resolved(ThresholdSettings(pixel_score="input_noise")).pixel.policy == "fixed"
    assert pixel_policy(bare, ThresholdSettings(PolicySettings("quantile"))) == "quantile 0.95"


@pytest.mark.parametrize("by", ["class", "region", "image"])
def test_the_shipped_calibration_has_thresholds_by_group(embedded, frame, by):
    common = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.1))
    own = common.with_policy("pixel", conformal_by=by)
    words = embedded.pixel_groups(own)
    assert words.count(";") == {"class": 10, "region": 8, "image": 2}[by]
    assert "common" not in words, "every group has images enough"
    assert (embedded(frame, own, FLAGS).pixel_flags != embedded(frame, common, FLAGS).pixel_flags).any()


def test_a_constant_that_auto_does_not_use_is_remarked(embedded):
    told = remarks(embedded, ThresholdSettings().with_policy("pixel", value=0.4))
    assert [text.partition(":")[0] for text in told] == ["thresholds.pixel = 0.4 has no effect"]
    assert remarks(TrustPipeline(embedded.network), ThresholdSettings().with_policy("pixel", value=0.4)) == ()


def test_auto_remembers_earlier_frames_only_where_a_shift_changes_thresholds():
    assert not ThresholdSettings().remembers
    assert ThresholdSettings().with_policy("pixel", on_shift="conservative").remembers


def test_other_labels_or_a_missing_file_leave_the_network_without_a_calibration(
    embedded, tmp_path, monkeypatch, caplog
):
    made = load_calibration(FOLDER / "embedded.json")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    assert chosen_calibration("auto", "embedded", embedded.network, IN_LOGARITHMS) is None, "no such file"
    other = type(made)("embedded", ("road", "sky"))
    other.save(tmp_path / "embedded.json")
    with caplog.at_level(logging.WARNING):
        assert chosen_calibration("auto", "embedded", embedded.network, IN_LOGARITHMS) is None
    assert "the shipped calibration is left out: the calibration knows the 2 classes road, sky" in caplog.text


def test_a_damaged_shipped_file_is_refused_with_its_name(embedded, tmp_path, monkeypatch):
    text = (FOLDER / "embedded.json").read_text("utf-8")
    (tmp_path / "embedded.json").write_text(text.replace("0.5", "0.6", 1), "utf-8")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(CalibrationError, match=r"embedded\.json"):
        TrustPipeline.load(PipelineSettings(**BARE))
    assert TrustPipeline.load(PipelineSettings(**BARE, calibration="none")).calibration is None
