"""Labels of another numbering are told from networks that are merely bad."""

import json

import cv2
import numpy as np
import pytest
import yaml
from places import CAMVID, needs_camvid

from trust_seg_ros.datasets.errors import LabelsContradictError
from trust_seg_ros.datasets.folders import LabelledFolder, pair_up
from trust_seg_ros.datasets.label_check import IMAGES, check_labels, label_fit
from trust_seg_ros.datasets.label_map_file import label_map
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.uncertainty import uncertainty_maps

NAMES = ("road", "house", "tree", "car", "sky", "traffic sign")
SHARES = (0.3, 0.25, 0.2, 0.1, 0.1, 0.05)
ORDER = np.array([3, 4, 0, 5, 1, 2], np.uint8)


@pytest.fixture
def scene(tmp_path):
    """(truth -> folder): the pictures hold the true class of every pixel in their red channel."""
    rng = np.random.default_rng(5)
    classes = [
        np.repeat(np.repeat(rng.choice(6, (8, 10), p=SHARES), 8, 0), 8, 1).astype(np.uint8) for _ in range(IMAGES + 4)
    ]

    def write(label):
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir(exist_ok=True)
        for k, seen in enumerate(classes):
            cv2.imwrite(str(tmp_path / "images" / f"{k:02d}.png"), np.dstack([seen] * 3))
            cv2.imwrite(str(tmp_path / "labels" / f"{k:02d}.png"), label(seen))
        return LabelledFolder(pair_up(tmp_path / "images", tmp_path / "labels"), len(NAMES), (9, 255))

    return write


def sees(image):
    """A network that errs on every tenth pixel."""
    wrong = np.random.default_rng(1).random(image.shape[:2]) < 0.1
    return np.where(wrong, (image[..., 0] + 2) % 6, image[..., 0]).astype(np.uint8)


def test_labels_that_fit_are_found_on_one_image(scene):
    fit = label_fit(sees, scene(lambda seen: seen), NAMES)
    assert fit.images == 1
    assert fit.accuracy == pytest.approx(0.9, abs=0.03)
    assert check_labels(sees, scene(lambda seen: seen), NAMES, "set") == ""


def test_another_numbering_is_refused_with_the_numbering_it_seems_to_have(scene):
    folder = scene(lambda seen: ORDER[seen])
    with pytest.raises(LabelsContradictError) as refused:
        check_labels(sees, folder, NAMES, "data/mine val")
    text = str(refused.value)
    assert text.startswith("data/mine val: the labels contradict the network. On 8 images the network predicts")
    assert "label 3 ('car') lies where the network says 'road' (9" in text
    assert "--accept-labels" in text
    assert "--label-map FILE" in text
    suggested = yaml.safe_load(text.split("\n\n")[1])
    assert suggested == {"map": {int(ORDER[k]): name for k, name in enumerate(NAMES)}}


def test_the_suggested_map_makes_the_labels_fit(scene, tmp_path):
    folder = scene(lambda seen: np.where(seen == 2, 0, ORDER[seen]))  # trees are labelled as the roads of NAMES
    with pytest.raises(LabelsContradictError) as refused:
        check_labels(sees, folder, NAMES, "set")
    (tmp_path / "map.yaml").write_text(str(refused.value).split("\n\n")[1])
    found = label_map(str(tmp_path / "map.yaml"), LabelSet("net", NAMES))
    mapped = LabelledFolder(folder.samples, len(NAMES), (255,), label_map=found)
    assert check_labels(sees, mapped, NAMES, "set") == ""
    assert label_fit(sees, mapped, NAMES).accuracy > 0.85


def test_accepted_labels_are_remarked_upon(scene):
    remark = check_labels(sees, scene(lambda seen: ORDER[seen]), NAMES, "set", accept=True)
    assert "were the labels numbered otherwise, it would be 9" in remark


def test_ids_from_one_are_recognised(scene):
    def from_one(seen):
        labels = np.where(seen == 5, 9, seen + 1).astype(np.uint8)
        labels[::7] = 0
        return labels

    folder = scene(from_one)
    with pytest.raises(LabelsContradictError, match=r"count from 1, with 0 for no class: give --label-map from-1"):
        check_labels(sees, folder, NAMES, "set")


def test_classes_moved_in_a_circle_do_not_count_from_one(scene):
    folder = scene(lambda seen: (seen + 1) % 6)
    with pytest.raises(LabelsContradictError) as refused:
        check_labels(sees, folder, NAMES, "set")
    assert "from-1" not in str(refused.value)
    assert '0: "traffic sign"' in str(refused.value)


def test_a_wrong_label_map_is_named(scene):
    net = LabelSet("net", NAMES)
    folder = scene(lambda seen: seen)
    moved = LabelledFolder(folder.samples, len(NAMES), (255,), label_map=label_map("from-1", net))
    with pytest.raises(LabelsContradictError, match="These are the classes that from-1 gives: check it"):
        check_labels(sees, moved, NAMES, "set")


def constant(image):
    return np.full(image.shape[:2], 4, np.uint8)


def noise(image):
    return np.random.default_rng(int(image.sum())).integers(0, 6, image.shape[:2], np.uint8)


def stripes(image):
    return np.broadcast_to((np.arange(image.shape[1]) // 9 % 6).astype(np.uint8), image.shape[:2])


def blind_to_most(image):
    """Right only about the sky and the cars, which are few."""
    return np.where(np.isin(image[..., 0], (3, 4)), image[..., 0], 5).astype(np.uint8)


@pytest.mark.parametrize("predict", [constant, noise, stripes, blind_to_most])
def test_a_bad_network_is_judged_all_the_same(scene, predict):
    folder = scene(lambda seen: seen)
    fit = label_fit(predict, folder, NAMES)
    assert fit.images == IMAGES
    assert fit.accuracy < 0.3
    remark = check_labels(predict, folder, NAMES, "set")
    assert ("no other numbering of the labels explains that" in remark) == (fit.accuracy < 0.1)


def test_labels_of_one_class_say_nothing_of_the_numbering(scene):
    folder = scene(lambda seen: np.where(seen == 0, 1, 255).astype(np.uint8))
    assert "no other numbering" in check_labels(sees, folder, NAMES, "set")


def test_few_labelled_pixels_say_nothing(scene):
    def corner(seen):
        labels = np.full_like(seen, 255)
        labels[:5, :20] = ORDER[seen][:5, :20]
        return labels

    assert label_fit(sees, scene(corner), NAMES).pixels < 1000
    assert check_labels(sees, scene(corner), NAMES, "set") == ""


def test_images_that_cannot_be_read_are_left_to_the_pass(scene):
    folder = scene(lambda seen: ORDER[seen])
    folder.samples[0].image.write_bytes(b"")
    with pytest.raises(LabelsContradictError, match="On 7 images"):
        check_labels(sees, folder, NAMES, "set")


@pytest.mark.slow
@needs_camvid
def test_camvids_ids_under_a_network_of_cityscapes(tmp_path):
    camvid, city = load_labels("camvid11"), load_labels("cityscapes19")
    ours = [
        "sky",
        "building",
        "pole",
        "road",
        "sidewalk",
        "vegetation",
        "traffic sign",
        "fence",
        "car",
        "person",
        "rider",
    ]
    ids = np.array([city.id_of(name) for name in ours], np.uint8)
    network = NetworkSettings("embedded", device="cpu").load()

    def predict(image):
        return ids[uncertainty_maps(network.infer(image)).classes.numpy()]

    folder = open_dataset(CAMVID, "val", city)
    with pytest.raises(LabelsContradictError, match=r"the network predicts the labelled class of 0\.\d% of the pixels"):
        check_labels(predict, folder, city.names, "CamVid")
    pairs = dict(zip(camvid.names, ours, strict=True))
    (tmp_path / "map.yaml").write_text(f"from: camvid11\nmap: {json.dumps(pairs)}\n")
    mapped = open_dataset(CAMVID, "val", city, None, label_map(str(tmp_path / "map.yaml"), city))
    assert check_labels(predict, mapped, city.names, "CamVid") == ""
