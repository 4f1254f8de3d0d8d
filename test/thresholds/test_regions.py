"""Thresholds by region: the fast flags are those of the definition, on every size; what is no map is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.thresholds.flags import flags
from trust_seg_ros.thresholds.policies import PolicyError
from trust_seg_ros.thresholds.regions import (
    RegionThresholds,
    bounds,
    flags_by_region,
    flags_by_region_reference,
    region_ids,
    region_names,
)

ODD = [np.nan, np.inf, -np.inf, 0.0]


@settings(max_examples=100, deadline=None)
@given(
    size=st.tuples(st.integers(0, 70), st.integers(0, 70)),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from([np.float32, np.float64]),
    faulty=st.booleans(),
    threads=st.sampled_from([1, 2]),
)
def test_flags_by_region_are_those_of_the_definition(size, shape, seed, dtype, faulty, threads):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(shape) < 0.3, np.nan, rng.integers(-2, 3, shape) / 2)
    thresholds = RegionThresholds(values, 0.25)
    score = (rng.integers(-4, 5, size) / 4).astype(dtype)  # many lie on a threshold
    odd = rng.random(size) < 0.1
    score[odd] = rng.choice(ODD, int(odd.sum()))
    classes = rng.integers(0, 4, size, dtype=np.uint8) if faulty else None
    if classes is not None:
        classes[classes == 3] = 255
    got = flags_by_region(score, thresholds, classes, threads=threads)
    np.testing.assert_array_equal(got, flags_by_region_reference(score, thresholds, classes))


def test_every_camera_has_the_same_shares_of_its_image():
    for size in ((360, 480), (1080, 1920), (3, 3), (100, 101)):
        ids = region_ids(size)
        assert ids.shape == size
        assert [ids[0, 0], ids[0, -1], ids[size[0] // 2, size[1] // 2], ids[-1, -1]] == [0, 2, 4, 8]
        share = np.bincount(ids.ravel(), minlength=9) / ids.size
        assert (abs(share - 1 / 9) <= 1.5 / min(size)).all()
    assert len(region_names((3, 3))) == 9
    assert region_names((1, 2)) == ("row 1 column 1", "row 1 column 2")


def test_parts_cover_every_row_once_and_small_images_leave_parts_empty():
    for length, parts in ((10, 3), (2, 3), (0, 3), (7, 7)):
        rows = np.arange(length) * parts // max(length, 1)
        edges = bounds(length, parts)
        assert (edges[0], edges[-1]) == (0, length)
        for j in range(parts):
            assert np.array_equal(np.flatnonzero(rows == j), np.arange(edges[j], edges[j + 1]))


@pytest.mark.parametrize("threads", [1, 2])
def test_one_threshold_for_all_regions_is_that_threshold(threads):
    score = np.random.default_rng(0).random((123, 457), np.float32)
    thresholds = RegionThresholds(np.full((3, 3), 0.7), 0.1)
    np.testing.assert_array_equal(flags_by_region(score, thresholds, threads=threads), flags(score, 0.7))


def test_regions_without_a_threshold_of_their_own_share_one():
    found = RegionThresholds(np.array([[math.nan, 0.5]]), 0.2)
    assert found.table().tolist() == [[0.2, 0.5]]
    assert found.lowered_to(0.3).table().tolist() == [[0.2, 0.3]]
    assert flags_by_region(np.full((1, 2), 0.3, np.float32), found).tolist() == [[True, False]]


def test_what_is_no_map_or_no_grid_is_refused():
    thresholds = RegionThresholds(np.zeros((3, 3)), 0.0)
    with pytest.raises(PolicyError, match=r"expected a score map \(H, W\), got \(5,\)"):
        flags_by_region(np.zeros(5, np.float32), thresholds)
    with pytest.raises(PolicyError, match=r"classes \(3, 3\) uint8: expected \(4, 4\)"):
        flags_by_region(np.zeros((4, 4), np.float32), thresholds, np.zeros((3, 3), np.uint8))
    for values in (np.zeros(3), np.zeros((16, 16)), np.zeros((0, 3))):
        with pytest.raises(PolicyError, match="at most 255"):
            RegionThresholds(values, 0.0)
    with pytest.raises(PolicyError, match="fallback = nan"):
        RegionThresholds(np.zeros((1, 1)), math.nan)
