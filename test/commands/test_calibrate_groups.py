"""The table of conformal thresholds by class, region and image that ``trust-seg calibrate`` prints."""

import io
import math

import numpy as np
from rich.console import Console

from trust_seg_ros.commands.calibrate_groups import group_rows, groups_table
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.thresholds.group_curves import GroupCurves

GRID = np.linspace(0.0, 1.0, 101)
NEVER = RiskCurve(np.append(-math.inf, GRID), np.full(102, 0.5), 99)


def risk(images, power=1.0):
    return RiskCurve(GRID, GRID**power, images)


def calibration(images=99):
    groups = GroupCurves((risk(images, 2.0), risk(5), None), (NEVER,), (1, 1))
    score = ScoreCalibration(None, risk(images), groups=groups)
    return Calibration(
        "net", ("road", "sky", "pole"), scores={"entropy": score, "margin": ScoreCalibration(None, NEVER)}
    )


def printed(table):
    out = io.StringIO()
    Console(file=out, width=150).print(table)
    return out.getvalue()


def test_every_group_has_a_row_with_its_images_and_what_it_shares():
    text = printed(groups_table(calibration(), "entropy", (0.1, 0.05)))
    lines = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "all all errors 99 0.09 0.04" in lines
    assert "class road 99 0.3 0.2" in lines
    assert "sky 5 shared 0.09 shared 0.04" in lines
    assert "pole 0 shared 0.09 shared 0.04" in lines
    assert "image every image 0 shared 0.09 shared 0.04" in lines
    assert "9 images" in text
    assert "19 images" in text


def test_scores_without_groups_have_no_table():
    assert groups_table(calibration(), "margin", (0.1,)) is None
    assert groups_table(calibration(), "energy", (0.1,)) is None


def test_with_too_few_images_for_all_errors_nothing_is_shared():
    text = printed(groups_table(calibration(images=7), "entropy", (0.1,)))
    assert "shared 0" not in text
    assert text.count("too few") >= 5


def test_rows_for_programs_say_what_the_table_says():
    rows = group_rows(calibration(), (0.1,))
    assert {row["score"] for row in rows} == {"entropy"}
    assert [(row["by"], row["group"], row["images"], row["shared"]) for row in rows] == [
        ("class", "road", 99, False),
        ("class", "sky", 5, True),
        ("class", "pole", 0, True),
        ("region", "row 1 column 1", 99, True),
        ("image", "every image", 0, True),
    ]
    assert all(row["needed"] == 9 for row in rows)
    assert [round(row["threshold"], 2) for row in rows] == [0.3, 0.09, 0.09, 0.09, 0.09]
