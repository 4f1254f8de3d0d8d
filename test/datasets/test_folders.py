import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.folders import DatasetError, camvid, paired_folder


@pytest.fixture
def root(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "driveA_1.png"), np.full((4, 6, 3), (255, 0, 0), np.uint8))  # blue in BGR
    cv2.imwrite(str(tmp_path / "labels" / "driveA_1.png"), np.array([[0, 1, 11, 2, 2, 2]] * 4, np.uint8))
    return tmp_path


def test_reads_rgb_and_turns_ignored_values_into_255(root):
    folder = paired_folder(root, 11, (11, 255))
    image, labels = folder.read(folder.samples[0])
    assert image[0, 0].tolist() == [0, 0, 255]
    assert labels[0].tolist() == [0, 1, 255, 2, 2, 2]
    assert folder.samples[0].drive == "driveA"


def test_label_value_outside_the_set_is_named(root):
    folder = paired_folder(root, 2, (11,))
    with pytest.raises(DatasetError, match=r"label values \[2\] are outside 0\.\.1"):
        folder.read(folder.samples[0])


def test_sizes_that_differ_are_named(root):
    cv2.imwrite(str(root / "labels" / "driveA_1.png"), np.zeros((5, 6), np.uint8))
    folder = paired_folder(root, 11)
    with pytest.raises(DatasetError, match=r"labels are 6x5, the image driveA_1\.png is 6x4"):
        folder.read(folder.samples[0])


def test_unreadable_image_is_named(root):
    (root / "images" / "driveA_1.png").write_bytes(b"nothing")
    folder = paired_folder(root, 11)
    with pytest.raises(DatasetError, match=r"driveA_1\.png: not a readable image"):
        folder.read(folder.samples[0])


@pytest.mark.parametrize("ignore", [(11, 255), (-1,), (0,)])
def test_a_class_cannot_be_ignored(root, ignore):
    with pytest.raises(DatasetError, match=rf"ignored label values \[{ignore[0]}\]: 0\.\.11 are the 12 classes"):
        paired_folder(root, 12, ignore)


def test_labels_of_16_bits_do_not_wrap_around(root):
    cv2.imwrite(str(root / "labels" / "driveA_1.png"), np.array([[0, 1, 65535, 2, 2, 2]] * 4, np.uint16))
    assert paired_folder(root, 11, (65535,)).read(paired_folder(root, 11).samples[0])[1][0].tolist() == [
        0,
        1,
        255,
        2,
        2,
        2,
    ]
    cv2.imwrite(str(root / "labels" / "driveA_1.png"), np.array([[0, 1, 256, 2, 2, 2]] * 4, np.uint16))
    with pytest.raises(DatasetError, match=r"label values \[256\] are outside 0\.\.10"):
        paired_folder(root, 11).read(paired_folder(root, 11).samples[0])


@pytest.mark.parametrize("broken", ["missing", "empty", "unlabelled"])
def test_broken_layouts_are_refused(root, broken):
    if broken == "missing":
        root = root / "nowhere"
    elif broken == "empty":
        (root / "images" / "driveA_1.png").unlink()
    else:
        (root / "labels" / "driveA_1.png").unlink()
    with pytest.raises(DatasetError, match=r"no such folder|no images|no labels"):
        paired_folder(root, 11)


def test_camvid_names_its_splits(tmp_path):
    with pytest.raises(DatasetError, match="expected train, val or test"):
        camvid(tmp_path, "trian")
