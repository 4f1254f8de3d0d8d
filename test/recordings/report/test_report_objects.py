"""OoD segments of consecutive frames as objects."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from report_drives import NAMES, drive, jpeg, ood_object

from trust_seg_ros.recordings.replay.flagged_tracks import FlaggedTrack, flagged_sums
from trust_seg_ros.recordings.replay.records import TrackedObject
from trust_seg_ros.recordings.report.flagged import flagged_html
from trust_seg_ros.recordings.report.objects import box_iou, group_objects, most_certain, objects_html

BOX = (10, 10, 30, 30)


def starts(tracks):
    return [[segment.offset_s for segment in track.segments] for track in tracks]


boxes = st.tuples(*(st.integers(0, 12),) * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


@given(st.lists(boxes, min_size=1, max_size=4), st.lists(boxes, min_size=1, max_size=4))
def test_box_iou_is_that_of_the_sets_of_pixels(first, second):
    def pixels(box):
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    got = box_iou(np.array(first), np.array(second))
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            union = pixels(a) | pixels(b)
            assert got[i, j] == (len(pixels(a) & pixels(b)) / len(union) if union else 0.0)


def test_overlapping_boxes_of_consecutive_frames_are_one_object():
    moving = [ood_object(0.1 * k, (10 + k, 10, 30 + k, 30)) for k in range(5)]
    assert [len(track.segments) for track in group_objects(moving[::-1])] == [5]


def test_a_gap_of_one_second_is_bridged_and_a_longer_one_not():
    assert starts(group_objects([ood_object(t, BOX) for t in (0.0, 1.0, 2.001)])) == [[0.0, 1.0], [2.001]]


def test_the_least_iou_counts():
    # 20 x 20 boxes 14 pixels apart: 6 * 20 / (800 - 120) = 0.176; 10 apart: 1/3
    far, near = ood_object(0.1, (24, 10, 44, 30)), ood_object(0.1, (20, 10, 40, 30))
    assert len(group_objects([ood_object(0.0, BOX), far])) == 2
    assert len(group_objects([ood_object(0.0, BOX), near])) == 1
    assert len(group_objects([ood_object(0.0, BOX), near], min_iou=0.34)) == 2


def test_cameras_are_kept_apart():
    tracks = group_objects([ood_object(0.0, BOX, "/b"), ood_object(0.1, BOX, "/a"), ood_object(0.2, BOX, "/b")])
    assert [(track.first.camera, len(track.segments)) for track in tracks] == [("/b", 2), ("/a", 1)]


def test_two_segments_of_a_frame_are_two_objects_and_the_better_overlap_wins():
    first = ood_object(0.0, BOX)
    worse, better = ood_object(0.1, (10, 4, 30, 24)), ood_object(0.1, (10, 11, 30, 31))
    tracks = group_objects([first, worse, better])
    assert [track.segments for track in tracks] == [(first, better), (worse,)]


@given(st.lists(st.tuples(st.integers(0, 30), boxes, st.sampled_from(["/a", "/b"])), max_size=25))
def test_objects_partition_the_segments_and_keep_the_rules(drawn):
    segments = [ood_object(0.2 * k, box, camera) for k, box, camera in drawn]
    tracks = group_objects(segments)
    assert sorted(map(id, (s for track in tracks for s in track.segments))) == sorted(map(id, segments))
    for track in tracks:
        for a, b in zip(track.segments, track.segments[1:]):  # noqa: B905
            assert a.camera == b.camera
            assert 0 < b.recorded_ns - a.recorded_ns <= 1e9
            assert box_iou(np.array([a.box]), np.array([b.box]))[0, 0] >= 0.3


def test_an_object_shows_its_most_certain_segment_that_has_a_picture():
    track = group_objects(
        [
            ood_object(0.0, BOX, p_ood=0.5, crop=jpeg(1), class_name="car"),
            ood_object(0.1, BOX, p_ood=0.9, class_name=""),
            ood_object(0.2, BOX, p_ood=float("nan"), score=9.0, crop=jpeg(2), class_name="road"),
            ood_object(0.3, BOX, p_ood=0.6, crop=jpeg(3), class_name="road"),
        ]
    )[0]
    assert track.best.offset_s == 0.1
    assert track.crop == jpeg(3)
    assert track.class_name == "road"
    assert group_objects([ood_object(0.0, BOX, class_name="")])[0].class_name == ""


def test_at_most_so_many_are_shown_and_all_are_counted():
    apart = [ood_object(0.1 * k, (20 * k, 0, 20 * k + 5, 5), p_ood=k / 300) for k in range(250)]
    tracks = group_objects(apart)
    assert [t.first.p_ood for t in most_certain(tracks, 3)] == [247 / 300, 248 / 300, 249 / 300]
    page = objects_html(drive(objects=apart, objects_total=1000))
    assert page.count("<li ") == 200
    assert "250 objects from 250 segments, the most certain of 1,000 in the drive" in page
    assert "the 200 most certain objects are shown" in page


def test_faulty_and_unmeasured_numbers_are_said_in_words():
    page = objects_html(drive(objects=[ood_object(0.0, BOX, score=float("inf"), p_ood=float("nan"), class_name="")]))
    for said in ("infinite", "–", "not measured", "no picture"):
        assert said in page


def tracked(number, at, p_ood=0.9, frames=3, followed=5, **more):
    """An object seen from ``at`` on for a second."""
    first, last = ood_object(at, BOX, p_ood=0.1), ood_object(at + 1.0, BOX, p_ood=0.2)
    best = ood_object(at + 0.5, BOX, p_ood=p_ood)
    return TrackedObject(number, first, last, best, ood_object(at, BOX, crop=jpeg(number)), 432, frames, followed, more)


def test_with_tracking_there_is_one_card_per_track():
    page = objects_html(
        drive(objects=[], objects_total=1234, tracked=[tracked(7, 0.0, car=2, road=1)], tracked_total=1)
    )
    assert page.count("<li ") == 1
    assert "1 object from 1,234 segments" in page
    for said in ("0.9", "car", "1.00 s, 3 frames of the 5 followed", "432 pixels", "ood_7", "data:image/jpeg"):
        assert said in page
    assert 'data-frames="3"' in page
    assert "boxes overlap" not in page


def test_with_tracking_all_objects_are_counted_and_ranked():
    objects = [tracked(k, 0.1 * k, p_ood=0.1 * k) for k in (1, 2, 3)]
    page = objects_html(drive(objects=[], objects_total=90, tracked=objects, tracked_total=40))
    assert "40 objects from 90 segments; the 3 most certain objects are shown" in page
    assert [page.index(f'data-rank="{rank}"') for rank in (2, 1, 0)] == sorted(
        page.index(f'data-rank="{k}"') for k in range(3)
    )
    assert "No OoD segments" in objects_html(drive(objects=[], objects_total=0, tracked=[], tracked_total=0))


def test_flagged_tracks_are_summed_by_class_over_the_cameras():
    second = 10**9
    front = flagged_sums([FlaggedTrack(1, 0, 2 * second, 5), FlaggedTrack(1, 0, 0, 1), FlaggedTrack(0, 0, 0, 1)], 4)
    rear = flagged_sums([FlaggedTrack(1, 0, 7 * second, 9)], 4)
    page = flagged_html(drive(tracked=[], flagged={"/front": front, "/rear": rear}))
    rows = [row.replace('<td class="number">', "|").replace("</td>", "") for row in page.split("<tr>")[2:]]
    assert rows[0].startswith(f'<th scope="row">{NAMES[1]}</th>|3|33.3 %|5|3|7')
    assert rows[1].startswith(f'<th scope="row">{NAMES[0]}</th>|1|100 %|1|0|0')
    assert len(rows) == 2
    assert "No segment was flagged" in flagged_html(drive(tracked=[]))
    assert flagged_html(drive()) == ""
