"""``trust-seg calibrate`` with the embedded network, on the synthetic drive."""

import json

import cv2
import numpy as np
import pytest
from coarse_figures import coarse

from trust_seg_ros.cli import main
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds.calibration import load_calibration
from trust_seg_ros.thresholds.policies import Conformal, TargetRecall, resolve

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("coarse_figures")]

COUNT = 10


def write(root, split, seeds, void=()):
    for kind in ("images", "labels"):
        (root / split / kind).mkdir(parents=True)
    for seed in seeds:
        image, labels = training_sample(seed, (120, 160))
        cv2.imwrite(str(root / split / "images" / f"s_{seed}.png"), image[..., ::-1])
        cv2.imwrite(
            str(root / split / "labels" / f"s_{seed}.png"), np.full_like(labels, 255) if seed in void else labels
        )


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    root = tmp_path_factory.mktemp("drive")
    write(root, "val", range(COUNT))
    write(root, "test", range(50, 53), void=(51,))
    write(root, "void", range(60, 62), void=(60, 61))
    return root


@pytest.fixture(scope="module")
def made(drive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    out = folder / "calibration.json"
    words = ["calibrate", str(drive), "--out", str(out), "--score", "all", "--allow-absent"]
    words += ["--figures", str(folder / "figures")]
    with coarse():
        assert main([*words, "--ood", "synthetic:seeds=70-72:kinds=sofa:rate=4:size=436x328"]) == 0
    return out, load_calibration(out)


def test_the_file_serves_the_network_and_every_score_it_has(made, drive):
    out, found = made
    found.check_fits("embedded", found.class_names)
    assert list(found.scores) == [
        "entropy",
        "margin",
        "variation_ratio",
        "max_logit",
        "energy",
        "standardized_max_logit",
        "gradient_onehot",
        "gradient_uniform",
        "vim",
        "knn",
        "cdnp",
    ]
    assert found.features.path == out.with_name("calibration.features.safetensors")
    best = found.summary["best_score"]
    assert best["auroc"][best["score"]] == max(best["auroc"].values())
    assert set(best["auroc"]) == set(found.scores)
    wrong = found.summary["misclassified_pixels"]
    for name, score in found.scores.items():
        assert score.risk.images == len(score.frame_means) == COUNT, name
        assert score.recall.positives == wrong, name
        assert np.isfinite(resolve(TargetRecall(0.9), None, found.curves(name))), name
        assert resolve(Conformal(0.3), None, found.curves(name)) <= resolve(TargetRecall(0.2), None, found.curves(name))
    assert found.class_statistics.count.sum() > 0
    assert found.temperature.nll_after <= found.temperature.nll_before
    assert set(found.segments) == {"p_wrong", "p_ood"}
    assert found.segments["p_wrong"].risk.images == COUNT
    assert found.segments["p_ood"].risk.images == 3
    assert (found.grid, found.summary["grid"]) == ((360, 480), "area:480x360")
    assert (found.summary["split"], found.summary["data"]) == ("val", drive.name)
    assert found.summary["ood"]["score"] == "entropy"
    assert len(found.summary["meta_models"]["p_ood"]) == 12
    text = out.read_text()
    assert str(out.parent) not in text
    assert json.loads(text)["version"] == 2


def test_unknown_objects_in_images_that_the_meta_model_does_not_judge_are_refused(drive, tmp_path, capsys):
    words = ["calibrate", str(drive), "--out", str(tmp_path / "c.json"), "--ood"]
    assert main([*words, "synthetic:seeds=70-72:kinds=sofa:rate=4:size=160x120", "--grid", "image"]) == 2
    said = capsys.readouterr().err
    assert "segments are made on a grid of 160x120, the OoD meta model was fitted on one of 480x360" in said
    assert "set grid to area:480x360" in said


def test_figures_are_written(made):
    names = {path.stem for path in (made[0].parent / "figures").iterdir()}
    assert names == {"reliability", *made[1].scores, *made[1].segments}


def test_the_table_says_what_every_threshold_does(drive, tmp_path, capsys):
    out = tmp_path / "c.json"
    assert main(["calibrate", str(drive), "--out", str(out), "--recall", "0.85", "--meta-model", "none"]) == 0
    printed = capsys.readouterr().out
    found = load_calibration(out)
    threshold = resolve(TargetRecall(0.85), None, found.curves("entropy"))
    row = next(line for line in printed.splitlines() if "recall 0.85" in line)
    assert f"{threshold:.4g}" in row
    assert "needs 99 images, has 10" in printed
    assert "needs 19 images, has 10" in printed
    assert "expected calibration error" in printed
    assert "no meta model of this network" in printed
    assert not found.segments


def test_splits_together_and_images_without_labels(drive, tmp_path, capsys):
    out = tmp_path / "c.json"
    words = ["calibrate", str(drive), "--split", "val", "--split", "test", "--out", str(out), "--score", "margin"]
    assert main([*words, "--alpha", "0.1"]) == 0
    found = load_calibration(out)
    assert found.summary["split"] == "val + test"
    assert found.scores["margin"].risk.images == COUNT + 2
    assert found.summary["images_without_labels"] == 1
    assert "1 images have no labelled pixel" in capsys.readouterr().out


def test_statistics_of_other_images_are_kept(made, drive, tmp_path):
    out = tmp_path / "c.json"
    words = ["calibrate", str(drive), "--split", "test", "--out", str(out), "--meta-model", "none"]
    assert main([*words, "--score", "standardized_max_logit", "--statistics", str(made[0])]) == 0
    found = load_calibration(out)
    assert np.array_equal(found.class_statistics.mean, made[1].class_statistics.mean)
    assert found.scores["standardized_max_logit"].risk.images == 2


def test_statistics_of_another_split_are_those_of_a_calibration_of_it(made, drive, tmp_path):
    out = tmp_path / "c.json"
    words = ["calibrate", str(drive), "--split", "test", "--statistics-split", "val", "--out", str(out)]
    assert main([*words, "--score", "standardized_max_logit", "vim", "--allow-absent"]) == 0
    found = load_calibration(out)
    assert np.array_equal(found.class_statistics.mean, made[1].class_statistics.mean)
    assert out.with_name("c.features.safetensors").read_bytes() == made[1].features.path.read_bytes()
    assert found.scores["vim"].risk.images == 2
    assert found.summary["statistics_split"] == "val"


def test_benchmark_judges_the_standardised_max_logit_with_it(made, tmp_path, capsys):
    words = ["benchmark", "synthetic:seeds=80-82:kinds=sofa:rate=4:size=160x120", "--out", str(tmp_path / "b")]
    words += ["--meta", "none", "--score", "standardized_max_logit"]
    assert main([*words, "--calibration", str(made[0])]) == 0
    assert "standardized_max_logit" in capsys.readouterr().out
    assert main(words) == 2
    assert "trust-seg calibrate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--split", "void"], "2 images without a labelled pixel"),
        (["--alpha", "0.05"], "--alpha 0.05 needs at least 19 images, there are 10"),
        (["--split", "nowhere"], "no split 'nowhere'"),
        (["--score", "entropie"], "--score entropie: choose from entropy, margin"),
        (["--score", "entropie"], "did you mean entropy?"),
        (["--statistics", "none.json"], "none.json: no such calibration"),
        (["--statistics", __file__, "--statistics-split", "val"], "expected one of the two"),
        (["--statistics-split", "nowhere", "--score", "vim"], "no split 'nowhere'"),
        (["--statistics-split", "test"], "--score entropy margin needs no statistics; expected standardized_max_logit"),
        (["--meta-model", "none.json"], "none.json: no such meta model"),
        (["--ood", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_what_cannot_be_is_one_clear_line_and_no_file(drive, tmp_path, capsys, words, message):
    out = tmp_path / "c.json"
    assert main(["calibrate", str(drive), "--out", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not out.exists()


def test_an_alpha_that_labelled_images_are_too_few_for_keeps_the_file(drive, tmp_path, capsys):
    out = tmp_path / "c.json"
    words = ["calibrate", str(drive), "--split", "test", "--meta-model", "none", "--out", str(out)]
    assert main([*words, "--alpha", "0.25"]) == 2  # of 3 images one has no labels
    assert "--alpha 0.25 needs at least 3 images, there are 2" in capsys.readouterr().err
    assert load_calibration(out).scores["entropy"].risk.images == 2


def test_places_that_cannot_be_written_are_said_before_the_work(drive, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for words, message in (
        (["--out", str(tmp_path)], "is a folder; expected a file"),
        (["--out", str(tmp_path / "no" / "c.json")], "there is no folder"),
        (["--out", str(tmp_path / "c.json"), "--figures", str(tmp_path / "file")], "is a file; expected a folder"),
    ):
        assert main(["calibrate", str(drive), *words]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--alpha", "0"), ("--alpha", "1"), ("--recall", "0"), ("--recall", "x")]
)
def test_shares_out_of_range_are_refused(option, value, capsys):
    with pytest.raises(SystemExit):
        main(["calibrate", "d", "--out", "c.json", option, value])
    assert f"'{value}' is not a share" in capsys.readouterr().err
