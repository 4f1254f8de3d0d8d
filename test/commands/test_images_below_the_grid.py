"""Every command that takes a grid and images: the images are smaller than the grid, so some segments have no pixel."""

import csv

import cv2
import numpy as np
import pytest
from blob_data import write_images

from trust_seg_ros.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("coarse_figures")]

GRID = "area:168x120"
"""Three times as high and wide as the images, which are 56×40."""


@pytest.fixture
def words(colours, tmp_path):
    """A command on twelve images, of which some have an unknown object."""
    write_images(tmp_path / "data" / "val", 12)
    write_images(tmp_path / "data" / "test", 6, seed=1)
    for kind in ("images", "labels_masks"):
        (tmp_path / "objects" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(6):
        image, truth = rng.integers(0, 256, (40, 56, 3), dtype=np.uint8), np.zeros((40, 56), np.uint8)
        truth[12:20, 16 + k : 32], truth[:3] = 1, 255
        image[truth == 1] = 128
        cv2.imwrite(str(tmp_path / "objects" / "images" / f"{k}.png"), image)
        cv2.imwrite(str(tmp_path / "objects" / "labels_masks" / f"{k}_labels_semantic.png"), truth)

    def command(name, *more, data="data", ignore=("--ignore", "9")):
        network = ["--model", colours.model, "--device", "cpu", *ignore]
        return main([name, str(tmp_path / data), *network, "--grid", GRID, *more])

    return command


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_fit_and_evaluate_and_show(words, tmp_path):
    few = ("--split", "val", "--workers", "1")
    assert words("fit", *few, "--out", str(tmp_path / "meta.json")) == 0
    assert words("evaluate", *few, "--runs", "1", "--arrangement", "by_image", "--out", str(tmp_path / "out")) == 0
    (row,) = rows(tmp_path / "out" / "summary.csv")
    assert 0.0 <= float(row["AUROC"]) <= 1.0
    shown = ("--meta-model", str(tmp_path / "meta.json"), "--out", str(tmp_path / "shown"))
    assert words("show", *shown, data="data/val/images", ignore=()) == 0
    assert len(list((tmp_path / "shown").glob("*.trust.png"))) == 12


def test_calibrate_and_trust(words, tmp_path):
    out = tmp_path / "calibration.json"
    few = ("--split", "val", "--score", "entropy", "energy", "--meta-model", "none")
    assert words("calibrate", *few, "--out", str(out)) == 0
    assert words("trust", *few[:5], "--out", str(tmp_path / "trust")) == 0
    assert (tmp_path / "trust" / "report.md").is_file()


def test_benchmark(words, tmp_path):
    few = ("--score", "entropy", "--threshold", "0.5", "--features", "S,E")
    out = tmp_path / "out"
    assert words("benchmark", *few, "--out", str(out), data="objects", ignore=()) == 0
    (pixels,) = rows(out / "pixels.csv")
    assert 0.0 <= float(pixels["AuPRC"]) <= 1.0
    (errors,) = rows(out / "segment_errors.csv")
    assert (errors["objects"], errors["FN before"]) == ("6", "0")
