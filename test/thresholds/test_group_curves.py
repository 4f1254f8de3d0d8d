"""Curves by group in the calibration file: what comes back, what is refused, and files from before them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.support.content_hash import with_hash
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration, load_calibration
from trust_seg_ros.thresholds.control import PolicyRefusedError, ThresholdControl
from trust_seg_ros.thresholds.curves import CurveError, RiskCurve
from trust_seg_ros.thresholds.group_curves import GroupCurves

GRID = np.linspace(0.0, 1.0, 11)
CURVE = RiskCurve(GRID, GRID, 40)
GROUPS = GroupCurves((CURVE, None), (CURVE, None), (1, 2), (CURVE, CURVE), (0.25,))


def saved(path, groups):
    score = ScoreCalibration(None, CURVE, groups=groups)
    Calibration("net", ("road", "sky"), scores={"entropy": score}).save(path)
    return path


def test_curves_by_group_come_back_from_the_file(tmp_path):
    found = load_calibration(saved(tmp_path / "c.json", GROUPS)).curves("entropy").groups
    assert found.to_json() == GROUPS.to_json()
    assert (found.shape, found.edges) == ((1, 2), (0.25,))
    assert found.classes[1] is None


def test_a_file_without_them_serves_all_errors_together_and_says_how_to_get_the_others(tmp_path):
    control = ThresholdControl(load_calibration(saved(tmp_path / "c.json", None)))
    settings = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.2))
    assert control.constants(settings)["pixel"] == pytest.approx(0.1)
    for by in ("class", "region", "image"):
        with pytest.raises(PolicyRefusedError, match=f"conformal by {by}: .*calibrate again.*or choose conformal_by ="):
            control.check(settings.with_policy("pixel", conformal_by=by))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.update(version=2), "curves by group of version 2: this program reads 1; update it, or"),
        (lambda g: g.pop("version"), "incomplete or damaged .KeyError"),
        (lambda g: g["class"].pop(), "risk curves of 1 classes; the calibration has 2"),
        (lambda g: g["region"].update(rows=3), "2 curves of regions: expected 3 x 2"),
        (lambda g: g["image"].update(edges=[]), "2 curves of images, 0 edges"),
        (lambda g: g["image"].update(edges=["inf"]), r"\(inf,\): expected ascending"),
        (lambda g: g["class"][0]["risk"].pop(), "expected .k,. both"),
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, change, message):
    path = saved(tmp_path / "c.json", GROUPS)
    data = json.loads(path.read_text())
    change(data["scores"]["entropy"]["groups"])
    path.write_text(json.dumps(with_hash(data)))
    with pytest.raises(CalibrationError, match=message):
        load_calibration(path)


def test_edges_ascend():
    with pytest.raises(CurveError, match="expected ascending numbers"):
        GroupCurves(images=(CURVE,) * 3, edges=(0.5, 0.5))


def test_curves_can_be_changed_together():
    found = GROUPS.changed(lambda curve: replace(curve, images=7))
    assert [None if c is None else c.images for by in ("class", "region", "image") for c in found.of(by)] == [
        *(7, None) * 2,
        7,
        7,
    ]
