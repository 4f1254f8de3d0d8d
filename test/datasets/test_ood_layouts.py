"""Layouts of data sets with out-of-distribution objects: each found, read, and refused where it is not what it says."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.ood_images import check_marked, open_ood_images

SIZE = (4, 6)


def put(path, values, image=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((*SIZE, 3), values, np.uint8) if image else np.zeros(SIZE, np.uint8)
    if not image:
        array.ravel()[: len(values)] = values
    assert cv2.imwrite(str(path), array)


def segment_me(root):
    put(root / "images" / "a.jpg", 1, image=True)
    put(root / "images" / "b.webp", 2, image=True)
    put(root / "images" / "kept_back.jpg", 2, image=True)
    for name in "ab":
        put(root / "labels_masks" / f"{name}_labels_semantic.png", [0, 1, 255])
        put(root / "labels_masks" / f"{name}_labels_semantic_color.png", 3, image=True)
    return "SegmentMeIfYouCan", ("a", "b")


def fishyscapes(root):
    put(root / "leftImg8bit" / "test" / "04_Weg" / "04_Weg_000_010_leftImg8bit.png", 1, image=True)
    put(root / "leftImg8bit" / "train" / "01_Str" / "01_Str_001_020_leftImg8bit.png", 1, image=True)
    put(root / "leftImg8bit" / "test" / "04_Weg" / "04_Weg_000_099_leftImg8bit.png", 1, image=True)
    put(root / "fishyscapes_lostandfound" / "0000_04_Weg_000_010_labels.png", [0, 1, 255])
    put(root / "fishyscapes_lostandfound" / "0001_01_Str_001_020_labels.png", [0, 1, 255])
    return "Fishyscapes Lost and Found", ("0000_04_Weg_000_010", "0001_01_Str_001_020")


def lost_and_found(root):
    for split, kind in (("train", "labelIds"), ("test", "labelTrainIds")):
        put(root / "leftImg8bit" / split / "02_Str" / f"02_{split}_leftImg8bit.png", 1, image=True)
        values = [1, 43, 0, 255] if kind == "labelIds" else [1, 2, 255, 255]
        put(root / "gtCoarse" / split / "02_Str" / f"02_{split}_gtCoarse_{kind}.png", [*values, *[1] * 20])
    return "LostAndFound", ("02_test",)


def road_anomaly(root):
    put(root / "frames" / "cows.jpg", 1, image=True)
    put(root / "frames" / "cows.labels" / "labels_semantic.png", [1, 2, 255])
    return "RoadAnomaly", ("cows",)


def synthetic(root):
    put(root / "images" / "seed0_0.png", 1, image=True)
    put(root / "labels" / "seed0_0.png", [3, 255])
    put(root / "unknown" / "seed0_0.png", [0, 2])
    return "trust-seg synthetic", ("seed0_0",)


def plain(root):
    put(root / "original" / "x.png", 1, image=True)
    put(root / "labels" / "x.png", [0, 1, 255])
    return "images with labels", ("x",)


@pytest.mark.parametrize("make", [segment_me, fishyscapes, lost_and_found, road_anomaly, synthetic, plain])
def test_layouts_are_found_and_read(tmp_path, make):
    layout, names = make(tmp_path)
    found = open_ood_images(str(tmp_path))
    assert (found.layout, found.names, len(found)) == (layout, names, len(names))
    assert found.without == (1 if make is segment_me else 0)
    for index in range(len(found)):
        image, truth = found.read(index)
        assert image.shape == (*SIZE, 3)
        assert truth.dtype == np.uint8
        expected = [0, 1, 0] if make is synthetic else [0, 1, 255]
        assert truth.ravel()[:3].tolist() == expected
        assert truth.ravel()[5] == 0


def test_the_split_of_lost_and_found_is_taken(tmp_path):
    lost_and_found(tmp_path)
    found = open_ood_images(str(tmp_path), "train")
    assert found.names == ("02_train",)
    assert found.read(0)[1].ravel()[:4].tolist() == [0, 1, 255, 255]
    with pytest.raises(DatasetError, match="without a split 'val'; there are: test, train"):
        open_ood_images(str(tmp_path), "val")


def test_scenes_are_drawn():
    found = open_ood_images("synthetic:seeds=4-6:kinds=sofa:rate=3:size=160x96")
    assert found.names == ("seed4", "seed5", "seed6")
    image, truth = found.read(1)
    assert image.shape == (96, 160, 3)
    assert set(np.unique(truth)) <= {0, 1}
    assert any(found.read(k)[1].any() for k in range(3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([7, 9], r"label values \[7, 9\]"),
        ([0, 2], r"values \[2\]"),
        ([128], "0 in distribution, 1 out of it, 255 void"),
    ],
)
def test_other_label_values_are_refused(tmp_path, values, message):
    put(tmp_path / "images" / "a.png", 1, image=True)
    put(tmp_path / "labels" / "a.png", values)
    with pytest.raises(DatasetError, match=message):
        open_ood_images(str(tmp_path)).read(0)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        open_ood_images(str(tmp_path / "absent"))
    (tmp_path / "photos").mkdir()
    with pytest.raises(DatasetError, match=r"no known layout.*It holds photos"):
        open_ood_images(str(tmp_path))
    (tmp_path / "labels_masks").mkdir()
    put(tmp_path / "images" / "a.png", 1, image=True)
    with pytest.raises(DatasetError, match=r"no image with labels \(1 without\)"):
        open_ood_images(str(tmp_path))
    with pytest.raises(DatasetError, match="no unknown objects"):
        open_ood_images("synthetic:seeds=0-1")


def test_a_fishyscapes_mask_without_its_image_and_another_size_are_refused(tmp_path):
    fishyscapes(tmp_path)
    put(tmp_path / "fishyscapes_lostandfound" / "0002_99_Weg_000_000_labels.png", [0])
    with pytest.raises(DatasetError, match=r"no image 99_Weg_000_000_leftImg8bit\.png"):
        open_ood_images(str(tmp_path))
    other = tmp_path / "other"
    put(other / "images" / "a.png", 1, image=True)
    (other / "labels").mkdir()
    cv2.imwrite(str(other / "labels" / "a.png"), np.zeros((5, 5), np.uint8))
    with pytest.raises(DatasetError, match="labels are 5x5, the image 6x4"):
        open_ood_images(str(other)).read(0)


def test_masks_of_0_and_255_mark_nothing(tmp_path):
    put(tmp_path / "images" / "a.jpg", 1, image=True)
    put(tmp_path / "labels" / "a.png", [0, 255, 255])
    with pytest.raises(DatasetError, match=r"no pixel of 1 images is out of distribution, .* write 1 for 255"):
        check_marked(open_ood_images(str(tmp_path)))
    put(tmp_path / "images" / "b.jpg", 1, image=True)
    put(tmp_path / "labels" / "b.png", [0, 1, 255])
    check_marked(open_ood_images(str(tmp_path)))
