import argparse
import pickle

import cv2
import numpy as np
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.commands.corrupt_options import (
    add_corruption_arguments,
    corrupted_images,
    wished_corruptions,
)
from trust_seg_ros.datasets.corruptions import Corruption, CorruptionError
from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.datasets.corruptions.folder import CorruptedFolder, corrupted
from trust_seg_ros.datasets.folders import paired_folder, read_image
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.synthetic import training_sample


@pytest.fixture
def root(tmp_path):
    place = tmp_path / "data"
    for part in ("images", "labels"):
        (place / part / "yard").mkdir(parents=True)
    for number in range(3):
        image, labels = training_sample(number, (48, 64), ("box",), 5.0)
        cv2.imwrite(str(place / "images" / "yard" / f"{number}.png"), image[..., ::-1])
        cv2.imwrite(str(place / "labels" / "yard" / f"{number}.png"), labels)
    return place


def parsed(*words, several=False):
    parser = argparse.ArgumentParser()
    add_corruption_arguments(parser, several=several)
    return parser.parse_args(words)


def test_images_are_corrupted_and_labels_are_not(root):
    clean = paired_folder(root, 11)
    shifted = corrupted(clean, Corruption("fog", 4, 2))
    assert shifted.samples == clean.samples
    assert len(shifted) == 3
    for sample in shifted:
        image, labels = clean.read(sample)
        seen, seen_labels = shifted.read(sample)
        assert np.array_equal(seen, corrupt(image, "fog", 4, 2, sample.name))
        assert not np.array_equal(seen, image)
        assert np.array_equal(seen_labels, labels)


def test_without_a_corruption_the_folder_stays(root):
    clean = paired_folder(root, 11)
    assert corrupted(clean, None) is clean


def test_ignored_values_and_tables_come_along(root):
    clean = open_dataset(root, None, load_labels("camvid11"), (254,))
    assert corrupted(clean, Corruption("night")).ignore == (254,)


def test_twice_is_refused(root):
    shifted = corrupted(paired_folder(root, 11), Corruption("fog"))
    with pytest.raises(CorruptionError, match="fog:3 already"):
        corrupted(shifted, Corruption("rain"))


def test_a_corruption_is_needed(root):
    clean = paired_folder(root, 11)
    with pytest.raises(CorruptionError, match="needs a corruption"):
        CorruptedFolder(clean.samples, 11)


def test_it_travels_to_other_processes(root):
    shifted = corrupted(paired_folder(root, 11), Corruption("rain", 2))
    again = pickle.loads(pickle.dumps(shifted))
    sample = shifted.samples[1]
    assert np.array_equal(again.read(sample)[0], shifted.read(sample)[0])


def test_options(root):
    clean = paired_folder(root, 11)
    assert corrupted_images(parsed(), clean) is clean
    args = parsed("--corrupt", "night:2", "--corrupt-seed", "5")
    assert wished_corruptions(args) == (Corruption("night", 2, 5),)
    assert corrupted_images(args, clean).corruption == Corruption("night", 2, 5)


def test_options_given_several_times(root):
    args = parsed("--corrupt", "night:2", "--corrupt", "fog", several=True)
    assert wished_corruptions(args) == (Corruption("night", 2), Corruption("fog", 3))
    with pytest.raises(CorruptionError, match="expected one here"):
        corrupted_images(args, paired_folder(root, 11))
    assert wished_corruptions(parsed(several=True)) == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--corrupt", "snow"), "no corruption 'snow'"),
        (("--corrupt", "fog:9"), "severity 9 of fog"),
        (("--corrupt-seed", "-1"), "is no seed"),
    ],
)
def test_mistakes_are_usage_errors(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_sheet_of_a_data_set(root, tmp_path, capsys):
    out = tmp_path / "deep" / "sheet.png"
    assert main(["corrupt", str(root), "--image", "yard/1", "--out", str(out), "--tile", "80"]) == 0
    sheet = read_image(out)
    assert sheet.shape[0] > 7 * 60
    assert sheet.shape[1] > 6 * 80
    assert "yard/1, 7 corruptions" in capsys.readouterr().out
    assert [p.name for p in out.parent.iterdir()] == ["sheet.png"]


def test_sheet_of_one_image_and_one_kind(root, tmp_path):
    out = tmp_path / "sheet.png"
    image = root / "images" / "yard" / "0.png"
    assert main(["corrupt", str(image), "--corrupt", "rain", "--out", str(out), "--tile", "64"]) == 0
    sheet = read_image(out)
    tile = sheet[-52:-4, -6 * 68 : -6 * 68 + 64]  # the clean one, in its own size
    assert np.array_equal(tile, read_image(image))
    last = sheet[-52:-4, -68:-4]
    assert np.array_equal(last, corrupt(read_image(image), "rain", 5, 0, "0"))


def test_a_written_data_set_is_what_the_wrapper_yields(root, tmp_path):
    out = tmp_path / "fog4"
    assert main(["corrupt", str(root), "--corrupt", "fog:4", "--corrupt-seed", "2", "--out", str(out)]) == 0
    labels = load_labels("camvid11")
    written = open_dataset(out, None, labels)
    shifted = corrupted(open_dataset(root, None, labels), Corruption("fog", 4, 2))
    assert [s.name for s in written] == [s.name for s in shifted] == ["yard/0", "yard/1", "yard/2"]
    for a, b in zip(written, shifted, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(written.read(a), shifted.read(b), strict=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{root}", "--out", "folder"], "give one for a sheet"),
        (["{root}", "--out", "x.png", "--image", "no"], "--image no: no such image among the 3"),
        (["{root}", "--out", "x.png", "--tile", "9"], "--tile 9"),
        (["{root}", "--out", "{root}", "--corrupt", "fog"], "there is something already"),
        (["{root}/images/yard/0.png", "--out", "new", "--corrupt", "fog"], "is one image"),
        (["{root}/none", "--out", "x.png"], "no such folder"),
        (["{root}/images/yard/0.png", "--out", "{root}/images/yard/0.png/x.png"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_explained(words, said, root, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["corrupt", *(word.format(root=root) for word in words)]) == 2
    captured = capsys.readouterr().err
    assert said in captured
    assert captured.count("\n") == 1
