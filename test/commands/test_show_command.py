"""``trust-seg show`` from the command line, with the embedded network on pictures of the synthetic drive."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import CAMVID, needs_camvid

from trust_seg_ros.cli import main
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds.settings import MIN_SHARE


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    root = tmp_path_factory.mktemp("drive")
    for kind in ("images", "labels"):
        (root / kind).mkdir()
    for seed in range(2):
        image, labels = training_sample(seed, (120, 160))
        cv2.imwrite(str(root / "images" / f"s{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "labels" / f"s{seed}.png"), labels)
    return root


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_one_image_gives_a_picture_and_a_table(drive, elsewhere, capsys):
    assert main(["show", str(drive / "images" / "s0.png"), "--top", "3", "--min-size", "1"]) == 0
    text = capsys.readouterr().out
    assert names(elsewhere) == ["s0.trust.png"]
    assert cv2.imread("s0.trust.png").shape[1] > 1500
    assert text.count("■") == 3
    assert "wrote s0.trust.png (" in text
    assert "the largest P(wrong) first" in text


def test_specks_are_not_outlined_unless_asked_for(drive, elsewhere, capsys):
    def unreliable(*words):
        assert main(["show", str(drive / "images" / "s0.png"), "--csv", "s.csv", "--out", "s.png", *words]) == 0
        rows = list(csv.DictReader(Path("s.csv").read_text().splitlines()))
        assert {row["unreliable"] for row in rows if float(row["p_wrong"]) < 0.5} <= {"0"}
        return [int(row["size"]) for row in rows if row["unreliable"] == "1"], capsys.readouterr().out

    default, said = unreliable()
    every, _ = unreliable("--min-share", "0")
    least = MIN_SHARE * 480 * 360  # the grid that the meta model was fitted on
    assert min(every) < least <= min(default)
    assert default == [size for size in every if size >= least]
    assert f"{len(default)} with P(wrong) >= 0.5, 0.03 % of the image and more" in said.replace("\n", " ")


def test_a_folder_gives_a_picture_each_and_one_csv_of_all(drive, elsewhere, capsys):
    words = ["show", str(drive / "images"), "--truth", str(drive / "labels"), "--true-iou"]
    assert main([*words, "--out", "out/deep", "--csv", "out/s.csv", "--width", "900"]) == 0
    assert names("out/deep") == ["s0.trust.png", "s1.trust.png"]
    assert cv2.imread("out/deep/s1.trust.png").shape[1] == 900
    text = capsys.readouterr().out
    assert "■" not in text, "no tables of several images unless asked for"
    assert text.count("wrote") == 3
    rows = list(csv.DictReader(Path("out/s.csv").read_text().splitlines()))
    assert {row["image"] for row in rows} == {"s0.png", "s1.png"}
    assert all(0 <= float(row["iou"]) <= float(row["iou_adj"]) <= 1 for row in rows)
    assert names(drive / "images") == ["s0.png", "s1.png"]


@pytest.mark.slow
def test_without_a_meta_model_it_says_how_to_get_one(drive, capsys, tmp_path, monkeypatch):
    (tmp_path / "grey.py").write_text(
        "import torch\n"
        "from trust_seg_ros.segmentation import LabelSet\n"
        "class Net(torch.nn.Module):\n"
        "    labels = LabelSet('two', ('dark', 'light'))\n"
        "    def forward(self, x):\n"
        "        light = x.mean(1, keepdim=True)\n"
        "        return torch.cat([-light, light], 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["show", str(drive / "images" / "s0.png"), "--model", "grey:Net"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "no meta model of network grey:Net" in text
    assert "trust-seg fit DATASET --model grey:Net --out meta.json" in text
    assert "the largest mean entropy first" in text
    assert "P(wrong)" not in text.split("note:")[0]
    assert Path("s0.trust.png").is_file()
    assert main(["show", str(drive / "images" / "s0.png"), "--meta-model", "none"]) == 0
    assert "note:" not in capsys.readouterr().out, "who wants none is told nothing"


def test_the_picture_may_not_lie_upon_its_image(drive, capsys):
    before = (drive / "images" / "s0.png").read_bytes()
    image = str(drive / "images" / "s0.png")
    assert main(["show", image, "--out", image]) == 2
    assert main(["show", image, "--csv", image]) == 2
    assert capsys.readouterr().err.count("is an input file, and would be overwritten") == 2
    assert (drive / "images" / "s0.png").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope.png"], "nope.png: no such file or folder"),
        (["text.png"], "text.png: not a readable image"),
        (["{s0}", "--truth", "nope"], "--truth nope: no such file or folder"),
        (["{s0}", "--truth", "{images}"], "no ground truth in"),
        (["{s0}", "--truth", "small.png"], "labels are 8x8, the image s0.png is 160x120"),
        (["{s0}", "--truth", "foreign.png"], "label values [77]"),
        (["{s0}", "--truth", "foreign.png", "--ignore", "3"], "ignored label values [3]"),
        (["{s0}", "--true-iou"], "--true-iou needs ground truth"),
        (["{s0}", "--ignore", "11"], "--ignore needs ground truth"),
        (["{s0}", "--threshold", "nan"], "--threshold nan"),
        (["{s0}", "--min-share", "3"], "--min-share 3: expected a share of the image, 0 to 1"),
        (["{s0}", "--top", "-1"], "--top -1: expected at least 0"),
        (["{s0}", "--min-size", "0"], "--min-size 0: expected at least 1"),
        (["{s0}", "--width", "10"], "--width 10: expected 600 to 8000"),
        (["{s0}", "--csv", "."], "--csv . is a folder"),
        (["{s0}", "--out", "s0.gif"], "pictures are PNG files"),
        (["{s0}", "--meta-model", "nope.json"], "no such meta model file"),
        (["{s0}", "--labels", "cityscapes19"], "19"),
    ],
)
def test_mistakes_are_one_clear_line(drive, elsewhere, capsys, words, said):
    Path("text.png").write_text("no image")
    cv2.imwrite("small.png", np.zeros((8, 8), np.uint8))
    cv2.imwrite("foreign.png", np.full((120, 160), 77, np.uint8))
    before = names(elsewhere)
    places = {"s0": drive / "images" / "s0.png", "images": drive / "images"}
    assert main(["show", *(word.format(**places) for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("trust-seg show: ")
    assert error.count("\n") == 1
    assert said in error
    assert names(elsewhere) == before


@needs_camvid
def test_real_pictures_and_their_ground_truth(capsys):
    image = sorted((CAMVID / "test" / "images").iterdir())[40]
    assert main(["show", str(image), "--truth", str(CAMVID / "test" / "labels"), "--csv", "s.csv"]) == 0
    assert cv2.imread(f"{image.stem}.trust.png").shape[0] > 1200
    rows = list(csv.DictReader(Path("s.csv").read_text().splitlines()))
    order = [float(row["p_wrong"]) for row in rows]
    assert order == sorted(order, reverse=True)
    wrong = np.array([float(row["iou_adj"]) == 0 for row in rows])
    assert np.mean(np.array(order)[wrong]) > np.mean(np.array(order)[~wrong]), "what is wrong is distrusted"
    assert "note:" not in capsys.readouterr().out
