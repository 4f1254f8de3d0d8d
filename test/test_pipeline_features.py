"""Feature scores in the pipeline: for pixels, OoD segments and segment metrics; nothing is read for scores not used."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from feature_cases import statistics

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.segment_scores import check_feature_columns, features_note
from trust_seg_ros.meta.shipped import chosen_meta
from trust_seg_ros.pipeline import ScoreUnavailableError, TrustPipeline
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, load_calibration
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty.feature_scores import feature_maps
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES

IMAGE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    return NetworkSettings(device="cpu").load()


@pytest.fixture
def path(network, tmp_path):
    made = statistics(64, 16, 20, network="embedded", network_sha256=network.sha256)
    names = tuple(network.labels.names)
    Calibration("embedded", names, network_sha256=network.sha256, features=lambda: made).save(tmp_path / "cal.json")
    return tmp_path / "cal.json"


@pytest.fixture
def pipeline(network, path):
    return TrustPipeline(network, calibration=load_calibration(path), segment_scores=("knn",))


def test_they_flag_pixels_find_ood_segments_and_become_segment_metrics(pipeline, network):
    at = ThresholdSettings.constants(pixel=0.9, pixel_score="knn", ood=0.0, ood_score="vim", ood_min_size=1)
    pipeline.check(at)
    found = pipeline(Frame(IMAGE), at, Wanted(scores=("cdnp",)))
    expected = feature_maps(network.infer(IMAGE), pipeline.calibration.features)
    assert set(FEATURE_SCORES) == set(found.scores)
    for name in FEATURE_SCORES:
        torch.testing.assert_close(found.scores[name], expected[name], rtol=1e-5, atol=1e-5)
    flagged = expected["knn"].numpy() >= np.float32(0.9)
    assert flagged.any()
    assert np.array_equal(found.pixel_flags > 0, flagged)
    assert found.ood.ids[expected["vim"].numpy() > 0].all()
    first = found.segments.ids == 1
    assert found.segments.column("knn")[0] == pytest.approx(expected["knn"].numpy()[first].mean(), rel=1e-4)


def test_nothing_is_read_for_a_score_that_nobody_uses_and_a_missing_file_is_named_when_one_is_chosen(network, path):
    path.with_name("cal.features.safetensors").unlink()
    pipeline = TrustPipeline(network, calibration=load_calibration(path))
    pipeline.check(ThresholdSettings.constants())
    pipeline(Frame(IMAGE))
    assert pipeline.unavailable("energy") is None
    with pytest.raises(
        ScoreUnavailableError, match=r"'knn' for pixel flags: .*cal\.features\.safetensors: no such file"
    ):
        pipeline.check(ThresholdSettings.constants(pixel_score="knn"))


def test_without_a_calibration_the_way_to_one_is_named(network):
    with pytest.raises(
        ScoreUnavailableError, match=r"'vim' for OoD segments: .*trust-seg calibrate DATASET --score vim"
    ):
        TrustPipeline(network).check(ThresholdSettings.constants(ood_score="vim"))


def test_statistics_of_other_weights_are_refused(network, path):
    found = load_calibration(path)
    file = replace(found.features, network_sha256="ab" * 32)
    pipeline = TrustPipeline(network, calibration=replace(found, features=file))
    assert "statistics of other weights" in pipeline.unavailable("knn")


def test_a_meta_model_names_the_statistics_of_its_columns(network, path):
    known = load_calibration(path).statistics
    assert features_note(("energy",), known.features_id) == {}
    note = features_note(("energy", "knn"), known.features_id)
    assert note == {"feature_statistics": known.features.sha256}
    model = chosen_meta("auto", "embedded")
    fitted = replace(model, summary={**model.summary, **note})
    check_feature_columns(fitted, ("knn",), known)
    check_feature_columns(model, ("energy",), known)
    with pytest.raises(
        MetaModelError, match=r"from the statistics of sha256 not known; loaded are [0-9a-f]{64}: set cal"
    ):
        check_feature_columns(model, ("knn",), known)
