"""The file of feature statistics: what comes back, and every kind of damage and mismatch."""

from dataclasses import replace

import pytest
import torch
from feature_cases import statistics

from trust_seg_ros.support.tensor_file import save_tensors
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, load_calibration
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError
from trust_seg_ros.uncertainty.feature_file import MOST_BYTES, FeatureFile, save_features

SHA = "ab" * 32
MADE = statistics(8, 3, 12, layer="neck", network="net", network_sha256=SHA)


@pytest.fixture
def calibration(tmp_path):
    Calibration("net", ("a", "b"), network_sha256=SHA, features=lambda: MADE).save(tmp_path / "cal.json")
    return tmp_path / "cal.json"


@pytest.fixture
def features(calibration):
    return calibration.with_name("cal.features.safetensors")


def test_everything_comes_back_and_the_same_gives_the_same_bytes(calibration, features, tmp_path):
    found = load_calibration(calibration).features()
    for name in FeatureStatisticsFields:
        a, b = getattr(found, name), getattr(MADE, name)
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, name
    again = save_features(found, tmp_path / "again.safetensors")
    assert again.path.read_bytes() == features.read_bytes()
    assert features.stat().st_size < MOST_BYTES


FeatureStatisticsFields = tuple(type(MADE).__dataclass_fields__)


def test_nothing_is_read_before_it_is_needed(calibration, features):
    features.unlink()
    loaded = load_calibration(calibration)
    with pytest.raises(FeatureStatisticsError, match=r"cal\.features\.safetensors: no such file.*calibrate again"):
        loaded.features()


def test_a_calibration_without_features_names_no_file(tmp_path):
    Calibration("net", ("a", "b")).save(tmp_path / "plain.json")
    assert load_calibration(tmp_path / "plain.json").features is None
    assert list(tmp_path.iterdir()) == [tmp_path / "plain.json"]


def test_a_saved_copy_takes_its_features_along(calibration, tmp_path):
    (tmp_path / "other").mkdir()
    load_calibration(calibration).save(tmp_path / "other" / "copy.json")
    found = load_calibration(tmp_path / "other" / "copy.json").features
    assert found.path == tmp_path / "other" / "copy.features.safetensors"
    assert torch.equal(found().bank, MADE.bank)


def test_a_flipped_bit_is_noticed(calibration, features):
    data = bytearray(features.read_bytes())
    data[-5] ^= 1
    features.write_bytes(data)
    with pytest.raises(FeatureStatisticsError, match=r"does not match its own sha256.*calibrate again"):
        load_calibration(calibration).features()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100])
def test_what_is_no_safetensors_file_is_refused(calibration, features, content):
    features.write_bytes(content)
    with pytest.raises(FeatureStatisticsError, match=r"cal\.features\.safetensors: not readable"):
        load_calibration(calibration).features()


def test_statistics_of_another_run_or_other_weights_are_refused(calibration, features):
    save_features(replace(MADE, alpha=9.0), features)
    with pytest.raises(FeatureStatisticsError, match=r"statistics of another run"):
        load_calibration(calibration).features()
    other = save_features(replace(MADE, network_sha256="cd" * 32), features)
    with pytest.raises(
        FeatureStatisticsError, match=f"of other weights: sha256 {'cd' * 32}, the calibration is of {SHA}"
    ):
        replace(other, network_sha256=SHA)()


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    path.write_bytes(b"0" * (MOST_BYTES + 1))
    with pytest.raises(
        FeatureStatisticsError, match=r"2,000,001 bytes; expected feature statistics of at most 2,000,000"
    ):
        FeatureFile(path, "")()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tensors": ("bank", torch.ones(12, 8))}, r"bank is torch.float32"),
        ({"metadata": ("format", "other")}, r"format is 'other'"),
        ({"metadata": ("alpha", "much")}, r"could not convert"),
    ],
)
def test_other_content_is_refused(tmp_path, change, words):
    path = tmp_path / "odd.safetensors"
    save_features(MADE, path)
    from trust_seg_ros.support.tensor_file import load_tensors

    read = load_tensors(path, "")
    parts = {"tensors": dict(read.tensors), "metadata": dict(read.metadata)}
    for part, (name, value) in change.items():
        parts[part][name] = value
    parts["metadata"].pop("sha256")
    save_tensors(path, parts["tensors"], parts["metadata"])
    with pytest.raises(FeatureStatisticsError, match=f"incomplete or damaged.*{words}"):
        FeatureFile(path, load_tensors(path, "").sha256, SHA)()


def test_a_calibration_that_names_a_file_elsewhere_is_refused(calibration):
    import json

    from trust_seg_ros.support.content_hash import with_hash

    content = json.loads(calibration.read_text())
    content["features"]["file"] = "../elsewhere.safetensors"
    calibration.write_text(json.dumps(with_hash(content)))
    with pytest.raises(CalibrationError, match=r"expected the name of a file beside"):
        load_calibration(calibration)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(FeatureStatisticsError, match=r"cannot be written there"):
        save_features(MADE, tmp_path / "none" / "x.safetensors")
