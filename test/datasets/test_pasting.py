"""Objects pasted into street scenes: what is cut, where it stands, what changes and what does not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.datasets.pasting import HEIGHTS, LARGEST_SHARE, Cutout, cut_objects, pasted, with_codes


def two_objects():
    truth = np.zeros((64, 80), np.uint8)
    truth[5:25, 5:15], truth[40:60, 40:70], truth[0, 79] = 1, 1, 1
    return np.dstack([truth * 200] * 3), truth


def block(height=20, width=12, value=200):
    return Cutout(np.full((height, width, 3), value, np.uint8), np.ones((height, width), np.float32))


def street(height=120, width=160, first=60):
    ground = np.zeros((height, width), bool)
    ground[first:] = True
    return np.full((height, width, 3), 90, np.uint8), ground


def test_every_object_of_64_pixels_is_cut_out_with_its_edge():
    cuts = cut_objects(*two_objects())
    assert [cut.alpha.shape for cut in cuts] == [(22, 12), (22, 32)]
    assert all(cut.alpha[5:-5, 5:-5].min() == 1 and 0 < cut.alpha[1, 5] < 1 for cut in cuts)
    assert repr(cuts[0]) == "Cutout(12x22 pixels)"
    assert cut_objects(np.zeros((64, 80, 3), np.uint8), np.eye(64, 80, 79, dtype=np.uint8)) == []


def test_a_soft_edge_of_the_labels_is_half_object():
    truth = np.zeros((40, 40), np.uint8)
    truth[9:31, 9:31] = 255
    truth[10:30, 10:30] = 1
    (cut,) = cut_objects(np.zeros((40, 40, 3), np.uint8), truth)
    assert cut.alpha.shape == (22, 22)
    assert 0.3 < cut.alpha[0, 10] < 0.7


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400), st.integers(1, 400))
def test_any_object_fits_into_the_image(seed, height, width):
    image, ground = street()
    new, coverage = pasted(image, ground, block(height, width), np.random.default_rng(seed))
    assert new.shape == image.shape
    assert new.dtype == np.uint8
    assert coverage.shape == ground.shape
    assert 0 <= coverage.min() <= coverage.max() <= 1
    rows, columns = np.nonzero(coverage > 0)
    assert rows.size
    assert np.ptp(rows) + 1 <= LARGEST_SHARE[0] * 120 + 1
    assert np.ptp(columns) + 1 <= LARGEST_SHARE[1] * 160 + 1


def test_feet_are_on_the_ground_and_near_objects_are_larger():
    image, ground = street()
    ground[:, :40] = False
    found = []
    for seed in range(300):
        _, coverage = pasted(image, ground, block(), np.random.default_rng(seed))
        rows, columns = np.nonzero(coverage >= 0.5)
        foot = rows.max()
        found.append((foot, np.ptp(rows) + 1))
        assert foot >= 60 - 1
        assert columns.max() >= 40 - 2  # its middle stands there, a side may hang over
    feet, heights = np.array(found).T
    near, far = heights[feet > 105].mean(), heights[feet < 75].mean()
    assert near > 2 * far
    assert heights.max() <= HEIGHTS[1] * (119 - 57) + 1


def test_far_from_the_object_nothing_changes_and_the_input_is_left_alone():
    image, ground = street()
    before = image.copy()
    new, coverage = pasted(image, ground, block(), np.random.default_rng(3))
    assert np.array_equal(image, before)
    changed = (new != image).any(2)
    assert changed.any()
    rows, columns = np.nonzero(coverage)
    away = np.ones(coverage.shape, bool)
    wide = np.ptp(columns) + 1
    away[max(rows.min() - 2, 0) : rows.max() + wide, max(columns.min() - 2 * wide, 0) : columns.max() + 2 * wide] = (
        False
    )
    assert not changed[away].any()


def test_without_ground_the_foot_is_in_the_lower_half():
    image, ground = street()
    for seed in range(40):
        _, coverage = pasted(image, np.zeros_like(ground), block(), np.random.default_rng(seed))
        assert np.nonzero(coverage >= 0.5)[0].max() >= 0.45 * 120 - 1


def test_an_object_is_drawn_towards_the_light_around_it():
    image, ground = street()
    values = [pasted(image, ground, block(40, 40, value=250), np.random.default_rng(seed)) for seed in range(40)]
    means = [new[coverage == 1].mean() for new, coverage in values if (coverage == 1).sum() > 20]
    assert 90 < np.mean(means) < 245


def test_codes_leave_the_edge_out():
    classes = np.full((1, 4), 3, np.uint8)
    codes = with_codes(classes, np.float32([[0, 0.2, 0.5, 1]]), 254)
    assert codes.tolist() == [[3, 255, 254, 254]]
    assert classes.tolist() == [[3, 3, 3, 3]]


def test_one_seed_one_picture():
    image, ground = street()
    first, second = (pasted(image, ground, block(), np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], pasted(image, ground, block(), np.random.default_rng(6))[0])
