"""The shift monitor with the calibration that is shipped: silent on a drive like CamVid test, alert in rain."""

import numpy as np
import pytest
from replay_bench import drive_messages, frame_table, photographs, replay, write_bag

from trust_seg_ros.datasets.corruptions.apply import corrupt

pytestmark = pytest.mark.slow

FRAMES = 30
"""2 s apart."""
BARE = ("-p", "meta_model:=none", "-p", "ood.meta_model:=none", "-p", "threads:=1", "--topics", "unreliable")
"""Everything that judges pixels is as by default."""


def drive():
    return list(photographs(2 * FRAMES))[::2]


def replayed(folder, frames):
    bag = write_bag(folder / "drive", drive_messages(frames))
    said = replay(bag, folder / "out", *BARE, "--report", "--chunk-frames", "6")
    return frame_table(folder / "out"), (folder / "out" / "report.html").read_text("utf-8"), said


def test_a_drive_of_the_kind_that_it_was_made_with_is_quiet(tmp_path):
    table, report, _ = replayed(tmp_path, drive())
    assert np.isfinite(table["shift_p_value"][10:]).all(), "it watches, across chunks"
    assert not table["shift_fired"].any()
    assert "The shift monitor is silent" not in report


def test_rain_makes_it_fire_and_the_report_says_when(tmp_path):
    frames = [(stamp, corrupt(pixels, "rain", 5, name=str(stamp))) for stamp, pixels in drive()]
    table, report, _ = replayed(tmp_path, frames)
    assert table["shift_fired"][-1]
    assert table["shift_statistic"][-1] > 1.0, "standard deviations above the calibration data"
    assert table["shift_of"][-1] in ("entropy", "margin"), "the shipped calibration holds no others"
    assert "Shaded: the shift monitor had fired." in report


def test_without_a_calibration_the_report_says_that_nothing_is_watched(tmp_path):
    bag = write_bag(tmp_path / "drive", drive_messages(photographs(2)))
    replay(bag, tmp_path / "out", *BARE, "-p", "calibration:=none", "--report")
    assert not np.isfinite(frame_table(tmp_path / "out")["shift_p_value"]).any()
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "The shift monitor is silent: there is no calibration of this network" in report
