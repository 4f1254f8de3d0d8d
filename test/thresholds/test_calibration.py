"""The calibration file: what comes back, and what is refused."""

import json

import numpy as np
import pytest

from trust_seg_ros.support.content_hash import with_hash
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration, load_calibration
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.standardized import ClassStatistics

STATISTICS = ClassStatistics([1.0, 1 / 3], [0.1, 2.0], [5000, 3])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "calibration.json"
    scores = {"entropy": ScoreCalibration(None, RiskCurve([0.0, 0.5], [0.1, 0.2], 9), (None, None), (0.1, 1 / 3))}
    Calibration("nets/mine.pt2", ("road", "sky"), STATISTICS, {"images": 7}, scores=scores).save(path)
    return path


def test_what_was_saved_comes_back(file):
    found = load_calibration(file)
    assert (found.network, found.class_names, found.summary) == ("mine.pt2", ("road", "sky"), {"images": 7})
    assert np.array_equal(found.class_statistics.mean, STATISTICS.mean)
    assert np.array_equal(found.class_statistics.count, STATISTICS.count)
    found.check_fits("/elsewhere/mine.pt2", ["road", "sky"])


def test_without_statistics(tmp_path):
    Calibration("embedded", ("road", "sky")).save(tmp_path / "c.json")
    assert load_calibration(tmp_path / "c.json").class_statistics is None


def test_another_network_or_other_classes_are_refused(file):
    found = load_calibration(file)
    with pytest.raises(
        CalibrationError, match=r"made for network 'mine.pt2', running is 'embedded'; calibrate this one"
    ):
        found.check_fits("embedded", ("road", "sky"))
    with pytest.raises(CalibrationError, match="knows the 2 classes road, sky; the network has 1: road"):
        found.check_fits("mine.pt2", ("road",))


def test_gradient_scores_of_other_settings_are_refused(tmp_path):
    score = ScoreCalibration(None, RiskCurve([0.0], [0.0], 9))
    mine = GradientSettings(p=1.0, scale="log")
    Calibration("net", ("road",), scores={"gradient_onehot": score}, gradient=mine).save(tmp_path / "c.json")
    found = load_calibration(tmp_path / "c.json")
    assert found.gradient == mine
    found.check_fits("net", ("road",), mine)
    found.check_fits("net", ("road",))
    with pytest.raises(CalibrationError, match=r"gradient_onehot was made with p = 1, .* running is p = 0.5, "):
        found.check_fits("net", ("road",), GradientSettings(scale="log"))
    Calibration("net", ("road",), scores={"entropy": score}, gradient=mine).check_fits(
        "net", ("road",), GradientSettings()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["scores"]["entropy"]["risk"]["risk"].pop(), "expected .k,. both"),
        (lambda d: d["scores"]["entropy"].update(frame_means=[float("inf")]), "means of frames: expected finite"),
        (lambda d: d["scores"]["entropy"].pop("recall"), "incomplete or damaged .KeyError"),
        (lambda d: d["scores"]["entropy"].update(class_recall=[None]), "entropy: curves of 1 classes"),
        (lambda d: d.update(scores=[1]), "incomplete or damaged .AttributeError"),
        (lambda d: d["gradient"].update(p=-1.0), "p of the gradient norm is -1"),
        (lambda d: d["gradient"].update(q=1.0), "incomplete or damaged .TypeError"),
        (lambda d: d["scores"].update(enrgy=d["scores"]["entropy"]), "no score 'enrgy'.* did you mean .*energy"),
        (lambda d: d["segments"].update(p_worng=d["scores"]["entropy"]), "no segment score 'p_worng'.*p_wrong"),
        (lambda d: d.update(format="x"), "not a calibration"),
        (lambda d: d.update(version=3), "version 3, this program reads version 2"),
        (lambda d: d.pop("classes"), "incomplete or damaged .KeyError"),
        (lambda d: d.update(classes="road"), "classes are 'road'"),
        (lambda d: d.update(network=3), "another type"),
        (lambda d: d["summary"].update(grid_size=[360]), r"grid_size is \[360\], expected \[height, width\]"),
        (lambda d: d["summary"].update(grid_size=[360.0, 480]), r"expected \[height, width\]"),
        (lambda d: d["summary"].update(grid_size=[0, 480]), "grid 480x0: expected sides of 1 to"),
        (lambda d: d["summary"].update(grid="wide"), "grid 'wide': expected fitted"),
        (lambda d: d["class_statistics"].pop("std"), "incomplete or damaged .KeyError"),
        (lambda d: d["class_statistics"]["std"].__setitem__(0, 0.0), "deviations above 0"),
        (lambda d: d["class_statistics"]["mean"].pop(), "expected mean, std and count of every class"),
        (lambda d: d["classes"].pop(), "statistics of 2 classes; the calibration has 1"),
    ],
)
def test_a_damaged_file_is_one_clear_error(file, change, message):
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(with_hash(data)))
    with pytest.raises(CalibrationError, match=message) as caught:
        load_calibration(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_says_who_makes_it(tmp_path):
    with pytest.raises(CalibrationError, match="no such calibration; trust-seg calibrate"):
        load_calibration(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(CalibrationError, match="not a readable JSON file"):
        load_calibration(tmp_path / "text.json")
    with pytest.raises(CalibrationError, match="a calibration cannot be written there"):
        Calibration("embedded", ("road",)).save(tmp_path / "no" / "c.json")
