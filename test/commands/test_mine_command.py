"""``trust-seg mine`` from a film or a folder to a folder for a labelling tool."""

import csv
import json

import cv2
import numpy as np
import pytest
from json_schemas import run_json
from slow_films import film, view

from trust_seg_ros.cli import main
from trust_seg_ros.commands.mine_options import TOOLS
from trust_seg_ros.mining.exports import EXPORTS

MODEL = ("--model", "embedded:synthetic", "--device", "cpu")


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """Three views, two seconds each."""
    return film(tmp_path_factory.mktemp("films") / "my drive.avi", (3, 11, 20), 20)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_tools_are_those_that_are_written_for():
    assert set(TOOLS) == set(EXPORTS)


def test_a_film_becomes_a_data_set_a_sheet_and_a_table(drive, tmp_path, capsys):
    words = ("mine", drive, "--budget", 10, "--to", "coco", "--out", "label", *MODEL)
    found = run_json(capsys, *words)
    assert found["looked_at"] == 12
    assert 2 <= len(found["chosen"]) <= 6
    assert [row["rank"] for row in found["chosen"]] == list(range(1, len(found["chosen"]) + 1))
    assert all(row["source"] == str(drive) for row in found["chosen"])
    stamps = sorted(row["stamp_ns"] for row in found["chosen"])
    assert min(np.diff(stamps)) >= 1_000_000_000
    files = sorted(path.name for path in (tmp_path / "label").rglob("*") if path.suffix in (".png", ".jpg"))
    assert len(files) == len(found["chosen"]) + 1
    assert cv2.imread("label/sheet.png").shape[1] > 1000
    with open("label/moments.csv", encoding="utf-8") as file:  # noqa: PTH123  (below the working directory)
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [row["name"] for row in found["chosen"]]
    assert [float(row["seconds"]) for row in rows] == [row["stamp_ns"] / 1e9 for row in found["chosen"]]
    (annotations,) = (path for path in (tmp_path / "label").rglob("*.json"))
    content = json.loads(annotations.read_text())
    assert len(content["images"]) == len(found["chosen"])
    assert content["annotations"]


def test_another_budget_needs_no_second_look(drive, tmp_path, capsys):
    words = ("mine", drive, "--to", "coco", *MODEL, "--cache", "seen")
    many = run_json(capsys, *words, "--budget", 3, "--out", "three")
    (lines,) = (tmp_path / "seen").glob("*.jsonl")
    before = lines.read_text()
    few = run_json(capsys, *words, "--budget", "10%", "--out", "few")
    assert lines.read_text() == before
    assert few["chosen"] == many["chosen"][:1]
    assert few["budget"] == "10%"


def test_images_of_a_folder_keep_their_names_and_have_no_time(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for name, seed in (("Straße 1", 3), ("b", 11)):
        cv2.imwrite(f"photos/{name}.png", view(seed)[..., ::-1])
    (tmp_path / "photos" / "broken.png").write_bytes(b"none")
    words = ("mine", "photos", "--budget", 5, "--to", "coco", "--out", "label", *MODEL, "--meta-model", "none")
    found = run_json(capsys, *words)
    assert {row["name"] for row in found["chosen"]} == {"Straße 1", "b"}
    assert {row["stamp_ns"] for row in found["chosen"]} == {None}
    assert (found["meta_model"], found["refused"], found["looked_at"]) == (False, 1, 2)
    copied = next((tmp_path / "label").rglob("Straße 1.png"))
    assert (cv2.imread(str(copied)) == cv2.imread("photos/Straße 1.png")).all()


def test_fewer_than_the_budget_is_said(tmp_path, capsys):
    cv2.imwrite("a.png", view(3)[..., ::-1])
    assert main(["mine", "a.png", "--budget", "7", "--to", "coco", "--out", "label", *MODEL]) == 0
    assert "1 of 7 chosen: there are no more" in capsys.readouterr().out


def test_two_recordings_of_one_name_are_told_apart(drive, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    other = film(tmp_path / "other" / "my drive.avi", (30,), 10)
    found = run_json(capsys, "mine", drive, other, "--budget", 2, "--to", "coco", "--out", "label", *MODEL)
    assert len({row["name"] for row in found["chosen"]}) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere --to coco --out new", "nowhere does not exist; a source is"),
        ("a.png --to coco --out new --budget 0", "'0' chooses nothing; expected a number of images, 1 or more"),
        ("a.png --to coco --out new --budget 0%", "'0%' chooses nothing"),
        ("a.png --to coco --out new --budget 101%", "'101%' chooses nothing"),
        ("a.png --to coco --out new --budget 2.5", "'2.5' chooses nothing"),
        ("a.png --to cocoa --out new", "invalid choice: 'cocoa'"),
        ("a.png --to coco --out full", "--out full: there is something already; expected a new or empty folder"),
        ("a.png --to coco --out new --every -1", "'-1'; expected seconds, 0 or more"),
        ("a.png --to coco --out new --alike 3", "'3'; expected a distance from 0 to 2"),
        ("synthetic --to coco --out new", "synthetic has no end; record a part of it first"),
        ("empty --to coco --out new", "empty holds no images"),
        ("broken --to coco --out new", "not one could be read"),
        ("data --split nope --to coco --out new", "no split 'nope'"),
        ("a.png --to coco --out new --meta-model nowhere.json", "no such meta model file"),
    ],
)
def test_what_cannot_be_mined_is_refused(words, said, tmp_path, capsys):
    cv2.imwrite("a.png", view(3))
    for folder in ("full/inside", "empty", "broken", "data/train/images", "data/train/labels"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "broken" / "x.png").write_bytes(b"none")
    try:
        status = main(["mine", *words.split(), *MODEL])
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
