"""``trust-seg calibrate --hazards``: the bound on missed hazard cells, from a data set with a geometry and drives."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
from coarse_figures import coarse

from trust_seg_ros.cli import main
from trust_seg_ros.ground.hazard_bound import HazardBound, HazardBoundError
from trust_seg_ros.ground.map_conditions import MapConditions
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.synthetic.ground_settings import GroundSettings
from trust_seg_ros.thresholds.calibration import load_calibration

pytestmark = pytest.mark.slow

SIZE = (180, 240)
DRIVES = 10
GROUND = GroundSettings(fov_deg=70.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten drives of two frames, with depth and poses."""
    root = tmp_path_factory.mktemp("data")
    for kind in ("val/images", "val/labels", "depth"):
        (root / kind).mkdir(parents=True)
    rows = []
    for seed in range(DRIVES):
        drive = SyntheticDrive(DriveSettings(SIZE, seed, fps=10.0, ground=GROUND))
        for k in range(2):
            frame = drive.frame(k)
            name = f"d{seed}_{k}"
            cv2.imwrite(str(root / "val" / "images" / f"{name}.png"), frame.image[..., ::-1])
            cv2.imwrite(str(root / "val" / "labels" / f"{name}.png"), frame.labels)
            metres = np.where(np.isfinite(frame.ground.depth), frame.ground.depth, 0)
            cv2.imwrite(str(root / "depth" / f"{name}.png"), np.clip(metres * 1000, 0, 65535).astype(np.uint16))
            x, y, z = frame.ground.base_in_fixed.translation
            rows.append([name, x, y, z, 0, 0, 0, 1])
    model = frame.ground.camera
    numbers = ", ".join(f"{value:.6f}" for value in model.k.ravel())
    (root / "camera.yaml").write_text(
        f"image_width: {SIZE[1]}\nimage_height: {SIZE[0]}\ndistortion_model: plumb_bob\n"
        f"camera_matrix: {{rows: 3, cols: 3, data: [{numbers}]}}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n"
    )
    with (root / "poses.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "x", "y", "z", "qx", "qy", "qz", "qw"], *rows])
    pitch = np.radians(GROUND.pitch_deg)
    (root / "geometry.yaml").write_text(
        f"camera: camera.yaml\nextrinsics: {{x: {GROUND.ahead_m}, z: {GROUND.height_m}, pitch: {pitch}}}\n"
        "depth: depth\nposes: poses.csv\nunlabelled: hazard\n"
    )
    return root


def calibrated(data, out, *words: str) -> int:
    given = ["calibrate", str(data), "--out", str(out), "--score", "entropy", "--hazard-range", "20", "--json", *words]
    with coarse():
        return main(given)


def test_a_data_set_with_depth_and_poses_gives_a_bound(data, tmp_path, capsys) -> None:
    out = tmp_path / "c.json"
    assert calibrated(data, out, "--hazards", str(data / "geometry.yaml"), "--alpha", "0.1", "0.3") == 0
    rows = json.loads(capsys.readouterr().out)["hazards"]
    assert [row["alpha"] for row in rows] == [0.1, 0.3]
    bound = HazardBound.of(load_calibration(out))
    assert (bound.unit, bound.curve.images, bound.frames) == ("drive", DRIVES, 2 * DRIVES)
    assert bound.cells > 100
    made_for: MapConditions = bound.made_for
    assert made_for.fused
    assert made_for.ground == ("Road",)
    assert made_for.camera_height_m == pytest.approx((GROUND.height_m, GROUND.height_m))
    assert made_for.view_deg == pytest.approx((70.0, 70.0), abs=0.5)
    assert rows[0]["threshold"] is None or rows[0]["threshold"] == bound.threshold(0.1, made_for)
    assert bound.threshold(0.3, made_for) == rows[1]["threshold"] > 0
    with pytest.raises(HazardBoundError, match="needs 19 independent drives, the calibration has 10"):
        bound.threshold(0.05, made_for)


def test_synthetic_drives_give_a_bound_for_single_frames(data, tmp_path) -> None:
    out = tmp_path / "c.json"
    source = "synthetic:seeds=100-101:fov=90:size=240x180:seconds=0.1"
    assert calibrated(data, out, "--hazards", source, "--hazard-single", "--ground-classes", "Road,Pavement") == 0
    bound = HazardBound.of(load_calibration(out))
    assert (bound.curve.images, bound.frames, bound.made_for.fused) == (2, 2, False)
    assert bound.made_for.ground == ("Road", "Pavement")
    assert bound.made_for.flat == ()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("nowhere.yaml", "no such file; expected a YAML file that says where the camera"),
        ("synthetic:seed=1", "'seed=1' is not understood"),
        ("synthetic:seeds=3-1", "expected synthetic:seeds=FIRST-LAST"),
        ("synthetic:seeds=1-2:fov=wide", "could not convert"),
        ("synthetic:seeds=1-2:lens=round", "lens is 'round'"),
    ],
)
def test_sources_that_cannot_be_used_are_refused(data, tmp_path, capsys, source: str, text: str) -> None:
    assert calibrated(data, tmp_path / "c.json", "--hazards", source) == 2
    said = capsys.readouterr()
    assert text in said.err + said.out
    assert not (tmp_path / "c.json").exists()
