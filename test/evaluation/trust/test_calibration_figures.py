"""Figures of a calibration: there is one for everything that the calibration holds, and it is a picture."""

import numpy as np
import pytest
from PIL import Image

from trust_seg_ros.evaluation.trust.calibration_figures import write_figures
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.thresholds.temperature import Temperature

pytestmark = pytest.mark.slow

GRID = np.linspace(0.0, 1.0, 33)
RISK = RiskCurve(GRID, GRID**2, 50)
OUT_OF_REACH = RiskCurve([-np.inf, 0.0, 0.5, 1.0], [0.3, 0.3, 0.6, 0.9], 20)
RECALL = RecallCurve(GRID, 1.0 - GRID**2, 5000)
BINS = ((0.25, 0.4, 0.5), (0.0, 0.0, 0.0), (0.75, 0.9, 0.8))


def whole(**parts):
    score = ScoreCalibration(RECALL, RISK, (RECALL, None), (0.1, 0.2))
    given = {
        "temperature": Temperature(1.3, 0.5, 0.4, 0.1, 0.02, 1000, BINS, BINS),
        "scores": {"entropy": score, "energy": ScoreCalibration(None, RISK)},
        "segments": {"p_wrong": ScoreCalibration(RECALL, RISK), "p_ood": ScoreCalibration(None, OUT_OF_REACH)},
    }
    return Calibration("net", ("road", "sky"), **(given | parts))


def test_every_part_is_drawn(tmp_path):
    files = write_figures(whole(), tmp_path / "new" / "figures", (0.01, 0.1))
    assert [file.name for file in files] == ["reliability.png", "entropy.png", "energy.png", "p_wrong.png", "p_ood.png"]
    for file in files:
        picture = np.asarray(Image.open(file).convert("RGB"))
        assert picture.shape[1] == 1500
        assert len(np.unique(picture.reshape(-1, 3) @ [1 << 16, 1 << 8, 1])) > 10


def test_what_is_not_there_is_left_out(tmp_path):
    assert write_figures(whole(temperature=None, scores={}, segments={}), tmp_path) == []
    without_bins = whole(temperature=Temperature(1.3, 0.5, 0.4, 0.1, 0.02, 9), scores={}, segments={})
    assert write_figures(without_bins, tmp_path) == []


def test_a_threshold_that_too_few_images_give_is_not_marked(tmp_path):
    marked, plain = tmp_path / "marked", tmp_path / "plain"
    only = whole(temperature=None, scores={}, segments={"p_wrong": ScoreCalibration(None, RISK)})
    write_figures(only, marked, (0.1,))
    write_figures(only, plain, (0.01,))  # would need 99 images
    assert (marked / "p_wrong.png").read_bytes() != (plain / "p_wrong.png").read_bytes()
    write_figures(only, marked, ())
    assert (marked / "p_wrong.png").read_bytes() == (plain / "p_wrong.png").read_bytes()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="figures cannot be written there"):
        write_figures(whole(), tmp_path / "file")
