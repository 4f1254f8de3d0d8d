"""The numbers of a frame that ``~/summary`` tells: always the same keys, and values as they are in the result."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drive_frames import made_result
from trust_frames import but

from trust_seg_ros.messages.summary import Circumstances, number_text, summary_fields, summary_message
from trust_seg_ros.thresholds.frame_statistics import image_statistics
from trust_seg_ros.types import SegmentTrust, ShiftState

PAGE = Path(__file__).parents[2] / "docs" / "trust_state.md"


@pytest.fixture
def result():
    """Two classes and something unknown."""
    return made_result(np.repeat([[0, 1]], 6, 0).repeat([5, 3], 1).astype(np.uint8))


def told(result, **around):
    return dict(summary_fields(result, Circumstances(**around)))


def test_numbers_are_those_of_the_result(result):
    count = len(result.segments)
    p_wrong = np.linspace(0.2, 0.7, count)
    found = told(but(result, trust=SegmentTrust(p_wrong, 1 - p_wrong, p_wrong > 0.6)), processing_ms=12.5, age_ms=40.0)
    assert float(found["entropy_mean"]) == pytest.approx(float(result.maps.entropy.mean()), rel=1e-5)
    assert found["segments"] == str(count)
    assert found["unreliable_segments"] == str(np.count_nonzero(p_wrong > 0.6))
    assert found["p_wrong_max"] == "0.7"
    assert float(found["p_wrong_max_size"]) == pytest.approx(
        result.on_grid.segments.sizes[-1] / result.on_grid.segments.ids.size, rel=1e-5
    )
    assert found["ood_segments"] == str(int(result.ood.kept.sum()))
    assert (found["processing_ms"], found["age_ms"]) == ("12.5", "40")
    measured = image_statistics(result.frame.image)
    assert {name: found[name] for name in measured} == {name: number_text(value) for name, value in measured.items()}


def test_what_the_shift_monitor_has_measured_is_not_measured_again(result):
    assert told(replace(result, watched={"brightness": 0.125}))["brightness"] == "0.125"


def test_keys_are_the_same_whatever_a_frame_holds(result):
    whole = told(result)
    bare = told(replace(but(result, segments=None, trust=None, ood=None, pixel_flags=None), shift=None, thresholds={}))
    fired = ShiftState(True, 20, True, 0.001, "brightness", "brightness of the image", 0.9, 0.4, 0.1)
    shifted = told(replace(result, shift=fired), trust_state="DEGRADED", reasons=("shifted", "dark"))
    assert list(bare) == list(whole) == list(shifted)
    assert (shifted["shift_fired"], shifted["shift_difference"], shifted["shift_statistic"]) == ("1", "5", "brightness")
    assert shifted["reasons"] == "shifted dark"
    unknown = {name for name, value in bare.items() if value == "nan"}
    assert {"segments", "p_wrong_max", "p_ood_max", "flagged_share", "threshold_pixel", "shift_fired"} <= unknown
    assert all(isinstance(value, str) for value in whole.values())


def test_values_are_numbers_in_every_language():
    assert number_text(1e-9) == "1e-09"
    assert number_text(1234567.0) == "1.23457e+06"
    assert math.isnan(float(number_text(math.nan)))
    assert float(number_text(-math.inf)) == -math.inf


def test_the_text_and_level_are_those_of_the_trust_state(result):
    assert summary_message(result)[0] == 0
    level, text = summary_message(result, Circumstances(trust_state="UNTRUSTED"))
    assert level == 2
    assert text.startswith("UNTRUSTED: 8×6")


def test_every_key_is_documented_in_its_order(result):
    table = PAGE.read_text("utf-8").partition("<!-- summary keys: a test compares -->\n")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    keys = [key.strip().strip("`") for row in rows for key in row.split(",")]
    assert keys == list(told(result))
