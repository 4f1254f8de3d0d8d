"""Numbers of the report from their definitions."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_drives import all_refused, class_sums, drive, frame_columns, latencies, nothing

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report.classes import add, class_means, classes_data
from trust_seg_ros.recordings.report.latency import latency_html, percentiles
from trust_seg_ros.recordings.report.summary import summarise, tiles
from trust_seg_ros.recordings.report.timeline import shift_intervals, timeline_data

CAMERAS = ("/front", "/rear")


def two_cameras(seed: int) -> Drive:
    rng = np.random.default_rng(seed)
    columns = frame_columns(30, CAMERAS, seed)
    refused = rng.random(30) < 0.2
    columns["refused"] = np.where(refused, "too large", "").astype(object)
    for name in ("flagged_pixels", "entropy_mean", "threshold_ood", "threshold_unreliable"):
        columns[name][refused] = np.nan
    columns["time_jump"] = rng.random(30) < 0.1
    columns["shift_fired"] = rng.random(30) < 0.5
    return drive(30, CAMERAS, frames=columns)


@given(st.integers(0, 1000), st.sampled_from([None, *CAMERAS]))
def test_the_summary_is_what_its_definition_says(seed, camera):
    seen = two_cameras(seed)
    rows = [
        {name: values[i] for name, values in seen.frames.items()}
        for i in range(30)
        if camera in (None, seen.frames["camera"][i])
    ]
    good = [row for row in rows if row["refused"] == ""]
    s = summarise(seen, camera)
    assert (s.frames, s.judged, s.refused) == (len(rows), len(good), len(rows) - len(good))
    assert s.time_jumps == sum(row["time_jump"] for row in rows)
    assert s.flagged == pytest.approx(sum(row["flagged_pixels"] for row in good) / len(good))
    assert s.entropy == pytest.approx(sum(row["entropy_mean"] for row in good) / len(good))
    segments = sum(row["segments"] for row in good)
    assert s.segments == segments
    assert s.unreliable == pytest.approx(sum(row["unreliable_segments"] for row in good) / segments)
    assert s.ood_segments == sum(row["ood_segments"] for row in good)
    assert s.shift_fired == pytest.approx(sum(row["shift_fired"] for row in good) / len(good))
    first = min((row["offset_s"] for row in good if row["shift_fired"]), default=np.nan)
    assert s.first_shift_s == pytest.approx(first, nan_ok=True)


def verdict(seen: Drive, name: str) -> tuple[str, str]:
    return next((value, remark) for tile, value, remark in tiles(seen) if tile == name)


def test_tiles_say_in_words_what_was_not_measured():
    unjudged = dataclasses.replace(class_sums(), judged=np.zeros(4))
    columns = frame_columns(10)
    columns["threshold_ood"][:] = np.nan
    seen = drive(10, frames=columns, classes={"/front": unjudged}, shift="no calibration")
    assert verdict(seen, "Unreliable segments") == ("–", "no meta model judged them")
    assert verdict(seen, "OoD segments") == ("–", "not looked for")
    assert verdict(seen, "Shift") == ("not watched", "no calibration")
    assert verdict(nothing(), "Shift") == ("–", "no frame was judged")
    assert verdict(all_refused(), "Frames judged") == ("0", "of 3")
    assert verdict(all_refused(), "Flagged pixels")[0] == "–"


def test_shift_verdicts():
    assert verdict(drive(10), "Shift") == ("yes", "during 50 % of the frames, first at 0.50 s")
    calm = frame_columns(10)
    calm["shift_fired"][:] = False
    assert verdict(drive(10, frames=calm), "Shift")[0] == "none"


def test_intervals_of_the_shift_monitor_are_runs_of_judged_frames():
    columns = frame_columns(8)
    columns["shift_fired"] = np.array([1, 1, 0, 1, 0, 0, 1, 1], bool)
    assert shift_intervals(drive(8, frames=columns), "/front") == [(0.0, 0.1), (0.3, 0.3), (0.6, 0.7)]
    columns["refused"][3] = "too large"
    assert shift_intervals(drive(8, frames=columns), "/front") == [(0.0, 0.1), (0.6, 0.7)]
    assert shift_intervals(drive(8, frames=columns), "/rear") == []


def test_the_time_line_leaves_out_what_was_not_measured():
    columns = frame_columns(6)
    columns["threshold_ood"][:] = np.nan
    columns["threshold_ood_meta"][:] = np.nan
    columns["refused"][2] = "too large"
    data = timeline_data(drive(6, frames=columns))
    assert "ood_segments" not in data["columns"]
    assert "threshold_ood_meta" not in data["columns"]
    assert data["columns"]["entropy_mean"][2] is None
    assert data["columns"]["entropy_mean"][3] == pytest.approx(columns["entropy_mean"][3], rel=1e-3)
    assert data["refused"] == [(2, "too large")]
    assert timeline_data(all_refused())["columns"] == {}


def test_class_means_are_sums_over_what_they_are_sums_of():
    sums = class_sums()
    means = class_means(sums)
    assert means["pixels"] == pytest.approx(sums.pixels / 7800)
    assert means["entropy"][0] == pytest.approx(sums.entropy[0] / 5000)
    assert means["p_wrong"][1] == pytest.approx(sums.p_wrong[1] / 10)
    assert means["unreliable"][2] == pytest.approx(1 / 5)
    assert np.isnan(means["iou"][3])
    unjudged = class_means(dataclasses.replace(sums, judged=np.zeros(4)))
    assert np.isnan(unjudged["p_wrong"]).all()
    both = add([sums, class_sums(1)], 4)
    assert both.entropy == pytest.approx(sums.entropy + class_sums(1).entropy)


def test_the_class_table_names_classes_that_were_never_predicted():
    data = classes_data(drive(4, CAMERAS))
    assert data["names"] == ["road", "car", "sky"]
    assert data["never"] == ["train"]
    assert data["colours"][0] == "#804080"
    assert len(data["tables"]) == 3
    assert classes_data(nothing())["names"] == []


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30))
def test_percentiles_have_their_share_below(values):
    found = percentiles(np.array([*values, np.nan]))
    assert found["n"] == len(values)
    assert found["max"] == max(values)
    for p in (5, 50, 95, 99):
        assert np.mean(np.array(values) <= found[f"p{p}"] + 1e-9) >= p / 100 - 1 / len(values)
        assert np.mean(np.array(values) >= found[f"p{p}"] - 1e-9) >= 1 - p / 100 - 1 / len(values)


def test_latency_is_shown_only_where_there_is_some():
    assert "/trust_seg/labels" in latency_html(drive(4, latency=latencies()))
    assert "recorder" not in latency_html(drive(4))
    assert latency_html(all_refused()) == ""
