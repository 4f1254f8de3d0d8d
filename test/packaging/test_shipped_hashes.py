"""Every shipped file that decides results carries a hash, which is right, and they belong together."""

import json
from pathlib import Path

import pytest

import trust_seg_ros
from trust_seg_ros.meta import load_meta_model
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.support.content_hash import hash_of_file, hash_of_json
from trust_seg_ros.support.tensor_file import load_tensors
from trust_seg_ros.thresholds.calibration import load_calibration

PACKAGE = Path(trust_seg_ros.__file__).parent
WEIGHTS = sorted(PACKAGE.rglob("*.safetensors"))
MODELS = sorted(PACKAGE.rglob("*.json"))
LOADERS = {
    "trust_seg_ros/meta-model": load_meta_model,
    "trust_seg_ros/ood-meta-model": load_ood_model,
    "trust_seg_ros/calibration": load_calibration,
}
NETWORKS = {"embedded": "compact_camvid11_ood"}
"""Name of a network -> its weights, where they differ."""


def test_there_are_some():
    assert len(WEIGHTS) >= 2
    assert len(MODELS) >= 3


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.name)
def test_weights(path, caplog):
    assert len(load_tensors(path, "").metadata["sha256"]) == 64
    assert not caplog.records


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_what_belongs_to_a_network(path, caplog):
    content = json.loads(path.read_text())
    assert content["sha256"] == hash_of_json(content)
    load = LOADERS[content["format"]]
    network = load(path).network
    weights = NETWORKS.get(network, network.removeprefix("embedded:"))
    found = hash_of_file(PACKAGE / "segmentation" / "weights" / f"{weights}.safetensors")
    assert load(path).network_sha256 == found, "fitted for these weights"
    assert not caplog.records
