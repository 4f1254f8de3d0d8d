"""Tracks: overlap, gaps, splits and merges by the stated rules, and what forgets them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segments import SegmentError, components
from trust_seg_ros.segments.errors import MapShapeError, TrackingError
from trust_seg_ros.segments.tracks import Tracker, TrackerState, TrackingSettings, kernels
from trust_seg_ros.segments.tracks import tracker as module
from trust_seg_ros.segments.tracks.reference import overlaps_reference, take_best_reference
from trust_seg_ros.segments.tracks.state import MAX_ID
from trust_seg_ros.types import SegmentTracks

SIZE = (60, 80)
FRAME_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


def picture(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """A class map of boxes (class, left, top, right, bottom); 255 elsewhere."""
    classes = np.full(SIZE, 255, np.uint8)
    for number, left, top, right, bottom in boxes:
        classes[top:bottom, left:right] = number
    return classes


def segments_of(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, n = components(classes)
    first = np.array([classes[ids == k][0] for k in range(1, n + 1)], np.uint8)
    return ids, first, np.bincount(ids.ravel(), minlength=n + 1)[1:]


def follow(tracker: Tracker, *frames: np.ndarray, start: int = 0, camera: str = "") -> list[SegmentTracks]:
    return [
        tracker.update(*segments_of(classes), START_NS + (start + k) * FRAME_NS, camera)
        for k, classes in enumerate(frames)
    ]


def moving(step: int, number: int = 1, top: int = 10) -> np.ndarray:
    return picture((number, 5 + step, top, 15 + step, top + 10))


def test_a_moving_segment_keeps_its_number_and_tells_its_velocity() -> None:
    found = follow(Tracker(), *(moving(3 * k) for k in range(6)))
    assert [t.ids.tolist() for t in found] == [[1]] * 6
    assert [int(t.frames[0]) for t in found] == [1, 2, 3, 4, 5, 6]
    assert found[0].velocity.tolist() == [[0.0, 0.0]]
    assert found[-1].velocity == pytest.approx(np.array([[30.0, 0.0]]))
    assert found[-1].first_ns.tolist() == [START_NS]
    assert found[-1].age_s == pytest.approx([0.5])


def test_a_fast_thin_segment_without_overlap_is_found_by_its_place() -> None:
    poles = [picture((2, 10 + 4 * k, 10, 12 + 4 * k, 50)) for k in range(5)]
    assert [t.ids.tolist() for t in follow(Tracker(), *poles)] == [[1]] * 5


def test_another_class_at_the_same_place_is_another_track() -> None:
    found = follow(Tracker(), moving(0), moving(0, number=2), moving(0))
    assert [t.ids.tolist() for t in found] == [[1], [2], [3]]


def test_without_classes_any_segment_continues_any_track() -> None:
    tracker = Tracker()
    for k in range(3):
        ids, _, sizes = segments_of(moving(k, number=k))
        assert tracker.update(ids, None, sizes, START_NS + k * FRAME_NS).ids.tolist() == [1]


def test_a_lost_segment_is_found_where_its_velocity_takes_it() -> None:
    nothing = picture()
    frames = [moving(3 * k) for k in range(4)] + [nothing] * 5 + [moving(27)]
    found = follow(Tracker(), *frames)
    assert found[-1].ids.tolist() == [1]
    assert found[-1].gap_s == pytest.approx([0.6])
    assert int(found[-1].frames[0]) == 5
    after = follow(Tracker(TrackingSettings(max_gap_s=0.5)), *frames)
    assert after[-1].ids.tolist() == [2]


def test_a_track_seen_once_is_not_looked_for() -> None:
    found = follow(Tracker(), moving(0), picture(), moving(0))
    assert [t.ids.tolist() for t in found] == [[1], [], [2]]


def test_of_a_split_the_larger_piece_keeps_the_number_and_merged_again_it_is_one() -> None:
    whole, parts = picture((1, 10, 10, 40, 20)), picture((1, 10, 10, 28, 20), (1, 30, 10, 40, 20))
    found = follow(Tracker(), whole, parts, parts, whole, parts)
    assert found[1].ids.tolist() == [1, 2]
    assert found[2].ids.tolist() == [1, 2]
    assert found[3].ids.tolist() == [1]
    assert found[4].ids.tolist() == [1, 2], "the piece that was merged for a frame has its number again"
    assert found[4].gap_s == pytest.approx([0.0, 0.2])


def test_a_speck_of_what_was_large_is_a_new_track() -> None:
    found = follow(Tracker(), picture((1, 10, 10, 50, 50)), picture((1, 20, 20, 22, 22)))
    assert found[1].ids.tolist() == [2]


@pytest.mark.parametrize(
    ("second", "camera", "stamp", "why"),
    [
        (moving(0), "left", START_NS - 1, "time went back by 0.000 s"),
        (moving(0), "left", START_NS + 3600 * 10**9, "3600.000 s without a frame"),
        (moving(0), "right", START_NS + FRAME_NS, "the camera changed from 'left' to 'right'"),
        (np.full((30, 40), 1, np.uint8), "left", START_NS + FRAME_NS, "the grid changed from 80x60 to 40x30"),
    ],
)
def test_what_forgets_tracks_says_why_and_numbers_go_on(second: np.ndarray, camera: str, stamp: int, why: str) -> None:
    tracker = Tracker()
    follow(tracker, moving(0), camera="left")
    assert tracker.forgot == ""
    assert tracker.update(*segments_of(second), stamp, camera).ids.tolist() == [2]
    assert why in tracker.forgot


def test_without_stamps_segments_are_compared_in_place() -> None:
    tracker = Tracker()
    frames = [moving(k) for k in range(4)] + [picture(), moving(4)]
    found = [tracker.update(*segments_of(f), 0) for f in frames]
    assert [t.ids.tolist() for t in found] == [[1]] * 4 + [[], [2]]
    assert np.isfinite(found[3].velocity).all()
    assert not found[3].velocity.any()
    assert not found[3].age_s.any()


def test_equal_stamps_change_no_velocity() -> None:
    tracker = Tracker()
    for step in (0, 2, 4):
        tracker.update(*segments_of(moving(step)), START_NS)
    assert tracker.update(*segments_of(moving(5)), START_NS).velocity.tolist() == [[0.0, 0.0]]


def test_numbers_begin_again_at_their_limit_without_meeting_a_living_track() -> None:
    tracker = Tracker()
    follow(tracker, moving(0))
    plain = tracker.state().to_json()
    tracker.load_state(TrackerState.from_json({**plain, "next_id": MAX_ID}))
    two_more = picture((1, 5, 10, 15, 20), (2, 30, 10, 40, 20), (3, 50, 10, 60, 20))
    assert follow(tracker, two_more, start=1)[0].ids.tolist() == [1, MAX_ID, 2]
    assert tracker.state().next_id == 3


def test_thousands_of_specks_are_numbered_but_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TRACKS", 20)
    classes = picture((1, 0, 40, 80, 60))
    classes[:38:2, ::2] = 2
    classes[1:38:2, 1::2] = 255
    tracker = Tracker()
    first, second = follow(tracker, classes, classes)
    n = len(first)
    assert n > 500
    assert len(np.unique(second.ids)) == n
    assert len(tracker.state()) == 20
    road = int(segments_of(classes)[2].argmax())
    assert second.ids[road] == first.ids[road]
    assert int((second.frames > 1).sum()) == 20


def test_a_segment_that_is_left_out_has_no_number_and_no_memory() -> None:
    tracker = Tracker()
    ids, classes, sizes = segments_of(picture((1, 5, 10, 15, 20), (1, 30, 10, 32, 12)))
    for k in range(2):
        found = tracker.update(ids, classes, np.where(sizes > 50, sizes, 0), START_NS + k * FRAME_NS)
        assert found.ids.tolist() == [1, 0]
        assert found.frames.tolist() == [k + 1, 0]
        assert len(tracker.state()) == 1


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    ids, classes, sizes = segments_of(moving(0))
    with pytest.raises(MapShapeError, match="a size and a class"):
        Tracker().update(ids, np.append(classes, 3), sizes, 1)
    with pytest.raises(MapShapeError, match="a pixel of segment 1, but there are 0"):
        Tracker().update(ids, classes[:0], sizes[:0], 1)


@pytest.mark.parametrize(
    ("values", "words"),
    [({"length": 1}, "2 to 100"), ({"max_gap_s": 0.0}, "above 0"), ({"max_gap_s": float("nan")}, "above 0")],
)
def test_settings_out_of_range_are_refused(values: dict, words: str) -> None:
    with pytest.raises(SegmentError, match=words):
        TrackingSettings(**values)


maps = st.integers(0, 2**31).map(
    lambda seed: np.kron(np.random.default_rng(seed).integers(0, 3, (6, 8), dtype=np.uint8), np.ones((4, 4), np.uint8))
)


@settings(max_examples=40, deadline=None)
@given(maps, maps, st.integers(0, 2**31))
def test_the_kernels_count_and_choose_as_the_definition_does(first: np.ndarray, second: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen, after = (module._seen(*segments_of(frame), module._room(frame.size)) for frame in (first, second))
    n = len(seen.sizes)
    shifts = rng.integers(-9, 10, (n, 2)).astype(np.int32)
    keys, counts = np.full(1 << 12, -1, np.int64), np.zeros(1 << 12, np.int64)
    new = after.first, *after.runs[1:], after.class_ids
    pairs = kernels.count_overlaps(*seen.runs, shifts, seen.class_ids, *new, keys, counts)
    used = keys >= 0
    found = {(int(k) >> 32, int(k) & 0xFFFFFFFF): int(c) for k, c in zip(keys[used], counts[used], strict=True)}
    masks = [seen.ids == k for k in range(1, n + 1)]
    assert found == overlaps_reference(masks, shifts, seen.class_ids, after.ids, after.class_ids)
    assert pairs == len(found)
    rows, columns = np.indices(first.shape)
    for k, mask in enumerate(masks):
        assert seen.centroids[k] == pytest.approx([columns[mask].mean(), rows[mask].mean()])
    order = [list(found)[i] for i in rng.permutation(len(found))]
    of_track, of_segment = np.full(n, -1, np.int64), np.full(len(after.sizes), -1, np.int64)
    kernels.take_best(*np.array(order, np.int64).reshape(-1, 2).T.copy(), of_track, of_segment)
    chosen = take_best_reference(order)
    assert {k: int(j) for k, j in enumerate(of_track) if j >= 0} == chosen
    assert {int(k): j for j, k in enumerate(of_segment) if k >= 0} == chosen


def test_a_full_table_of_pairs_is_made_larger() -> None:
    frame = moving(0)
    seen = module._seen(*segments_of(frame), module._room(frame.size))
    new = seen.first, *seen.runs[1:], seen.class_ids
    arguments = *seen.runs, np.zeros((1, 2), np.int32), seen.class_ids, *new
    assert kernels.count_overlaps(*arguments, np.full(1, -1, np.int64), np.zeros(1, np.int64)) == -1


@settings(max_examples=25, deadline=None)
@given(st.lists(maps, min_size=3, max_size=6), st.integers(1, 4))
def test_a_tracker_continued_from_its_state_gives_the_same(frames: list[np.ndarray], cut: int) -> None:
    whole = follow(Tracker(), *frames)
    first = Tracker()
    follow(first, *frames[:cut])
    second = Tracker()
    second.load_state(TrackerState.from_json(json.loads(json.dumps(first.state().to_json()))))
    rest = follow(second, *frames[cut:], start=cut)
    for a, b in zip(whole[cut:], rest, strict=True):
        for name in ("ids", "frames", "first_ns", "velocity", "gap_s"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
        assert len(np.unique(a.ids)) == len(a)


def test_a_state_that_is_none_is_refused() -> None:
    plain = Tracker().state().to_json()
    with pytest.raises(TrackingError, match="state of a tracker"):
        TrackerState.from_json({**plain, "ids": {"dtype": "object", "shape": [1], "data": ""}})
    with pytest.raises(TrackingError, match="state of a tracker"):
        TrackerState.from_json({"next_id": 1, "size": [0, 0]})
