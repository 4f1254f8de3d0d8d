"""``trust-seg benchmark`` from images to report, with the embedded network on scenes with unknown objects."""

import csv
import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from coarse_figures import coarse
from ood_models import size_model

from trust_seg_ros.cli import main
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.support.content_hash import with_hash
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.frame_scores import FrameScores

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("coarse_figures")]

JUDGED = "synthetic:seeds=60-64:kinds=sofa,cow:rate=4:size=240x160"
FITTED = "synthetic:seeds=80-83:kinds=tyre,barrel:rate=4:size=240x160"
FEW = ("--features", "S,E,D,S_rel")


def answer(data):
    """What the embedded network says of the first image, and the maps of it."""
    found = PipelineSettings(device="cpu").load().infer(open_ood_images(data).read(0)[0])
    return found, uncertainty_maps(found)


def table(out, name):
    with (out / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What is judged, as files: drawing the scenes again and again takes longer than judging them."""
    root, source = tmp_path_factory.mktemp("drawn"), open_ood_images(JUDGED)
    for kind in ("images", "labels_masks"):
        (root / kind).mkdir()
    for index, name in enumerate(source.names):
        image, truth = source.read(index)
        cv2.imwrite(str(root / "images" / f"{name}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "labels_masks" / f"{name}_labels_semantic.png"), truth)
    return str(root)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Every score, cross-validated by image."""
    out = tmp_path_factory.mktemp("benchmark") / "all"
    with coarse():
        assert main(["benchmark", JUDGED, "--track", "obstacle", "--sweep", "4", *FEW, "--out", str(out)]) == 0
    return out


def test_every_score_has_its_rows(judged):
    pixels, objects, errors = (table(judged, name) for name in ("pixels", "objects", "segment_errors"))
    scores = [row["score"] for row in pixels]
    assert scores == [
        "entropy", "margin", "variation_ratio", "max_logit", "energy", "gradient_onehot", "gradient_uniform",
    ]  # fmt: skip
    for row in pixels:
        assert 0.5 < float(row["AUROC"]) <= 1
        assert 0 < float(row["AuPRC"]) <= 1
        assert float(row["time, ms"]) > 0
    assert len(objects) == 14
    for row in errors:
        before, after = int(row["errors before"]), int(row["errors after"])
        assert before == int(row["FP before"]) + int(row["FN before"])
        assert int(row["FP after"]) <= int(row["FP before"])
        assert int(row["FN after"]) >= int(row["FN before"])
        assert float(row["fewer errors"]) == pytest.approx(1 - after / before, abs=1e-5)
        assert int(row["fewest without meta"]) <= before
        assert row["verdict"] == ("worse than finding nothing" if after > int(row["objects"]) else "")


def test_the_page_links_what_is_there(judged):
    page = (judged / "report.md").read_text()
    assert f"- data set: {JUDGED} (the synthetic drive), 5 images" in page
    assert "cross-validation over images" in page
    assert "size limits: 50/10 pixels" in page
    for name in ("precision_recall", "roc", "images"):
        assert f"]({name}.png)" in page
        assert cv2.imread(str(judged / f"{name}.png")).std() > 10
    assert cv2.imread(str(judged / "images.png")).shape[1] == 4 * 440 + 3 * 8


def test_a_saved_model_judges_as_the_one_fitted_on_the_other_data_set(drawn, tmp_path):
    words = ["benchmark", drawn, "--score", "entropy"]
    fitted = [*words, "--fit-on", FITTED, "--threshold", "fit", *FEW, "--save-meta", str(tmp_path / "ood.json")]
    assert main([*fitted, "--out", str(tmp_path / "fitted")]) == 0
    content = json.loads((tmp_path / "ood.json").read_text())
    assert content["summary"]["data_set"] == FITTED
    assert list(content["features"]) == ["S", "S_rel", "E", "D"]
    assert len(content["image_sizes"]) == 1
    assert main([*words[:2], "--meta", str(tmp_path / "ood.json"), "--out", str(tmp_path / "stored")]) == 0
    for name in ("segment_errors", "objects", "meta_classifier"):
        assert (tmp_path / "stored" / f"{name}.csv").read_text() == (tmp_path / "fitted" / f"{name}.csv").read_text()
    threshold = float(table(tmp_path / "stored", "segment_errors")[0]["threshold"])
    assert threshold == pytest.approx(content["threshold"], rel=1e-4)
    assert f"by the stored model, segments of entropy at {threshold:g}" in (tmp_path / "stored/report.md").read_text()


def test_of_several_scores_the_classifier_of_the_best_is_saved_and_the_nodes_parameters_are_said(
    drawn, tmp_path, capsys
):
    file = tmp_path / "ood.json"
    words = ["benchmark", drawn, "--score", "margin", "entropy", "energy", *FEW, "--save-meta", str(file)]
    assert main([*words, "--fit-on", FITTED, "--threshold", "fit", "--out", str(tmp_path / "out")]) == 0
    rows = table(tmp_path / "out", "pixels")
    best = max(rows, key=lambda row: float(row["AuPRC"]))["score"]
    assert best != "margin", "the first score is the best of these: the test needs another order"
    model = load_ood_model(file)
    assert model.score == best
    said = f"parameters of the node: ood.meta_model:={file} ood.score:={best} (ood.threshold as it is by default takes"
    line = next(line for line in capsys.readouterr().out.splitlines() if said in line)
    assert "ood.threshold:=" not in line, "a number set by hand stays when the file is fitted anew"
    assert float(line.split("the file's, ")[1].split(",")[0]) == pytest.approx(model.threshold, rel=1e-7)


OTHER = "synthetic:seeds=90-93:kinds=deer,box:rate=4:size=240x160"


def test_several_sources_are_fitted_left_out_and_saved_only_if_better_than_none(drawn, tmp_path, capsys):
    words = ["benchmark", drawn, "--score", "entropy", "--threshold", "0.5", *FEW]
    words += ["--fit-on", FITTED, OTHER, "--leave-source-out", "--keep", "0.9", "--fit-thresholds", "0.4"]
    words += ["--save-meta", str(tmp_path / "ood.json"), "--out", str(tmp_path / "out")]
    status = main(words)
    rows = table(tmp_path / "out", "sources_left_out")
    assert [(row["source left out"], float(row["threshold"])) for row in rows] == [
        (FITTED, 0.5), (FITTED, 0.4), (OTHER, 0.5), (OTHER, 0.4),
    ]  # fmt: skip
    for row in rows:
        assert int(row["after"]) <= int(row["false alarms before"])
        assert int(row["missed before"]) <= int(row["missed after"]) <= int(row["objects"])
    worse = [row for row in rows if row["verdict"] == "worse than none"]
    said = capsys.readouterr()
    assert status == (2 if worse else 0)
    assert (tmp_path / "ood.json").exists() == (not worse)
    assert said.out.count("worse than no meta classifier on") >= len(worse)
    assert ("not written, as the meta classifier is worse than none" in said.err) == bool(worse)
    assert main([*words, "--force"]) == 0
    content = json.loads((tmp_path / "ood.json").read_text())
    assert content["fitted_thresholds"] == [0.4, 0.5]
    assert 0 < content["base_rate"] < 1
    assert len(content["summary"]["left_out"]) == 4
    assert [source["name"] for source in content["summary"]["sources"]] == [FITTED, OTHER]
    assert content["summary"]["keep"] == 0.9
    assert content["discard_above"] != 0.5
    assert "discards above" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("score", ["gradient_onehot", "gradient_uniform"])
def test_thresholds_of_gradient_scores_are_logarithms_and_older_files_in_norms_judge_the_same(score, drawn, tmp_path):
    words = ["benchmark", drawn, "--score", score, *FEW, "--save-meta", str(tmp_path / "ood.json")]
    assert main([*words, "--out", str(tmp_path / "fitted")]) == 0
    content = json.loads((tmp_path / "ood.json").read_text())
    assert content["summary"]["gradient"] == {"p": 0.5, "variant": "exact", "scale": "log"}
    told = float(table(tmp_path / "fitted", "segment_errors")[0]["threshold"])
    assert told == pytest.approx(content["threshold"], rel=1e-4)
    planes = FrameScores(*answer(drawn)).get(score).numpy()
    assert planes.min() < told < planes.max(), "as the node takes it"
    assert "logarithms of norms, p = 0.5, exact" in (tmp_path / "fitted/report.md").read_text()
    del content["summary"]["gradient"]["scale"]
    sign = 1 if score == "gradient_onehot" else -1
    content["threshold"] = sign * math.exp(sign * content["threshold"])
    (tmp_path / "older.json").write_text(json.dumps(with_hash(content)))
    for name in ("ood", "older"):
        assert main([*words[:2], "--meta", str(tmp_path / f"{name}.json"), "--out", str(tmp_path / name)]) == 0
    for name in ("segment_errors", "objects", "meta_classifier"):
        assert table(tmp_path / "ood", name) == table(tmp_path / "older", name)
    assert f"segments of {score} at {told:g}" in (tmp_path / "older/report.md").read_text()


def test_a_stored_model_of_another_gradient_is_refused(tmp_path, capsys):
    network = PipelineSettings(device="cpu").load()
    stored = size_model(network.name, network.labels.names, "gradient_onehot", -3.0)
    stored.save(tmp_path / "no_norm.json")
    replace(stored, summary={"gradient": {"p": 2.0, "variant": "exact"}}).save(tmp_path / "other.json")
    for name, message in (
        ("other", "with p = 2.0, exact; set are p = 0.5"),
        ("no_norm", "-3 is no norm of"),
    ):
        words = ["--meta", str(tmp_path / f"{name}.json"), "--out", str(tmp_path / "out")]
        assert main(["benchmark", JUDGED, *words]) == 2
        assert message in capsys.readouterr().err


def test_a_folder_with_a_broken_image_and_the_published_protocol(tmp_path):
    source = open_ood_images(JUDGED)
    for name in ("images", "labels_masks"):
        (tmp_path / name).mkdir()
    for index, name in enumerate(source.names[:3]):
        image, truth = source.read(index)
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), image[..., ::-1])
        truth[:10] = 255
        cv2.imwrite(str(tmp_path / "labels_masks" / f"{name}_labels_semantic.png"), truth)
    (tmp_path / "images" / "torn.png").write_bytes(b"no image")
    cv2.imwrite(str(tmp_path / "labels_masks" / "torn_labels_semantic.png"), np.zeros((3, 3), np.uint8))
    words = ["benchmark", str(tmp_path), "--score", "entropy", "--threshold", "entropy=0.4"]
    words += ["--meta", "leave_one_out", "--features", "S", "--limits", "9", "5", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert not (tmp_path / "out").exists()
    assert main([*words, "--keep-going"]) == 0
    page = (tmp_path / "out" / "report.md").read_text()
    assert "could not be read: torn" in page
    assert "(SegmentMeIfYouCan), 3 images" in page
    assert f"- pixels: {3 * 150 * 240:,} without void" in page
    assert "leave-one-segment-out" in page
    assert "9/5 pixels for sIoU" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--score", "entropi"], "--score entropi: choose from entropy, margin"),
        (["--score", "entropi"], "did you mean entropy?"),
        (["--threshold", "fit"], "name one with --fit-on"),
        (["--threshold", "energy=high"], "--threshold energy=high: expected best, fit, a number"),
        (["--score", "energy", "--threshold", "entropy=1"], "'entropy' is not among the scores energy"),
        (
            ["--score", "energy", "--threshold", "enrgy=1"],
            "'enrgy' is not among the scores energy; did you mean energy?",
        ),
        (["--meta", "by_magic"], "--meta-model by_magic: expected by_image, leave_one_out, none, or a .json file"),
        (["--meta", "absent.json"], "no such meta model file of OoD segments"),
        (["--fit-on", JUDGED], "that is the data set to judge on"),
        (["--fit-on", FITTED, "--meta", "none"], "expected one of the two"),
        (["--fit-on", FITTED, FITTED], "named twice"),
        (
            ["--leave-source-out", "--fit-on", FITTED],
            "--leave-source-out with 1 data sets to fit on; expected at least 2",
        ),
        (["--keep", "0.9"], "--keep with 0 data sets to fit on; expected at least 1"),
        (["--fit-thresholds", "0.5"], "--fit-thresholds with 0 data sets"),
        (["--save-meta", "x.json", "--meta", "none"], "nothing is fitted then"),
        (["--folds", "1"], "--folds 1: expected at least 2"),
        (["--sweep", "-1"], "--sweep -1: expected"),
        (["--features", "colour"], "no segment metric 'colour'"),
        (["--gradient-p", "0"], "p of the gradient norm is 0.0"),
        (["--model", "nowhere.pt2"], "nowhere.pt2"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path, capsys, options, message):
    out = tmp_path / "out"
    assert main(["benchmark", JUDGED, *options, "--out", str(out)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not out.exists()


def test_foreign_data_is_refused(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    assert main(["benchmark", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    first = "images/NAME.* with labels_masks/NAME_labels_semantic.png (SegmentMeIfYouCan), "
    assert f"no known layout; expected {first}" in capsys.readouterr().err
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((40, 60, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "labels" / "a.png"), np.full((40, 60), 11, np.uint8))
    assert main(["benchmark", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "label values [11]; expected the values of SegmentMeIfYouCan" in capsys.readouterr().err
