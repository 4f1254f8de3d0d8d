"""The rule that gives an image its grid, and the way back to the image's size."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.grid import AS_IMAGE, Grid, GridError, alike, in_words, parsed_grid, resized, resized_boxes, shaped

SIDES = st.integers(1, 60)
SIZES = st.tuples(SIDES, SIDES)


@pytest.mark.parametrize("text", ["image", "network", "480x360", "area:480x360"])
def test_a_grid_is_written_as_it_is_read(text):
    assert str(parsed_grid(text)) == text


def test_fitted_is_the_area_of_the_model_s_grid_and_without_one_the_image():
    assert parsed_grid("fitted", (360, 480)) == Grid("area", (360, 480))
    assert parsed_grid("fitted") == AS_IMAGE


@pytest.mark.parametrize(
    "text",
    ["", "Fitted", "fit", "480", "480x", "x360", "480x360x3", "-480x360", "4.5x3", "area:", "area:480", "480 x 360",
     "1e3x10", "area:image", "٤٨٠x360"],
)  # fmt: skip
def test_other_texts_are_refused_with_the_way_out(text):
    with pytest.raises(GridError, match="expected fitted, network, image, WIDTHxHEIGHT, for example 480x360"):
        parsed_grid(text)


@pytest.mark.parametrize("text", ["0x360", "480x0", "0x0", "16385x1", "8000x8000", "999999999x999999999", "area:0x1"])
def test_sizes_out_of_range_are_refused(text):
    with pytest.raises(GridError, match="expected sides of 1 to 16384 and at most 40,000,000 pixels"):
        parsed_grid(text)


def test_sizes_of_each_kind():
    image, logits = (1080, 1920), (104, 136)
    assert AS_IMAGE.size_for(image, logits) == image
    assert parsed_grid("network").size_for(image, logits) == logits
    assert parsed_grid("480x360").size_for(image, logits) == (360, 480), "exactly, whatever the shape of the image"
    assert parsed_grid("area:480x360").size_for(image, logits) == (312, 554)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_an_image_of_the_fitted_shape_gets_the_fitted_grid_exactly(times):
    assert shaped((360, 480), (360 * times, 480 * times)) == (360, 480)


@given(image=st.tuples(st.integers(1, 5000), st.integers(1, 5000)), fitted=st.tuples(st.integers(1, 900), SIDES))
def test_the_area_is_the_fitted_one_and_the_shape_the_image_s(image, fitted):
    found = shaped(fitted, image)
    assert min(found) >= 1
    scale = math.sqrt(math.prod(fitted) / math.prod(image))
    for side, whole in zip(found, image, strict=True):
        assert abs(side - scale * whole) <= 0.5 or side == 1
    if min(found) >= 20:
        assert abs(math.prod(found) / math.prod(fitted) - 1) < 0.06


def test_grids_of_about_one_area_are_alike():
    assert alike((360, 480), (312, 554))
    assert not alike((360, 480), (720, 960))
    assert in_words((360, 480)) == "480x360"


def reference(plane, size):
    """Each pixel takes the value in which its centre lies, in fractions."""
    (h, w), out = plane.shape, np.empty(size, plane.dtype)
    for y in range(size[0]):
        for x in range(size[1]):
            out[y, x] = plane[int(Fraction(2 * y + 1, 2 * size[0]) * h), int(Fraction(2 * x + 1, 2 * size[1]) * w)]
    return out


@given(old=SIZES, new=SIZES, kind=st.sampled_from([np.uint8, np.int32, np.float32, bool]), seed=st.integers(0, 9))
def test_resized_is_the_nearest_neighbour(old, new, kind, seed):
    plane = np.random.default_rng(seed).integers(0, 200, old).astype(kind)
    found = resized(plane, new)
    assert found.dtype == plane.dtype
    np.testing.assert_array_equal(found, reference(plane, new))


def test_the_same_size_is_the_same_array():
    plane = np.zeros((3, 4))
    assert resized(plane, (3, 4)) is plane


@given(size=SIZES, times=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_whole_enlargements_repeat_pixels_and_come_back(size, times):
    plane = np.arange(math.prod(size)).reshape(size)
    large = resized(plane, (size[0] * times[0], size[1] * times[1]))
    np.testing.assert_array_equal(large, np.kron(plane, np.ones(times, int)))
    np.testing.assert_array_equal(resized(large, size), plane)


@given(old=SIZES, new=SIZES, data=st.data())
def test_boxes_bound_what_is_resized(old, new, data):
    left, top = data.draw(st.integers(0, old[1] - 1)), data.draw(st.integers(0, old[0] - 1))
    right, bottom = data.draw(st.integers(left + 1, old[1])), data.draw(st.integers(top + 1, old[0]))
    plane = np.zeros(old, bool)
    plane[top:bottom, left:right] = True
    (box,) = resized_boxes(np.array([[left, top, right, bottom]], np.int32), old, new).tolist()
    rows, columns = np.nonzero(resized(plane, new))
    if len(rows):
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert 0 <= box[0] < box[2] <= new[1]
    assert 0 <= box[1] < box[3] <= new[0]


def test_no_boxes():
    assert resized_boxes(np.zeros((0, 4), np.int32), (3, 4), (6, 8)).shape == (0, 4)
