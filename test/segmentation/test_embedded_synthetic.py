"""The weights without strings: they load under their name, say what they are, and are as good as was measured."""

import pytest
from helpers.places import CAMVID, needs_camvid

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.datasets.label_check import classes_of
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.segmentation.compact import SHIPPED
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.segmentation.loaders import network_table
from trust_seg_ros.support.content_hash import hash_of_file
from trust_seg_ros.support.tensor_file import load_tensors
from trust_seg_ros.synthetic import SyntheticSet
from trust_seg_ros.training.trainer import NEUTRAL

WEIGHTS = SHIPPED.parent / "synthetic.safetensors"


@pytest.fixture(scope="module")
def network():
    return load_network("embedded:synthetic", device="cpu")


def judged(network, pairs):
    predict, confusion = classes_of(network), ConfusionMatrix(len(network.labels))
    for image, labels in pairs:
        confusion.add(labels, predict(image))
    return confusion


def test_they_load_with_an_input_of_their_own(network):
    assert network.labels.name == "camvid11"
    assert network.input_spec.size == (384, 512)
    assert (network.input_spec.mean, network.input_spec.std) == NEUTRAL
    assert network.sha256 == hash_of_file(WEIGHTS)


def test_the_file_says_what_may_be_done_with_it():
    notes = load_tensors(WEIGHTS, "").metadata
    assert notes["licence"] == "Apache-2.0"
    assert "synthetic drive" in notes["data"]
    assert "CamVid" not in notes["data"]
    assert "`embedded:synthetic`" in network_table()


@pytest.mark.parametrize(("look", "floor"), [("own", 0.4), ("unseen", 0.35)])
def test_they_know_scenes_that_they_never_saw(network, look, floor):
    scenes = SyntheticSet(510_000, 510_015, size=(240, 320), look=look)
    confusion = judged(network, (scenes.read(i) for i in range(len(scenes))))
    assert confusion.mean_iou() > floor


@needs_camvid
def test_they_know_something_of_real_streets(network):
    folder = camvid(CAMVID, "test")
    confusion = judged(network, (folder.read(sample) for sample in folder.samples[::12]))
    assert confusion.mean_iou() > 0.28
    assert confusion.accuracy() > 0.6
