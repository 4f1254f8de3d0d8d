"""What the shift monitor compares with, out of new and older calibrations."""

import json

import numpy as np
import pytest

from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration, load_calibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.thresholds.frame_statistics import STATISTICS
from trust_seg_ros.thresholds.shift_references import lacking_words, shift_references

GRID = np.linspace(0.0, 1.0, 5)
NUMBERS = tuple(np.random.default_rng(0).normal(0.4, 0.1, 50).tolist())
SCORE = ScoreCalibration(RecallCurve(GRID, 1 - GRID, 50), RiskCurve(GRID, GRID, 50), (), NUMBERS)


def calibration(scores=("entropy",), **more):
    return Calibration("net", ("road", "sky"), scores=dict.fromkeys(scores, SCORE), **more)


def test_an_older_file_has_means_of_scores_only():
    found, missing = shift_references(calibration(("entropy", "margin", "energy")))
    assert set(found) == {"entropy", "margin"}
    assert set(missing) == set(STATISTICS) - set(found)
    words = lacking_words(missing)
    assert words.startswith("mean of minus the largest logit, ")
    assert words.endswith("sharpness of the image: the calibration does not hold it")


def test_without_a_calibration_nothing_is_watched():
    found, missing = shift_references(None)
    assert found == {}
    assert lacking_words(missing).endswith(": there is no calibration")


def test_statistics_go_through_the_file(tmp_path):
    numbers = {"brightness": NUMBERS, "entropy": NUMBERS[::-1], "of another version": (1.0,)}
    calibration(statistics_of_frames=numbers).save(tmp_path / "c.json")
    loaded = load_calibration(tmp_path / "c.json")
    assert loaded.statistics_of_frames == numbers
    found, _ = shift_references(loaded)
    assert found["brightness"].means.tolist() == list(NUMBERS)
    assert found["entropy"].means.tolist() == list(NUMBERS[::-1]), "before the mean of the whole score"
    ordered = loaded.without_order().statistics_of_frames["brightness"]
    assert ordered == tuple(sorted(NUMBERS))


def test_images_that_cannot_be_a_reference_are_told():
    found, missing = shift_references(calibration((), statistics_of_frames={"contrast": (0.1,) * 30}))
    assert found == {}
    assert "in each of 30 images" in missing["contrast"]


def test_numbers_that_are_none_are_refused(tmp_path):
    with pytest.raises(CalibrationError, match="statistics of frames, contrast: expected finite numbers"):
        calibration(statistics_of_frames={"contrast": (float("nan"),)})
    calibration().save(tmp_path / "c.json")
    data = json.loads((tmp_path / "c.json").read_text())
    for wrong in ([1], {"contrast": 3}, {"contrast": ["x"]}):
        data.pop("content_sha256", None)
        (tmp_path / "d.json").write_text(json.dumps({**data, "statistics_of_frames": wrong}))
        with pytest.raises(CalibrationError):
            load_calibration(tmp_path / "d.json")
