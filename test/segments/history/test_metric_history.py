"""Metrics over time: by the definition, at any frame rate, and with stamps, tracks and numbers of them as they come."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segments.errors import FeatureError, TrackingError
from trust_seg_ros.segments.history import (
    HistoryState,
    MetricHistory,
    TimeWindow,
    base_names,
    is_time_name,
    time_names,
    with_time,
)
from trust_seg_ros.segments.history.kernels import look_back
from trust_seg_ros.segments.history.reference import look_back_reference
from trust_seg_ros.segments.tracks import Tracker, TrackingSettings
from trust_seg_ros.types import SegmentTable
from trust_seg_ros.types.tracks import SegmentTracks

WINDOW = TimeWindow(1.0, 10, (10.0, 10.0))
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def tracked(ids, stamp_ns, first_ns=None, gap_s=0.0):
    ids = np.asarray(ids, np.int64)
    n = len(ids)
    first = np.full(n, stamp_ns if first_ns is None else first_ns, np.int64)
    return SegmentTracks(ids, np.ones(n, np.int32), first, np.zeros((n, 2)), np.full(n, float(gap_s)), stamp_ns)


def seen(history, values, stamp_ns, ids=(1,), **more):
    """Columns by name, of metrics (n,) of the only metric x."""
    tracks = tracked(ids, stamp_ns, **more)
    columns = history.update(np.asarray(values, float).reshape(len(ids), -1), tracks, tracks.ids)
    return dict(zip(history.columns, columns.T.tolist(), strict=True))


def history(window=WINDOW, names=("x",)):
    return MetricHistory(names, window)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 6), st.integers(1, 4), st.integers(2, 6))
def test_the_kernel_gives_what_the_reference_gives(seed, n, m, length):
    rng = np.random.default_rng(seed)
    t, reach = 4, 1_050_000_000
    ages = np.sort(rng.choice(np.arange(1, 30), (t, length)) * 50_000_000, axis=1)
    stamps = np.where(rng.random((t, length)) < 0.2, 0, START - ages + rng.integers(-1, 2) * 60_000_000)
    rows, slots = rng.normal(size=(t, length, m)) * 10 ** rng.uniform(-3, 4), rng.integers(-1, t, n)
    current = rng.normal(size=(n, m))
    found, expected = np.zeros((n, 3 * m + 1)), np.zeros((n, 3 * m + 1))
    look_back(current, slots, START, rows, stamps, reach, 75_000_000, found)
    look_back_reference(current, slots, START, rows, stamps, reach, 75_000_000, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7 * max(1.0, np.abs(rows).max()))


def test_by_hand():
    past = history()
    first = seen(past, [4.0], START)
    assert all(v == [0.0] for v in first.values())
    seen(past, [5.0], START + SECOND // 10)
    third = seen(past, [9.0], START + SECOND // 5, first_ns=START)
    assert third["time.change.x"] == [4.5]
    assert third["time.trend.x"] == [pytest.approx(25.0)]
    assert third["time.std.x"] == [pytest.approx(np.std([4.0, 5.0, 9.0]))]
    assert third["time.rows"] == [2.0]
    assert third["time.age_s"] == [pytest.approx(0.2)]
    assert third["time.gap_s"] == [0.0]


@pytest.mark.parametrize("rate", [10, 15, 30, 60, 200])
def test_a_ramp_looks_alike_at_any_frame_rate(rate):
    past = history()
    for k in range(2 * rate + 1):
        found = seen(past, [3.0 * k / rate], START + round(k * SECOND / rate))
    assert found["time.trend.x"] == [pytest.approx(3.0, rel=1e-6)]
    assert found["time.change.x"] == [pytest.approx(1.5, abs=0.4)]
    assert found["time.rows"] == [3.0]


def test_slower_frames_give_fewer_rows_of_the_same_window():
    past = history()
    for k in range(9):
        found = seen(past, [float(k)], START + round(k * SECOND / 4))
    assert found["time.rows"] == [3.0]
    assert found["time.trend.x"] == [pytest.approx(4.0)]


def test_rows_older_than_the_window_do_not_count():
    past = history()
    for k in range(5):
        seen(past, [100.0], START + k * SECOND // 10)
    assert seen(past, [1.0], START + 5 * SECOND, gap_s=4.6)["time.change.x"] == [0.0]
    later = seen(past, [2.0], START + 5 * SECOND + SECOND // 10)
    assert (later["time.rows"], later["time.change.x"]) == ([1.0], [1.0])


def test_a_gap_of_hours_is_cut_off():
    found = seen(history(), [1.0], START + 7200 * SECOND, first_ns=START, gap_s=7200.0)
    assert (found["time.age_s"], found["time.gap_s"]) == ([10.0], [10.0])


def test_equal_stamps_make_no_row_and_no_trend():
    past = history()
    for value in (1.0, 2.0, 3.0):
        found = seen(past, [value], START)
    assert found["time.rows"] == [1.0]
    assert found["time.change.x"] == [2.0]
    assert found["time.trend.x"] == [0.0]
    assert np.isfinite(list(found.values())).all()


def test_frames_a_microsecond_apart_make_no_steep_trend():
    past = history()
    seen(past, [0.0], START)
    assert seen(past, [1.0], START + 1000)["time.trend.x"] == [0.0]


def test_frames_without_a_stamp_have_no_history_and_leave_none():
    past = history()
    for value in (1.0, 5.0):
        assert all(v == [0.0] for v in seen(past, [value], 0).values())
    seen(past, [1.0], START)
    assert all(v == [0.0] for v in seen(past, [9.0], 0).values())
    assert seen(past, [3.0], START + SECOND // 10)["time.change.x"] == [2.0]


def test_time_that_goes_back_forgets_the_rows():
    past = history()
    for k in range(5):
        seen(past, [7.0], START + k * SECOND // 10)
    back = seen(past, [1.0], START - SECOND)
    assert (back["time.rows"], back["time.change.x"]) == ([0.0], [0.0])
    assert seen(past, [2.0], START - SECOND + SECOND // 10)["time.change.x"] == [1.0]


def test_thousands_of_specks_leave_nothing_behind():
    past = history(names=("x", "y"))
    for k in range(30):
        ids = np.arange(1, 2001) + 2000 * k
        ids[0] = 1
        seen_now = tracked(ids, START + k * SECOND // 10)
        past.update(np.ones((2000, 2)), seen_now, ids)
        assert len(past) == 2000
    assert len(past.state().stamps) == 2000
    assert len(past._stamps) <= 4100, "room of tracks that ended is used again"
    past.update(np.ones((1, 2)), tracked([1], START + 4 * SECOND), np.array([1]))
    assert len(past) == 1
    assert past.state().rows.shape == (1, 10, 2)


def test_a_number_that_is_used_again_has_no_rows_of_the_track_before():
    past = history()
    seen(past, [100.0], START, ids=(5,))
    seen(past, [1.0], START + SECOND // 10, ids=(6,))
    assert seen(past, [2.0], START + SECOND // 5, ids=(5,))["time.rows"] == [0.0]


def test_segments_without_a_track_and_none_at_all():
    past = history()
    tracks = tracked([0, 0, 3], START)
    for k in range(2):
        found = past.update(np.array([[1.0], [2.0], [k]]), tracked([0, 0, 3], START + k * SECOND // 10), tracks.ids)
    assert found[:, 0].tolist() == [0.0, 0.0, 1.0]
    assert past.update(np.zeros((0, 1)), tracked([], START + SECOND), np.zeros(0, np.int64)).shape == (0, 6)
    assert len(past) == 0


def test_a_history_goes_on_from_its_state():
    one, rng = history(names=("x", "y")), np.random.default_rng(0)
    for k in range(7):
        ids = np.flatnonzero(rng.random(20) < 0.8) + 1
        one.update(rng.normal(size=(len(ids), 2)), tracked(ids, START + k * SECOND // 10), np.arange(1, 21))
    state = HistoryState.from_json(json.loads(json.dumps(one.state().to_json())))
    other = history(names=("x", "y"))
    other.load_state(state)
    values, tracks = rng.normal(size=(20, 2)), tracked(np.arange(1, 21), START + SECOND)
    found = [each.update(values, tracks, tracks.ids) for each in (one, other)]
    np.testing.assert_array_equal(*found)
    for name, part in vars(one.state()).items():
        np.testing.assert_array_equal(part, getattr(other.state(), name))
    with pytest.raises(TrackingError, match=r"rows \(20, 10, 2\), expected \(20, 10, 1\)"):
        history().load_state(state)
    with pytest.raises(TrackingError, match="history of metrics"):
        HistoryState.from_json({**state.to_json(), "rows": {"dtype": "object"}})


def test_a_table_gets_columns_from_the_tracker_and_a_change_of_size_starts_anew():
    tracker, past = Tracker(TrackingSettings(on=True)), history(names=("S",))

    def frame(size, stamp_ns, value):
        ids = np.zeros(size, np.int32)
        ids[2:8, 2:8] = 1
        tracks = tracker.update(ids, np.zeros(1, np.uint8), np.array([36]), stamp_ns)
        one = np.array([36])
        table = SegmentTable(ids, np.zeros(1, np.uint8), np.zeros((1, 4), np.int32), one, one, ("E", "S"), value)
        return with_time(table, past, tracks, tracker.state().ids)

    frame((12, 12), START, np.array([[0.5, 36.0]]))
    table = frame((12, 12), START + SECOND // 10, np.array([[0.5, 40.0]]))
    assert table.names == ("E", "S", *time_names(("S",)))
    assert table.column("time.change.S").tolist() == [4.0]
    assert table.column("E").tolist() == [0.5]
    assert frame((14, 14), START + SECOND // 5, np.array([[0.5, 44.0]])).column("time.rows").tolist() == [0.0]


def test_names_lead_back_to_the_metrics_of_a_frame():
    names = ("E", "time.change.E_bd", "time.trend.cprob_3", "time.std.E", "time.rows", "time.age_s", "time.gap_s")
    assert base_names(names) == ("E", "E_bd", "cprob_3")
    assert not is_time_name("E_bd")
    assert len(time_names(("E", "S"))) == 9


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_s": 0.0},
        {"window_s": float("nan")},
        {"length": 1},
        {"length": 101},
        {"rate_hz": (5.0, 4.0)},
        {"rate_hz": (0.0, float("inf"))},
    ],
)
def test_impossible_windows_are_refused(wrong):
    with pytest.raises(FeatureError, match=next(iter(wrong))):
        TimeWindow(**{"window_s": 1.0, **wrong})


def test_another_frame_rate_is_said():
    assert TimeWindow(1.0, 10, (9.0, 11.0)).rate_gap(12.0) == ""
    assert TimeWindow(1.0).rate_gap(50.0) == TimeWindow(1.0, 10, (9.0, 11.0)).rate_gap(None) == ""
    assert TimeWindow(1.0, 10, (9.0, 11.0)).rate_gap(2.0) == (
        "frames come at 2 Hz, metrics over time were fitted at 9 to 11 Hz"
    )
