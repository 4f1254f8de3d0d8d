"""The programs of examples/ run as they stand there, and do what they say."""

import os
import re
import runpy
import subprocess
import sys

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from places import ROOT

from trust_seg_ros.drawing.ground_map import MAP_FREE
from trust_seg_ros.meta import load_meta_model

EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.slow


def run(name, *words):
    """What an example prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run_here(monkeypatch, capfd):
    """The same in this process, which has the libraries loaded: the file runs as the main program."""

    def ran(name, *words):
        monkeypatch.chdir(ROOT)
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
        capfd.readouterr()
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capfd.readouterr().out

    return ran


def test_the_folder_holds_what_is_tested_here():
    here = {path.stem for path in EXAMPLES.glob("*.py")}
    assert here == {"library", "own_network", "replay", "thresholds", "fit", "caution_map"}
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        assert text.startswith('"""'), path
        assert f"python examples/{path.name}" in text, path
        assert len(text.splitlines()) <= 80, path


def test_library(tmp_path):
    said = run("library", tmp_path)
    segments, wrong = map(int, re.match(r"(\d+) segments, (\d+) probably wrong", said).groups())
    assert segments > wrong > 0
    certainty = [float(p) for p in re.findall(r"P\(wrong\) ([\d.]+)", said)]
    assert len(certainty) == 5
    assert certainty == sorted(certainty, reverse=True)
    assert cv2.imread(str(tmp_path / "library.png")).shape == (240, 320, 3)


def test_library_with_an_image_of_ones_own(run_here, tmp_path):
    cv2.imwrite(str(tmp_path / "mine.png"), cv2.imread(str(ROOT / "docs/images/show.png"))[:96, :128])
    run_here("library", tmp_path / "mine.png", tmp_path / "out")
    assert cv2.imread(str(tmp_path / "out/library.png")).shape == (96, 128, 3)


def test_own_network(run_here):
    said = run_here("own_network")
    shares = {name: float(share) for name, share in re.findall(r"^(\w+) +([\d.]+) % of the image", said, re.MULTILINE)}
    assert set(shares) == {"sky", "green", "grey"}
    assert sum(shares.values()) == pytest.approx(100, abs=0.3)
    assert "trust: None" in said
    assert "gradient_onehot: can be given" in said
    assert "has no dropout layers" in said


def test_replay(run_here, tmp_path):
    said = run_here("replay", tmp_path)
    assert "12 frames, " in said
    assert pq.read_table(tmp_path / "replay/frames.parquet").num_rows == 12
    assert len(list((tmp_path / "replay").glob("*.mcap"))) == 1
    assert "<html" in (tmp_path / "replay/report.html").read_text()[:400]


def test_thresholds(run_here):
    lines = run_here("thresholds").splitlines()
    assert "fixed 0.6" in lines[0]
    rows = [[float(number) for number in re.findall(r"[\d.]+", line)] for line in lines[1:]]
    assert [row[0] for row in rows] == [0.0, 0.5, 1.0, 1.5, 2.0] * 2
    fixed, quantile, smoothed = ([row[k] for row in rows] for k in (1, 3, 5))
    assert set(fixed) == {0.6}
    assert len(set(quantile)) > 5  # every image has its own
    assert max(row[4] for row in rows) <= 2.05  # and at most 2 % above it
    for drive in (slice(0, 5), slice(5, 10)):  # smoothing begins with the first frame's and lags behind
        assert smoothed[drive][0] == quantile[drive][0]
        assert spread(smoothed[drive]) < spread(quantile[drive])


def spread(values):
    return max(values) - min(values)


def test_fit(run_here, tmp_path):
    said = run_here("fit", tmp_path)
    model = load_meta_model(tmp_path / "meta.json")
    assert set(model.features) == {"E", "D", "V", "S"}
    assert model.summary["images"] == 10
    segments = int(re.search(r"another image: (\d+) segments", said).group(1))
    assert segments > 20


def test_a_caution_map_shows_free_ground_before_a_crate_and_none_behind_it(run_here, tmp_path):
    said = run_here("caution_map", tmp_path)
    assert int(re.search(r"(\d+) free cells", said)[1]) > 2000
    picture = cv2.imread(str(tmp_path / "caution_map.png"))[..., ::-1].astype(int)
    assert picture.shape[0] == 502
    green = (np.abs(picture[:480, 648:] - MAP_FREE) < 20).all(2)  # 16 pixels are a metre, the vehicle is below
    assert green[-128:-80, 215:265].mean() > 0.9
    assert green[-288:-208, 235:255].mean() < 0.05
