"""Numbers of the report from their definitions."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_drives import NAMES, all_refused, class_sums, drive, frame_columns, latencies, nothing

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report.classes import add, class_means, classes_data, key_html
from trust_seg_ros.recordings.report.latency import latency_html, percentiles
from trust_seg_ros.recordings.report.page import page_data
from trust_seg_ros.recordings.report.pictures import pictures_data
from trust_seg_ros.recordings.report.summary import head_html, summarise, tiles, verdict
from trust_seg_ros.recordings.report.terms import TERMS
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
    assert s.unreliable_pixels == pytest.approx(sum(row["unreliable_pixels"] for row in good) / len(good))
    assert s.ood_pixels == pytest.approx(sum(row["ood_pixels"] for row in good) / len(good))
    assert s.ood_segments == sum(row["ood_segments"] for row in good)
    assert s.shift_fired == pytest.approx(sum(row["shift_fired"] for row in good) / len(good))
    first = min((row["offset_s"] for row in good if row["shift_fired"]), default=np.nan)
    assert s.first_shift_s == pytest.approx(first, nan_ok=True)


def tile(seen: Drive, name: str) -> tuple[str, str]:
    return next((value, remark) for title, value, remark in tiles(seen) if title == name)


def test_tiles_say_in_words_what_was_not_measured():
    unjudged = dataclasses.replace(class_sums(), judged=np.zeros(4))
    columns = frame_columns(10)
    columns["threshold_ood"][:] = np.nan
    seen = drive(10, frames=columns, classes={"/front": unjudged}, shift="no calibration")
    assert tile(seen, "On unreliable segments") == ("–", "no meta model judged the segments")
    assert tile(seen, "On OoD segments") == ("–", "not looked for")
    assert tile(seen, "Shift") == ("not watched", "no calibration")
    assert tile(nothing(), "Shift") == ("–", "no frame was judged")
    assert tile(all_refused(), "Frames judged") == ("0", "of 3")
    assert tile(all_refused(), "Flagged pixels")[0] == "–"


def test_shift_verdicts():
    assert tile(drive(10), "Shift") == ("yes", "during 50 % of the frames, first at 0.50 s")
    calm = frame_columns(10)
    calm["shift_fired"][:] = False
    assert tile(drive(10, frames=calm), "Shift")[0] == "none"


def test_the_verdict_is_one_line_of_shares_of_pixels():
    columns = frame_columns(10)
    columns["unreliable_pixels"][:], columns["ood_pixels"][:] = 0.016, 0.003
    seen = drive(10, frames=columns)
    assert verdict(seen) == (
        "1.6 % of the pixels lie on segments that are probably wrong, 0.3 % on what looks like nothing the network has "
        "learned; the worst moment is at 0.80 s; from 0.50 s on the images stopped resembling the calibration data."
    )
    assert verdict(all_refused()) == "Nothing was judged: all 3 images were refused."
    assert verdict(nothing()) == "Nothing was judged."
    unjudged = dataclasses.replace(class_sums(), judged=np.zeros(4))
    assert "flagged as uncertain" in verdict(drive(10, classes={"/front": unjudged}))


def test_a_video_has_no_date_and_no_bag_to_play():
    seen = drive(10, start_ns=10**9, playable=False)
    assert "1970" not in head_html(seen)
    assert "Recorded" not in head_html(seen)
    assert "Recorded 2023" in head_html(drive(10))
    assert {one["play"] for one in pictures_data(seen)} == {""}
    assert pictures_data(drive(10))[0]["play"] == "ros2 bag play drive_7 --start-offset 0.000"


def test_a_part_of_a_recording_is_headed_and_plotted_as_that_part():
    seen = drive(20, section_s=(0.5, 1.5))
    assert "0.50 s to 1.50 s of 2.0 s" in head_html(seen)
    assert page_data(seen)["section"] == [0.5, 1.5]
    assert page_data(drive(20))["section"] == [0.0, 2.0]


def test_words_are_explained():
    assert '<abbr title="how evenly' in head_html(drive(4))
    named = {name for name, _, _ in tiles(drive(4))} | {name for name, _ in pictures_data(drive(4))[0]["numbers"]}
    assert len(TERMS.keys() & named) >= 10, "the names are those that the report writes"


def test_the_key_shows_the_classes_that_occur():
    key = key_html(drive(4))
    assert [name for name in NAMES if f"</span>{name}</li>" in key] == ["road", "car", "sky"]
    assert key.index("road") < key.index("sky") < key.index("car"), "the largest first"
    many = dataclasses.replace(drive(4), class_names=["<b>", "car", "sky", "train"])
    assert "<b>" not in key_html(many)
    assert "and 2 more" in key_html(drive(4), most=1)
    assert key_html(nothing()) == ""


def test_nothing_judged_is_a_dash_and_not_zero_of_so_many():
    columns = frame_columns(4)
    columns["unreliable_segments"] = np.full(4, np.nan)
    numbers = dict(pictures_data(drive(4, frames=columns))[0]["numbers"])
    assert numbers["On unreliable segments"] == "– (no meta model judged them)"


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
    assert "ood_pixels" not in data["columns"]
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
    assert means["p_wrong"][1] == pytest.approx(sums.p_wrong[1] / 800), "a mean over the pixels"
    assert means["unreliable"][2] == pytest.approx(1 / 5)
    assert np.isnan(means["iou"][3])
    assert means["unreliable_pixels"][:3] == pytest.approx([0.02] * 3), "of the pixels, not of the segments"
    unjudged = class_means(dataclasses.replace(sums, judged=np.zeros(4), judged_pixels=np.zeros(4)))
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
