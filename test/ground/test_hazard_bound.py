"""The bound on missed hazard cells: the threshold it gives, what it refuses, and its part of the calibration file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.ground.hazard_bound import HazardBound, HazardBoundError, MapConditions
from trust_seg_ros.thresholds.calibration import Calibration, load_calibration
from trust_seg_ros.thresholds.curves import RiskCurve

MADE_FOR = MapConditions(0.2, 40.0, (1.3, 1.6), (60.0, 90.0), ("Road",), ("Pavement",), ("Sky",))
RUNNING = replace(MADE_FOR, camera_height_m=(1.5, 1.5), view_deg=(90.0, 90.0))


def bound(units: int = 40, risk: tuple[float, ...] = (0.0, 0.01, 0.05, 0.4)) -> HazardBound:
    return HazardBound(RiskCurve([0.0, 0.1, 0.2, 0.5], list(risk), units), "drive", MADE_FOR, 12 * units, 5000)


def test_the_largest_threshold_that_keeps_alpha() -> None:
    assert bound().threshold(0.1, RUNNING) == 0.2  # (40 * 0.05 + 1) / 41 = 0.073
    assert bound().threshold(0.05, RUNNING) == 0.1  # 0.073 is too much, (0.4 + 1) / 41 = 0.034 is not
    assert bound().threshold(0.5, RUNNING) == 0.5


def test_what_was_saved_comes_back_and_older_files_have_no_bound(tmp_path) -> None:
    Calibration("net", ("Road", "Sky"), hazards=bound().to_json()).save(tmp_path / "c.json")
    found = HazardBound.of(load_calibration(tmp_path / "c.json"))
    assert found.made_for == MADE_FOR
    assert found.describe() == "40 drives, 480 frames, 5,000 hazard cells"
    assert found.threshold(0.1, RUNNING) == 0.2
    Calibration("net", ("Road", "Sky")).save(tmp_path / "old.json")
    assert '"hazards"' not in (tmp_path / "old.json").read_text()
    with pytest.raises(HazardBoundError, match=r"says nothing of hazard cells; make one with trust-seg calibrate"):
        HazardBound.of(load_calibration(tmp_path / "old.json"))
    with pytest.raises(HazardBoundError, match="there is no calibration"):
        HazardBound.of(None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resolution_m": 0.1}, "cells of 0.1 m, calibrated 0.2"),
        ({"range_m": 30.0}, "range of 30 m, calibrated 40"),
        ({"camera_height_m": (2.2, 2.2)}, "camera at 2.2 m above the ground, calibrated 1.3 to 1.6"),
        ({"view_deg": (120.0, 120.0)}, "field of view of 120°, calibrated 60 to 90"),
        ({"ground": ("Road", "Pavement")}, "ground classes Pavement, Road, calibrated Road"),
        ({"flat": ()}, "flat classes none, calibrated Pavement"),
        ({"fused": False}, "map of single frames, calibrated fused over time"),
    ],
)
def test_another_camera_or_map_is_refused(change: dict, text: str) -> None:
    with pytest.raises(HazardBoundError, match=text):
        bound().threshold(0.1, replace(RUNNING, **change))


def test_small_differences_of_cameras_are_none() -> None:
    assert not MADE_FOR.differences(replace(RUNNING, camera_height_m=(1.7, 1.7), view_deg=(55.0, 55.0)))


@pytest.mark.parametrize(
    ("found", "alpha", "text"),
    [
        (bound(units=8), 0.1, r"alpha = 0.1: it needs 9 independent drives, the calibration has 8; .* at least 0.1112"),
        (bound(units=8), 1.5, "alpha = 1.5"),
        (bound(risk=(0.0, 0.3, 0.3, 0.4)), 0.1, "so no cell could be"),
    ],
)
def test_an_alpha_that_cannot_be_kept_is_refused(found: HazardBound, alpha: float, text: str) -> None:
    with pytest.raises(HazardBoundError, match=text):
        found.threshold(alpha, RUNNING)


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"unit": "lorry"}, {"curve": {}}, {"made_for": {"fused": 1}}, {"frames": None}],
)
def test_damaged_parts_are_refused(change: dict) -> None:
    with pytest.raises(HazardBoundError):
        HazardBound.from_json({**bound().to_json(), **change})
    with pytest.raises(HazardBoundError, match="version"):
        HazardBound.from_json([])  # type: ignore[arg-type]


def test_cameras_of_several_kinds_span_a_range_and_maps_must_agree() -> None:
    other = replace(MADE_FOR, camera_height_m=(2.0, 2.0), view_deg=(120.0, 120.0))
    assert MapConditions.over([MADE_FOR, other]) == replace(
        MADE_FOR, camera_height_m=(1.3, 2.0), view_deg=(60.0, 120.0)
    )
    with pytest.raises(HazardBoundError, match=r"cells of 0.5 m, calibrated 0.2"):
        MapConditions.over([MADE_FOR, replace(MADE_FOR, resolution_m=0.5)])
    with pytest.raises(HazardBoundError, match="no frame"):
        MapConditions.over([])
    with pytest.raises(HazardBoundError, match="range_m"):
        replace(MADE_FOR, range_m=float(np.nan))
