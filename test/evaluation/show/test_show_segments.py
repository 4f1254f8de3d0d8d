"""Segments painted by value: colours, outlines, hatching and numbers, pixel by pixel."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.drawing.pictures import NEUTRAL
from trust_seg_ros.evaluation.show.segments import hatch, outline, paint_segments, red_green, write_numbers

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def is_colour(picture, colour):
    return (picture == colour).all(axis=2)


def blocks():
    """(60, 90) int32: segment 1 left, 2 right, 3 a single pixel in 1, nothing in the last rows."""
    ids = np.ones((60, 90), np.int32)
    ids[:, 45:] = 2
    ids[20, 10] = 3
    ids[50:] = 0
    return ids


def test_colours_go_from_red_to_green_and_get_lighter_all_the_way():
    colours = red_green(np.linspace(0, 1, 21))
    assert colours[0, 0] > 4 * colours[0, 1:].max()
    assert colours[-1, 1] > 1.5 * colours[-1, [0, 2]].max()
    lightness = cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0, :, 0]
    assert (np.diff(lightness) > 0).all()
    assert lightness[-1] - lightness[0] > 40
    assert red_green(np.zeros(0)).shape == (0, 3)


def test_every_segment_has_its_colour_but_for_the_line_between():
    ids = blocks()
    picture = paint_segments(ids, np.array([[90, 0, 0], [0, 90, 0], [0, 0, 90]], np.uint8))
    assert (picture[1:49, :45][ids[1:49, :45] == 1] != 0).any(axis=1).all()
    assert tuple(picture[5, 5]) == (90, 0, 0)
    assert tuple(picture[5, 60]) == (0, 90, 0)
    assert tuple(picture[5, 45]) == (0, 30, 0), "darker along the border"
    assert tuple(picture[55, 5]) == NEUTRAL
    assert is_colour(picture, (90, 0, 0)).sum() > 2000


def test_only_flagged_segments_are_outlined_inside_their_edge():
    ids, picture = blocks(), np.full((60, 90, 3), 100, np.uint8)
    outline(picture, ids, np.array([False, True, False]))
    line, edge = is_colour(picture, WHITE), is_colour(picture, BLACK)
    assert (ids[line] == 2).all()
    assert line[0, 45:].all()
    assert line[:50, 45].all()
    assert line[49, 45:].all()
    assert line[:50, 89].all()
    assert not line[5:45, 50:85].any(), "the colour inside stays"
    assert edge[:50, 44].all()
    assert (ids[edge] != 2).all()
    assert not edge[:49, :40].any()


def test_around_what_a_line_would_cover_it_lies_outside():
    ids, picture = blocks(), np.full((60, 90, 3), 100, np.uint8)
    outline(picture, ids, np.array([False, False, True]))
    assert tuple(picture[20, 10]) == (100, 100, 100)
    assert is_colour(picture, WHITE).sum() == 8
    assert is_colour(picture, BLACK).sum() == 16


def test_neighbours_that_are_both_flagged_stay_apart():
    ids, picture = blocks(), np.full((60, 90, 3), 100, np.uint8)
    outline(picture, ids, np.array([True, True, False]))
    assert is_colour(picture, WHITE)[2:48, 44:46].all()


def test_nothing_flagged_leaves_the_picture_as_it_is():
    picture = np.full((60, 90, 3), 100, np.uint8)
    outline(picture, blocks(), np.zeros(3, bool))
    assert (picture == 100).all()


def test_hatching_covers_what_is_ignored_and_nothing_else():
    picture = np.full((60, 90, 3), (200, 10, 10), np.uint8)
    where = np.zeros((60, 90), bool)
    where[10:30, 20:50] = True
    hatch(picture, where)
    assert np.array_equal(is_colour(picture, (200, 10, 10)), ~where)
    black = is_colour(picture, BLACK)[where].mean()
    assert 0.35 < black < 0.65


@pytest.mark.parametrize(("ground", "ink"), [((240, 240, 120), 0), ((120, 0, 20), 255)])
def test_numbers_stand_out_inside_their_segment(ground, ink):
    ids = blocks()
    boxes = np.array([[0, 0, 45, 50], [45, 0, 90, 50], [10, 20, 11, 21]])
    picture = np.full((60, 90, 3), ground, np.uint8)
    assert write_numbers(picture, ids, boxes, ["0.12", "0.34", "0.56"], [40, 12]) == 2
    changed = ~is_colour(picture, ground)
    assert set(ids[changed].tolist()) == {1, 2}
    assert (picture == ink).all(axis=2).any()


def test_a_segment_without_room_has_no_number():
    ids = np.zeros((60, 90), np.int32)
    np.fill_diagonal(ids, 1)  # as large as any, and no place for a letter
    picture = np.zeros((60, 90, 3), np.uint8)
    assert write_numbers(picture, ids, np.array([[0, 0, 60, 60]]), ["0.12"], [12]) == 0
    assert not picture.any()
