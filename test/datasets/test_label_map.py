"""Label maps: read, checked, and applied in every layout."""

import cv2
import numpy as np
import pytest
from places import ROOT

from trust_seg_ros.datasets.corruptions.folder import corrupted
from trust_seg_ros.datasets.corruptions.names import Corruption
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.label_map_file import label_map
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.segmentation.labels import LabelSet, load_labels

NET = LabelSet("net", ("road", "car", "sky"), ignore=7)
MERGING = """
from: camvid11
map: {Road: road, Pavement: 0, Car: CAR, 9: car, Sky: sky}
default: ignore
"""


def written(folder, text, name="map.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def data_set(root, values):
    for kind, pixels in (("images", np.zeros((20, 20, 3), np.uint8)), ("labels", np.asarray(values))):
        (root / kind).mkdir(parents=True)
        cv2.imwrite(str(root / kind / "a.png"), pixels if kind == "images" else np.resize(pixels, (20, 20)))
    return root


def test_classes_are_merged_by_name_and_by_value(tmp_path):
    found = label_map(written(tmp_path, MERGING), NET)
    assert found.lookup(12).tolist() == [2, 255, 255, 0, 0, 255, 255, 255, 1, 1, 255, 255]
    assert found.words() == {
        "0": "sky",
        "3": "road",
        "4": "road",
        "8": "car",
        "9": "car",
        "11": "ignore",
        "default": "ignore",
    }


def test_values_are_read_through_the_map(tmp_path):
    root = data_set(tmp_path / "set", np.array([0, 3, 4, 8, 11, 255, 6, 200], np.uint8))
    folder = open_dataset(root, None, NET, None, label_map(written(tmp_path, MERGING), NET))
    expected = [2, 0, 0, 1, 255, 255, 255, 255]
    assert folder.read(folder.samples[0])[1].ravel()[:8].tolist() == expected
    dark = corrupted(folder, Corruption("night", 1, 0))
    assert dark.read(dark.samples[0])[1].ravel()[:8].tolist() == expected


def test_a_value_that_is_not_mapped_is_refused_and_ignore_helps(tmp_path):
    root = data_set(tmp_path / "set", np.array([0, 3, 300], np.uint16))
    found = label_map(written(tmp_path, "map: {0: sky, 3: road}"), NET)
    folder = open_dataset(root, None, NET, None, found)
    with pytest.raises(
        DatasetError, match=r"a\.png: label values \[300\] are not in the label map map\.yaml, .*default"
    ):
        folder.read(folder.samples[0])
    folder = open_dataset(root, None, NET, (300,), found)
    assert folder.read(folder.samples[0])[1].ravel()[:3].tolist() == [2, 0, 255]
    with pytest.raises(DatasetError, match=r"ignored label values \[3\]: map\.yaml gives label values their classes"):
        open_dataset(root, None, NET, (3,), found)


def test_ids_that_count_from_one(tmp_path):
    root = data_set(tmp_path / "set", np.array([0, 1, 2, 3, 255], np.uint8))
    folder = open_dataset(root, None, NET, None, label_map("from-1", NET))
    assert folder.read(folder.samples[0])[1].ravel()[:5].tolist() == [255, 0, 1, 2, 255]
    assert folder.label_map.words() == {"0": "ignore", "1": "road", "2": "car", "3": "sky"}


def test_without_a_map_one_value_too_many_points_to_counting_from_one(tmp_path):
    folder = open_dataset(data_set(tmp_path / "set", np.array([0, 1, 2, 3], np.uint8)), None, NET)
    with pytest.raises(DatasetError, match=r"label values \[3\] are outside 0\.\.2 .*count from 1.*--label-map from-1"):
        folder.read(folder.samples[0])


def test_instance_ids_are_named(tmp_path):
    folder = open_dataset(data_set(tmp_path / "set", np.array([7, 26001, 26002], np.uint16)), None, NET)
    with pytest.raises(DatasetError, match=r"\[26001, 26002\] .*Cityscapes' instanceIds: take labelIds"):
        folder.read(folder.samples[0])


@pytest.mark.parametrize(("kind", "value"), [("labelTrainIds", 13), ("labelIds", 26)])
def test_cityscapes_for_a_network_of_other_classes(tmp_path, kind, value):
    for part, name, pixels in (
        ("leftImg8bit", "leftImg8bit", np.zeros((1, 2, 3), np.uint8)),
        ("gtFine", f"gtFine_{kind}", np.array([[value, 255]], np.uint8)),
    ):
        (tmp_path / part / "val" / "ulm").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / part / "val" / "ulm" / f"ulm_0_{name}.png"), pixels)
    found = label_map(written(tmp_path, "from: cityscapes19\nmap: {car: car}\ndefault: ignore"), NET)
    folder = open_dataset(tmp_path, "val", NET, None, found)
    assert folder.read(folder.samples[0])[1].tolist() == [[1, 255]]


def test_the_label_set_of_the_files_may_lie_beside_the_map(tmp_path):
    written(tmp_path, "classes: [{name: Strasse}, {name: Himmel}]", "mine.yaml")
    found = label_map(written(tmp_path, "from: mine.yaml\nmap: {Strasse: road, himmel: sky}"), NET)
    assert found.lookup(3).tolist() == [0, 2, 254]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "no label map; expected a mapping 'map'"),
        ("map: {0: road", "map.yaml: not a readable label map"),
        ("map: {0: road, 0: car}", "the key 0 is given twice"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" + "\nsize 99\n", "Git LFS"),
        ("map: {0: road}\nfro: camvid11", "no entry 'fro'.*did you mean from"),
        ("map: {0: rod}", r"0 is mapped to 'rod', which is no class of the network; .*did you mean road\?"),
        ("map: {0: 3}", "0 is mapped to 3, which is no class .* an id from 0 to 2"),
        ("map: {0: true}", "0 is mapped to True"),
        ("map: {Road: road}", "'Road' is a name; name the label set of the files with 'from'"),
        ("from: camvid11\nmap: {Rood: road}", "no class of camvid11 'Rood'.*did you mean Road"),
        ("from: camvid12\nmap: {Road: road}", "from: no label set 'camvid12'"),
        ("from: camvid11\nmap: {Road: road}", "'Sky', 'Building', .* of 'camvid11' are not mapped"),
        ("from: camvid11\nmap: {Road: road, 3: car}\ndefault: ignore", "'Road' and 3 are the same label value 3"),
        ("map: {-1: road}", "-1 is not a label value"),
        ("map: {65536: road}", "65536 is not a label value"),
        ("map: {true: road}", "True in 'map' is neither a label value nor a name; put names in quotes"),
        ("map: {255: road}", "255 is mapped to a class; in label files it always means no class"),
        ("map: {0: road}\ndefault: road", "default is 'road'; expected ignore"),
    ],
)
def test_malformed_maps_are_refused(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        label_map(written(tmp_path, text), NET)


def test_a_missing_map_is_named():
    with pytest.raises(DatasetError, match=r"--label-map nowhere\.yaml: no such file; expected a YAML file, or from-1"):
        label_map("nowhere.yaml", load_labels("camvid11"))


def test_the_example_of_the_guide_maps_camvid_to_cityscapes(tmp_path):
    text = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    example = text.split("```yaml\n# camvid_to_cityscapes.yaml\n")[1].split("```")[0]
    camvid, city = load_labels("camvid11"), load_labels("cityscapes19")
    words = label_map(written(tmp_path, example), city).words()
    assert {camvid.names[int(value)]: name for value, name in words.items() if value != "11"} == {
        "Sky": "sky",
        "Building": "building",
        "Pole": "pole",
        "Road": "road",
        "Pavement": "sidewalk",
        "Tree": "vegetation",
        "SignSymbol": "traffic sign",
        "Fence": "fence",
        "Car": "car",
        "Pedestrian": "person",
        "Bicyclist": "rider",
    }
    assert words["11"] == "ignore"
