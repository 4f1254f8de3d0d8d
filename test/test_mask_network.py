"""A mask network through everything: pipeline, fit, calibrate, trust, label errors, policies, a replay."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
from blob_data import write_images
from coarse_figures import coarse
from linear_networks import Masks
from replay_bench import frame_table, replay

from trust_seg_ros.cli import main
from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.evaluation.label_errors.find import find_label_errors
from trust_seg_ros.meta import MetaModelError, load_meta_model
from trust_seg_ros.pipeline import PipelineSettings, ScoreUnavailableError, TrustPipeline
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.calibration import CalibrationError, load_calibration
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty.errors import MaskQueriesNeededError
from trust_seg_ros.uncertainty.mask_scores import rba
from trust_seg_ros.uncertainty.score_names import MASK_SCORES

MODEL = "linear_networks:Masks"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("blobs")
    for seed, split in enumerate(("val", "test")):
        write_images(root / split, 12, (48, 64), seed)
    return root


def command(name, data, *words):
    return main([name, str(data), "--model", MODEL, "--device", "cpu", "--ignore", "9", *map(str, words)])


@pytest.fixture(scope="module")
def fitted(data, tmp_path_factory):
    """Meta models of both kinds of segments: name -> file."""
    folder = tmp_path_factory.mktemp("meta")
    files = {}
    for origin in ("components", "queries"):
        files[origin] = folder / f"{origin}.json"
        more = ["--features", "metaseg,query_*"] if origin == "queries" else []
        words = ["--split", "val", "--workers", 1, "--segments-from", origin, "--out", files[origin], *more]
        assert command("fit", data, *words) == 0
    return files


@pytest.fixture(scope="module")
def calibrated(data, fitted):
    """Calibrations made with these: name -> file."""
    files = {}
    for origin, meta in fitted.items():
        files[origin] = meta.with_name(f"calibration_{origin}.json")
        words = ["--split", "test", "--score", "all", "--meta-model", meta, "--out", files[origin]]
        assert command("calibrate", data, *words) == 0
    return files


def pipeline(**settings):
    return TrustPipeline.load(PipelineSettings(MODEL, device="cpu", ood_meta_model="none", **settings))


def picture(data, k=0):
    return cv2.imread(str(sorted((data / "test" / "images").iterdir())[k]))[..., ::-1]


def test_frames_are_flagged_by_scores_of_mask_networks(data):
    loaded, image = pipeline(meta_model="none"), picture(data)
    score = rba(loaded.infer(image)).numpy()
    pixel, ood = np.quantile(score, (0.8, 0.9)).tolist()
    settings = ThresholdSettings.constants(pixel=pixel, ood=ood, ood_min_size=1)
    settings = replace(settings, pixel_score="rba", ood_score="rba")
    loaded.warm_up((48, 64))
    loaded.check(settings)
    result = loaded(Frame(image), settings, Wanted(scores=MASK_SCORES))
    assert (result.pixel_flags == (score >= np.float32(pixel))).all()
    assert 0.1 < result.pixel_flags.mean() < 0.3
    assert result.ood.sizes.sum() == (score >= np.float32(ood)).sum() > 0
    assert set(result.scores) >= set(MASK_SCORES)
    assert loaded.unavailable("energy") is not None
    assert loaded.unavailable("maskomaly") is None
    with pytest.raises(ScoreUnavailableError, match="max_logit"):
        loaded.check(replace(settings, pixel_score="max_logit"))


def test_a_pixel_that_no_query_claims_is_flagged_whatever_the_score(data):
    loaded = pipeline(meta_model="none")
    answer = loaded.infer(picture(data))
    answer.logits[:, 3:9, 4:10] = 0.0
    settings = replace(ThresholdSettings.constants(pixel=1e9), pixel_score="max_class_sum")
    result = loaded.with_answer(Frame(picture(data)), answer, settings)
    nobody = result.maps.classes.numpy() == 255
    assert nobody.sum() > 50
    assert (result.pixel_flags == nobody).all()
    assert result.maps.faulty_pixels == 0
    assert (result.segments.ids[nobody] == 0).all()


def test_segments_from_queries_are_judged_by_their_own_meta_model_only(data, fitted):
    models = {origin: load_meta_model(path) for origin, path in fitted.items()}
    assert {origin: model.segments_from for origin, model in models.items()} == {o: o for o in fitted}
    assert {"query_prob", "query_mask"} <= set(models["queries"].features)
    assert models["queries"].summary["fitted_on"]["auroc"] > 0.5
    frames = {}
    for origin, path in fitted.items():
        loaded = pipeline(meta_model=str(path))
        assert loaded.segments_from == origin  # "fitted"
        frames[origin] = loaded(Frame(picture(data)))
        assert len(frames[origin].trust.p_wrong) == len(frames[origin].segments)
    assert "query_mask" in frames["queries"].segments.names
    assert "query_mask" not in frames["components"].segments.names
    for origin, other in (("components", "queries"), ("queries", "components")):
        with pytest.raises(MetaModelError, match=f"segments_from is {other}.*fitted on segments from {origin}"):
            pipeline(meta_model=str(fitted[origin]), segments_from=other)
    with pytest.raises(MetaModelError, match="did you mean queries"):
        pipeline(segments_from="query")
    with pytest.raises(MetaModelError, match="query_prob, query_mask of segments from components"):
        replace(models["queries"], segments_from="components")
    assert models["queries"].fingerprint != models["components"].fingerprint


def test_another_network_has_no_queries_to_make_segments_of():
    loaded = TrustPipeline.load(PipelineSettings(device="cpu", meta_model="none", segments_from="queries"))
    with pytest.raises(ScoreUnavailableError, match=r"gives no masks of queries.*segments_from components"):
        loaded.check(ThresholdSettings())
    with pytest.raises(MaskQueriesNeededError):
        loaded(Frame(np.zeros((64, 96, 3), np.uint8)))


def test_a_segment_table_belongs_to_one_kind_of_segments(data, fitted, capsys):
    assert command("fit", data, "--split", "val", "--workers", 1, "--out", fitted["queries"]) == 2
    assert "its segments are queries, wanted now: components" in capsys.readouterr().err
    table = fitted["queries"].with_suffix(".segments")
    words = ["--cache", str(table), "--out", str(table.with_name("again.json")), "--features", "query_*"]
    assert main(["fit", *words, "--segments-from", "components"]) == 2
    assert "the segments of this table are queries, wanted: components" in capsys.readouterr().err
    assert main(["fit", *words]) == 0
    assert load_meta_model(table.with_name("again.json")).segments_from == "queries"


def test_a_calibration_serves_its_own_kind_of_segments(data, fitted, calibrated):
    made = {origin: load_calibration(path) for origin, path in calibrated.items()}
    assert made["queries"].summary["segments_from"] == "queries"
    assert "segments_from" not in made["components"].summary
    for found in made.values():
        assert {*MASK_SCORES, "entropy"} <= set(found.scores)
        assert "energy" not in found.scores
        assert found.temperature.nll_after <= found.temperature.nll_before
        assert found.segments["p_wrong"].risk.images == 12
    for origin, other in (("components", "queries"), ("queries", "components")):
        files = {"meta_model": str(fitted[origin])}
        with pytest.raises(CalibrationError, match=f"made with segments from {other}"):
            pipeline(**files, calibration=str(calibrated[other]))
        loaded = pipeline(**files, calibration=str(calibrated[origin]))
        settings = ThresholdSettings(
            pixel=PolicySettings("conformal", alpha=0.3),
            pixel_score="rba",
            unreliable=PolicySettings("target_recall", recall=0.8),
        )
        loaded.check(settings)
        result = loaded(Frame(picture(data)), settings)
        assert result.pixel_flags.any()


def test_perturbed_passes_are_of_class_sums(data):
    loaded = pipeline(meta_model="none")
    settings = replace(ThresholdSettings.constants(pixel=0.5), pixel_score="input_noise")
    score = loaded(Frame(picture(data)), settings).scores["input_noise"].numpy()
    assert 0.0 <= score.min() < score.max() <= 1.0
    middle = float(np.median(score))
    result = loaded(Frame(picture(data)), replace(settings, pixel=PolicySettings("fixed", value=middle)))
    assert (result.pixel_flags == (score >= np.float32(middle))).all()


def test_label_errors_come_from_the_same_distribution(data):
    found = find_label_errors(Masks(), paired_folder(data / "val", 3, (9, 255)), top=20)
    assert found.labelled > 0
    assert len(found.errors) > 0


def test_segments_can_be_shown(data, fitted, tmp_path):
    image = sorted((data / "test" / "images").iterdir())[0]
    out = tmp_path / "shown"
    words = ["show", str(image), "--model", MODEL, "--device", "cpu", "--meta-model", str(fitted["queries"])]
    assert main([*words, "--out", str(out), "--json"]) == 0
    assert main(["show", str(image), "--device", "cpu", "--segments-from", "queries", "--out", str(out)]) == 2


@pytest.mark.slow
def test_scores_of_masks_are_benchmarked_and_judged(data, fitted, tmp_path):
    unknown = "synthetic:seeds=60-62:kinds=sofa:rate=4:size=240x160"
    words = ["benchmark", unknown, "--model", MODEL, "--device", "cpu", "--track", "obstacle"]
    words += ["--score", "rba", "maskomaly", "--meta-model", "none", "--out", str(tmp_path / "benchmark")]
    with coarse():
        assert main(words) == 0
    with (tmp_path / "benchmark" / "pixels.csv").open() as file:
        assert [row["score"] for row in csv.DictReader(file)] == ["rba", "maskomaly"]
    words = ["--score", "entropy", "rba", "--meta-model", fitted["queries"], "--split", "test"]
    with coarse():
        assert command("trust", data, *words, "--out", tmp_path / "trust") == 0
    assert "p_wrong" in (tmp_path / "trust" / "report.md").read_text()


def test_a_drive_is_replayed(data, fitted, calibrated, tmp_path):
    words = {
        "model": MODEL,
        "device": "cpu",
        "meta_model": fitted["queries"],
        "calibration": calibrated["queries"],
        "segments_from": "queries",
        "thresholds.pixel_score": "mask_uncertainty",
        "thresholds.pixel_policy": "target_recall",
    }
    options = [word for name, value in words.items() for word in ("-p", f"{name}:={value}")]
    replay(data / "test" / "images", tmp_path / "out", *options)
    table = frame_table(tmp_path / "out")
    assert len(table["segments"]) == 12
    assert (table["segments"] > 9).all()  # each with a query of its own
    assert (table["flagged_pixels"] > 0).any()
    assert (table["faulty_pixels"] == 0).all()
