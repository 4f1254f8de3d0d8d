"""Disputed regions: the fast form equals the readable one, and what is a region is what the words say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.evaluation.label_errors.reference import reference_regions
from trust_seg_ros.evaluation.label_errors.regions import MEASURES, TOLERANCE, disputed_pixels, edges, find_regions
from trust_seg_ros.segments import apply_ignore, components


def answer(classes, q, rng):
    prob = rng.dirichlet(np.ones(q), classes.shape).transpose(2, 0, 1).astype(np.float32)
    return prob


def both(truth, classes, q=4, seed=0, min_size=1):
    rng = np.random.default_rng(seed)
    prob, ids = answer(classes, q, rng), components(apply_ignore(classes, truth))[0]
    edge = rng.normal(size=truth.shape).astype(np.float32)
    given = (truth, classes, prob, ids, edge, min_size)
    return find_regions(*given), reference_regions(*given)


def same(fast, slow):
    for name in ("pixels", "starts", "kinds", "labelled", "predicted", "segments", "boxes"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), name)
    np.testing.assert_allclose(fast.measures, slow.measures, rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 18), st.integers(1, 18), st.integers(1, 5), st.integers(1, 4))
def test_the_fast_form_equals_the_readable_one(seed, height, width, block, min_size):
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 1, 2, 3, 255], (2, height, width), p=[0.3, 0.3, 0.2, 0.1, 0.1]).astype(np.uint8)
    truth, classes = (np.kron(part, np.ones((block, block), np.uint8))[:24, :24].copy() for part in coarse)
    fast, slow = both(truth, classes, seed=seed, min_size=min_size)
    same(fast, slow)


def test_a_narrow_ribbon_is_no_region_and_of_a_wide_one_the_middle_is():
    truth = np.zeros((40, 40), np.uint8)
    truth[:, 20:] = 1
    for offset, size in ((2 * TOLERANCE, 0), (2 * TOLERANCE + 1, 40), (2 * TOLERANCE + 3, 3 * 40)):
        classes = np.zeros_like(truth)
        classes[:, 20 + offset :] = 1
        assert disputed_pixels(truth, classes).sum() == size, offset


def test_void_is_never_disputed():
    truth, classes = np.full((20, 20), 255, np.uint8), np.zeros((20, 20), np.uint8)
    assert len(both(truth, classes)[0]) == 0
    assert len(both(classes, truth)[0]) == 0


def test_labels_that_agree_have_no_region():
    classes = np.arange(400).reshape(20, 20).astype(np.uint8) % 3
    found = both(classes, classes)[0]
    assert (len(found), found.measures.shape) == (0, (0, len(MEASURES)))


def test_one_pixel_can_be_a_region():
    truth, classes = np.zeros((15, 15), np.uint8), np.zeros((15, 15), np.uint8)
    classes[7, 7] = 2
    assert len(both(truth, classes)[0]) == 0, "within the tolerance of the label around it"
    truth[:], classes[:] = 0, 1
    truth[:7], truth[8:], truth[:, :7], truth[:, 8:] = 255, 255, 255, 255
    fast, slow = both(truth, classes)
    same(fast, slow)
    assert fast.measure("size").tolist() == [1.0]


def test_an_object_made_of_several_classes_is_one_region_of_the_label():
    truth, classes = np.full((30, 40), 3, np.uint8), np.zeros((30, 40), np.uint8)
    classes[:, 20:] = 1
    found = both(truth, classes)[0]
    assert found.kinds.tolist() == [0, 0, 1]
    assert found.measure("size").tolist() == [600.0, 600.0, 1200.0]
    assert found.measure("label_share").tolist() == [0.5, 0.5, 1.0]


@pytest.mark.slow
def test_ten_thousand_regions_and_more_pairs_than_a_class_map_holds():
    rng = np.random.default_rng(1)
    truth = np.kron(rng.integers(0, 20, (100, 100)), np.ones((7, 7), int)).astype(np.uint8)
    classes = np.kron(rng.integers(20, 40, (100, 100)), np.ones((7, 7), int)).astype(np.uint8)
    prob = np.full((40, 700, 700), 1 / 40, np.float32)
    found = find_regions(truth, classes, prob, components(classes)[0], np.zeros(truth.shape, np.float32))
    pairs = found.chosen(found.kinds == 0)
    assert len(pairs) > 9_000
    assert pairs.measure("size").sum() == truth.size
    assert len({*zip(pairs.labelled.tolist(), pairs.predicted.tolist(), strict=True)}) == 400


def test_edges_are_where_the_picture_changes():
    image = np.zeros((30, 30, 3), np.uint8)
    image[:, 15:] = 200
    found = edges(image)
    assert found[:, 15].min() > 1 > 0 > found[:, 2].max()
    assert np.isfinite(edges(np.zeros((1, 1, 3), np.uint8))).all()
