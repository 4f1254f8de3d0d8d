"""``trust-seg trust`` from images to report, with a network that names the brightest colour of a pixel."""

import csv
import math
import sys

import cv2
import numpy as np
import pytest
from coarse_figures import coarse
from places import CAMVID, needs_camvid

from trust_seg_ros.cli import main
from trust_seg_ros.evaluation.trust import reference
from trust_seg_ros.evaluation.trust.panel import CAUGHT, MISSED, NEEDLESS, judgement

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("coarse_figures")]

NETWORK = """
import torch
from trust_seg_ros.segmentation.labels import LabelSet

class Colours(torch.nn.Module):
    labels = LabelSet("colours", ("red", "green", "blue"))
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    def forward(self, x):
        return 4.0 * x

class Chances(Colours):
    def forward(self, x):
        return torch.softmax(4.0 * x, 1)

class Blind(Colours):
    def forward(self, x):
        return torch.zeros_like(x) + torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
"""
SIZE = (24, 32)


@pytest.fixture(scope="module", autouse=True)
def network(tmp_path_factory):
    place = tmp_path_factory.mktemp("networks")
    (place / "trust_colours.py").write_text(NETWORK)
    sys.path.insert(0, str(place))
    yield
    sys.path.remove(str(place))
    sys.modules.pop("trust_colours", None)


def write(root, images, wrong_above=0.75, change=None):
    """Blocks of colours; the label is another one where the colours are hardly told apart."""
    rng = np.random.default_rng(7)
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    pixels = []
    for k in range(images):
        blocks = rng.random((6, 8, 3)) * 255
        image = np.kron(blocks, np.ones((4, 4, 1))).astype(np.uint8)
        logits = image / 255 * 4
        chance = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        labels = image.argmax(-1).astype(np.uint8)
        risky = (1 - chance.max(-1)) / (2 / 3) > wrong_above * rng.random(SIZE)
        labels[risky] = (labels[risky] + 1) % 3
        labels = labels if change is None else change(labels, image.argmax(-1).astype(np.uint8))
        labels[0, :5] = 255
        name = f"{'ab'[k % 2]}_{k}.png"
        cv2.imwrite(str(root / "images" / name), image[..., ::-1])
        cv2.imwrite(str(root / "labels" / name), labels)
        pixels.append((chance, image.argmax(-1), labels))
    return pixels


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("colours")
    return root, {split: write(root / split, n) for split, n in (("test", 6), ("val", 3))}


def trust(root, out, *words, model="Colours"):
    return main(["trust", str(root), "--model", f"trust_colours:{model}", "--out", str(out), *words])


def table(out, name):
    with (out / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


SCORES = ("--score", "entropy", "margin", "energy")
POLICIES = ("--policy", "fixed:0.7", "quantile:0.8", "otsu", "target_recall:0.9", "conformal:0.4", "conformal:0.01")


@pytest.fixture(scope="module")
def judged(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    words = [*SCORES, *POLICIES, "--calibrate-on", "half", "drive", "val", "--runs", "3"]
    with coarse():
        assert trust(dataset[0], out, *words, "--corrupt", "fog:1", "fog:5", "defocus:2") == 0
    return out


def test_the_measures_are_those_of_all_pixels(dataset, judged):
    pixels = dataset[1]["test"]
    valid = np.concatenate([(labels != 255).ravel() for _, _, labels in pixels])
    wrong = np.concatenate([(classes != labels).ravel() for _, classes, labels in pixels])[valid]
    chance = np.concatenate([c.reshape(-1, 3) for c, _, _ in pixels])[valid]
    top = np.sort(chance, -1)
    score = {"entropy": -(chance * np.log(chance)).sum(-1) / np.log(3), "margin": 1 - top[:, 2] + top[:, 1]}
    rows = {row["score"]: row for row in table(judged, "scores")}
    assert list(rows) == ["entropy", "margin", "energy"]
    for name, values in score.items():
        values = values.round(6)  # the blocks' scores are equal up to a rounding
        for column, function in (
            ("AUROC", reference.auroc),
            ("AuPRC", reference.average_precision),
            ("FPR95", reference.fpr95),
            ("AURC", reference.aurc),
        ):
            assert float(rows[name][column]) == pytest.approx(function(values, wrong), abs=2e-3), (name, column)
    ece = reference.expected_calibration_error(top[:, 2], ~wrong, 15)
    shift = {row["data"]: row for row in table(judged, "shift")}
    assert float(shift["test"]["ECE"]) == pytest.approx(ece, abs=2e-3)
    assert float(shift["test"]["wrong"]) == pytest.approx(wrong.mean(), rel=1e-5)
    assert list(shift) == ["test", "fog:1", "fog:5", "defocus:2"]


def test_every_arrangement_has_its_tables(judged):
    page = (judged / "report.md").read_text()
    for name, runs in (("half", True), ("drive", True), ("val", False)):
        rows = {row["policy"]: row for row in table(judged, f"{name}_policies")}
        assert set(rows) == set(POLICIES[1:])
        assert (rows["otsu"].get("recall std", "-") != "-") == runs
        for row in rows.values():
            if row["policy"] != "conformal:0.01":
                assert 0 <= float(row["recall"]) <= 1
        assert rows["conformal:0.01"]["recall"] == "-"
        assert float(rows["quantile:0.8"]["flagged"]) <= 0.2 + 1e-9
        every = table(judged, f"{name}_policies_all")
        assert {(row["score"], row["policy"]) for row in every} >= {("energy", "otsu"), ("margin", "fixed:0.7")}
        assert ("energy", "fixed:0.7") not in {(row["score"], row["policy"]) for row in every}
        assert len(table(judged, f"{name}_shift_promise")) == 4
        assert [row["data"] for row in table(judged, f"{name}_monitor")] == ["test", "fog:1", "fog:5", "defocus:2"]
    assert "shift monitor, calibrated on half: reference of the shift monitor: 3 finite frame means of 3" in page
    assert "conformal:0.01, calibrated on half: alpha = 0.01 needs at least 99 calibration images, there are 3" in page
    assert "fixed:0.7 is in the unit of the softmax scores and left out for energy" in page
    assert "- data set: " in page
    assert "/test, 6 images" in page


def test_groups_add_up(dataset, judged):
    pixels = sum(int((labels != 255).sum()) for _, _, labels in dataset[1]["test"])
    for name in ("predicted", "true", "distance"):
        assert sum(int(row["pixels"]) for row in table(judged, f"by_{name}")) == pixels
        assert len(table(judged, f"by_{name}_recall")) == len(table(judged, f"by_{name}"))
    # what is flagged of the groups is what is flagged of all
    groups = {row["predicted class"]: row for row in table(judged, "by_predicted_flagged")}
    flagged = sum(int(r["pixels"]) * float(groups[r["predicted class"]]["otsu"]) for r in table(judged, "by_predicted"))
    best = (judged / "report.md").read_text().partition("best score: ")[2].split()[0]
    row = next(r for r in table(judged, "val_draws") if (r["score"], r["policy"]) == (best, "otsu"))
    assert flagged / pixels == pytest.approx(float(row["flagged"]), abs=1e-4)
    assert {row["true class"] for row in table(judged, "by_true")} == {"red", "green", "blue"}


def test_the_page_links_what_is_there(judged):
    page = (judged / "report.md").read_text()
    links = [line.rpartition("](")[2].rstrip(")") for line in page.splitlines() if "](" in line]
    assert {"roc.png", "precision_recall.png", "risk_coverage.png", "reliability.png", "images.png"} <= set(links)
    for link in links:
        assert (judged / link).is_file()
    for path in judged.glob("*.png"):
        assert cv2.imread(str(path)).std() > 5, path


def test_another_data_set_and_a_corrupted_one(dataset, tmp_path):
    write(tmp_path / "other", 2, wrong_above=0.3)
    words = ("--score", "margin", "--policy", "otsu", "target_recall:0.5", "--runs", "2")
    shifted = ("--shifted", str(tmp_path / "other"), "--shifted", f"{tmp_path / 'other'}:night:2")
    assert trust(dataset[0], tmp_path / "out", *words, *shifted) == 2  # its labels are nearly all moved by one class
    assert trust(dataset[0], tmp_path / "out", *words, *shifted, "--accept-labels") == 0
    assert "were the labels numbered otherwise" in (tmp_path / "out" / "report.md").read_text()
    rows = table(tmp_path / "out", "shift")
    assert [(row["data"], row["images"]) for row in rows] == [("test", "6"), ("other", "2"), ("other night:2", "2")]
    assert cv2.imread(str(tmp_path / "out" / "shift_promise.png")).std() > 5


@pytest.mark.parametrize(
    ("change", "wrong"), [(lambda _, c: c.copy(), "no pixel"), (lambda _, c: (c + 1) % 3, "every pixel")]
)
def test_images_without_or_with_nothing_but_errors(tmp_path, change, wrong):
    write(tmp_path / "data", 4, change=change)
    words = ("--score", "entropy", "--policy", "otsu", "target_recall:0.9", "conformal:0.4", "--runs", "2")
    assert trust(tmp_path / "data", tmp_path / "out", *words, "--accept-labels") == 0
    page = (tmp_path / "out" / "report.md").read_text()
    assert f"{wrong} is misclassified; AUROC, AuPRC and FPR95 are undefined" in page
    assert not (tmp_path / "out" / "roc.png").exists()
    row = table(tmp_path / "out", "scores")[0]
    assert (row["AUROC"], float(row["AURC"])) == ("-", pytest.approx(float(wrong == "every pixel")))
    reason = "target_recall:0.9, calibrated on half: no misclassified pixel in the calibration images"
    assert (reason in page) == (wrong == "no pixel")
    conformal = next(row for row in table(tmp_path / "out", "policies") if row["policy"] == "conformal:0.4")
    assert float(conformal["missed per image"]) <= 0.4


def test_a_constant_score_tells_nothing_and_breaks_nothing(tmp_path):
    write(tmp_path / "data", 4)
    words = ("--score", "entropy", "--policy", "otsu", "mean_std:1", "quantile:0.9", "target_recall:0.9", "--runs", "2")
    assert trust(tmp_path / "data", tmp_path / "out", *words, model="Blind") == 0
    row = table(tmp_path / "out", "scores")[0]
    assert float(row["AUROC"]) == pytest.approx(0.5)
    assert float(row["excess AURC"]) > 0
    flagged = {row["policy"]: float(row["flagged"]) for row in table(tmp_path / "out", "policies")}
    assert flagged == {"otsu": 0, "mean_std:1": 0, "quantile:0.9": 0, "target_recall:0.9": 1}


def test_scores_that_the_network_cannot_give(dataset, tmp_path, capsys):
    assert trust(dataset[0], tmp_path / "out", "--score", "energy", model="Chances") == 2
    assert "--score energy: the score 'energy' needs raw logits" in capsys.readouterr().err
    assert trust(dataset[0], tmp_path / "out", "--score", "standardized_max_logit") == 2
    assert "--score standardized_max_logit:" in capsys.readouterr().err
    words = ("--policy", "otsu", "--runs", "1")
    assert trust(dataset[0], tmp_path / "all", *words) == 0
    page = (tmp_path / "all" / "report.md").read_text()
    assert "gradient_onehot left out:" in page
    assert "standardized_max_logit left out:" in page
    assert math.isfinite(float(table(tmp_path / "all", "scores")[0]["AUROC"]))


def test_perturbed_passes_are_scores_like_others(dataset, tmp_path):
    words = (
        "--score",
        "entropy",
        "input_noise:entropy",
        "input_scale",
        "--passes",
        "2",
        "--noise",
        "40",
        "--runs",
        "2",
    )
    assert trust(dataset[0], tmp_path / "out", *words, "--policy", "otsu", "input_scale=fixed:0.1") == 0
    rows = {row["score"]: row for row in table(tmp_path / "out", "scores")}
    assert list(rows) == ["entropy", "input_noise:entropy", "input_scale"]
    assert float(rows["input_noise:entropy"]["AUROC"]) > 0.5
    pairs = {(row["score"], row["policy"]) for row in table(tmp_path / "out", "policies_all")}
    assert pairs == {(score, "otsu") for score in rows} | {("input_scale", "fixed:0.1")}


def test_the_command_gives_the_same_from_kept_counts(dataset, tmp_path):
    words = ("--split", "val", "--score", "margin", "--policy", "otsu", "target_recall:0.8", "--runs", "2")
    for out in ("a", "b"):
        assert trust(dataset[0], tmp_path / out, *words, "--cache", str(tmp_path / "cache")) == 0
    assert len(list((tmp_path / "cache").iterdir())) == 2  # bins and counts
    for path in (tmp_path / "a").glob("*.csv"):
        assert path.read_text() == (tmp_path / "b" / path.name).read_text(), path.name


def test_a_cache_that_cannot_be_written(dataset, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert trust(dataset[0], tmp_path / "out", "--cache", str(tmp_path / "file" / "cache")) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_broken_image_is_named(dataset, tmp_path, capsys):
    write(tmp_path / "data", 4)
    (tmp_path / "data" / "images" / "a_0.png").write_bytes(b"no image")
    words = ("--score", "entropy", "--policy", "otsu", "--runs", "1")
    assert trust(tmp_path / "data", tmp_path / "out", *words) == 2
    assert "a_0.png" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert trust(tmp_path / "data", tmp_path / "out", *words, "--keep-going") == 0
    assert "left out of all, as they could not be read: a_0" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score", "input_noise:mean"], "--score input_noise:mean: expected mc_dropout"),
        (["--score", "mc_dropout"], "dropout"),
        (["--score", "input_noise", "--passes", "1"], "passes is 1"),
        (["--window", "3"], "--window 3: expected at least 10 frames"),
        (["--shift-level", "2"], "level = 2.0: expected a number in (0, 1)"),
        (["--score", "entropi"], "--score entropi: choose from entropy, margin"),
        (["--score", "entropi"], "did you mean entropy?"),
        (["--policy", "median"], "--policy median: expected otsu"),
        (["--policy", "conformal:1"], "alpha = 1.0: expected a number in (0, 1)"),
        (["--score", "entropy", "--policy", "energy=fixed:1"], "that score is not judged"),
        (["--runs", "0"], "--runs 0: expected at least 1"),
        (["--min-share", "nan"], "--min-share nan: expected a share of the image, 0 to 1"),
        (["--calibrate-on", "test"], "--calibrate-on test: that is the split to judge on"),
        (["--calibrate-on", "train"], "no split 'train'"),
        (["--corrupt", "snow"], "no corruption 'snow'"),
        (["--corrupt", "fog:9"], "severity 9 of fog"),
        (["--corrupt", "fog:3", "--corrupt-seed", "-1"], "seed -1"),
        (["--shifted", "nowhere"], "nowhere: no such folder"),
        (["--calibration", "absent.json"], "absent.json"),
        (["--score", "entropy", "--policy", "energy=otsu"], "expected otsu"),
    ],
)
def test_mistakes_are_one_clear_line(dataset, tmp_path, capsys, words, message):
    assert trust(dataset[0], tmp_path / "out", *words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out").exists()


def test_colours_of_the_judgement():
    image = np.full((1, 5, 3), 100, np.uint8)
    predicted, truth = np.uint8([[0, 0, 0, 0, 1]]), np.uint8([[1, 1, 0, 0, 255]])
    shown = judgement(image, predicted, truth, np.array([[True, False, True, False, True]]))[0].astype(int)
    for pixel, colour in zip(shown[:3], (CAUGHT, MISSED, NEEDLESS), strict=True):
        assert np.abs(pixel - (0.25 * 80 + 0.75 * np.array(colour))).max() <= 1
    assert shown[3].tolist() == [80, 80, 80]
    assert shown[4].tolist() == [0, 0, 0]


@needs_camvid
def test_camvid_by_the_embedded_network(tmp_path):
    few = tmp_path / "few"
    for kind in ("images", "labels"):
        (few / kind).mkdir(parents=True)
        for path in sorted((CAMVID / "test" / kind).iterdir())[::60]:
            (few / kind / path.name).symlink_to(path)
    words = ["--score", "entropy", "margin", "--policy", "quantile:0.8", "target_recall:0.9", "--runs", "2"]
    assert main(["trust", str(few), "--ignore", "11", "--out", str(tmp_path / "out"), *words]) == 0
    for row in table(tmp_path / "out", "scores"):
        assert float(row["AUROC"]) > 0.8
        assert float(row["AURC"]) < 0.1
    row = next(row for row in table(tmp_path / "out", "policies") if row["policy"] == "target_recall:0.9")
    assert float(row["recall"]) > 0.6


def test_p_wrong_of_a_meta_model_is_judged_by_pixel_and_by_segment(dataset, tmp_path):
    root, _ = dataset
    network = ("--model", "trust_colours:Colours")
    assert main(["fit", str(root), *network, "--split", "val", "--out", str(tmp_path / "meta.json")]) == 0
    words = ["--score", "entropy", "--policy", "fixed:0.7", "p_wrong=fixed:0.5", "--calibrate-on", "drive"]
    assert trust(root, tmp_path / "out", *words, "--meta-model", str(tmp_path / "meta.json")) == 0
    assert [row["score"] for row in table(tmp_path / "out", "scores")] == ["entropy", "p_wrong"]
    by_pixel = [row for row in table(tmp_path / "out", "policies_all") if row["score"] == "p_wrong"]
    assert [row["policy"] for row in by_pixel] == ["fixed:0.5"]
    rows = table(tmp_path / "out", "segments")
    flagged = [float(row["flagged"]) for row in rows]
    assert [float(row["P(wrong) from"]) for row in rows] == [k / 10 for k in range(1, 10)]
    assert flagged == sorted(flagged, reverse=True)
    report = (tmp_path / "out" / "report.md").read_text()
    assert "AUROC" in report
    assert "segments below 0.03 % of the image (--min-share), which are never flagged" in report


def test_a_meta_model_that_has_seen_the_images_is_noted_and_one_that_is_not_there_refused(dataset, tmp_path, capsys):
    root, _ = dataset
    network = ("--model", "trust_colours:Colours")
    assert main(["fit", str(root), *network, "--split", "test", "--out", str(tmp_path / "meta.json")]) == 0
    words = ["--score", "entropy", "--policy", "otsu", "--meta-model"]
    assert trust(root, tmp_path / "out", *words, str(tmp_path / "meta.json")) == 0
    assert "test: it has seen these segments" in capsys.readouterr().out
    assert trust(root, tmp_path / "none", *words, "auto") == 2
    assert "--meta-model auto: none is shipped for trust_colours:Colours" in capsys.readouterr().err
