"""Boxes and labels for Foxglove: those of ``~/segments``, and a heading that is always there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drive_frames import made_result
from trust_frames import but, frame_of

from trust_seg_ros.messages.annotations import MOST, image_annotations
from trust_seg_ros.messages.detections import OOD, OOD_SCORE, UNRELIABLE, detections
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import Frame, OodSegments, SegmentTable, SegmentTracks, SegmentTrust, UncertaintyMaps

NAMES = tuple(f"class {i}" for i in range(11))
OPTIONS = MessageOptions(NAMES, np.zeros((11, 3), np.uint8))
PLAIN = made_result(np.repeat([[0, 1]], 6, 0).repeat([5, 3], 1).astype(np.uint8))


def tiles(rows, columns, side=14):
    """Every tile one flagged segment, P(wrong) from 0.5 on; one of them is out of distribution, too."""
    count, size = rows * columns, (rows * side, columns * side)
    top, left = np.divmod(np.arange(count), columns)
    boxes = (np.stack([left, top, left + 1, top + 1], 1) * side).astype(np.int32)
    ids = np.arange(1, count + 1, dtype=np.int32).reshape(rows, columns).repeat(side, 0).repeat(side, 1)
    table = SegmentTable(
        ids, (np.arange(count) % 11).astype(np.uint8), boxes, np.full(count, side * side), np.zeros(count, int),
        tuple(f"cprob_{i}" for i in range(11)), np.full((count, 11), 0.5),
    )  # fmt: skip
    trust = SegmentTrust(np.linspace(0.5, 1, count), np.full(count, 0.3), np.ones(count, bool))
    one = (ids == 1).astype(np.int32)
    ood = OodSegments(one, boxes[:1], np.array([side * side]), np.array([0.9]), np.array([True]), np.array([0.8]),
                      np.array([1], np.uint8), np.array([0.6]))  # fmt: skip
    maps = UncertaintyMaps(
        torch.zeros(size, dtype=torch.uint8), *(torch.zeros(size) for _ in range(3)), faulty_pixels=0
    )
    return frame_of(Frame(np.zeros((*size, 3), np.uint8), 5, "c"), maps, table, trust, None, ood)


def tracked(result):
    def tracks(first, count):
        ids, zero = np.arange(first, first + count), np.zeros(count)
        return SegmentTracks(ids, zero.astype(np.int32), zero.astype(int), np.zeros((count, 2)), zero)

    return but(result, tracks=tracks(17, len(result.segments)), ood_tracks=tracks(3, len(result.ood.kept)))


def both(result, **changes):
    view = Rendering(result, replace(OPTIONS, **changes))
    return image_annotations(view), detections(view)


def sides(found):
    """(n, 4) left, top, right, bottom of detections."""
    return np.array([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for (x, y), (w, h) in
                     ((d.centre, d.size) for d in found)]).reshape(-1, 4)  # fmt: skip


@pytest.mark.parametrize("result", [PLAIN, tiles(6, 7), tracked(tiles(2, 3)), but(tiles(2, 3), trust=None)])
def test_boxes_are_those_of_the_detections_in_their_order(result):
    shown, found = both(result)
    assert len(found)
    np.testing.assert_array_equal(shown.boxes, sides(found))
    assert shown.unknown.tolist() == [i >= len(found) - result.ood.kept.sum() for i in range(len(found))]
    every, _ = both(result, every_segment=True)
    np.testing.assert_array_equal(every.boxes, shown.boxes)


def test_every_corner_goes_round_its_box():
    shown, _ = both(tiles(2, 3))
    left, top, right, bottom = shown.boxes[4]
    assert shown.corners[4].tolist() == [[left, top], [right, top], [right, bottom], [left, bottom]]
    assert shown.corners.shape == (len(shown.boxes), 4, 2)


def test_labels_tell_class_probabilities_and_track():
    shown, found = both(tiles(2, 3))
    assert shown.labels[0] == "not class 0, 50 %, unknown, 80 %", "the first lies on what is out of distribution"
    assert shown.labels[5] == "not class 5, 100 %"
    assert shown.labels[6] == "unknown, 80 % (read as class 1)"
    assert dict(found[0].results)[UNRELIABLE] == 0.5
    assert dict(found[0].results)[OOD] == pytest.approx(0.8)
    followed, _ = both(tracked(tiles(2, 3)))
    assert followed.labels == tuple(
        f"{number}: {label}" for number, label in zip([*range(17, 23), "ood_3"], shown.labels, strict=True)
    )


def test_without_models_of_segments_there_are_scores_and_no_probabilities():
    frame = tiles(2, 3)
    shown, found = both(but(frame, trust=None, ood=replace(frame.ood, p_ood=None, class_ids=None)))
    assert shown.labels == ("unknown, score 0.90 (read as class 0)", "unknown, score 0.90")
    assert dict(found[0].results)[OOD_SCORE] == pytest.approx(0.9)
    assert shown.heading == "1 unreliable, 1 unknown"


def test_a_frame_without_flags_has_its_heading_and_no_box():
    frame = tiles(2, 3)
    calm = but(
        frame,
        trust=replace(frame.trust, unreliable=np.zeros(6, bool)),
        ood=replace(frame.ood, kept=np.zeros(1, bool)),
    )
    shown, found = both(calm)
    assert (shown.heading, found) == ("0 unreliable, 0 unknown", ())
    assert shown.boxes.shape == (0, 4)
    assert shown.corners.shape == (0, 4, 2)
    assert shown.positions.shape == (0, 2)
    assert shown.labels == ()
    assert shown.colours == []


def test_of_too_many_the_largest_are_shown_and_all_are_counted():
    frame = tiles(20, 20)
    small = frame.segments.boxes.copy()
    small[::2, 2:] -= 3  # every other one is smaller
    shown, found = both(but(frame, segments=replace(frame.segments, boxes=small)))
    assert len(found) == 401
    assert len(shown.boxes) == len(shown.labels) == len(shown.colours) == MOST
    assert shown.heading == f"400 unreliable, 1 unknown (the {MOST} largest shown)"
    area = (shown.boxes[:, 2:] - shown.boxes[:, :2]).prod(1)
    assert (area == 14 * 14).all()
    inside = {tuple(row) for row in sides(found).tolist()}
    assert {tuple(row) for row in shown.boxes.tolist()} <= inside


def test_letters_and_lines_grow_with_the_image_and_stay_inside_it():
    small, large = both(tiles(4, 4))[0], both(tiles(10, 4, 100))[0]
    assert (small.font_size, small.thickness) == (9.0, 1.0)
    assert (large.font_size, large.thickness) == (25.0, pytest.approx(25 / 9))
    for shown in (small, large):
        assert shown.heading_position[1] >= shown.font_size
        assert (shown.positions[:, 1] - shown.font_size > shown.heading_position[1]).all()
        np.testing.assert_array_equal(shown.positions[:, 0], shown.boxes[:, 0])
    assert large.positions[-2, 1] == large.boxes[-2, 1]


def test_specks_have_boxes_and_no_labels():
    """A box has a label from the area of a square of one and a half letters on, whatever its shape."""
    frame = tiles(2, 3)
    boxes = frame.segments.boxes.copy()
    boxes[0, 2:] = boxes[0, :2] + 13  # a letter and a half is 13.5 pixels
    boxes[1, 2:] = boxes[1, :2] + (7, 27)  # a pole
    shown, _ = both(but(frame, segments=replace(frame.segments, boxes=boxes)))
    assert [bool(label) for label in shown.labels] == [False, True, True, True, True, True, True]
    assert [text for _, text, _ in shown.texts] == [shown.heading, *shown.labels[1:]]
    assert len(shown.boxes) == 7


def test_flagged_and_unknown_segments_have_colours_of_their_own():
    shown, _ = both(tiles(2, 3))
    assert len(set(shown.colours[:6])) == 1
    assert shown.colours[6] != shown.colours[0]
    assert all(0 <= part <= 1 for colour in shown.colours for part in colour)
