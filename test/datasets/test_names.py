"""Pairs are found whatever the case of their suffixes and the Unicode form of their names."""

import unicodedata

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.names import NamedFiles, plain
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.segmentation.labels import LabelSet, load_labels

SET = LabelSet("two", ("a", "b"))
NFC, NFD = "zürich", unicodedata.normalize("NFD", "zürich")


def write(path, channels=0):
    """A picture of zeros, whatever the suffix says in upper or lower case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((4, 6, channels) if channels else (4, 6), np.uint8)
    path.write_bytes(cv2.imencode(path.suffix.lower(), pixels)[1].tobytes())


def test_the_plain_name_is_composed_and_its_suffix_small():
    assert NFC != NFD
    assert plain(f"{NFD}/Ä_1.JPG") == f"{NFC}/Ä_1.jpg"
    assert plain("A.b.PNG") == "A.b.png"


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("val/images", "val/labels"),
        ("images/val", "labels/val"),
        ("val", "valannot"),
        ("images", "labels"),
    ],
)
@pytest.mark.parametrize(("one", "other"), [(NFC, NFD), (NFD, NFC)])
def test_labels_are_found_in_every_layout(tmp_path, images, labels, one, other):
    write(tmp_path / images / one / f"{one}_1.JPG", 3)
    write(tmp_path / labels / other / f"{other}_1_label.PNG")
    folder = open_dataset(tmp_path, "val", SET)
    assert [(sample.name, sample.drive) for sample in folder] == [(f"{NFC}/{NFC}_1", NFC)]
    assert folder.read(folder.samples[0])[1].shape == (4, 6)


@pytest.mark.parametrize("kind", ["labelTrainIds", "labelIds"])
def test_cityscapes_with_a_city_in_either_form(tmp_path, kind):
    write(tmp_path / "leftImg8bit" / "val" / NFC / f"{NFC}_000_leftImg8bit.PNG", 3)
    write(tmp_path / "gtFine" / "val" / NFD / f"{NFD}_000_gtFine_{kind}.Png")
    folder = open_dataset(tmp_path, "val", load_labels("cityscapes19"))
    assert [(sample.name, sample.drive) for sample in folder] == [(f"{NFC}_000", NFC)]
    assert folder.read(folder.samples[0])[1].shape == (4, 6)


@pytest.mark.parametrize(
    ("layout", "images", "labels", "name"),
    [
        ("SegmentMeIfYouCan", "images/{}.JPG", "labels_masks/{}_labels_semantic.PNG", NFC),
        ("trust-seg synthetic", "images/{}.PNG", "unknown/{}.PNG", NFC),
        ("RoadAnomaly", "frames/{}.JPG", "frames/{}.labels/labels_semantic.PNG", NFC),
        (
            "Fishyscapes Lost and Found",
            "laf_images/{0}/{0}_leftImg8bit.PNG",
            "fishyscapes_lostandfound/0001_{}_labels.PNG",
            f"0001_{NFC}",
        ),
        (
            "LostAndFound",
            "leftImg8bit/test/{0}/{0}_leftImg8bit.PNG",
            "gtCoarse/test/{0}/{0}_gtCoarse_labelIds.PNG",
            NFC,
        ),
        ("images with labels", "original/{}.JPEG", "labels/{}.PNG", NFC),
    ],
)
def test_every_layout_of_unknown_objects(tmp_path, layout, images, labels, name):
    write(tmp_path / images.format(NFC), 3)
    write(tmp_path / labels.format(NFD))
    found = open_ood_images(str(tmp_path))
    assert (found.layout, found.names, found.without) == (layout, (name,), 0)
    assert found.read(0)[0].shape == (4, 6, 3)


def test_two_label_files_that_differ_in_the_suffix_only_are_refused(tmp_path):
    for name in ("a.png", "a.PNG"):
        write(tmp_path / name)
    with pytest.raises(DatasetError, match=r"'a\.PNG' and 'a\.png' differ only in the case of the suffix"):
        NamedFiles(tmp_path).find("a.png")


def test_labels_as_jpeg_are_named_as_such(tmp_path):
    write(tmp_path / "images" / "a.jpg", 3)
    write(tmp_path / "labels" / "a.JPG")
    with pytest.raises(DatasetError, match=r"no labels .*a\.JPG is no label image: JPEG changes ids, expected a PNG"):
        open_dataset(tmp_path, None, SET)
