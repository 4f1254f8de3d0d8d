"""Targets of segments as they are made live: void left out, unknown objects wrong."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.evaluation.time.sequences import UNKNOWN
from trust_seg_ros.evaluation.time.targets import live_targets
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.segments.matching import targets
from trust_seg_ros.types import SegmentTable


def table_of(classes):
    found = find_components(classes)
    n = len(found.sizes)
    return SegmentTable(found.ids, found.class_ids, found.boxes, found.sizes, found.sizes, (), np.zeros((n, 0)))


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_without_void_they_are_the_targets_of_fitting(seed):
    rng = np.random.default_rng(seed)
    predicted, truth = (rng.integers(0, 3, (6, 8), np.uint8) for _ in range(2))
    table = table_of(predicted)
    iou, adjusted = live_targets(table, truth)
    expected = targets(table, truth)
    np.testing.assert_array_equal(iou, expected.iou)
    np.testing.assert_array_equal(adjusted, expected.iou_adj)


def test_void_counts_neither_way_and_a_segment_of_void_alone_is_not_known():
    predicted = np.array([[1, 1, 1, 1, 0, 0, 2, 2]], np.uint8)
    truth = np.array([[1, 1, 255, 255, 0, 1, 255, 255]], np.uint8)
    iou, _ = live_targets(table_of(predicted), truth)
    np.testing.assert_array_equal(iou, [1.0, 0.5, np.nan])


def test_parts_that_void_cuts_apart_stay_one_segment():
    predicted = np.full((1, 5), 1, np.uint8)
    truth = np.array([[1, 1, 255, 0, 0]], np.uint8)
    iou, adjusted = live_targets(table_of(predicted), truth)
    assert iou.tolist() == [0.5]
    assert adjusted.tolist() == [0.5]


def test_a_segment_on_an_unknown_object_is_wrong():
    predicted = np.array([[1, 1, 2, 2]], np.uint8)
    truth = np.array([[1, 1, UNKNOWN, UNKNOWN]], np.uint8)
    _, adjusted = live_targets(table_of(predicted), truth)
    assert adjusted.tolist() == [1.0, 0.0]
