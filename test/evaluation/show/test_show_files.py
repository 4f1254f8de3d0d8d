"""Which images are shown, the ground truth of each, and where pictures may go."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.label_map import LabelMap
from trust_seg_ros.evaluation.show import files as show_files
from trust_seg_ros.evaluation.show.files import ShowError, find_images, find_truth, keep_inputs, label_readers, places


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", "a.trust.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "labels").mkdir()
    for name in ("a.png", "b_labelTrainIds.png", "ulm_000000_000019_gtFine_labelTrainIds.png"):
        (tmp_path / "labels" / name).write_bytes(b"")
    return tmp_path


def test_a_folder_means_its_images_but_not_the_pictures_of_an_earlier_run(folder):
    found = find_images([folder / "b.png", folder])
    assert [path.name for path in found] == ["b.png", "a.JPG"], "each once, in the order given"


def test_what_is_not_there_is_named(folder):
    (folder / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"nope\.png: no such file or folder"):
        find_images([folder / "nope.png"])
    with pytest.raises(DatasetError, match=r"empty: no images .* folders deeper: name one"):
        find_images([folder / "empty"])


def test_ground_truth_has_the_images_name_and_maybe_an_ending(folder):
    images = [folder / "a.JPG", folder / "b.png", Path("ulm_000000_000019_leftImg8bit.png")]
    found = find_truth(images, folder / "labels")
    names = ["a.png", "b_labelTrainIds.png", "ulm_000000_000019_gtFine_labelTrainIds.png"]
    assert [path.name for path in found] == names
    assert find_truth(images[:1], folder / "labels" / "a.png") == [folder / "labels" / "a.png"]


def test_label_ids_of_cityscapes_become_its_classes(tmp_path):
    image, truth = tmp_path / "ulm_0_leftImg8bit.png", tmp_path / "ulm_0_gtFine_labelIds.png"
    cv2.imwrite(str(image), np.zeros((2, 3, 3), np.uint8))
    cv2.imwrite(str(truth), np.array([[7, 8, 0], [33, 26, 4]], np.uint8))
    assert find_truth([image], tmp_path) == [truth]
    (folder,) = label_readers([image], [truth], 19, (255,))
    assert folder.read(folder.samples[0])[1].tolist() == [[0, 1, 255], [18, 13, 255]]
    with pytest.raises(DatasetError, match="19 classes; the network has 11: map them to its classes with --label-map"):
        label_readers([image], [truth], 11, (255,))
    few = LabelMap("few", ((0, 4), (1, 5), (18, 255), (13, 2)), tuple("abcdefghijk"))
    (folder,) = label_readers([image], [truth], 11, (255,), few)
    assert folder.read(folder.samples[0])[1].tolist() == [[4, 5, 255], [255, 2, 255]]


def test_suffix_and_unicode_form_of_ground_truth_do_not_matter(tmp_path):
    image, truth = tmp_path / "fu\u0308r.JPG", tmp_path / "labels" / "f\u00fcr.PNG"
    truth.parent.mkdir()
    for path in (image, truth):
        path.write_bytes(b"")
    assert find_truth(find_images([tmp_path]), truth.parent) == [truth]


def test_an_image_is_not_its_own_ground_truth(folder):
    with pytest.raises(DatasetError, match=r"no ground truth .* expected a label image b\.png"):
        find_truth([folder / "b.png"], folder)


def test_missing_ground_truth_is_named(folder):
    with pytest.raises(DatasetError, match=r"nope: no such file or folder"):
        find_truth([folder / "a.JPG"], folder / "nope")
    with pytest.raises(DatasetError, match=r"c\.png: no ground truth"):
        find_truth([folder / "c.png"], folder / "labels")
    with pytest.raises(DatasetError, match="one file for 2 images"):
        find_truth([folder / "a.JPG", folder / "b.png"], folder / "labels" / "a.png")


def test_pictures_go_to_the_current_folder_a_folder_or_a_file(folder):
    images = [folder / "a.JPG", folder / "b.png"]
    assert places(images, None) == [Path("a.trust.png"), Path("b.trust.png")]
    assert places(images, folder / "new") == [folder / "new" / "a.trust.png", folder / "new" / "b.trust.png"]
    assert places(images[:1], folder / "mine.PNG") == [folder / "mine.PNG"]
    (folder / "run.1").mkdir()
    assert places(images[:1], folder / "run.1") == [folder / "run.1" / "a.trust.png"], "a dot makes no file"


def test_places_that_cannot_be_are_refused(folder):
    with pytest.raises(ShowError, match="PNG files"):
        places([folder / "a.JPG"], folder / "x.jpg")
    with pytest.raises(ShowError, match="one file for 2 images"):
        places([folder / "a.JPG", folder / "b.png"], folder / "x.png")
    with pytest.raises(ShowError, match="would both be written to"):
        places([folder / "a.JPG", folder / "labels" / "a.png"], None)
    (folder / "plain").write_text("")
    with pytest.raises(ShowError, match="is a file; expected a folder"):
        places([folder / "a.JPG"], folder / "plain")


def test_what_is_read_is_never_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    keep_inputs([folder / "a.JPG"], [Path("a.trust.png")])
    with pytest.raises(ShowError, match=r"b\.png is an input file"):
        keep_inputs([folder / "b.png"], [Path("labels/../b.png")])


def test_pictures_are_written_whole_or_not_at_all(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    show_files.write_picture(tmp_path / "a.png", picture)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], picture)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(ShowError, match="cannot be written"):
        show_files.write_picture(tmp_path / "b.png", picture)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    show_files.make_folder(tmp_path / "x" / "y" / "a.png")
    assert (tmp_path / "x" / "y").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ShowError, match="cannot be made"):
        show_files.make_folder(tmp_path / "file" / "a.png")
