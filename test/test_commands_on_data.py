"""``trust-seg fit`` and ``trust-seg miou`` with the embedded network on a labelled folder of the synthetic drive."""

import json

import cv2
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.datasets.synthetic import training_sample
from trust_seg_ros.meta import load_meta_model


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("drive")
    for kind in ("images", "labels"):
        (root / "val" / kind).mkdir(parents=True)
    for seed in range(6):
        image, labels = training_sample(seed, (180, 240))
        cv2.imwrite(str(root / "val" / "images" / f"s_{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "val" / "labels" / f"s_{seed}.png"), labels)
    return root


def test_fit_writes_a_model_that_serves_the_network_it_was_fitted_for(dataset, tmp_path, capsys):
    out = tmp_path / "meta.json"
    assert main(["fit", str(dataset), "--split", "val", "--judge", "val", "--out", str(out)]) == 0
    model = load_meta_model(out)
    model.check_fits("embedded", model.class_names)
    assert model.summary["images"] == 6
    assert model.summary["fitted_on"] == model.summary["judged_on_val"]
    assert model.summary["fitted_on"]["auroc"] > 0.5
    assert "AUROC" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["meta.json"]
    assert json.loads(out.read_text())["summary"]["split"] == "val"


def test_miou_prints_every_class_and_the_mean(dataset, capsys):
    assert main(["miou", str(dataset), "--split", "val", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert "| Bicyclist |" in text
    mean = float(text.split("| **mean** | **")[1].split("**")[0])
    assert 5 < mean < 100


def test_a_missing_split_is_one_clear_line(dataset, tmp_path, capsys):
    assert main(["fit", str(dataset), "--split", "tset", "--out", str(tmp_path / "m.json")]) == 2
    assert "tset/images: no such folder" in capsys.readouterr().err


def test_classes_that_differ_are_named(dataset, capsys):
    assert main(["miou", str(dataset), "--split", "val", "--labels", "cityscapes19"]) == 2
    assert "19" in capsys.readouterr().err
