"""The parts the drive is drawn with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.synthetic import UNKNOWN_KINDS, DriveSettings, SyntheticDrive
from trust_seg_ros.synthetic.camera import Camera, depth_code, depth_of_codes
from trust_seg_ros.synthetic.canvas import Canvas, make_sprite
from trust_seg_ros.synthetic.dice import Dice
from trust_seg_ros.synthetic.layout import DISTRICT_M, JUNCTION_M, Street
from trust_seg_ros.synthetic.movers import unknown_things
from trust_seg_ros.synthetic.textures import asphalt, fractal
from trust_seg_ros.synthetic.unknowns import VARIANTS, unknown


def camera(bend: float = 0.001) -> Camera:
    return Camera((200, 300), 280.0, 160.0, 90.0, 1.4, -1.8, bend)


@given(row=st.integers(100, 199), column=st.integers(0, 299), bend=st.floats(-0.002, 0.002))
def test_the_ground_under_a_pixel_projects_back_onto_it(row, column, bend):
    eye = camera(bend)
    z, x = eye.ground(100)
    point = np.array([[x[row - 100, column], 0.0, z[row - 100, 0]]])
    np.testing.assert_allclose(eye.project(point)[0], (column, row), atol=0.02)


def test_higher_points_are_higher_in_the_picture_and_farther_ones_nearer_the_horizon():
    eye = camera()
    low, high, far = eye.project(np.array([[0, 0, 10.0], [0, 2, 10.0], [0, 0, 60.0]]))
    assert high[1] < eye.horizon < far[1] < low[1]


def test_depth_codes_fall_with_distance_and_can_be_read_back():
    codes = np.array([depth_code(z) for z in np.arange(0, 140, 5.0)])
    assert (np.diff(codes) < 0).all()
    assert depth_of_codes()[depth_code(30.0)] == pytest.approx(30.0, abs=0.5)


def test_a_sprite_marks_the_pixels_it_covers():
    colour = np.full((20, 10, 3), (200, 100, 50), np.uint8)
    alpha = np.zeros((20, 10), np.uint8)
    alpha[5:, 2:6] = 255
    canvas = Canvas(40, 40)
    canvas.sprite(make_sprite(colour, alpha, 10.0), 20.0, 30.0, 10.0, (9, 50, 3))
    covered = canvas.truth[:, :, 2] == 3
    assert covered.sum() == 15 * 4
    assert np.argwhere(covered).min(0).tolist() == [15, 17]
    np.testing.assert_array_equal(canvas.image[covered], np.tile((200, 100, 50), (60, 1)))
    assert not canvas.image[~covered].any()


def test_a_flipped_sprite_is_the_mirror_image():
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (16, 16, 3), np.uint8)
    alpha = (rng.random((16, 16)) < 0.5).astype(np.uint8) * 255
    plain, flipped = Canvas(32, 32), Canvas(32, 32)
    sprite = make_sprite(colour, alpha, 10.0)
    plain.sprite(sprite, 16.0, 24.0, 10.0, (1, 1, 1))
    flipped.sprite(sprite, 16.0, 24.0, 10.0, (1, 1, 1), flip=True)
    np.testing.assert_array_equal(plain.truth, flipped.truth[:, ::-1])
    np.testing.assert_array_equal(plain.image, flipped.image[:, ::-1])


@pytest.mark.parametrize("at", [(-500, 10), (500, 10), (16, -300), (16, 900)])
def test_what_lies_outside_the_picture_leaves_it_alone(at):
    canvas = Canvas(32, 32)
    sprite = make_sprite(np.full((8, 8, 3), 255, np.uint8), np.full((8, 8), 255, np.uint8), 10.0)
    canvas.sprite(sprite, *at, 10.0, (1, 1, 1))
    corners = np.float32([[0, 0], [8, 0], [8, 8], [0, 8]]) + np.float32(at) * 10
    canvas.textured((np.full((8, 8, 3), 255, np.uint8),), corners)
    canvas.shadow(corners, 0.5)
    assert not canvas.image.any()
    assert not canvas.truth.any()


@pytest.mark.parametrize("kind", UNKNOWN_KINDS)
def test_every_unknown_kind_has_distinct_looks(kind):
    looks = [unknown(kind, v) for v in range(VARIANTS)]
    assert all((look.clears[0] == 0).mean() > 0.08 for look in looks)
    assert len({look.colours[0].tobytes() for look in looks}) == VARIANTS


@given(seed=st.integers(0, 1 << 62), s=st.floats(0, 1e5))
def test_the_street_widens_without_a_jump(seed, s):
    street = Street(seed, 1.0)
    # a smooth step over a junction is never steeper than 1.5 times its mean slope
    slope = abs(street.half_at(s + 0.01) - street.half_at(s)) / 0.01
    assert slope <= 1.5 * 4.7 / JUNCTION_M + 1e-3


def test_no_house_stands_on_the_carriageway_or_a_junction():
    street = Street(17, 1.0)
    for number in range(20):
        d = street.district(number)
        for house in d.houses:
            assert abs(house.x) >= d.half + min(d.pave)
            assert house.s >= number * DISTRICT_M + JUNCTION_M
            assert house.end <= (number + 1) * DISTRICT_M + 2


@pytest.mark.parametrize("rate", [0.5, 1.5, 6.0])
def test_the_rate_is_the_expected_number_of_unknown_objects(rate):
    street = Street(3, 1.0)
    counts = []
    for s in np.arange(0, 46 * 800, 46.0):
        things = unknown_things(street, float(s), 0.0, UNKNOWN_KINDS, rate)
        counts.append(sum(4 <= t.s - s < 50 for t in things))
    assert np.mean(counts) == pytest.approx(rate, rel=0.12)


def test_dice_repeat_and_are_even():
    assert [Dice(1, 2).random() for _ in range(2)] == [Dice(1, 2).random()] * 2
    draws = np.array([Dice(7, n).random() for n in range(4000)])
    assert np.histogram(draws, 10, (0, 1))[0] == pytest.approx(400, rel=0.2)
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.05
    weighted = [Dice(8, n).choice("ab", [0.25, 0.75]) for n in range(4000)]
    assert weighted.count("b") == pytest.approx(3000, rel=0.05)


def test_dice_are_the_same_everywhere():
    assert Dice(1, 2, 3).integer(1 << 30) == 288748183


def test_textures_have_no_seams():
    noise = fractal(64, 64, 16, 3, np.random.default_rng(1))
    inner = np.abs(np.diff(noise, axis=0)).mean()
    assert np.abs(noise[0] - noise[-1]).mean() < 1.5 * inner
    tile = asphalt(0)
    np.testing.assert_array_equal(tile[0], tile[-1])
    np.testing.assert_array_equal(tile[:, 0], tile[:, -1])


def test_frames_own_their_memory():
    drive = SyntheticDrive(DriveSettings(size=(64, 96), seed=1))
    first = drive.frame(0)
    copy = first.image.copy()
    drive.frame(1)
    np.testing.assert_array_equal(first.image, copy)
