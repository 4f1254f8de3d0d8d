"""The fast code equals the brute-force definitions on random maps of every shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.segments import (
    apply_ignore,
    components,
    feature_set,
    ood_segments,
    segment_table,
    segment_table_from_softmax,
    targets,
)
from trust_seg_ros.segments import reference as plain
from trust_seg_ros.types import UNLABELLED, LogitMaps, UncertaintyMaps

CASES = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# heights reach over several bands of rows, widths over several vectors; blocks make segments with an interior
shapes = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 9)),
    st.tuples(st.integers(1, 120), st.integers(1, 9)),
    st.tuples(st.integers(1, 7), st.integers(1, 150)),
    st.tuples(st.just(1), st.integers(1, 400)),
    st.tuples(st.integers(1, 400), st.just(1)),
)
maps_of_classes = st.builds(
    lambda *a: random_classes(*a),
    shapes,
    st.integers(1, 4),
    st.sampled_from([1, 1, 2, 4, 16]),
    st.sampled_from(["none", "none", "few", "half", "box", "frame"]),
    st.integers(0, 2**32 - 1),
)
drawn_maps = st.builds(
    lambda *a: drawn_classes(*a), shapes, st.sampled_from(["checks", "rows", "columns", "diagonals", "rings", "bays"])
)
# hypothesis looks for the smallest; what is large and mixed comes from a seed alone
large_maps = st.integers(0, 2**32 - 1).map(lambda seed: large_classes(seed))
class_maps = st.one_of(maps_of_classes, drawn_maps, large_maps, large_maps)


def random_classes(shape: tuple[int, int], q: int, block: int, ignored: str, seed: int) -> np.ndarray:
    """Blocks of q random classes; single pixels, a box or the image's edge are without a class."""
    rng = np.random.default_rng(seed)
    height, width = shape
    small = rng.integers(0, q, (-(-height // block), -(-width // block)), dtype=np.uint8)
    classes = np.repeat(np.repeat(small, block, 0), block, 1)[:height, :width].copy()
    if ignored in ("few", "half"):
        classes[rng.random(shape) < (0.1 if ignored == "few" else 0.5)] = UNLABELLED
    elif ignored == "box":
        (top, bottom), (left, right) = (np.sort(rng.integers(0, size + 1, 2)) for size in shape)
        classes[top:bottom, left:right] = UNLABELLED
    elif ignored == "frame":
        classes[[0, -1]], classes[:, [0, -1]] = UNLABELLED, UNLABELLED
    return classes


def large_classes(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height = int(rng.choice([7, 20, 60, 110]))
    shape = (height, int(rng.integers(1, 900 // height + 1)))
    ignored = rng.choice(["none", "few", "half", "box", "frame"], p=[0.4, 0.2, 0.1, 0.2, 0.1])
    return random_classes(shape, int(rng.integers(2, 5)), int(rng.choice([1, 2, 3, 5])), str(ignored), seed)


def drawn_classes(shape: tuple[int, int], pattern: str) -> np.ndarray:
    """Regular patterns that are hard on connectivity: with four neighbours they would fall to pieces."""
    y, x = np.indices(shape)
    ring = np.minimum(np.minimum(y, x), np.minimum(shape[0] - 1 - y, shape[1] - 1 - x))
    found = {"checks": (x + y) % 2, "rows": y % 2, "columns": x % 2, "diagonals": (x + 3 * y) % 3, "rings": ring % 2}
    # a comb: teeth of one class that are joined in the last row only
    found["bays"] = np.where(y == shape[0] - 1, 0, x % 2)
    return found[pattern].astype(np.uint8)


def softmax_for(classes: np.ndarray, q: int, seed: int = 0) -> np.ndarray:
    """A softmax whose most likely class is ``classes``."""
    rng = np.random.default_rng(seed)
    scores = rng.random((q, *classes.shape))
    np.put_along_axis(scores, np.minimum(classes, q - 1)[None].astype(int), 2.0, axis=0)
    return (scores / scores.sum(0)).astype(np.float32)


def maps_for(classes: np.ndarray, prob: np.ndarray) -> tuple[UncertaintyMaps, dict[str, np.ndarray]]:
    """Maps for given classes; the values need not be right, only known."""
    top = np.sort(prob, axis=0)
    planes = {"E": prob.std(0), "D": 1 - top[-1] + top[-2], "V": 1 - top[-1]}
    tensors = [torch.from_numpy(planes[k].astype(np.float32)) for k in "EDV"]
    return UncertaintyMaps(torch.from_numpy(classes), *tensors), planes


def assert_table_is(table, classes, planes, prob, features) -> None:
    chosen = feature_set(features)
    ids, count = plain.components(classes)
    np.testing.assert_array_equal(table.ids, ids)
    assert len(table) == count
    assert table.names == chosen.names(len(prob))
    for k, segment in enumerate(plain.pixels_of(ids).values()):
        expected = plain.segment_metrics(segment, classes, planes, prob, chosen)
        assert tuple(expected) == table.names
        np.testing.assert_allclose(table.metrics[k], list(expected.values()), rtol=1e-6, atol=1e-9)
        ys, xs = zip(*segment, strict=True)
        assert table.boxes[k].tolist() == [min(xs), min(ys), max(xs) + 1, max(ys) + 1]
        assert table.class_ids[k] == classes[min(segment)]
        assert table.sizes[k] == len(segment)
        assert table.interior_sizes[k] == len(plain.interior(segment, classes.shape))


@CASES
@given(class_maps, st.sampled_from([1, 2, 3]))
@example(np.full((1, 1), 255, np.uint8), 1)
@example(np.zeros((1, 1), np.uint8), 1)
@example(np.indices((110, 8)).sum(0).astype(np.uint8) % 2, 2)
def test_components_equal_the_flood_fill(classes, threads):
    ids, count = components(classes, threads)
    expected, expected_count = plain.components(classes)
    np.testing.assert_array_equal(ids, expected)
    assert count == expected_count
    assert ids.dtype == np.int32


@pytest.mark.slow
@CASES
@given(class_maps, st.sampled_from(["metaseg", "meta_ood", "meta_scale_free", "all"]))
@example(np.zeros((5, 4), np.uint8), "meta_scale_free")
@example(np.zeros((5, 4), np.uint8), "meta_ood")
@example(np.zeros((1, 7), np.uint8), "meta_ood")
@example(np.zeros((100, 1), np.uint8), "metaseg")
@example(np.full((3, 2), 255, np.uint8), "meta_ood")
@example(np.zeros((1, 1), np.uint8), "metaseg")
def test_metrics_from_a_softmax_equal_the_definitions(classes, features):
    prob = softmax_for(classes, 4)
    maps, planes = maps_for(classes, prob)
    table = segment_table_from_softmax(prob, features, maps=maps)
    assert_table_is(table, classes, planes, prob, features)


@settings(max_examples=60, deadline=None)
@given(class_maps, st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000), st.booleans())
def test_metrics_from_logits_use_the_softmax_of_the_upsampled_logits(classes, h, w, seed, corners):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 3, (4, h, w)).astype(np.float32))
    grown = torch.nn.functional.interpolate(
        logits[None].double(), classes.shape, mode="bilinear", align_corners=corners
    )
    prob = torch.softmax(grown[0], 0).numpy()
    maps, planes = maps_for(classes, prob)
    placement = Where(corners=corners).placement((h, w), classes.shape)
    table = segment_table(maps, LogitMaps(logits, classes.shape, placement=placement))
    ids = plain.pixels_of(table.ids)
    chosen = feature_set("metaseg")
    expected = [plain.segment_metrics(s, classes, planes, prob, chosen) for s in ids.values()]
    wanted = np.array([list(row.values()) for row in expected]).reshape(len(table), len(table.names))
    np.testing.assert_allclose(table.metrics, wanted, rtol=1e-5, atol=3e-6)


@pytest.mark.slow
@CASES
@given(class_maps, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.3, 0.8]))
@pytest.mark.parametrize("variant", ["component", "released"])
def test_targets_equal_the_set_definitions(variant, classes, seed, noise):
    rng = np.random.default_rng(seed)
    # ground truth like the prediction, but shifted and spotted, so that segments meet several components
    truth = np.roll(classes, rng.integers(-1, 2, 2), (0, 1))
    spots = rng.random(classes.shape) < noise
    truth[spots] = rng.choice(np.array([0, 1, 2, 255], np.uint8), int(spots.sum()))
    prob = softmax_for(classes, 4)
    maps, _ = maps_for(classes, prob)
    found = targets(segment_table_from_softmax(prob, maps=maps, ground_truth=truth), truth, variant)
    iou, adjusted = plain.targets(apply_ignore(classes, truth), truth, variant)
    np.testing.assert_allclose(found.iou, iou, rtol=1e-12)
    np.testing.assert_allclose(found.iou_adj, adjusted, rtol=1e-12)
    np.testing.assert_array_equal(found.iou == 0, found.iou_adj == 0)
    np.testing.assert_array_equal(found.iou == 1, found.iou_adj == 1)
    np.testing.assert_array_equal(found.false_positive, found.iou_adj == 0)
    assert (found.iou <= found.iou_adj + 1e-15).all() or variant == "released"


@CASES
@given(class_maps, st.floats(0, 1, width=32), st.integers(0, 5), st.integers(0, 1000))
def test_ood_segments_equal_the_flood_fill(classes, threshold, min_size, seed):
    score = np.random.default_rng(seed).random(classes.shape, np.float32)
    found = ood_segments(score, threshold, min_size)
    ids, count = plain.components(np.where(score >= np.float32(threshold), 0, 255).astype(np.uint8))
    np.testing.assert_array_equal(found.ids, ids)
    segments = list(plain.pixels_of(ids).values())
    assert len(found.sizes) == count
    assert found.sizes.tolist() == [len(s) for s in segments]
    assert found.kept.tolist() == [len(s) >= min_size for s in segments]
    np.testing.assert_allclose(found.score, [np.mean([score[p] for p in s], dtype=float) for s in segments])


@pytest.mark.parametrize("features", ["metaseg", "meta_ood", "meta_scale_free"])
def test_the_number_of_threads_does_not_change_one_bit(features):
    classes = random_classes((230, 57), 5, 3, "few", 1)
    prob = softmax_for(classes, 5)
    maps, _ = maps_for(classes, prob)
    logits = LogitMaps(torch.from_numpy(prob[:, ::4, ::4]).log(), classes.shape)
    tables = [segment_table(maps, logits, features, threads=n) for n in (1, 2, 5)]
    for other in tables[1:]:
        assert other.metrics.tobytes() == tables[0].metrics.tobytes()
        assert other.ids.tobytes() == tables[0].ids.tobytes()


@pytest.mark.parametrize("times", [2, 3])
def test_the_set_without_scale_stays_the_same_when_every_pixel_becomes_several(times):
    """Each pixel becomes a block of equal pixels; boundaries stay one pixel wide, so parts of segments change."""
    classes = random_classes((60, 80), 4, 5, "blobs", 2)
    prob = softmax_for(classes, 4)
    small = _scale_free(classes, prob)
    grown = _scale_free(classes.repeat(times, 0).repeat(times, 1), prob.repeat(times, 1).repeat(times, 2))
    assert len(small) == len(grown)
    for name in ("S_area", "E", "D", "V", "E_var", "cprob_0", "row_share", "column_share"):
        np.testing.assert_allclose(grown.column(name), small.column(name), rtol=1e-5, atol=1e-6, err_msg=name)
    assert not set(small.names) & {"S", "S_in", "S_bd", "S_rel", "row", "column", "E_rel", "E_in_rel_var"}


def _scale_free(classes, prob):
    return segment_table_from_softmax(prob, "meta_scale_free", maps=maps_for(classes, prob)[0])
