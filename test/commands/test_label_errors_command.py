"""``trust-seg label-errors`` from images to the page, with a network of three colours; and what it is given wrongly."""

import csv

import cv2
import numpy as np
import pytest
from blob_data import write_images

from trust_seg_ros.cli import main


@pytest.fixture
def data(tmp_path):
    write_images(tmp_path / "data" / "val", 6, (64, 96))
    return tmp_path / "data"


@pytest.fixture
def words(data, colours, tmp_path):
    network = ["--model", "colours_net:Colours"]
    return ["label-errors", str(data), "--split", "val", *network, "--out", str(tmp_path / "out")]


def label_files(data):
    return sorted((data / "val" / "labels").iterdir())


def table(folder):
    with (folder / "label_errors.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_page_and_pictures_show_the_same_list(words, tmp_path, capsys):
    assert main([*words, "--top", "5"]) == 0
    rows = table(tmp_path / "out")
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [float(row["p"]) for row in rows] == sorted((float(row["p"]) for row in rows), reverse=True)
    assert all(row["labelled"] != row["predicted"] for row in rows)
    pictures = sorted(path.name for path in (tmp_path / "out" / "pictures").iterdir())
    assert pictures == [f"000{k}.jpg" for k in range(1, 6)]
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert all(f'src="pictures/000{k}.jpg"' in page and f'<figure id="{k}">' in page for k in range(1, 6))
    assert "5 places listed" in capsys.readouterr().out
    assert main([*words, "--top", "2"]) == 0  # again, shorter: nothing of the first list stays
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 2


def test_what_is_wrong_in_the_labels_is_what_is_listed_first(words, data, tmp_path):
    path = label_files(data)[3]
    image = cv2.imread(str(data / "val" / "images" / path.name))[..., ::-1]
    for other in label_files(data):  # all others are right
        shown = cv2.imread(str(data / "val" / "images" / other.name))[..., ::-1]
        smooth = cv2.blur(shown, (5, 5)).argmax(2).astype(np.uint8)
        cv2.imwrite(str(other), smooth)
    labels = cv2.blur(image, (5, 5)).argmax(2).astype(np.uint8)
    labels[16:48, 24:64] = (labels[16:48, 24:64] + 1) % 3
    cv2.imwrite(str(path), labels)
    assert main(words) == 0
    first = table(tmp_path / "out")[0]
    assert first["image"] == path.stem
    assert 16 <= int(first["top"]) < int(first["bottom"]) <= 48
    assert 24 <= int(first["left"]) < int(first["right"]) <= 64


def test_names_with_spaces_unicode_and_markup(words, data, tmp_path):
    for kind in ("images", "labels"):
        old = sorted((data / "val" / kind).iterdir())[0]
        old.rename(old.with_name("straße <b>1&2.png"))
    assert main(words) == 0
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<b>1&2" not in page
    assert any(row["image"] == "straße <b>1&2" for row in table(tmp_path / "out"))
    assert "straße &lt;b&gt;1&amp;2" in page


def test_no_disagreement_is_an_empty_list(words, data, tmp_path, capsys):
    for image, labels in zip(sorted((data / "val" / "images").iterdir()), label_files(data), strict=True):
        cv2.imwrite(str(image), np.full((64, 96, 3), (0, 255, 0), np.uint8))
        cv2.imwrite(str(labels), np.ones((64, 96), np.uint8))
    assert main(words) == 0
    assert table(tmp_path / "out") == []
    assert "agree everywhere" in (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "0 places listed" in capsys.readouterr().out


def test_void_alone_is_refused(words, data, capsys):
    for path in label_files(data):
        cv2.imwrite(str(path), np.full((64, 96), 9, np.uint8))
    assert main(words) == 2
    assert "no pixel has a class" in capsys.readouterr().err


def test_labels_of_another_size_are_refused_or_left_out(words, data, tmp_path, capsys):
    cv2.imwrite(str(label_files(data)[2]), np.zeros((10, 12), np.uint8))
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "labels are 12x10" in error
    assert "--keep-going" in error
    assert not (tmp_path / "out").exists()
    assert main([*words, "--keep-going"]) == 0
    assert "left out: a_004" in capsys.readouterr().out


def test_labels_with_other_classes_are_refused(words, data, capsys):
    cv2.imwrite(str(label_files(data)[0]), np.full((64, 96), 7, np.uint8))
    assert main(words) == 2
    assert "label values [7] are outside 0..2" in capsys.readouterr().err


def test_a_data_set_without_labels_is_refused(words, data, capsys):
    for path in label_files(data):
        path.unlink()
    assert main(words) == 2
    assert "no labels (6 of 6 images have none)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--top", "0"), "--top 0: expected at least 1"),
        (("--per-image", "0"), "--per-image 0: expected at least 1"),
        (("--min-size", "0"), "--min-size 0: expected at least 1 pixel"),
        (("--seed", "-1"), "--seed -1: expected 0 or more"),
    ],
)
def test_numbers_out_of_range_are_refused(words, option, said, capsys):
    assert main([*words, *option]) == 2
    assert said in capsys.readouterr().err


def test_one_image_is_ordered_by_the_network_and_that_is_said(words, data, capsys):
    for kind in ("images", "labels"):
        for path in sorted((data / "val" / kind).iterdir())[1:]:
            path.unlink()
    assert main(words) == 0
    assert "too few images to learn from" in capsys.readouterr().out
