"""``trust-seg fit`` from its words to its files."""

import json
import shutil
from dataclasses import replace
from importlib.metadata import version

import cv2
import numpy as np
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.commands.fit_report import bar
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.fitting.collect_worker import Collector, one_thread
from trust_seg_ros.fitting.fit import scores
from trust_seg_ros.fitting.store import MANIFEST, SegmentStore
from trust_seg_ros.meta import MetaModelError, load_meta_model
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.types import Frame
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings


@pytest.fixture
def words(colours, tmp_path, blobs, monkeypatch):
    """A command that fits the network of colours on ``blobs``; what is given comes after it."""
    shutil.copytree(tmp_path / "blobs" / "val", tmp_path / "blobs" / "test")
    monkeypatch.setenv("COLUMNS", "160")

    def command(*more, dataset=tmp_path / "blobs", out=tmp_path / "meta.json"):
        options = ["--model", colours.model, "--device", "cpu", "--ignore", "9", "--workers", "1"] if dataset else []
        return ["fit", *([str(dataset)] if dataset else []), *options, "--out", str(out), *more]

    return command


def test_it_writes_a_model_and_the_table_beside_it(words, tmp_path, capsys):
    assert main(words("--judge", "test")) == 0
    store = SegmentStore.open(tmp_path / "meta.segments")
    assert store.splits == ("test", "val")
    model = load_meta_model(tmp_path / "meta.json")
    assert model.summary["fitted_on"] == pytest.approx(scores(model, store.read("val")))
    assert model.summary["judged_on_test"] == model.summary["fitted_on"]
    text = capsys.readouterr().out
    for expected in ("false positives", "predicted classes", "green", "AUROC", "strongest 12 of", "│", "wrote"):
        assert expected in text
    assert "10/10" in text
    assert {p.name for p in tmp_path.iterdir()} == {"meta.json", "meta.segments", "blobs", "net"}


def test_the_model_names_its_grid_and_the_images_fitted_on(words, tmp_path, capsys):
    image = cv2.imread(str(next((tmp_path / "blobs" / "val" / "images").iterdir())))
    height, width = image.shape[:2]
    assert main(words()) == 0
    model = load_meta_model(tmp_path / "meta.json")
    assert (model.grid, model.image_sizes) == ((height, width), ((height, width),))
    grid = f"area:{2 * width}x{2 * height}"
    assert main(words("--grid", grid)) == 2
    assert f"its segments are made on the grid image, wanted now: {grid}" in capsys.readouterr().err
    assert main(words("--grid", grid, "--force")) == 0
    assert load_meta_model(tmp_path / "meta.json").grid == (2 * height, 2 * width)
    assert main(words("--cache", str(tmp_path / "meta.segments"), "--grid", "image", dataset=None)) == 2
    assert f"are made on the grid {grid}, wanted: image. Give DATASET and --force" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(words("--grid", "0x5"))
    assert "grid 0x5: expected sides of 1 to 16384" in capsys.readouterr().err


def test_boosted_trees_take_the_place_of_linear_models(words, tmp_path, capsys):
    assert main(words("--judge", "test", "--classifier", "boosting", "--features", "E,S")) == 0
    model = load_meta_model(tmp_path / "meta.json")
    assert model.trees is not None
    assert model.summary["judged_on_test"] == pytest.approx(
        scores(model, SegmentStore.open(tmp_path / "meta.segments").read("test"))
    )
    assert "splits of the trees by metric" in capsys.readouterr().out


def test_recordings_give_a_model_that_looks_back_and_runs_with_tracking(words, colours, tmp_path, capsys):
    names = {
        path: path.with_name(f"a_{k}.png") for kind in ("images", "labels") for k, path in _numbered(tmp_path, kind)
    }
    for path, new in names.items():
        path.rename(new)
    for k in (2, 5):
        (tmp_path / "blobs" / "val" / "labels" / f"a_{k}.png").unlink()  # frames between labelled ones
    asked = ("--time", "3", "--rate", "10", "--classifier", "boosting")
    assert main(words(*asked)) == 0
    model = load_meta_model(tmp_path / "meta.json")
    assert model.time is not None
    assert model.time.window_s == pytest.approx(0.3)
    assert "time.change.E" in model.features
    assert SegmentStore.open(tmp_path / "meta.segments").entry("val").images == tuple(
        f"a_{k}" for k in range(10) if k not in (2, 5)
    )
    settings = PipelineSettings(colours.model, device="cpu", meta_model=str(tmp_path / "meta.json"))
    with pytest.raises(MetaModelError, match="set tracking to on"):
        TrustPipeline.load(settings)
    live = TrustPipeline.load(replace(settings, tracking=TrackingSettings(on=True)))
    for k in range(4):
        image = cv2.imread(str(tmp_path / "blobs" / "val" / "images" / f"a_{k}.png"))[..., ::-1]
        result = live(Frame(np.ascontiguousarray(image), 10**9 + k * 10**8))
    assert np.isfinite(result.trust.p_wrong).all()
    stored = ("--cache", str(tmp_path / "meta.segments"), "--features", "metaseg_time,-time.trend.*")
    assert main(words(*stored, dataset=None, out=tmp_path / "other.json")) == 0
    assert load_meta_model(tmp_path / "other.json").time == model.time
    capsys.readouterr()


def _numbered(root, kind):
    return enumerate(sorted((root / "blobs" / "val" / kind).iterdir()))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--time", "3"), "--time without --rate: expected both, or none"),
        (("--rate", "10"), "--rate without --time"),
        (("--time", "1", "--rate", "10"), "1 frames to look back; expected at least 2"),
        (("--time", "3", "--rate", "0"), "a rate of 0 Hz; expected a number above 0"),
        (("--time", "3", "--rate", "0.1"), "segments are not followed over more than 1.2 s"),
        (
            ("--features", "metaseg_time"),
            "the set metaseg_time has metrics over time, and these segments are of single",
        ),
    ],
)
def test_recordings_that_cannot_be_followed_are_refused(words, tmp_path, capsys, more, said):
    assert main(words(*more)) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "meta.segments").exists()


def test_what_was_fitted_on_does_not_judge(words, tmp_path, capsys):
    assert main(words("--split", "val", "--split", "test", "--judge", "test")) == 2
    assert "--judge test: the models are fitted on it" in capsys.readouterr().err
    assert not (tmp_path / "meta.segments").exists()  # said before the work


def test_the_summary_says_how_and_not_where(words, tmp_path):
    assert main(words("--features", "metaseg,row", "--class-input", "both")) == 0
    text = (tmp_path / "meta.json").read_text()
    assert str(tmp_path) not in text
    summary = json.loads(text)["summary"]
    data = SegmentStore.open(tmp_path / "meta.segments").read("val")
    told = ("data", "split", "images", "segments", "skipped", "features", "class_input", "ignored_labels")
    assert [summary[key] for key in told] == ["blobs", "val", 10, len(data), 0, "metaseg,row", "both", [9, 255]]
    assert summary["versions"]["scikit-learn"] == version("scikit-learn")
    assert summary["network_input"]["order"] == "rgb"
    model = load_meta_model(tmp_path / "meta.json")
    assert {"row", "cprob_2", "class_2"} <= set(model.features)


def test_several_splits_are_fitted_on_together(words, tmp_path):
    assert main(words("--split", "val", "--split", "test")) == 0
    summary = load_meta_model(tmp_path / "meta.json").summary
    one = len(SegmentStore.open(tmp_path / "meta.segments").read("val"))
    assert (summary["split"], summary["images"], summary["segments"]) == ("val + test", 20, 2 * one)


def test_from_the_table_it_fits_without_network_and_data(words, tmp_path):
    assert main(words()) == 0
    whole = load_meta_model(tmp_path / "meta.json")
    shutil.rmtree(tmp_path / "net")
    shutil.rmtree(tmp_path / "blobs")
    again = words("--cache", str(tmp_path / "meta.segments"), dataset=None, out=tmp_path / "again.json")
    assert main(again) == 0
    assert (tmp_path / "again.json").read_text() == (tmp_path / "meta.json").read_text()
    assert main([*again, "--features", "E"]) == 0
    small = load_meta_model(tmp_path / "again.json")
    assert small.features == ("E",)
    assert small.means[0] == whole.means[whole.features.index("E")]


def test_without_data_and_table_it_says_what_is_missing(words, tmp_path, capsys):
    assert main(words(dataset=None)) == 2
    assert "meta.segments: no segment table" in capsys.readouterr().err
    assert main(words("--force", dataset=None)) == 2
    assert "there is no DATASET to make it anew from" in capsys.readouterr().err
    assert main(words()) == 0
    assert main(words("--split", "other", dataset=None)) == 2
    assert "no split 'other' in this segment table; there are: val" in capsys.readouterr().err


def test_the_only_split_of_a_table_needs_no_name(words, tmp_path):
    assert main(words("--split", "test")) == 0
    assert main(words(dataset=None)) == 0
    assert load_meta_model(tmp_path / "meta.json").summary["split"] == "test"


def test_changed_weights_want_a_fresh_table(words, tmp_path, capsys):
    assert main(words()) == 0
    before = (tmp_path / "meta.json").read_text()
    (tmp_path / "net" / "colours_net.weights").write_text("0.5")
    assert main(words()) == 2
    said = capsys.readouterr().err
    assert "it is of other weights: sha256 " in said
    assert "collect anew with --force" in said
    assert (tmp_path / "meta.json").read_text() == before
    assert main(words("--force")) == 0
    assert (tmp_path / "meta.json").read_text() != before


def test_images_left_out_are_named(words, blobs, tmp_path, capsys):
    blobs.samples[2].image.write_bytes(b"no image")
    assert main(words()) == 2
    assert "a_004.png: not a readable image" in capsys.readouterr().err
    assert not (tmp_path / "meta.json").exists()
    assert main(words("--keep-going")) == 0
    text = capsys.readouterr().out
    assert "left out" in text
    assert "a_004" in text
    assert load_meta_model(tmp_path / "meta.json").summary["skipped"] == 1


@pytest.mark.slow
def test_workers_do_not_show(words, tmp_path):
    assert main(words(out=tmp_path / "one.json")) == 0
    assert main(words("--workers", "2", out=tmp_path / "two.json")) == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    for name in (MANIFEST, "split=val/part-00000.parquet"):
        assert (tmp_path / "one.segments" / name).read_bytes() == (tmp_path / "two.segments" / name).read_bytes()


def test_no_false_positive_is_said(words, blobs, tmp_path, capsys):
    labels = np.repeat(np.array([[0], [1]], np.uint8), (20, 20), 0).repeat(56, 1)
    for sample in blobs:  # red above green, and seen so
        cv2.imwrite(str(sample.image), np.eye(3, dtype=np.uint8)[2 - labels] * 250)
        cv2.imwrite(str(sample.labels), labels)
    assert main(words()) == 2
    assert "0 of 20 segments are false positives" in capsys.readouterr().err
    assert not (tmp_path / "meta.json").exists()


def test_no_segment_with_an_interior_is_said(words, blobs, capsys):
    for sample in blobs:
        cv2.imwrite(str(sample.labels), np.full((40, 56), 9, np.uint8))
    assert main(words()) == 2
    assert "no segment of val has an interior; there is nothing to fit on" in capsys.readouterr().err
    assert main(words("--split", "test", "--judge", "val")) == 2
    assert "no segment of val has an interior; there is nothing to judge on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--features", "metasge"], "no segment metric 'metasge'"),
        (["--workers", "0"], "--workers 0: expected at least 1"),
        (["--split", "tset"], "tset"),
        (["--out", "."], "--out . is a folder; expected a file"),
        (["--out", "no/where/meta.json"], "there is no folder no/where; make it first"),
    ],
)
def test_mistakes_are_said_before_the_work(words, tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    assert main(words(*more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "meta.segments").exists()


@pytest.mark.parametrize(("share", "drawn"), [(0, " " * 10 + "│" + " " * 10), (1, " " * 10 + "│" + "█" * 10)])
def test_a_bar_to_the_right(share, drawn):
    assert bar(share) == drawn


def test_a_bar_to_the_left():
    assert bar(-0.3) == " " * 7 + "███│" + " " * 10


def test_means_of_pixel_scores_are_fitted_and_serve_live_with_the_same_numbers(words, colours, blobs, tmp_path):
    asked = ("--segment-scores", "gradient_onehot", "energy", "--features", "metaseg,energy*,gradient_onehot_bd")
    assert main(words(*asked)) == 0
    store = SegmentStore.open(tmp_path / "meta.segments")
    assert store.identity.scores == ("energy", "gradient_onehot")
    model = load_meta_model(tmp_path / "meta.json")
    assert {"energy", "energy_in_rel_var", "gradient_onehot_bd"} < set(model.features)
    assert model.summary["gradient"] == {"p": 0.5, "variant": "exact", "scale": "log"}
    live = TrustPipeline.load(PipelineSettings(colours.model, device="cpu", meta_model=str(tmp_path / "meta.json")))
    assert live.segment_scores == ("energy", "gradient_onehot")
    with one_thread():
        image, _ = blobs.read(blobs.samples[0])
        here = live(Frame(image))
        rows = segment_rows(live.network, image, store.identity.scores)
    assert len(here.segments) > 20
    for name in model.features:
        assert here.segments.column(name).tolist() == rows[name].to_pylist(), name
    assert here.trust.p_wrong.tolist() == model.predict(here.segments)[0].tolist()
    assert set(here.scores) == {"energy", "gradient_onehot"}


def test_a_model_of_gradient_columns_serves_its_own_norm_only(words, colours, tmp_path):
    assert main(words("--segment-scores", "gradient_onehot", "--features", "E,gradient_onehot")) == 0
    other = GradientSettings(p=2.0, scale="log")
    settings = PipelineSettings(colours.model, device="cpu", meta_model=str(tmp_path / "meta.json"), gradient=other)
    with pytest.raises(MetaModelError, match=r"fitted on gradient scores of .*0\.5.* set are .*2\.0"):
        TrustPipeline.load(settings)


def test_scores_and_metrics_that_are_not_there_are_refused_with_the_nearest(words, tmp_path, capsys):
    for more, said in (
        (("--segment-scores", "enrgy"), "no score for segment metrics 'enrgy'; choose one of: max_logit, energy"),
        (("--segment-scores", "entropy"), "no score for segment metrics 'entropy'"),
        (("--features", "metaseg,energy*"), "no segment metric 'energy*'"),
    ):
        assert main(words(*more)) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "meta.segments").exists()
    assert main(words()) == 0
    assert main(words("--segment-scores", "energy")) == 2
    assert "it has metrics of the scores none, wanted now: energy" in " ".join(capsys.readouterr().err.split())
    stored = ("--cache", str(tmp_path / "meta.segments"), "--segment-scores", "energy")
    assert main(words(*stored, dataset=None)) == 2
    assert "no metrics of the scores energy in this segment table" in " ".join(capsys.readouterr().err.split())
    model = json.loads((tmp_path / "meta.json").read_text())
    assert "scores" not in json.loads((tmp_path / "meta.segments" / MANIFEST).read_text())["network"]
    assert "gradient" not in model["summary"]


def segment_rows(network, image, scores):
    """The metrics that collecting gives for an image whose labels are its predicted classes: nothing is removed."""
    folder = LabelledFolder((), len(network.labels))
    worker = Collector(network, folder, scores=scores)
    truth = np.zeros(image.shape[:2], np.uint8)
    return worker._rows("x", 0, "", worker.table(worker.answer(image), truth), truth)
