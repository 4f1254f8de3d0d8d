"""Means of feature scores in the segment table: from the statistics of a calibration, which the table names."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from feature_cases import statistics

from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.fitting.store_identity import NetworkIdentity
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError
from trust_seg_ros.uncertainty.errors import StatisticsNeededError

SETTINGS = NetworkSettings("feature_cases:plain_net", device="cpu")


@pytest.fixture
def folder(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for seed in range(2):
        image, labels = training_sample(seed, (64, 96))
        cv2.imwrite(str(tmp_path / "images" / f"{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / "labels" / f"{seed}.png"), labels)
    return paired_folder(tmp_path, 11)


def calibration(tmp_path, seed=0, network=SETTINGS.model):
    net = SETTINGS.load()
    made = statistics(6, 3, 9, seed=seed, network_sha256=net.sha256)
    path = tmp_path / f"{seed}.json"
    Calibration(network, tuple(net.labels.names), network_sha256=net.sha256, features=lambda: made).save(path)
    return path


def collected(folder, tmp_path, file=None):
    options = {"workers": 1, "scores": ("knn",), "accept_labels": True}
    return collect(SETTINGS, folder, tmp_path / "t.segments", "val", calibration=file, **options)


def test_the_table_holds_the_means_and_names_the_statistics(folder, tmp_path):
    first = calibration(tmp_path)
    store = collected(folder, tmp_path, first)
    assert "knn" in store.names
    assert store.identity.features != ""
    assert NetworkIdentity.from_json(store.identity.to_json()) == store.identity
    assert "features" not in replace(store.identity, features="").to_json()
    windows = replace(store.identity, passes="windows of 64x64; overlap 0.25; logits")
    assert NetworkIdentity.from_json(windows.to_json()) == windows != store.identity
    assert "passes" not in store.identity.to_json()
    again = collected(folder, tmp_path, first)
    assert np.isfinite(again.read("val").metrics).all()
    with pytest.raises(
        StoreError, match=r"its feature scores are of statistics with sha256 [0-9a-f]{64}, now they are"
    ):
        collected(folder, tmp_path, calibration(tmp_path, seed=1))


def test_without_statistics_or_with_those_of_another_network_nothing_is_collected(folder, tmp_path):
    with pytest.raises(StatisticsNeededError, match="trust-seg calibrate DATASET --score vim knn cdnp"):
        collected(folder, tmp_path)
    with pytest.raises(CalibrationError, match="'other'"):
        collected(folder, tmp_path, calibration(tmp_path, network="other"))
