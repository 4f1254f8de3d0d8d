"""Metrics from fixed-point sums, in Triton's interpreter, equal those that the host computes from the same sums."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from interpreted import needs_triton

from trust_seg_ros.segments import segment_table
from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.segments.families import FAMILIES, QUERY, Family, column_names, column_values, families_of
from trust_seg_ros.segments.features import FEATURE_SETS, FeatureSet
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.segments.measured import Measured
from trust_seg_ros.segments.probabilities import SoftmaxSource
from trust_seg_ros.segments.sums import CLASSES, NEIGHBOURS, sum_segments
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps

pytestmark = needs_triton
UNIT, UNIT_SQUARE = 2.0**-23, 2.0**-19


def random_classes(height, width, block, q, void, seed):
    """Blocks of q classes; a share of the pixels has none."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, q, (-(-height // block), -(-width // block)), dtype=np.uint8)
    classes = blocks.repeat(block, 0).repeat(block, 1)[:height, :width].copy()
    classes[rng.random(classes.shape) < void] = 255
    return classes


def planes_of(shape, maps, seed):
    """Values of every map; those that are not E, D or V are negative in places, and large."""
    rng = np.random.default_rng(seed)
    planes = {name: rng.random(shape, np.float32) for name in maps}
    return {name: plane if name in "EDV" else plane * 60 - 30 for name, plane in planes.items()}


def sums_of(found, classes, planes, q, capacity):
    """The sums of the host, rounded to fixed point, as ``device_sums`` gives them."""
    from trust_seg_ros.segments.sums_gpu import DeviceSums

    prob = np.random.default_rng(q).dirichlet(np.full(q, 0.3), classes.shape).astype(np.float32)
    source = SoftmaxSource(np.ascontiguousarray(prob.transpose(2, 0, 1)))
    sums = sum_segments(found, planes, source, classes, (CLASSES, NEIGHBOURS))

    def table(values, dtype=torch.int64):
        padded = np.zeros((capacity, values.shape[1]))
        padded[: len(values)] = np.rint(values[:capacity])
        return torch.from_numpy(padded).to(dtype)

    units = np.array([UNIT, UNIT, UNIT_SQUARE, UNIT_SQUARE])
    without_class = sums.ndist[:, -1:] - sums.ndist[:, :-1].sum(1, keepdims=True)
    return DeviceSums(
        count=torch.tensor([len(found)], dtype=torch.int32),
        outlines=table(np.column_stack([found.class_ids, found.boxes, found.sizes]), torch.int32),
        places=table(sums.sizes),
        maps={name: table(total / units) for name, total in sums.maps.items()},
        map_scales=dict.fromkeys(planes, torch.tensor([UNIT, UNIT_SQUARE], dtype=torch.float64)),
        cprob=table(sums.cprob / UNIT),
        ndist=table(np.column_stack([sums.ndist[:, :-1], without_class]), torch.int32),
        flat=torch.empty(0),
        cprob_scale=UNIT,
    )


def assert_same(classes, q, maps, families, room=3, seed=0):
    from trust_seg_ros.segments.metrics_gpu import device_metrics

    found, planes = find_components(classes), planes_of(classes.shape, maps, seed)
    capacity = max(1, len(found) + room)
    sums = sums_of(found, classes, planes, q, capacity)
    metrics = device_metrics(sums, families, maps, q, classes.shape).numpy()
    assert metrics.shape == (capacity, len(column_names(families, maps, q)))
    n = min(len(found), capacity)
    some = replace(found, sizes=found.sizes[:n])
    expected = column_values(families, Measured.of(some, classes, q, planes, sums.host(n)[1]))
    peak = max((np.abs(plane).max() for plane in planes.values()), default=0.0)  # a variance is a difference of squares
    np.testing.assert_allclose(metrics[:n], expected, rtol=1e-12, atol=1e-13 * max(1.0, peak**2))
    assert not metrics[n:].any()


@settings(max_examples=20, deadline=None)
@given(
    st.builds(
        random_classes,
        st.integers(1, 40),
        st.integers(1, 40),
        st.sampled_from([2, 5, 9, 40]),
        st.sampled_from([2, 20]),
        st.sampled_from([0.0, 0.02]),
        st.integers(0, 2**32 - 1),
    ),
    st.integers(-2, 70),
    st.integers(0, 1000),
)
@example(np.zeros((1, 1), np.uint8), 0, 0)
@example(np.zeros((9, 7), np.uint8), 0, 0)  # fills the image: all of it is boundary
@example(np.full((3, 2), 255, np.uint8), 3, 0)  # no segment at all
@example(np.indices((16, 16)).sum(0).astype(np.uint8) % 20, 0, 0)
@pytest.mark.parametrize("features", FEATURE_SETS)
def test_the_metrics_are_those_of_the_host(features, classes, room, seed):
    chosen = FEATURE_SETS[features]
    assert_same(classes, 20, chosen.maps, families_of(chosen.families), room, seed)


@pytest.mark.parametrize("q", [2, 20, 33, 70])
def test_any_number_of_classes_and_of_further_maps(q):
    classes = random_classes(30, 30, 3, q, 0.1, q)
    assert_same(classes, q, ("E", "D", "V", "energy", "further"), families_of(FEATURE_SETS["all"].families))


@pytest.mark.parametrize("family", [family.name for family in FAMILIES if family.name != QUERY])
def test_every_family_alone(family):
    assert_same(random_classes(12, 15, 4, 3, 0.1, 1), 3, ("E", "D"), families_of((family,)))


def test_specks():
    assert_same(random_classes(24, 20, 1, 20, 0.0, 0), 20, ("E",), families_of(FEATURE_SETS["meta_ood"].families))


def test_families_that_the_kernel_has_not_are_left_to_the_host():
    from trust_seg_ros.segments.metrics_gpu import device_metrics, knows

    added = Family(name="round", columns=("round",), values=lambda seen: seen.size, text="", least="")
    assert all(knows((family,)) == (family.name != QUERY) for family in FAMILIES)
    assert not knows((*FAMILIES[:2], added))
    wider = Family(name="centroid", columns=("row", "column", "depth"), values=lambda seen: seen.size, text="")
    assert not knows((wider,))
    classes = np.zeros((4, 4), np.uint8)
    sums = sums_of(find_components(classes), classes, planes_of((4, 4), ("E",), 0), 2, 1)
    with pytest.raises(FeatureError, match=r"families size, round; .* host"):
        device_metrics(sums, (FAMILIES[0], added), ("E",), 2, (4, 4))
    with pytest.raises(FeatureError, match="no sums for the families cprob; ask"):
        device_metrics(replace(sums, cprob=None), families_of(("size", "cprob")), ("E",), 2, (4, 4))


def test_from_logits_to_metrics_as_on_the_host():
    """Through all kernels: maps, components, sums, metrics; what remains is the rounding of sums to fixed point."""
    from trust_seg_ros.segments.labelling_gpu import device_components
    from trust_seg_ros.segments.metrics_gpu import device_metrics
    from trust_seg_ros.segments.sums_gpu import device_sums
    from trust_seg_ros.uncertainty.maps_gpu import device_maps

    q, features = 5, FEATURE_SETS["all"]
    logits = torch.from_numpy(np.random.default_rng(0).normal(0, 3, (q, 8, 12)).astype(np.float32))
    answer = LogitMaps(logits, (32, 48))
    expected = segment_table(uncertainty_maps(answer), answer, "all")
    maps = device_maps(answer)
    planes = {"E": maps.entropy, "D": maps.margin, "V": maps.variation_ratio}
    more = {"answer": answer, "log_sum": maps.log_sum, "neighbours": True, "n_classes": q, "capacity": 80}
    sums = device_sums(device_components(maps.classes), planes, named=maps.classes, **more)
    metrics = device_metrics(sums, families_of(features.families), features.maps, q, answer.size).numpy()
    assert 60 < len(expected) < 80
    np.testing.assert_allclose(metrics[: len(expected)], expected.metrics, rtol=0, atol=2e-6)
    assert not metrics[len(expected) :].any()


def test_without_maps():
    assert_same(random_classes(12, 15, 4, 3, 0.1, 1), 3, (), families_of(FeatureSet(maps=()).families))
