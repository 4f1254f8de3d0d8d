"""What trust-seg calibrate says on images that are too much alike for the shift monitor."""

import numpy as np

from trust_seg_ros.commands.calibrate_choices import reference_remarks
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve

GRID = np.linspace(0.0, 1.0, 5)


def said(means):
    curves = RecallCurve(GRID, 1 - GRID, 50), RiskCurve(GRID, GRID, len(means))
    score = ScoreCalibration(*curves, frame_means=tuple(means))
    numbers = {"brightness": tuple(means), "sharpness": tuple(means)}
    calibration = Calibration("net", ("road", "sky"), scores={"entropy": score}, statistics_of_frames=numbers)
    return reference_remarks(calibration)


def test_images_of_many_places_need_no_remark():
    assert said(np.random.default_rng(0).normal(0.1, 0.02, 300)) == []


def test_one_clip_has_no_monitor():
    clip = np.linspace(0.3, 0.1, 60) + np.random.default_rng(0).normal(0, 0.001, 60)
    (note,) = said(clip)
    assert note.startswith(
        "the shift monitor does not watch mean entropy, brightness of the image, sharpness of the image: reference of "
        "the shift monitor: neighbours among the 60"
    )
    assert note.endswith("expected at least 2: calibrate with images from more places")


def test_a_few_clips_have_a_weak_one():
    rng = np.random.default_rng(0)
    (note,) = said(np.repeat(rng.normal(0.1, 0.02, 24), 10) + rng.normal(0, 0.001, 240))
    assert "neighbouring images are alike, so that all count for few independent ones (mean entropy " in note
