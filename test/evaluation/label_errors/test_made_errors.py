"""Errors made on purpose in labels, and which regions find them."""

import numpy as np
import pytest

from trust_seg_ros.evaluation.label_errors.evidence import evidence_of
from trust_seg_ros.evaluation.label_errors.injected import KINDS, SMALLEST, filled, make_error, make_errors
from trust_seg_ros.segments import segment_table_from_softmax
from trust_seg_ros.synthetic import training_sample


@pytest.fixture(scope="module")
def scene():
    return training_sample(3, (180, 240))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_every_kind_changes_enough_and_no_void(scene, kind):
    truth = scene[1].copy()
    truth[:20] = 255
    new, error = make_error(truth, kind, np.random.default_rng(0), np.zeros(truth.shape, bool))
    assert error.changed.sum() >= SMALLEST * truth.size
    np.testing.assert_array_equal(new != truth, error.changed)
    assert (new[truth == 255] == 255).all()
    assert 255 not in new[error.changed]


def test_errors_of_one_image_do_not_overlap_and_come_again_with_the_seed(scene):
    truth = scene[1]
    labels, made = make_errors(truth, 6, np.random.default_rng(1))
    assert len(made) >= 3
    assert np.stack([error.changed for error in made]).sum(0).max() == 1
    np.testing.assert_array_equal((labels != truth), np.stack([error.changed for error in made]).any(0))
    np.testing.assert_array_equal(labels, make_errors(truth, 6, np.random.default_rng(1))[0])


@pytest.mark.parametrize("value", [255, 0])
def test_labels_without_a_border_have_no_place_for_an_error(value):
    truth = np.full((40, 40), value, np.uint8)
    labels, made = make_errors(truth, 3, np.random.default_rng(0))
    assert made == []
    np.testing.assert_array_equal(labels, truth)


def test_a_hole_takes_the_nearest_label():
    truth = np.repeat(np.array([[0, 0, 5, 5, 5, 1]], np.uint8), 3, 0)
    assert filled(truth, truth == 5, truth != 5)[1].tolist() == [0, 0, 0, *filled(truth, truth == 5, truth != 5)[1, 3:]]
    assert 5 not in filled(truth, truth == 5, truth != 5)


def test_a_network_that_is_right_finds_every_error_that_is_made(scene):
    image, truth = scene
    known = np.where(truth == 255, 0, truth)
    prob = np.full((11, *truth.shape), 0.01, np.float32)
    np.put_along_axis(prob, known[None].astype(int), 0.9, axis=0)
    table = segment_table_from_softmax(prob, ground_truth=truth)
    found = evidence_of(image, truth, known.astype(np.uint8), prob, table, np.random.default_rng(0))
    assert len(found.regions) == 0
    assert len(found.made) >= 2
    assert not found.wrong.any()
    assert found.counts.pairs.sum() == (truth != 255).sum()
