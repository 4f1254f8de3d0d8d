"""Labels that contradict the network, and label maps, in every command that reads label files."""

import json
import shutil

import cv2
import numpy as np
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.fitting.store import MANIFEST, SegmentStore

OTHER = np.array([2, 0, 1], np.uint8)
"""Ids of red, green and blue in another data set."""
BACK = "map: {2: red, 0: green, 1: blue, 9: ignore}\n"


def renumber(root, table):
    for path in root.glob("**/labels/*.png"):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(values == 9, 9, table[np.minimum(values, 2)]).astype(np.uint8))


@pytest.fixture
def words(colours, tmp_path, blobs, monkeypatch):
    """Words of a command on images whose labels count in another way than the network; what is given comes after."""
    root = tmp_path / "blobs"
    shutil.copytree(root / "val", root / "test")
    shutil.copytree(root / "val", root / "right" / "val")
    shutil.move(root / "right", tmp_path / "right")
    renumber(root, OTHER)
    (tmp_path / "map.yaml").write_text(BACK)
    monkeypatch.setenv("COLUMNS", "160")
    network = ["--model", colours.model, "--device", "cpu"]
    data = ["--ignore", "9"]

    def command(name, *more):
        out = str(tmp_path / "out")
        own = {
            "miou": [str(root), *data],
            "fit": [str(root), "--out", f"{out}.json", "--workers", "1", *data],
            "evaluate": [str(root), "--out", out, "--workers", "1", *data],
            "calibrate": [str(root), "--out", f"{out}.json", "--meta-model", "none", *data],
            "trust": [str(root), "--out", out, "--score", "entropy", *data],
            "show": [str(root / "test" / "images"), "--truth", str(root / "test" / "labels"), "--out", out, *data],
            "finetune": ["--in-distribution", str(root), "--split", "val", "--ood", str(root / "ood"), "--out", out],
        }
        return [name, *own[name], *(["--ignore", "9"] if name == "finetune" else []), *network, *more]

    return command


def unknown_objects(root):
    """Images of unknown objects for finetune."""
    for kind in ("images", "labels_masks"):
        (root / kind).mkdir(parents=True)
    cv2.imwrite(str(root / "images" / "a.png"), np.zeros((40, 56, 3), np.uint8))
    cv2.imwrite(str(root / "labels_masks" / "a.png"), np.eye(40, 56, dtype=np.uint8))


@pytest.mark.parametrize("name", ["miou", "fit", "evaluate", "calibrate", "trust", "show", "finetune"])
def test_labels_of_another_numbering_stop_the_run_before_the_work(words, tmp_path, capsys, name):
    unknown_objects(tmp_path / "blobs" / "ood")
    assert main(words(name, *(["--crop", "32"] if name == "finetune" else []))) == 2
    text = capsys.readouterr().err
    assert "the labels contradict the network. On 8 images the network predicts the labelled class of" in text
    assert "('red') lies where the network says" in text
    assert '\nmap:\n  0: "green"  # predicted on' in text
    assert "--accept-labels" in text
    made = {path.name for path in tmp_path.glob("out*/*")} | {path.name for path in tmp_path.glob("out*.json")}
    assert made == set()


def test_they_are_accepted_where_the_user_says_so(words, capsys):
    assert main(words("miou", "--accept-labels")) == 0
    text = capsys.readouterr()
    assert "note: " in text.err
    assert "were the labels numbered otherwise, it would be" in text.err
    accuracy = float(text.out.split("pixel accuracy │")[1].split("%")[0])
    assert accuracy < 10


def test_the_suggested_map_is_accepted_as_it_is_printed(words, tmp_path, capsys):
    assert main(words("miou")) == 2
    suggestion = capsys.readouterr().err.split("\n\n")[1]
    (tmp_path / "suggested.yaml").write_text(suggestion)
    assert main(words("miou", "--label-map", str(tmp_path / "suggested.yaml"))) == 0
    accuracy = float(capsys.readouterr().out.split("pixel accuracy │")[1].split("%")[0])
    assert accuracy > 80


def test_fit_records_the_map_and_refuses_a_table_of_another(words, tmp_path, capsys):
    command = words("fit", "--label-map", str(tmp_path / "map.yaml"))
    assert main(command) == 0
    expected = {"0": "green", "1": "blue", "2": "red", "9": "ignore"}
    store = SegmentStore.open(tmp_path / "out.segments")
    assert store.entry("val").label_map == expected
    assert json.loads((tmp_path / "out.json").read_text())["summary"]["label_map"] == expected
    assert main(command) == 0  # the same map continues the table
    (tmp_path / "map.yaml").write_text("map: {2: red, 0: green, 1: ignore, 9: ignore}")
    assert main(command) == 2
    assert "label 1 was mapped to blue, is to ignore" in capsys.readouterr().err


def test_tables_without_a_map_are_written_as_before(words, tmp_path):
    assert main([*words("fit", "--accept-labels")]) == 0
    assert "label_map" not in (tmp_path / "out.segments" / MANIFEST).read_text()
    assert "label_map" not in (tmp_path / "out.json").read_text()


def test_calibrate_records_the_map(words, tmp_path):
    assert main(words("calibrate", "--label-map", str(tmp_path / "map.yaml"))) == 0
    summary = json.loads((tmp_path / "out.json").read_text())["summary"]
    assert summary["label_map"] == {"0": "green", "1": "blue", "2": "red", "9": "ignore"}


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_figures")
@pytest.mark.parametrize("name", ["evaluate", "trust"])
def test_reports_state_the_map(words, tmp_path, name):
    assert main(words(name, "--label-map", str(tmp_path / "map.yaml"))) == 0
    assert "0: green, 1: blue, 2: red, 9: ignore" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_figures")
def test_shifted_images_have_a_map_of_their_own(words, tmp_path, capsys):
    command = words("trust", "--label-map", str(tmp_path / "map.yaml"), "--shifted", str(tmp_path / "right"))
    (tmp_path / "own.yaml").write_text("map: {0: red, 1: green, 2: blue, 9: ignore}")
    command += ["--shifted-split", "val"]
    assert main(command) == 2
    assert "trust-seg trust: right: the labels contradict the network" in capsys.readouterr().err
    assert main([*command, "--shifted-label-map", str(tmp_path / "own.yaml")]) == 0


def test_corrupt_writes_the_mapped_classes(words, tmp_path):
    (tmp_path / "labels.yaml").write_text("{name: c, classes: [{name: red}, {name: green}, {name: blue}]}")
    command = ["corrupt", str(tmp_path / "blobs"), "--split", "val", "--corrupt", "night:1", "--out"]
    command += [str(tmp_path / "dark"), "--labels", str(tmp_path / "labels.yaml")]
    assert main([*command, "--label-map", str(tmp_path / "map.yaml")]) == 0
    for path in (tmp_path / "dark" / "labels").iterdir():
        before = cv2.imread(str(tmp_path / "right" / "val" / "labels" / path.name), cv2.IMREAD_UNCHANGED)
        after = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(after, np.where(before == 9, 255, before))


def test_a_label_map_needs_ground_truth_in_show(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 56, 3), np.uint8))
    assert main(["show", str(tmp_path / "a.png"), "--label-map", "from-1"]) == 2
    assert "--label-map needs ground truth; give it with --truth" in capsys.readouterr().err
