"""Metrics of out-of-distribution segments, which span classes: drawn by hand, and against the definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segments import FeatureError, MapShapeError, feature_set, ood_segment_table, ood_segments
from trust_seg_ros.segments import reference as plain
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps


def network_answer(height: int, width: int, q: int = 3, seed: int = 0) -> LogitMaps:
    logits = np.random.default_rng(seed).normal(0, 2, (q, height, width)).astype(np.float32)
    return LogitMaps(torch.from_numpy(logits), (height, width))


def test_a_segment_over_two_classes_counts_neighbours_by_their_predicted_class():
    # predicted 0 0 1 1 2; the score rises over the second to fourth pixel
    logits = torch.full((3, 1, 5), -3.0)
    for x, c in enumerate([0, 0, 1, 1, 2]):
        logits[c, 0, x] = 3.0
    answer = LogitMaps(logits, (1, 5))
    table = ood_segment_table(np.array([[0.1, 0.9, 0.8, 0.7, 0.2]]), 0.7, uncertainty_maps(answer), answer)
    assert table.ids.tolist() == [[0, 1, 1, 1, 0]]
    assert (table.column("S")[0], table.column("S_in")[0], table.column("S_bd")[0]) == (3, 1, 2)
    assert [table.column(f"ndist_{c}")[0] for c in range(3)] == [0.5, 0.0, 0.5]
    assert table.class_ids.tolist() == [1]
    assert table.boxes.tolist() == [[1, 0, 4, 1]]


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 70), st.integers(1, 8), st.floats(0.0, 1.0), st.sampled_from([0.0, 0.3]), st.integers(0, 2**31 - 1)
)
def test_metrics_equal_the_definitions(height, width, threshold, ignored, seed):
    answer = network_answer(height, width, seed=seed)
    maps = uncertainty_maps(answer)
    rng = np.random.default_rng(seed)
    score, ignore = rng.random((height, width)).astype(np.float32), rng.random((height, width)) < ignored
    table = ood_segment_table(score, threshold, maps, answer, ignore=ignore)
    inside = np.where((score >= np.float32(threshold)) & ~ignore, 0, 255).astype(np.uint8)
    ids, count = plain.components(inside)
    np.testing.assert_array_equal(table.ids, ids)
    assert len(table) == count
    chosen, prob = feature_set("meta_ood"), torch.softmax(answer.logits.double(), 0).numpy()
    planes = {"E": maps.entropy.numpy(), "D": maps.margin.numpy(), "V": maps.variation_ratio.numpy()}
    for k, segment in enumerate(plain.pixels_of(ids).values()):
        expected = plain.segment_metrics(segment, maps.classes.numpy(), planes, prob, chosen)
        assert tuple(expected) == table.names
        np.testing.assert_allclose(table.metrics[k], list(expected.values()), rtol=1e-5, atol=1e-6)
        assert table.class_ids[k] == np.argmax([expected[f"cprob_{c}"] for c in range(3)])


def test_the_segments_are_those_of_ood_segments_and_a_further_map_is_aggregated():
    answer = network_answer(40, 30)
    maps = uncertainty_maps(answer)
    found = ood_segments(maps.entropy, 0.6)
    table = ood_segment_table(maps.entropy, 0.6, maps, answer, "all", extra={"M": -maps.margin})
    np.testing.assert_array_equal(table.ids, found.ids)
    np.testing.assert_allclose(table.column("E"), found.score)
    np.testing.assert_allclose(table.column("M"), -table.column("D"))


def test_what_does_not_fit_is_refused():
    answer = network_answer(4, 5)
    maps = uncertainty_maps(answer)
    with pytest.raises(MapShapeError, match="expected one shape"):
        ood_segment_table(np.zeros((5, 4)), 0.5, maps, answer)
    with pytest.raises(FeatureError, match="cprob"):
        ood_segment_table(maps.entropy, 0.5, maps, answer, feature_set("metaseg").__class__(families=("size", "mean")))
