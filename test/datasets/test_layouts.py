"""Data sets on disk, in every layout, as small as they can be; and what is said where none fits."""

import cv2
import numpy as np
import pytest
from places import CAMVID, needs_camvid

from trust_seg_ros.datasets.cityscapes import CITYSCAPES_TRAIN_IDS
from trust_seg_ros.datasets.folders import DatasetError
from trust_seg_ros.datasets.layouts import has_splits, open_dataset
from trust_seg_ros.segmentation.labels import LabelSet, load_labels

THREE = LabelSet("three", ("a", "b", "c"), ignore=9)
NINETEEN = load_labels("cityscapes19")


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.asarray(values, np.uint8))


def pair(image, label, values=((0, 1, 9, 255),)):
    values = np.asarray(values, np.uint8)
    write(image, np.zeros((*values.shape, 3)))
    write(label, values)


def told(folder):
    return [(sample.name, sample.drive) for sample in folder]


def cityscapes(root, names, kind, values=((7,),), split="val"):
    for name in names:
        city = name.split("_")[0]
        image = root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png"
        pair(image, root / "gtFine" / split / city / f"{name}_gtFine_{kind}.png", values)


CITIES = ("ulm_000000_000019", "ulm_000001_000019", "bonn_000000_000019")


@pytest.mark.parametrize("kind", ["labelTrainIds", "labelIds"])
def test_cityscapes_has_cities_as_drives(tmp_path, kind):
    cityscapes(tmp_path, CITIES, kind)
    folder = open_dataset(tmp_path, "val", NINETEEN)
    assert told(folder) == [
        ("bonn_000000_000019", "bonn"),
        ("ulm_000000_000019", "ulm"),
        ("ulm_000001_000019", "ulm"),
    ]
    assert folder.read(folder.samples[0])[1].tolist() == [[7 if kind == "labelTrainIds" else 0]]


def test_the_34_label_ids_of_cityscapes_become_19_train_ids(tmp_path):
    ids = ["unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road"]
    ids += ["sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole"]
    ids += ["polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car"]
    ids += ["truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle"]
    assert len(ids) == len(CITYSCAPES_TRAIN_IDS) == 34
    cityscapes(tmp_path, CITIES[:1], "labelIds", [[*range(34), 255]])
    folder = open_dataset(tmp_path, "val", NINETEEN)
    labels = folder.read(folder.samples[0])[1][0].tolist()
    expected = [NINETEEN.names.index(name) if name in NINETEEN.names else 255 for name in ids]
    assert labels == [*expected, 255]
    assert sorted(set(expected)) == [*range(19), 255]


def test_train_ids_are_taken_where_both_kinds_are_there(tmp_path):
    cityscapes(tmp_path, CITIES[:1], "labelIds", [[26]])
    cityscapes(tmp_path, CITIES[:1], "labelTrainIds", [[5]])
    folder = open_dataset(tmp_path, "val", NINETEEN)
    assert folder.read(folder.samples[0])[1].tolist() == [[5]]


def test_a_foreign_label_id_of_cityscapes_is_named(tmp_path):
    cityscapes(tmp_path, CITIES[:1], "labelIds", [[7, 34]])
    folder = open_dataset(tmp_path, "val", NINETEEN)
    with pytest.raises(DatasetError, match=r"labelIds\.png: label values \[34\] are outside 0\.\.33 .*19 stand for"):
        folder.read(folder.samples[0])


def test_one_kind_of_labels_must_serve_all_of_cityscapes(tmp_path):
    cityscapes(tmp_path, CITIES, "labelIds")
    (tmp_path / "gtFine" / "val" / "ulm" / f"{CITIES[1]}_gtFine_labelIds.png").unlink()
    cityscapes(tmp_path, CITIES[1:2], "labelTrainIds")
    with pytest.raises(
        DatasetError, match=r"ulm_000001_000019_leftImg8bit\.png: no labels \(1 of 3 .*one kind for all"
    ):
        open_dataset(tmp_path, "val", NINETEEN)


@pytest.mark.parametrize("ignore", [(7,), (255, 33)])
def test_a_label_id_of_a_class_cannot_be_ignored(tmp_path, ignore):
    cityscapes(tmp_path, CITIES, "labelIds")
    with pytest.raises(DatasetError, match=rf"ignored label values \[{min(ignore)}\]: 0\.\.33 are ids, of which 19"):
        open_dataset(tmp_path, "val", NINETEEN, ignore)
    assert len(open_dataset(tmp_path, "val", NINETEEN, (0, 255))) == 3


def test_cityscapes_needs_19_classes(tmp_path):
    cityscapes(tmp_path, CITIES, "labelTrainIds")
    with pytest.raises(DatasetError, match=r"19 classes, the label set 'three' has 3; .*--labels cityscapes19"):
        open_dataset(tmp_path, "val", THREE)


def test_cityscapes_without_images_or_ground_truth(tmp_path):
    (tmp_path / "leftImg8bit" / "val" / "ulm").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"looked for leftImg8bit/val with gtFine/val \(gtFine/val is missing\)"):
        open_dataset(tmp_path, "val", NINETEEN)
    (tmp_path / "gtFine" / "val").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"leftImg8bit/val: no images; expected CITY/\*_leftImg8bit\.png"):
        open_dataset(tmp_path, "val", NINETEEN)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("val/images/d1_1.jpg", "val/labels/d1_1.png"),  # CamVid, as this project has it
        ("val/d1_1.png", "valannot/d1_1.png"),  # CamVid of the SegNet tutorial
        ("images/val/d1_1.png", "labels/val/d1_1.png"),
    ],
)
def test_a_split_is_found_wherever_it_lies(tmp_path, image, label):
    pair(tmp_path / image, tmp_path / label)
    assert has_splits(tmp_path)
    folder = open_dataset(tmp_path, "val", THREE)
    assert told(folder) == [("d1_1", "d1")]
    assert folder.read(folder.samples[0])[1].tolist() == [[0, 1, 255, 255]]
    with pytest.raises(
        DatasetError, match=r"no split 'tset'; looked for .*tset/images with tset/labels.*are: val; name"
    ):
        open_dataset(tmp_path, "tset", THREE)


@pytest.mark.parametrize(
    ("image", "label"), [("val/images/a.png", "val/labels/a.png"), ("val/a.png", "valannot/a.png")]
)
def test_a_split_must_be_named_where_there_are_some(tmp_path, image, label):
    pair(tmp_path / image, tmp_path / label)
    with pytest.raises(DatasetError, match=r"no split was named; .*Its splits are: val; name one with --split"):
        open_dataset(tmp_path, None, THREE)


@pytest.mark.parametrize("split", [None, "", "val"])
def test_a_data_set_without_splits(tmp_path, split):
    pair(tmp_path / "images" / "d1_1.png", tmp_path / "labels" / "d1_1.png")
    pair(tmp_path / "images" / "plain.png", tmp_path / "labels" / "plain.png")
    assert not has_splits(tmp_path)
    assert told(open_dataset(tmp_path, split, THREE)) == [("d1_1", "d1"), ("plain", "plain")]


def test_sub_folders_are_drives_and_part_of_the_name(tmp_path):
    for place in ("north/left/f_1", "north/right/f_1", "south/f_1", "east_f_1"):
        pair(tmp_path / "val" / "images" / f"{place}.png", tmp_path / "val" / "labels" / f"{place}.png")
    (tmp_path / "val" / "images" / ".thumbnails").mkdir()
    write(tmp_path / "val" / "images" / ".thumbnails" / "small.png", np.zeros((2, 2, 3)))
    folder = open_dataset(tmp_path, "val", THREE)
    assert sorted(told(folder)) == [
        ("east_f_1", "east"),
        ("north/left/f_1", "north"),
        ("north/right/f_1", "north"),
        ("south/f_1", "south"),
    ]
    assert all(folder.read(sample)[1].shape == (1, 4) for sample in folder)


@pytest.mark.parametrize("ending", ["_label", "_labels", "_labelTrainIds", "_train_id", "_gt", "_mask"])
def test_label_files_may_have_a_usual_ending(tmp_path, ending):
    pair(tmp_path / "images" / "a.v2.png", tmp_path / "labels" / f"a.v2{ending}.png")
    assert [sample.labels.name for sample in open_dataset(tmp_path, None, THREE)] == [f"a.v2{ending}.png"]


def test_names_are_unique(tmp_path):
    pair(tmp_path / "images" / "a.png", tmp_path / "labels" / "a.png")
    write(tmp_path / "images" / "a.jpg", np.zeros((1, 4, 3)))
    with pytest.raises(DatasetError, match=r"2 images are called 'a' \(.*a\.jpg, .*a\.png\)"):
        open_dataset(tmp_path, None, THREE)


def test_images_without_labels_are_counted_and_the_first_is_named(tmp_path):
    for name in "abc":
        pair(tmp_path / "images" / f"{name}.png", tmp_path / "labels" / f"{name}.png")
    for name in "bc":
        (tmp_path / "labels" / f"{name}.png").unlink()
    with pytest.raises(DatasetError, match=r"b\.png: no labels \(2 of 3 images have none\); expected .*labels/b\.png"):
        open_dataset(tmp_path, None, THREE)


def test_an_empty_data_set_is_named(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    with pytest.raises(DatasetError, match=r"images: no images \(looked for \.jpg"):
        open_dataset(tmp_path, None, THREE)


def test_what_is_there_is_told_where_nothing_fits(tmp_path):
    with pytest.raises(DatasetError, match=r"no split 'val'; .*It holds nothing; docs/datasets\.md"):
        open_dataset(tmp_path, "val", THREE)
    (tmp_path / "val" / "images").mkdir(parents=True)
    (tmp_path / "README").touch()
    with pytest.raises(DatasetError, match=r"val/labels \(val/labels is missing\).*It holds README, val/; docs"):
        open_dataset(tmp_path, "val", THREE)
    for number in range(20):
        (tmp_path / f"x{number:02}").touch()
    with pytest.raises(DatasetError, match=r"x09, … \(22 in all\)|x10, … \(22 in all\)"):
        open_dataset(tmp_path, "val", THREE)


def test_a_file_or_nothing_is_no_data_set(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: no such folder; expected the folder of a data set"):
        open_dataset(tmp_path / "nowhere", "val", THREE)
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file: this is a file; expected the folder"):
        open_dataset(tmp_path / "file", "val", THREE)


def test_what_is_ignored_is_the_label_sets_unless_named(tmp_path):
    pair(tmp_path / "images" / "a.png", tmp_path / "labels" / "a.png", [[2, 9, 30]])
    folder = open_dataset(tmp_path, None, THREE)
    with pytest.raises(
        DatasetError, match=r"a\.png: label values \[30\] are outside 0\.\.2 .*ignored \[9, 255\]: .*3 cla"
    ):
        folder.read(folder.samples[0])
    folder = open_dataset(tmp_path, None, THREE, (9, 30))
    assert folder.read(folder.samples[0])[1].tolist() == [[2, 255, 255]]
    folder = open_dataset(tmp_path, None, THREE, ())
    with pytest.raises(DatasetError, match=r"label values \[9, 30\] .*ignored \[255\]"):
        folder.read(folder.samples[0])


@needs_camvid
def test_camvid_has_the_images_and_drives_its_readme_tells():
    labels = load_labels("camvid11")
    folders = {split: open_dataset(CAMVID, split, labels) for split in ("train", "val", "test")}
    assert {split: len(folder) for split, folder in folders.items()} == {"train": 367, "val": 101, "test": 233}
    drives = {split: {sample.drive for sample in folder} for split, folder in folders.items()}
    assert drives["val"] == {"0016E5"}
    assert drives["test"] == {"Seq05VD", "0001TP"}
    assert sum(sample.drive == "Seq05VD" for sample in folders["test"]) == 171
    image, values = folders["test"].read(folders["test"].samples[0])
    assert image.shape == (360, 480, 3)
    assert values.shape == (360, 480)
    assert set(np.unique(values)) <= {*range(11), 255}
