"""``--json`` of every command: valid by its schema in docs/schemas, and nothing else on standard output."""

import json
import subprocess
import sys

import cv2
import pytest
from json_schemas import SCHEMAS, run_json, schema
from jsonschema import Draft202012Validator
from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.synthetic import training_sample

pytestmark = pytest.mark.usefixtures("coarse_figures")

OOD = "synthetic:seeds=60-62:kinds=sofa,cow:rate=4:size=240x160"


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    root = tmp_path_factory.mktemp("drive")
    for split, seeds in (("val", range(6)), ("test", range(50, 54))):
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for seed in seeds:
            image, labels = training_sample(seed, (120, 160))
            cv2.imwrite(str(root / split / "images" / f"s_{seed}.png"), image[..., ::-1])
            cv2.imwrite(str(root / split / "labels" / f"s_{seed}.png"), labels)
    return root


def test_there_is_a_schema_for_every_command_and_each_is_one():
    assert {path.stem for path in SCHEMAS.glob("*.json")} == {*cli.COMMANDS, "error"}
    for path in SCHEMAS.glob("*.json"):
        Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_version(capsys):
    assert run_json(capsys, "version")["packages"]["torch"]


def test_completion(capsys):
    assert run_json(capsys, "completion", "bash")["script"].startswith("#")


def test_params(capsys):
    found = run_json(capsys, "params", "thresholds.")
    assert all(row["name"].startswith("thresholds.") for row in found["parameters"])


def test_an_error(capsys):
    assert run_json(capsys, "miou", "nowhere", status=2)["error"]["kind"] == "DatasetError"


def test_synthetic_and_corrupt(tmp_path, drive, capsys):
    found = run_json(capsys, "synthetic", "--out", tmp_path / "new", "--frames", 2, "--size", "160x96")
    assert (found["frames"], found["sheet"]) == (2, str(tmp_path / "new" / "sheet.png"))
    words = ("corrupt", drive, "--split", "test", "--corrupt", "fog:3")
    assert run_json(capsys, *words, "--out", tmp_path / "sheet.png")["corruptions"] == ["fog"]
    assert run_json(capsys, *words, "--out", tmp_path / "fog")["images"] == 4


@pytest.mark.slow
def test_fit_evaluate_and_miou(tmp_path, drive, capsys):
    out = tmp_path / "meta.json"
    found = run_json(capsys, "fit", drive, "--split", "val", "--judge", "test", "--out", out, "--workers", 1)
    assert found["scores"].keys() == {"fitted_on", "judged_on_test"}
    assert found["splits"]["val"]["images"] == 6
    words = ("evaluate", "--cache", found["table"], "--split", "val", "--runs", 2, "--workers", 1)
    found = run_json(capsys, *words, "--out", tmp_path / "study")
    assert found["tables"]
    assert len({len(row) for row in found["tables"][0]["rows"]}) == 1
    found = run_json(capsys, "miou", drive, "--split", "val")
    assert len(found["iou"]) == 11


@pytest.mark.slow
def test_export(tmp_path, capsys):
    pytest.importorskip("onnxscript")
    found = run_json(capsys, "export", "--out", tmp_path / "n.onnx")
    assert (found["file"], found["input_size"]) == (str(tmp_path / "n.onnx"), [416, 544])
    assert found["same_classes"] >= 0.9999
    words = ("--head", "trust", "--image-size", "200x120", "--out", tmp_path / "t.onnx")
    found = run_json(capsys, "export", *words)
    assert [one["name"] for one in found["maps"]] == ["class", "entropy", "margin", "variation_ratio"]
    assert all(row["same_classes"] >= 0.9999 and max(row["steps"].values()) <= 1 for row in found["differences"])


def test_label_errors(tmp_path, drive, capsys):
    found = run_json(capsys, "label-errors", drive, "--split", "val", "--top", 3, "--out", tmp_path / "out")
    assert [row["rank"] for row in found["label_errors"]] == [1, 2, 3]
    assert found["files"] == [str(tmp_path / "out" / name) for name in ("label_errors.csv", "index.html")]


@pytest.mark.slow
def test_calibrate(tmp_path, drive, capsys):
    found = run_json(capsys, "calibrate", drive, "--score", "entropy", "--alpha", 0.2, "--out", tmp_path / "c.json")
    by_policy = {(row["score"], row["policy"], row["at"]): row["threshold"] for row in found["thresholds"]}
    assert 0 < by_policy["entropy", "target_recall", 0.8] < 1


@pytest.mark.slow
def test_time(tmp_path, capsys):
    found = run_json(capsys, "time", "synthetic:seeds=3-3:seconds=0.3:size=160x120", "--out", tmp_path / "out")
    assert [table["name"] for table in found["tables"]] == [
        "flags", "alarms", "sequences", "tracking", "tracking_classes",
    ]  # fmt: skip
    assert found["facts"]["sequences"] == "1, 3 frames"


@pytest.mark.slow
def test_benchmark_and_trust(tmp_path, drive, capsys):
    words = ("--score", "entropy", "--features", "S,E", "--out", tmp_path / "ood")
    found = run_json(capsys, "benchmark", OOD, *words)
    assert found["facts"]["data set"].startswith(OOD)
    found = run_json(capsys, "trust", drive, "--score", "entropy", "--policy", "otsu", "--runs", 2, "--out", tmp_path)
    assert str(tmp_path / "report.md") == found["files"][0]


def test_show(tmp_path, drive, capsys):
    words = (drive / "val" / "images" / "s_0.png", "--truth", drive / "val" / "labels" / "s_0.png")
    found = run_json(capsys, "show", *words, "--out", tmp_path / "s.png")
    (picture,) = found["pictures"]
    assert picture["picture"] == str(tmp_path / "s.png")
    assert {"class", "p_wrong", "iou_adj_true"} <= picture["segments"][0].keys() | {"iou_adj_true"}


@pytest.mark.slow
def test_replay_also_a_second_time(tmp_path, drive, capsys):
    words = ("replay", drive / "test" / "images", "--out", tmp_path / "out", "--workers", 1)
    (row,) = run_json(capsys, *words)["recordings"]
    assert (row["state"], row["frames"], row["refused"]) == ("complete", 4, 0)
    (row,) = run_json(capsys, *words)["recordings"]
    assert row["state"] == "complete already"


@pytest.mark.slow
def test_train_and_finetune(tmp_path, capsys):
    words = (
        "--iterations",
        2,
        "--batch",
        1,
        "--synthetic-scenes",
        2,
        "--crop",
        32,
        32,
        "--evaluate-every",
        1,
        "--limit",
        2,
    )
    found = run_json(capsys, "train", "--scenes-only", *words, "--out", tmp_path / "train")
    assert found["steps"] == 2
    words = (
        "--crop",
        32,
        "--batch",
        2,
        "--epochs",
        1,
        "--ratio",
        1,
        "--judge-ood",
        "synthetic:seeds=0-1:kinds=cow:rate=9:size=96x64",
    )
    words += (
        "--in-distribution",
        "synthetic:seeds=0-1:size=96x64",
        "--ood",
        "synthetic:seeds=5-6:kinds=deer:rate=9:size=96x64",
    )
    found = run_json(capsys, "finetune", *words, "--out", tmp_path / "ood", "--threads", 1)
    assert found["after"]


@pytest.mark.slow
@pytest.mark.ros
@pytest.mark.parametrize(
    "words",
    [("check", "--no-camera"), ("play", "synthetic", "--frames", "3", "--rate", "50", "--topic", "/json/image")],
)
def test_check_and_play(words):
    run = [sys.executable, "-m", "trust_seg_ros.cli", *words, "--json"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    Draft202012Validator(schema(words[0])).validate(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.ros
def test_demo(tmp_path):
    run = [sys.executable, "-m", "trust_seg_ros.cli", "demo", "--seconds", "2", "--out", str(tmp_path), "--json"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    Draft202012Validator(schema("demo")).validate(found)
    assert found["film"] == str(tmp_path / "demo.mp4")
