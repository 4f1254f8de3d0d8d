"""trust-seg time: reports, comparisons of settings, and what it refuses."""

import csv

import cv2
import numpy as np
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.meta import MetaModelError
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame

SHORT = "synthetic:seeds=3-3:seconds=0.5:rate=6:size=160x120"


def rows_of(path):
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_two_sets_of_settings_on_a_drive(tmp_path):
    words = [SHORT, "--cache", str(tmp_path / "kept"), "--alone", "--out", str(tmp_path / "out")]
    variants = ["--variant", "raw", "--variant", "calm", "calm:=on", "calm.confirm_s:=0.3"]
    assert main(["time", *words, *variants]) == 0
    flags, alarms = (rows_of(tmp_path / "out" / f"{name}.csv") for name in ("flags", "alarms"))
    assert [row["settings"] for row in flags] == [row["settings"] for row in alarms] == ["raw", "calm"]
    assert float(alarms[1]["alarms per minute"]) <= float(alarms[0]["alarms per minute"])
    groups = [row[""] for row in rows_of(tmp_path / "out" / "tracking.csv")]
    assert groups == ["things", "trees", "unknown objects, raw", "unknown objects, calm"]
    assert len(rows_of(tmp_path / "out" / "tracker_alone.csv")) == 6
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "settings calm: calm:=on calm.confirm_s:=0.3" in page
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert not (tmp_path / "out" / "strip.png").exists()  # half a second is shorter than two pictures


@pytest.mark.slow
def test_a_judge_of_ood_segments_that_looks_back_is_fitted_for_the_node(tmp_path):
    saved = tmp_path / "ood_time.json"
    drives = "synthetic:seeds=3-4:seconds=2:rate=8:size=240x180"
    words = [
        drives,
        "--out",
        str(tmp_path / "out"),
        "--fit-ood",
        str(saved),
        "--frames",
        "5",
        "-p",
        "ood.threshold:=0.5",
    ]
    assert main(["time", *words]) == 0
    model = load_ood_model(saved)
    assert model.threshold == 0.5
    assert model.time.window_s == pytest.approx(0.5)
    assert any(name.startswith("time.") for name in model.features)
    with pytest.raises(MetaModelError, match="tracking is off"):
        TrustPipeline.load(PipelineSettings(ood_meta_model=str(saved)))
    settings = PipelineSettings(ood_meta_model=str(saved), tracking=TrackingSettings(on=True))
    pipeline = TrustPipeline.load(settings)
    drive = SyntheticDrive(DriveSettings(size=(180, 240), seed=5, fps=10, unknown_rate=8.0))
    thresholds = ThresholdSettings.constants(ood=0.5)
    judged = [pipeline(Frame(drive.frame(k).image, 10**9 + k * 10**8), thresholds).ood.judged.sum() for k in range(4)]
    assert sum(judged) > 0


@pytest.mark.slow
def test_a_folder_of_images_has_no_truth(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(12):
        cv2.imwrite(str(tmp_path / f"{k}.png"), rng.integers(0, 255, (96, 128, 3), np.uint8))
    assert main(["time", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    (flags,) = rows_of(tmp_path / "out" / "flags.csv")
    assert flags["wrong segments"] == "0"
    assert not (tmp_path / "out" / "tracking.csv").exists()
    (sequence,) = rows_of(tmp_path / "out" / "sequences.csv")
    assert sequence["frames"] == "12"
    strip = cv2.imread(str(tmp_path / "out" / "strip.png"))
    assert strip.shape[1] == 3 * 400


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere: no such file or folder; expected synthetic:seeds=FIRST-LAST"),
        (["synthetic:seeds=3"], "expected synthetic:seeds=FIRST-LAST"),
        ([SHORT, SHORT], "sequences: two are called drive3_10hz"),
        ([SHORT, "--variant", "a", "--variant", "a", "calm:=on"], "variants: two are called a"),
        ([SHORT, "--frames", "1"], "--frames is 1, expected 2 or more"),
        ([SHORT, "--variant", "a", "calm.tua_s:=1"], "there is no parameter 'calm.tua_s'"),
        ([SHORT, "--variant", "a", "thresholds.pixel_score:=mc_dropout"], "a: the pixel score mc_dropout runs the"),
    ],
)
def test_what_it_refuses(tmp_path, capsys, words, told):
    assert main(["time", *words, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
