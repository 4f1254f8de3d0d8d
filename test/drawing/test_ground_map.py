import numpy as np
import pytest

from trust_seg_ros.drawing.ground_map import (
    MAP_CAREFUL,
    MAP_FREE,
    MAP_HAZARD,
    MAP_UNKNOWN,
    beside,
    draw_feet,
    draw_vehicle,
    legend,
    map_picture,
)
from trust_seg_ros.drawing.heat_maps import PictureError


def a_map():
    """2 rows along y (right to left), 3 columns along x (near to far)."""
    occupancy = np.array([[0, 0, 100], [-1, 2, 0]], np.int8)
    free = np.array([[False, True, False], [False, True, False]])
    return occupancy, free


def test_ahead_is_up_and_left_is_left():
    picture = map_picture(*a_map(), pixels_per_cell=1)
    assert picture.shape == (3, 2, 3)
    far, middle, near = picture.tolist()
    assert far == [list(MAP_CAREFUL), list(MAP_HAZARD)]
    assert middle == [list(MAP_FREE), list(MAP_FREE)]
    assert near == [list(MAP_UNKNOWN), list(MAP_CAREFUL)]


def test_cells_are_squares_of_pixels():
    picture = map_picture(*a_map(), pixels_per_cell=4)
    assert picture.shape == (12, 8, 3)
    np.testing.assert_array_equal(picture[::4, ::4], map_picture(*a_map(), pixels_per_cell=1))


def test_feet_and_vehicle_are_drawn_at_their_places_and_outside_of_the_map_nothing():
    blank = map_picture(np.full((100, 200), -1, np.int8), np.zeros((100, 200), bool), 2)
    picture = blank.copy()
    draw_feet(picture, np.array([[15.0, 2.5], [-3.0, 0.0], [500.0, 0.0]]), pixels_per_metre=10)
    rows, columns = np.nonzero((picture != blank).any(2))
    # x = 15 m of 40 m is 250 rows from above; y = 2.5 m of 20 m is 175 columns from the left
    assert abs(rows.mean() - 250) < 1
    assert abs(columns.mean() - 175) < 1
    draw_vehicle(picture, (0.0, 10.0), 10)
    assert (picture[-20:, 90:110] == (236, 238, 240)).all(2).any()


def test_a_map_beside_an_image_has_its_height():
    image = np.zeros((48, 64, 3), np.uint8)
    assert beside(image, map_picture(*a_map(), pixels_per_cell=10), gap=4).shape == (48, 64 + 4 + 32, 3)
    assert legend(200).shape == (22, 200, 3)


@pytest.mark.parametrize(("free", "pixels"), [(np.zeros((3, 2), bool), 4), (np.zeros((2, 3), bool), 0)])
def test_what_is_no_map_is_refused(free, pixels):
    with pytest.raises(PictureError, match="expected two equal shapes"):
        map_picture(a_map()[0], free, pixels)
