import numpy as np
import pytest
from caution_frames import caution_frame, feet

from trust_seg_ros.messages.ground import (
    GRID,
    GROUND_OUTPUTS,
    LABELLED_POINTS,
    Frames,
    ground_topic_table,
    least_not_free,
    nothing_known,
)

FRAMES = Frames("base_link", "odom")


def fields(name, frame, frames=FRAMES):
    return GROUND_OUTPUTS[name].build(frame, frames)


def test_the_map_says_free_by_its_value_and_nothing_else_has_such_a_value():
    grid = fields("caution", caution_frame())
    assert grid.data.tolist() == [
        [2, 19, 20, -1],  # 0.199 is free: below 20 although it rounds to it; 0.2 is not
        [5, 40, 95, -1],
        [10, 20, 50, -1],  # 0.1 that was seen too long ago is not free, and does not look so
    ]
    assert (grid.resolution, grid.origin, grid.frame_id) == (0.5, (10.0, -1.5, 0.0), "base_link")


@pytest.mark.parametrize(("threshold", "least"), [(0.0, 0), (0.2, 20), (0.005, 1), (0.201, 21), (1.0, 100), (0.29, 29)])
def test_the_value_that_parts_free_cells_from_others(threshold, least):
    frame = caution_frame(free_below=threshold)
    assert least_not_free(threshold) == least
    data = fields("caution", frame).data
    known = frame.occupancy >= 0
    np.testing.assert_array_equal((data >= 0) & (data < least), frame.free)
    np.testing.assert_array_equal(data >= 0, known)
    assert (np.abs(data - frame.occupancy)[frame.seen & ~frame.free] == 0).all()


def test_what_was_made_in_the_fixed_frame_says_so_and_feet_stay_in_the_base():
    frame = caution_frame(in_fixed=True)
    assert fields("caution", frame).frame_id == fields("free_space", frame).frame_id == "odom"
    assert fields("hazards", frame).frame_id == "base_link"


def test_feet_carry_place_probability_error_class_and_kind():
    cloud = fields("hazards", caution_frame())
    assert cloud.points.tolist() == [
        (10.0, 1.0, 0.0, np.float32(0.9), 0.5, 1, 1),
        (20.0, -2.0, np.float32(0.1), np.float32(0.6), 2.0, 255, 3),
    ]
    assert cloud.points.dtype.itemsize == 24
    assert cloud.layout == (
        ("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("p", 12, 7), ("sigma", 16, 7), ("class_id", 20, 2), ("kind", 21, 2),
    )  # fmt: skip


def test_free_ground_is_the_centres_of_free_cells_on_the_plane():
    frame = caution_frame()
    points = fields("free_space", frame).points
    assert [(x, y) for x, y, *_ in points.tolist()] == [(10.25, -1.25), (10.75, -1.25), (10.25, -0.75), (10.25, -0.25)]
    np.testing.assert_allclose(points["z"], -0.3)
    np.testing.assert_allclose(points["p"], [0.02, 0.199, 0.05, 0.1])


def test_without_hazards_and_free_cells_the_clouds_are_empty():
    frame = caution_frame(feet=feet((), ()), free_below=0.0)
    assert len(fields("hazards", frame).points) == len(fields("free_space", frame).points) == 0


def test_a_map_of_which_nothing_is_known_lies_where_the_other_lay():
    grid = fields("caution", caution_frame())
    empty = nothing_known(grid)
    assert (empty.data == -1).all()
    assert (empty.data.shape, empty.data.dtype, empty.origin) == (grid.data.shape, np.int8, grid.origin)


def test_building_a_message_changes_no_map():
    frame = caution_frame()
    before = frame.occupancy.copy()
    for name in GROUND_OUTPUTS:
        fields(name, frame)
    np.testing.assert_array_equal(frame.occupancy, before)


def test_every_topic_is_in_the_table():
    table = ground_topic_table()
    names = [*GROUND_OUTPUTS, LABELLED_POINTS]
    assert [line.split("`")[1] for line in table.splitlines()[2:]] == [f"~/{name}" for name in names]
    assert [name for name, row in GROUND_OUTPUTS.items() if row.type == GRID] == ["caution"]
