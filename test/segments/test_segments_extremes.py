"""Ends of ranges, more segments than 16 bits can number, and real shapes, against the definitions."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from places import CAMVID, needs_camvid

from trust_seg_ros.segments import feature_set, segment_table_from_softmax, targets
from trust_seg_ros.segments import reference as plain
from trust_seg_ros.types import UncertaintyMaps


def plain_maps(prob: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Class, entropy (MetaSeg, eq. 2), margin (eq. 3) and variation ratio of a softmax (q, H, W), pixel by pixel."""
    q, *shape = prob.shape
    classes = np.zeros(shape, np.uint8)
    planes = {name: np.zeros(shape) for name in "EDV"}
    for pixel in np.ndindex(*shape):
        f = [float(prob[(c, *pixel)]) for c in range(q)]
        first, second = sorted(f, reverse=True)[:2]
        classes[pixel] = f.index(first)
        planes["E"][pixel] = -sum(p * math.log(p) for p in f if p > 0) / math.log(q)
        planes["D"][pixel] = 1 - first + second
        planes["V"][pixel] = 1 - first
    return classes, planes


def extreme_softmax(height: int, width: int, q: int, kinds: str, seed: int) -> np.ndarray:
    """Every pixel is certain ("0": entropy 0), uniform ("1"), torn between two classes ("2") or random ("r")."""
    rng = np.random.default_rng(seed)
    prob = np.zeros((q, height, width), np.float32)
    for y, x in np.ndindex(height, width):
        first, second = rng.permutation(q)[:2]
        kind = rng.choice(list(kinds))
        if kind == "r":
            prob[:, y, x] = rng.dirichlet(np.full(q, 0.5))
        elif kind == "1":
            prob[:, y, x] = 1 / q
        else:
            prob[[first, second], y, x] = (1, 0) if kind == "0" else (0.5, 0.5)
    return prob


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(2, 5),
    st.sampled_from(["0", "1", "2", "01", "012", "01r"]),
    st.integers(0, 2**32 - 1),
)
def test_certain_and_uniform_pixels_from_the_softmax_to_the_table(height, width, q, kinds, seed):
    prob = extreme_softmax(height, width, q, kinds, seed)
    classes, planes = plain_maps(prob)
    table = segment_table_from_softmax(prob, "meta_ood")
    ids, count = plain.components(classes)
    np.testing.assert_array_equal(table.ids, ids)
    assert len(table) == count
    for k, segment in enumerate(plain.pixels_of(ids).values()):
        expected = plain.segment_metrics(segment, classes, planes, prob, feature_set("meta_ood"))
        np.testing.assert_allclose(table.metrics[k], list(expected.values()), rtol=2e-5, atol=3e-6)
    if kinds == "0":
        assert not table.metrics[:, [name[0] in "EDV" for name in table.names]].any()
    assert np.isfinite(table.metrics).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 0.7, 1.0])
def test_the_variance_of_a_constant_is_no_less_than_nothing(value):
    classes = np.zeros((60, 90), np.uint8)
    classes[:, 45:] = 1
    plane = torch.full((60, 90), value)
    prob = np.full((2, 60, 90), 0.5, np.float32)
    table = segment_table_from_softmax(
        prob, "meta_ood", maps=UncertaintyMaps(torch.from_numpy(classes), plane, plane, plane)
    )
    variances = table.metrics[:, [name.endswith("_var") for name in table.names]]
    assert (variances >= 0).all()
    assert (variances < 1e-13).all()
    assert table.column("E") == pytest.approx([value, value], rel=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 40))
def test_the_variance_of_zeros_and_ones_is_p_times_1_minus_p(seed, height, width):
    rng = np.random.default_rng(seed)
    plane = torch.from_numpy(rng.integers(0, 2, (height, width)).astype(np.float32))
    classes = torch.from_numpy(rng.integers(0, 2, (height, width), dtype=np.uint8))
    prob = np.full((2, height, width), 0.5, np.float32)
    table = segment_table_from_softmax(prob, "meta_ood", maps=UncertaintyMaps(classes, plane, plane, plane))
    for part in ("", "_in", "_bd"):
        mean = table.column(f"E{part}")
        np.testing.assert_allclose(table.column(f"E{part}_var"), mean * (1 - mean), atol=1e-12)


def test_numbers_beyond_16_bits_keep_metrics_and_targets():
    # one small map in a frame of unlabelled pixels, laid out again and again: every copy must get the same rows
    rng = np.random.default_rng(3)
    size, across = 14, 34
    tile, truth = (np.full((size, size), 255, np.uint8) for _ in range(2))
    tile[1:-1, 1:-1] = rng.integers(0, 3, (12, 12))
    tile[2:6, 2:7] = 0
    truth[1:-1, 1:-1] = np.where(rng.random((12, 12)) < 0.3, rng.integers(0, 3, (12, 12)), tile[1:-1, 1:-1])
    plane, prob = rng.random((size, size), np.float32), rng.random((3, size, size), np.float32)
    ids, count = plain.components(tile)
    down = 66_000 // (count * across) + 1
    assert down * across * count > 65_535
    large = {name: np.tile(a, (down, across)) for name, a in (("tile", tile), ("truth", truth), ("plane", plane))}
    maps = UncertaintyMaps(torch.from_numpy(large["tile"]), *[torch.from_numpy(large["plane"])] * 3)
    chosen = feature_set("metaseg")
    table = segment_table_from_softmax(np.tile(prob, (1, down, across)), chosen, maps=maps)
    assert len(table) == down * across * count

    segments = list(plain.pixels_of(ids).values())
    rows = [plain.segment_metrics(s, tile, {"E": plane, "D": plane}, prob, chosen) for s in segments]
    wanted = np.array([list(row.values()) for row in rows])
    corners = [(top * size, left * size) for top, left in np.ndindex(down, across)]
    copies = np.array([[table.ids[y + v, x + u] for v, u in map(min, segments)] for y, x in corners]) - 1
    assert np.unique(copies).size == len(table)
    np.testing.assert_allclose(
        table.metrics[copies], np.broadcast_to(wanted, (len(corners), *wanted.shape)), rtol=1e-12
    )
    assert (table.boxes[copies][:, :, 1::-1] // size == np.array(corners)[:, None] // size).all()
    for variant in ("component", "released"):
        found = targets(table, large["truth"], variant)
        for values, expected in zip((found.iou, found.iou_adj), plain.targets(tile, truth, variant), strict=True):
            np.testing.assert_allclose(values[copies], np.tile(expected, (len(corners), 1)), rtol=1e-12)


@needs_camvid
def test_real_label_images_equal_the_definitions():
    # the labels of a frame, predicted by those of the frame before: real shapes, split, missed and ignored in part
    names = sorted((CAMVID / "test" / "labels").glob("*.png"))[40:42]
    classes, truth = (cv2.imread(str(name), cv2.IMREAD_GRAYSCALE)[::3, ::3] for name in names)
    classes, truth = (np.where(labels == 11, np.uint8(255), labels) for labels in (classes, truth))
    rng = np.random.default_rng(0)
    plane, prob = rng.random(classes.shape, np.float32), rng.random((11, *classes.shape), np.float32)
    maps = UncertaintyMaps(torch.from_numpy(classes), *[torch.from_numpy(plane)] * 3)
    chosen = feature_set("metaseg")
    table = segment_table_from_softmax(prob, chosen, maps=maps, ground_truth=truth)
    left = np.where(truth == 255, np.uint8(255), classes)
    segments = plain.pixels_of(plain.components(left)[0]).values()
    planes = {"E": plane, "D": plane}
    wanted = [list(plain.segment_metrics(s, left, planes, prob, chosen).values()) for s in segments]
    np.testing.assert_allclose(table.metrics, wanted, rtol=1e-12)
    for variant in ("component", "released"):
        found = targets(table, truth, variant)
        for values, expected in zip((found.iou, found.iou_adj), plain.targets(left, truth, variant), strict=True):
            np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert 0 < found.false_positive.sum() < len(table) > 40
