"""From a network of one's own to a pipeline with its best score and its own judges: docs/networks.md's four commands.

The network comes by factory and its last layer is 3x3, so that feature scores need the layer ``body`` by name.
"""

import csv
import sys

import cv2
import pytest
from coarse_figures import coarse

from trust_seg_ros.cli import main
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.calibration import load_calibration
from trust_seg_ros.types import Frame
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES

pytestmark = pytest.mark.slow

FACTORY = """
from pathlib import Path

from feature_cases import SmallNet
from safetensors.torch import load_file


def taught():
    net = SmallNet()
    net.load_state_dict(load_file(Path(__file__).with_name("taught") / "weights.safetensors"))
    return net
"""
PLAIN, TAUGHT = "feature_cases:small_net", "own_nets:taught"
LAYER = ["--features-layer", "body"]
UNKNOWN = "synthetic:seeds={}:kinds=cow,box:rate=8:size=192x128"


def scenes(root, split, seeds):
    for kind in ("images", "labels"):
        (root / split / kind).mkdir(parents=True)
    for seed in seeds:
        image, labels = training_sample(seed, (128, 192))
        cv2.imwrite(str(root / split / "images" / f"s_{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(root / split / "labels" / f"s_{seed}.png"), labels)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder after the four commands."""
    root = tmp_path_factory.mktemp("own")
    (root / "own_nets.py").write_text(FACTORY)
    scenes(root / "data", "train", range(6))
    scenes(root / "data", "val", range(50, 56))
    data, judging = str(root / "data"), ["--accept-labels", "--model", TAUGHT, *LAYER]
    finetune = ["finetune", "--model", PLAIN, "--in-distribution", data, "--ood", UNKNOWN.format("0-3")]
    finetune += ["--ood-rest", "labelled", "--ratio", "1", "--batch", "2", "--crop", "64", "--epochs", "1"]
    finetune += ["--learning-rate", "1e-2", "--accept-labels", "--threads", "1", "--out", str(root / "taught")]
    calibrate = ["calibrate", data, "--split", "val", "--statistics-split", "train", "--allow-absent", *judging]
    calibrate += ["--score", "all", "--meta-model", "none", "--out", str(root / "mine.json")]
    fit = ["fit", data, "--split", "val", "--features", "E,S", "--class-input", "none", *judging]
    fit += ["--workers", "1", "--out", str(root / "mine_meta.json")]
    benchmark = ["benchmark", UNKNOWN.format("10-13"), "--fit-on", UNKNOWN.format("20-23"), "--features", "E,S"]
    benchmark += ["--model", TAUGHT, *LAYER, "--calibration", str(root / "mine.json"), "--threshold", "fit"]
    benchmark += ["--save-meta", str(root / "mine_ood.json"), "--out", str(root / "chosen")]
    with pytest.MonkeyPatch.context() as patch, coarse():
        patch.syspath_prepend(str(root))
        patch.delitem(sys.modules, "own_nets", raising=False)
        for words in (finetune, calibrate, fit, benchmark):
            assert main(words) == 0, words[0]
        yield root


def test_a_frame_is_judged_by_the_best_score_and_by_judges_of_its_own(home):
    model = load_ood_model(home / "mine_ood.json")
    files = {"calibration": str(home / "mine.json"), "meta_model": str(home / "mine_meta.json")}
    settings = PipelineSettings(TAUGHT, features_layer="body", ood_meta_model=str(home / "mine_ood.json"), **files)
    pipeline = TrustPipeline.load(settings)
    at = ThresholdSettings.constants(
        pixel_score="knn", pixel=0.0, ood_score=model.score, ood=model.threshold, ood_min_size=1
    )
    pipeline.check(at)
    for seed in range(20, 24):
        image, _ = training_sample(seed, (128, 192))
        found = pipeline(Frame(image), at)
        assert found.scores["knn"].isfinite().all()
        assert ((found.trust.p_wrong >= 0) & (found.trust.p_wrong <= 1)).all()
        assert len(found.ood.p_ood) == len(found.ood.kept)


def test_both_commands_name_the_best_of_all_scores(home):
    best = load_calibration(home / "mine.json").summary["best_score"]
    assert set(FEATURE_SCORES) < set(best["auroc"])
    assert best["auroc"][best["score"]] == max(best["auroc"].values())
    with (home / "chosen" / "pixels.csv").open() as file:
        rows = {row["score"]: float(row["AuPRC"]) for row in csv.DictReader(file)}
    assert set(FEATURE_SCORES) < set(rows)
    named = max(rows, key=rows.get)
    assert f"best score of {TAUGHT} for unknown objects: by AuPRC {named}, " in (home / "chosen/report.md").read_text()
    assert load_ood_model(home / "mine_ood.json").score == named


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        (TAUGHT, ["--features-layer", "tokens"], "statistics of layer 'body', the features are of layer 'tokens'"),
        (TAUGHT, [], "feature scores need the input of a last 1x1 convolution, or the output of a layer that is named"),
        ("feature_cases:plain_net", [], "own_nets:taught"),
        (PLAIN, LAYER, "own_nets:taught"),
    ],
)
def test_statistics_of_another_layer_or_network_are_refused(home, tmp_path, capsys, model, words, message):
    asked = ["benchmark", UNKNOWN.format("10-10"), "--model", model, *words, "--score", "vim", "--meta", "none"]
    assert main([*asked, "--calibration", str(home / "mine.json"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_network_without_features_is_calibrated_without_them_and_it_is_said(home, tmp_path, capsys):
    words = ["calibrate", str(home / "data"), "--model", TAUGHT, "--accept-labels", "--meta-model", "none"]
    words += ["--out", str(tmp_path / "c.json")]
    assert main([*words, "--score", "knn"]) == 2
    assert "--score knn: network 'own_nets:taught' cannot give it: feature scores need" in capsys.readouterr().err
    assert main([*words, "--score", "all"]) == 0
    assert "knn left out: feature scores need" in capsys.readouterr().out
    found = load_calibration(tmp_path / "c.json")
    assert found.features is None
    assert not set(FEATURE_SCORES) & set(found.scores)
