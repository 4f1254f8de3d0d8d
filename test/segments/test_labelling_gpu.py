"""The labelling on the GPU, in Triton's interpreter, equals the one on the CPU; its unions are right in any order."""

import itertools
import math

import numpy as np
import pytest
import torch
from class_maps import DRAWINGS, NO_CLASS, random_maps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreted import needs_triton  # first: sets the interpreter before kernels are defined

from trust_seg_ros.segments import MapShapeError, ScoreThresholdError, components, ood_segments

pytestmark = needs_triton

SMALL = (4, 8)  # a tile of the tests: many seams on a small map


def same(classes, **sizes):
    """Whether ids and their number are those of the CPU."""
    from trust_seg_ros.segments.labelling_gpu import device_components

    found = device_components(torch.from_numpy(classes), **sizes)
    ids, count = components(classes)
    assert found.ids.dtype == found.count.dtype == torch.int32
    np.testing.assert_array_equal(found.ids.numpy(), ids)
    assert found.count.tolist() == [count]
    return found


def drawn(name, height, width, seed=0):
    return DRAWINGS[name](height, width, np.random.default_rng(seed))


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize(("height", "width"), [(9, 17), (8, 16), (1, 25), (13, 1)])
def test_every_texture_across_seams(name, height, width):
    """Just past two tiles, exactly two, lower and narrower than one."""
    same(drawn(name, height, width), tile=SMALL, block=32)


@pytest.mark.parametrize("name", ["comb", "spiral", "diagonals"])
def test_every_turn_of_what_meets_late(name):
    classes = drawn(name, 9, 18)
    for turned in (np.rot90(classes, turns) for turns in range(4)):
        same(turned.copy(), tile=SMALL, block=64)


@pytest.mark.parametrize(("height", "width"), [(16, 64), (17, 65), (15, 63), (40, 70)])
def test_tiles_of_the_device(height, width):
    for name in ("noise", "comb", "spiral"):
        same(drawn(name, height, width))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.sampled_from([(16, 64), (16, 32), (64, 16)]))
def test_maps_of_any_size_and_texture(seed, tile):
    for classes in random_maps(seed, 2, largest=(40, 70)):
        same(classes, tile=tile, block=512)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.sampled_from([(1, 1), (1, 4), (2, 2), (4, 1)]))
def test_tiles_of_a_few_pixels(seed, tile):
    """Where seams are everywhere, and every component lies in many tiles."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 6, 2) * np.minimum(tile, 2)
    same(np.where(rng.random(shape) < 0.1, NO_CLASS, rng.integers(0, 3, shape)).astype(np.uint8), tile=tile, block=8)


def test_all_classes_and_none():
    same(np.arange(256, dtype=np.uint8).reshape(8, 32))
    assert same(np.full((5, 9), NO_CLASS, np.uint8)).count.item() == 0
    assert same(np.zeros((1, 1), np.uint8)).count.item() == 1


def test_two_runs_give_the_same_bits():
    classes = drawn("noise", 40, 70)
    first, second = same(classes, tile=(8, 16)), same(classes, tile=(16, 64))
    assert torch.equal(first.ids, second.ids)


def test_strides_are_as_good_as_any():
    from trust_seg_ros.segments.labelling_gpu import device_components

    classes = torch.from_numpy(drawn("noise", 30, 44))
    for view in (classes[::2, ::3], classes.T, classes[3:, 5:], classes[:1].expand(7, 44)):
        found = device_components(view)
        np.testing.assert_array_equal(found.ids.numpy(), components(view.numpy())[0])
        assert found.classes.is_contiguous()
        assert torch.equal(found.classes, view)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        torch.zeros(4, 4, dtype=torch.int32),
        torch.zeros(16, dtype=torch.uint8),
        torch.zeros(1, 4, 4, dtype=torch.uint8),
        torch.zeros(0, 4, dtype=torch.uint8),
        torch.zeros(1, 1, dtype=torch.uint8).expand(2**16, 2**15),
    ],
    ids=["array", "int32", "flat", "batch", "empty", "2^31 pixels"],
)
def test_what_is_no_class_map_is_refused(wrong):
    from trust_seg_ros.segments.labelling_gpu import device_components

    with pytest.raises(MapShapeError, match=r"class map is .*; expected a \(H, W\) uint8 tensor of 1 to 2147483647"):
        device_components(wrong)


SCORES = [
    -0.0,
    0.0,
    0.7,
    np.nextafter(np.float32(0.7), np.float32(0)),
    1e-40,
    -1e-40,
    math.inf,
    -math.inf,
    math.nan,
    3e38,
]


@pytest.mark.parametrize("threshold", [0.0, -0.0, 0.7, 1, 2e-40, math.inf, -math.inf, 3e38])
def test_over_threshold_is_what_ood_segments_labels(threshold):
    from trust_seg_ros.segments.labelling_gpu import device_components, over_threshold

    score = torch.tensor(np.random.default_rng(0).choice(np.float32(SCORES), (9, 11)))
    classes = over_threshold(score, threshold)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(classes.numpy() == 0, score.numpy() >= np.float32(threshold))
    assert set(classes.unique().tolist()) <= {0, NO_CLASS}
    assert torch.equal(over_threshold(score, torch.tensor([threshold], dtype=torch.float32)), classes)
    np.testing.assert_array_equal(device_components(classes).ids.numpy(), ood_segments(score, threshold).ids)


def test_over_threshold_of_other_kinds():
    from trust_seg_ros.segments.labelling_gpu import over_threshold

    score = torch.linspace(0, 1, 66).reshape(6, 11)
    expected = torch.where(score.half().float() >= np.float32(0.7), 0, NO_CLASS)
    assert torch.equal(over_threshold(score.half(), 0.7), expected.to(torch.uint8))
    assert torch.equal(over_threshold(score.T, 0.7), over_threshold(score, 0.7).T)
    assert over_threshold(score, torch.tensor([math.nan])).eq(NO_CLASS).all()
    with pytest.raises(ScoreThresholdError, match="NaN"):
        over_threshold(score, math.nan)
    with pytest.raises(MapShapeError, match=r"score map is torch.uint8 \(4, 4\); expected a \(H, W\) floating-point"):
        over_threshold(torch.zeros(4, 4, dtype=torch.uint8), 0.5)


def test_unions_in_every_order_of_their_steps():
    """Every interleaving of what threads do to the memory in ``_unite``, on small graphs, ends in the same sets.

    The interpreter runs programs one after the other, so that it cannot show a race. Each union is one thread: it reads
    the parents of its two pixels, one by one, then repeats the atomic minimum. What a thread read long ago stands for a
    stale read. All states that can be reached are visited, and there is no way back: all threads end.
    """
    rng = np.random.default_rng(0)
    visited = 0
    for _ in range(60):
        pixels = int(rng.integers(3, 7))
        starts: list[int] = []
        for p in range(pixels):
            heads = [s for s in starts if starts[s] == s]
            starts.append(int(rng.choice(heads)) if heads and rng.random() < 0.5 else p)
        unions = [tuple(int(v) for v in rng.choice(pixels, 2, replace=False)) for _ in range(4)]
        expected = smallest_of_sets(pixels, itertools.chain(enumerate(starts), unions))
        ends, states = all_ends(tuple(starts), tuple((0, a, b) for a, b in unions))
        visited += states
        assert {tuple(root(parent, p) for p in range(pixels)) for parent in ends} == {expected}
    assert visited > 10_000


def all_ends(parent, threads):
    """The parents with which all threads have ended, over every interleaving, and how many states led there."""
    seen, waiting, ends = set(), [(parent, threads)], set()
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        parent, threads = state
        if not any(threads):
            ends.add(parent)
        for index, thread in enumerate(threads):
            if thread:
                lower, after = step(parent, *thread)
                waiting.append((lower, (*threads[:index], after, *threads[index + 1 :])))
    return ends, len(seen)


def step(parent, stage, a, b):
    """One access of a thread to the memory, as in ``_unite``: the parents after it, and the thread (None = ended)."""
    if stage == 0:
        return parent, (1, parent[a], b)
    if stage == 1:
        return parent, (2, a, parent[b]) if parent[b] != a else None
    low, high = min(a, b), max(a, b)
    old = parent[high]
    lower = (*parent[:high], min(old, low), *parent[high + 1 :])
    return lower, None if old in (low, high) else (2, old, low)


def root(parent, pixel):
    while parent[pixel] != pixel:
        pixel = parent[pixel]
    return pixel


def smallest_of_sets(pixels, pairs):
    smallest = list(range(pixels))
    for a, b in pairs:
        low, high = sorted((smallest[a], smallest[b]))
        smallest = [low if value == high else value for value in smallest]
    return tuple(smallest)
