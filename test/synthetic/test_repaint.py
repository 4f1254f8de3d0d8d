"""Scenes in other paint and by other cameras: reproducible, changed where they should be, and labels as before."""

import numpy as np
import pytest

from trust_seg_ros.synthetic import DriveSettings, SyntheticDriveError, training_sample
from trust_seg_ros.synthetic.looks import LOOKS, scene_in_look
from trust_seg_ros.synthetic.patterns import PATTERNS, UNSEEN_PATTERNS, VARIANTS, pattern, tiles_of
from trust_seg_ros.synthetic.repaint import UNSEEN, Repaint, repainted

ALL = Repaint(share=1.0, surfaces=1.0)


@pytest.fixture(scope="module")
def scene():
    return training_sample(3, (120, 160), weather="clear")


def test_no_family_of_patterns_is_both_trained_with_and_judged_by():
    assert set(PATTERNS).isdisjoint(UNSEEN_PATTERNS)
    assert set(UNSEEN.patterns) == set(UNSEEN_PATTERNS)


@pytest.mark.parametrize("family", PATTERNS + UNSEEN_PATTERNS)
def test_patterns_have_the_stated_brightness_and_differ(family):
    tiles = [pattern(family, variant) for variant in range(VARIANTS)]
    for tile in tiles:
        assert tile.shape == (512, 512)
        assert tile.dtype == np.uint8
        assert abs(float(tile.mean()) - 128) < 12
        assert 16 < float(tile.std()) < 40
        assert not tile.flags.writeable
    assert len({tile.tobytes() for tile in tiles}) == VARIANTS


def test_the_same_random_numbers_give_the_same_paint(scene):
    image, labels = scene
    first, second, other = (repainted(image, labels, np.random.default_rng(seed), ALL) for seed in (5, 5, 6))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.abs(first.astype(int) - other).mean() > 3
    assert np.abs(first.astype(int) - image).mean() > 3


def test_a_share_of_nothing_leaves_the_scene_alone(scene):
    image, labels = scene
    assert np.array_equal(repainted(image, labels, np.random.default_rng(0), Repaint(share=0.0)), image)
    assert np.array_equal(repainted(image, labels, np.random.default_rng(0), Repaint(1.0, surfaces=0.0)), image)


def test_pixels_without_a_class_away_from_seams_keep_their_colour(scene):
    image, labels = scene
    labels = labels.copy()
    labels[20:60, 30:90] = 255
    out = repainted(image, labels, np.random.default_rng(1), ALL)
    assert np.array_equal(out[22:58, 32:88], image[22:58, 32:88])
    assert not np.array_equal(out, image)


@pytest.mark.parametrize("value", [0, 10, 255])
def test_one_class_alone_and_no_class_at_all_can_be_painted(value):
    image = np.full((40, 50, 3), 90, np.uint8)
    out = repainted(image, np.full((40, 50), value, np.uint8), np.random.default_rng(2), ALL)
    assert np.array_equal(out, image) == (value == 255)


def test_other_cameras_change_the_view_and_none_changes_nothing():
    plain, labels = training_sample(8, (96, 128))
    same, same_labels = training_sample(8, (96, 128), cameras=0.0)
    assert np.array_equal(plain, same)
    assert np.array_equal(labels, same_labels)
    other, other_labels = training_sample(8, (96, 128), cameras=1.0)
    assert (other_labels != labels).mean() > 0.05
    assert np.array_equal(other, training_sample(8, (96, 128), cameras=1.0)[0])


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "much"])
def test_a_camera_out_of_range_is_named(value):
    with pytest.raises(SyntheticDriveError, match="cameras"):
        DriveSettings(cameras=value)


def test_looks_differ_in_paint_and_other_cameras_only_for_odd_seeds():
    own, painted, unseen = (scene_in_look(6, (96, 128), look=look) for look in LOOKS)
    assert np.array_equal(own[0], training_sample(6, (96, 128))[0])
    assert np.array_equal(own[1], painted[1])
    assert np.array_equal(own[1], unseen[1])
    assert np.abs(own[0].astype(int) - unseen[0]).mean() > 1
    assert not np.array_equal(scene_in_look(7, (96, 128), look="painted")[1], training_sample(7, (96, 128))[1])


def test_unknown_objects_stay_without_a_class_in_every_look():
    for look in LOOKS:
        _, labels = scene_in_look(12, (180, 240), ("cow", "box"), 8.0, look=look)
        assert (labels == 255).any()


@pytest.mark.parametrize("size", [(2, 2), (40, 90), (700, 300)])
def test_tiles_of_a_photograph_are_patterns_without_seams(size):
    photograph = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    tiles = tiles_of(photograph, np.random.default_rng(1), 3)
    assert len({tile.tobytes() for tile in tiles}) == 3 or size == (2, 2)
    for tile in tiles:
        assert tile.shape == (512, 512)
        assert tile.dtype == np.uint8
        assert abs(float(tile.mean()) - 128) < 12
        assert np.array_equal(tile[0], tile[-1])
        assert np.array_equal(tile[:, 0], tile[:, -1])


def test_surfaces_of_photographs_are_half_of_the_paint(scene):
    image, labels = scene
    dotted = np.full((512, 512), 128, np.uint8)
    dotted[::2, ::2] = 160
    plain = Repaint(1.0, 1.0, patterns=("noise",))
    mixed = Repaint(1.0, 1.0, patterns=("noise",), tiles=(dotted,))
    outs = [repainted(image, labels, np.random.default_rng(4), how) for how in (plain, mixed)]
    assert not np.array_equal(*outs)
    assert np.array_equal(outs[1], repainted(image, labels, np.random.default_rng(4), mixed))
