"""Sums over segments by Triton kernels, in the interpreter: equal to those of the CPU, and the same bits every time."""

from __future__ import annotations

from interpreted import needs_triton  # isort: skip, must come before the kernels

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trust_seg_ros.segments import MapShapeError, feature_set, segment_table
from trust_seg_ros.segments.families import column_values, families_of
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.segments.measured import Measured
from trust_seg_ros.segments.probabilities import LogitSource
from trust_seg_ros.segments.sums import CLASSES, NEIGHBOURS, sum_segments
from trust_seg_ros.types import UNLABELLED, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty import LogitsError

pytestmark = needs_triton
UNIT = 2.0**-23
CASES = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def components_of(classes):
    """The components on the host, and as the kernels take them."""
    from trust_seg_ros.segments.labelling_gpu import DeviceComponents

    found = find_components(classes)
    count = torch.tensor([len(found)], dtype=torch.int32)
    return found, DeviceComponents(torch.from_numpy(found.ids), count, torch.from_numpy(found.classes))


def sums_of(device, planes, named=None, **options):
    from trust_seg_ros.segments.sums_gpu import device_sums

    options = {"answer": None, "log_sum": None, "neighbours": True, "n_classes": 4} | options
    capacity = options.pop("capacity", int(device.count) + 2)
    return device_sums(device, planes, named=device.classes if named is None else named, capacity=capacity, **options)


def random_planes(shape, seed, names="EDV"):
    rng = np.random.default_rng(seed)
    return {name: torch.from_numpy(rng.random(shape, np.float32)) for name in names}


def random_classes(shape, q, block, void, seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, q, (-(-shape[0] // block), -(-shape[1] // block)), dtype=np.uint8)
    classes = np.repeat(np.repeat(small, block, 0), block, 1)[: shape[0], : shape[1]].copy()
    classes[rng.random(shape) < void] = UNLABELLED
    return classes


def network_answer(grid, size, q, seed=0, spread=2.0):
    logits = np.random.default_rng(seed).normal(0, spread, (q, *grid)).astype(np.float32)
    return LogitMaps(torch.from_numpy(logits), size)


def device_maps_of(answer):
    from trust_seg_ros.uncertainty.maps_gpu import device_maps

    return device_maps(answer)


def assert_sums_are(sums, found, planes, named, q):
    """Whole numbers exact, maps in [0, 1] within a unit per pixel."""
    n = len(found)
    outlines, got = sums.host(n)
    source = LogitSource(LogitMaps(torch.zeros(q, 1, 1), found.ids.shape))
    arrays = {name: plane.numpy() for name, plane in planes.items()}
    expected = sum_segments(found, arrays, source, named, (NEIGHBOURS,))
    assert sums.count.item() == n
    np.testing.assert_array_equal(outlines[:, 0], found.class_ids)
    np.testing.assert_array_equal(outlines[:, 1:5], found.boxes)
    np.testing.assert_array_equal(outlines[:, 5], found.sizes)
    np.testing.assert_array_equal(got.sizes, expected.sizes)
    np.testing.assert_array_equal(got.ndist, expected.ndist)
    pixels = np.stack([expected.sizes[:, 0], found.sizes - expected.sizes[:, 0]], axis=1)
    for name in planes:
        off = np.abs(got.maps[name] - expected.maps[name])
        assert (off[:, :2] <= pixels * UNIT + 1e-12).all()
        assert (off[:, 2:] <= pixels * 2 * UNIT + 1e-12).all()


@CASES
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 50)),
    st.integers(2, 20),
    st.sampled_from([1, 3, 9]),
    st.sampled_from([0.0, 0.1]),
    st.integers(0, 2**31),
)
@example((9, 70), 2, 64, 0.0, 0)
def test_sums_equal_those_of_the_cpu(shape, q, block, void, seed):
    classes = random_classes(shape, q, block, void, seed)
    found, device = components_of(classes)
    planes = random_planes(shape, seed)
    sums = sums_of(device, planes, n_classes=q)
    assert_sums_are(sums, found, planes, classes, q)


CHECKS = np.indices((9, 40)).sum(0).astype(np.uint8) % 2
DRAWN = {
    "one segment": np.full((11, 70), 3, np.uint8),
    "no segment": np.full((5, 6), UNLABELLED, np.uint8),
    "one pixel": np.zeros((1, 1), np.uint8),
    "a checkerboard, two segments": CHECKS,
    "specks": np.where(np.indices((9, 40)).max(0) % 2 + CHECKS, UNLABELLED, 1).astype(np.uint8),
    "five segments and more in a tile": (np.indices((8, 64))[1] // 3 % 4).astype(np.uint8),
    "one column": random_classes((50, 1), 3, 4, 0.1, 1),
    "one row": random_classes((1, 90), 3, 4, 0.1, 1),
    "a comb": np.where(np.indices((9, 70))[0] == 8, 0, np.indices((9, 70))[1] % 2).astype(np.uint8),
}


@pytest.mark.parametrize("classes", DRAWN.values(), ids=DRAWN)
def test_sums_of_drawn_maps_do_not_depend_on_the_tiles_and_have_the_same_bits_every_time(classes):
    found, device = components_of(classes)
    planes = random_planes(classes.shape, 5, "EX")
    sums = sums_of(device, planes)
    assert_sums_are(sums, found, planes, classes, 4)
    assert torch.equal(sums.flat, sums_of(device, planes).flat)
    assert torch.equal(sums.flat, sums_of(device, planes, tile=(4, 32)).flat)


@pytest.mark.parametrize("tile", [None, (4, 32)])
def test_the_largest_values_over_a_large_segment_do_not_overflow(tile):
    classes = np.zeros((20, 130), np.uint8)
    classes[10, 100] = 1
    _, device = components_of(classes)
    planes = {"E": torch.ones(20, 130), "X": torch.full((20, 130), -(2.0**126))}
    got = sums_of(device, planes, tile=tile).host(1)[1].maps
    inner, outer = 20 * 130 - 9, 8
    assert got["E"][0].tolist() == [inner, outer, inner, outer]
    assert got["X"][0].tolist() == [-inner * 2.0**126, -outer * 2.0**126, inner * 2.0**252, outer * 2.0**252]


def test_segments_beyond_the_capacity_are_left_out_and_the_others_do_not_change():
    classes = random_classes((20, 40), 3, 2, 0.1, 3)
    found, device = components_of(classes)
    planes = random_planes(classes.shape, 3)
    whole, part = sums_of(device, planes), sums_of(device, planes, capacity=7)
    assert part.count.item() == len(found) > 7
    assert torch.equal(part.outlines, whole.outlines[:7])
    assert torch.equal(part.places, whole.places[:7])
    assert torch.equal(part.ndist, whole.ndist[:7])
    for name in planes:
        assert torch.equal(part.maps[name], whole.maps[name][:7])


def test_rows_without_a_segment_are_empty():
    _, device = components_of(np.array([[0, 0, 1]], np.uint8))
    sums = sums_of(device, random_planes((1, 3), 0), capacity=5)
    assert not sums.places[2:].any()
    assert not sums.ndist[2:].any()
    assert sums.outlines[2:].tolist() == [[0, 2**31 - 1, 2**31 - 1, 0, 0, 0]] * 3


@pytest.mark.parametrize("largest", [0.0, 1e-40, 1e-3, 0.5, 1.0, 1e3, 2.0**126, 3e38])
def test_an_unbounded_map_is_scaled_by_its_largest_value_in_a_segment(largest):
    classes = random_classes((12, 40), 3, 5, 0.1, 3)
    found, device = components_of(classes)
    plane = np.random.default_rng(0).uniform(-1, 1, classes.shape).astype(np.float32) * np.float32(largest)
    plane[classes == UNLABELLED] = 3.4e38  # of no segment: does not count
    sums = sums_of(device, {"X": torch.from_numpy(plane)})
    got, unit = sums.host(len(found))[1].maps["X"], sums.map_scales["X"]
    values = plane.astype(np.float64).clip(-(2.0**126), 2.0**126)
    size = [np.float64(np.sum(found.ids == k + 1)) for k in range(len(found))]
    total = [values[found.ids == k + 1].sum() for k in range(len(found))]
    squares = [(values[found.ids == k + 1] ** 2).sum() for k in range(len(found))]
    assert unit[1] == unit[0] ** 2 * 2**23
    assert unit[0] <= max(2 * largest, 2.0**-126) * UNIT
    assert (np.abs(got[:, :2].sum(1) - total) <= np.array(size) * float(unit[0])).all()
    assert (np.abs(got[:, 2:].sum(1) - squares) <= np.array(size) * 2 * float(unit[1])).all()


def test_infinity_and_nan_count_as_the_largest_finite_magnitude_in_any_segment():
    _, device = components_of(np.array([[0, 0, 0, 1, 1, 1]], np.uint8))
    plane = torch.tensor([[torch.inf, -torch.inf, 1.5, torch.nan, -2.0, 0.25]])
    got = sums_of(device, {"X": plane}).host(2)[1].maps["X"]
    limit = 4.0  # the power of two above 2
    np.testing.assert_allclose(got[0, :2].sum(), limit - limit + 1.5)
    np.testing.assert_allclose(got[1, :2].sum(), limit - 2.0 + 0.25)
    _, bounded = sums_of(device, {"E": plane}).host(2)
    np.testing.assert_allclose(bounded.maps["E"][0, :2].sum(), 1.0 - 1.0 + 1.0)


def assert_probabilities_are(sums, found, answer, q):
    """Within a unit per pixel, and what the float32 exponentials of both are off by."""
    _, got = sums.host(len(found))
    expected = sum_segments(found, {}, LogitSource(answer), found.classes, (CLASSES,))
    assert got.cprob.shape == (len(found), q)
    assert (np.abs(got.cprob - expected.cprob) <= found.sizes[:, None] * (UNIT + 2e-6)).all()


@pytest.mark.parametrize(
    ("grid", "size", "q"), [((6, 9), (24, 36), 5), ((3, 4), (13, 35), 20), ((12, 40), (12, 40), 2), ((1, 1), (5, 3), 3)]
)
def test_class_probabilities_equal_those_of_the_cpu(grid, size, q):
    answer = network_answer(grid, size, q)
    maps = device_maps_of(answer)
    found, device = components_of(maps.classes.numpy())
    options = {"answer": answer, "log_sum": maps.log_sum, "n_classes": q}
    sums = sums_of(device, {"E": maps.entropy}, **options)
    assert_probabilities_are(sums, found, answer, q)
    np.testing.assert_allclose(sums.host(len(found))[1].cprob.sum(1), found.sizes, rtol=1e-5)
    assert torch.equal(sums.flat, sums_of(device, {"E": maps.entropy}, tile=(4, 32), **options).flat)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_logits_of_half_precision_and_any_strides_are_read_where_they_lie(kind):
    logits = network_answer((10, 6), (1, 1), 5).logits.to(kind).transpose(1, 2)
    answer = LogitMaps(logits, (18, 33))
    maps = device_maps_of(answer)
    found, device = components_of(maps.classes.numpy())
    sums = sums_of(device, {}, answer=answer, log_sum=maps.log_sum, n_classes=5, neighbours=False)
    assert sums.ndist is None
    assert_probabilities_are(sums, found, answer, 5)


def test_pixels_whose_logits_are_not_finite_are_in_no_segment_and_change_nothing_else():
    answer = network_answer((6, 9), (24, 36), 4)
    answer.logits[1, 2, 3], answer.logits[0, 5, 8] = torch.nan, torch.inf
    maps = device_maps_of(answer)
    found, device = components_of(maps.classes.numpy())
    assert int(maps.faulty) == np.sum(found.ids == 0) > 0
    sums = sums_of(device, {"E": maps.entropy}, answer=answer, log_sum=maps.log_sum)
    assert_sums_are(sums, found, {"E": maps.entropy}, found.classes, 4)
    assert_probabilities_are(sums, found, answer, 4)


@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_out_of_distribution_segments_span_classes_and_count_neighbours_by_the_predicted_class(threshold):
    from trust_seg_ros.segments.labelling_gpu import device_components, over_threshold

    answer = network_answer((8, 12), (32, 48), 4)
    maps = device_maps_of(answer)
    device = device_components(over_threshold(maps.entropy, torch.tensor([threshold])))
    found = find_components(device.classes.numpy())
    planes = {"E": maps.entropy, "V": maps.variation_ratio}
    sums = sums_of(device, planes, maps.classes, answer=answer, log_sum=maps.log_sum)
    assert_sums_are(sums, found, planes, maps.classes.numpy(), 4)
    assert_probabilities_are(sums, found, answer, 4)


@pytest.mark.parametrize("features", ["metaseg", "meta_ood"])
def test_metrics_from_the_sums_equal_the_segment_table(features):
    answer = network_answer((10, 13), (40, 52), 5)
    made = device_maps_of(answer)
    maps = UncertaintyMaps(made.classes, made.entropy, made.margin, made.variation_ratio)
    table = segment_table(maps, answer, features)
    found, device = components_of(made.classes.numpy())
    planes = {"E": made.entropy, "D": made.margin, "V": made.variation_ratio}
    planes = {name: planes[name] for name in feature_set(features).maps}
    _, sums = sums_of(device, planes, answer=answer, log_sum=made.log_sum, n_classes=5).host(len(found))
    seen = Measured.of(found, found.classes, 5, {name: plane.numpy() for name, plane in planes.items()}, sums)
    got = column_values(families_of(feature_set(features).families), seen)
    assert got.shape == table.metrics.shape
    np.testing.assert_allclose(got, table.metrics, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_together_is_refused():
    _, device = components_of(np.zeros((4, 6), np.uint8))
    with pytest.raises(MapShapeError, match="map 'E' has shape"):
        sums_of(device, {"E": torch.zeros(4, 5)})
    with pytest.raises(MapShapeError, match="map 'classes' has shape"):
        sums_of(device, {}, torch.zeros(6, 4, dtype=torch.uint8))
    answer = network_answer((4, 6), (4, 6), 3)
    with pytest.raises(MapShapeError, match=r"\(3, 4, 6\); expected \(4, 4, 6\)"):
        sums_of(device, {}, answer=answer, log_sum=torch.zeros(4, 6))
    with pytest.raises(LogitsError, match="class sums"):
        sums_of(device, {}, answer=LogitMaps(answer.logits, (4, 6), raw=False, linear=True), log_sum=torch.zeros(4, 6))
