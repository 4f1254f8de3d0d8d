"""Non-finite logits, against the definition written as loops."""

import itertools
import math

import pytest
import torch

from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty import energy, max_logit
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.logits import LOG_FLOOR
from trust_seg_ros.uncertainty.reference import reference_maps

VERSIONS = [reference_maps, fast_maps, banded_maps]


def neighbours(i, source, target):
    """Samples with a weight other than zero, in exact arithmetic (sizes are chosen so that float32 is exact)."""
    position = max((i + 0.5) * source / target - 0.5, 0.0)
    low = min(math.floor(position), source - 1)
    return {low} if position == low else {low, min(low + 1, source - 1)}


def faulty_by_definition(logits, size):
    bad = ~torch.isfinite(logits).all(0)
    h, w = bad.shape
    out = torch.zeros(size, dtype=torch.bool)
    for y, x in itertools.product(range(size[0]), range(size[1])):
        out[y, x] = any(bad[i, j] for i in neighbours(y, h, size[0]) for j in neighbours(x, w, size[1]))
    return out


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("size", [(4, 8), (8, 16), (16, 32), (2, 4), (32, 64), (4, 24), (1, 1)])
def test_exactly_the_pixels_with_a_weighted_bad_neighbour_are_faulty(version, value, size):
    logits = torch.randn(5, 4, 8, generator=torch.Generator().manual_seed(1))
    logits[2, 1, 3] = value
    logits[4, 3, 7] = value
    want = faulty_by_definition(logits, size)
    got = version(LogitMaps(logits, size))
    assert torch.equal(got.classes == UNLABELLED, want)
    assert got.faulty_pixels == int(want.sum())
    assert (got.entropy[want] == 1.0).all()
    assert (got.margin[want] == 1.0).all()
    assert (got.variation_ratio[want] == torch.tensor(1.0 - 1.0 / 5)).all()


@pytest.mark.parametrize("version", VERSIONS)
def test_pixels_beside_a_fault_are_as_without_it(version):
    logits = torch.randn(5, 6, 6, generator=torch.Generator().manual_seed(2))
    clean = version(LogitMaps(logits, (24, 24)))
    logits[0, 2, 2], logits[1, 2, 2] = math.inf, -math.inf
    got = version(LogitMaps(logits, (24, 24)))
    fine = got.classes != UNLABELLED
    assert 0 < got.faulty_pixels < 24 * 24
    for name in ("entropy", "margin", "variation_ratio", "classes"):
        assert torch.equal(getattr(got, name)[fine], getattr(clean, name)[fine])


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_finite_gives_a_whole_image_of_faults(version):
    got = version(LogitMaps(torch.full((3, 4, 4), math.nan), (8, 8)))
    assert got.faulty_pixels == 64
    assert (got.classes == UNLABELLED).all()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("huge", [1e37, 3.4e38, torch.finfo(torch.float32).max])
def test_huge_finite_logits_are_no_fault(version, huge):
    logits = torch.tensor([huge, -huge, 0.0])[:, None, None].expand(3, 2, 2)
    got = version(LogitMaps(logits, (7, 9)))
    assert got.faulty_pixels == 0
    assert (got.classes == 0).all()
    assert (got.entropy < 1e-30).all()


@pytest.mark.parametrize("version", VERSIONS)
def test_impossible_classes_are_no_fault_in_log_probabilities(version):
    logits = torch.tensor([0.0, -math.inf, -math.inf])[:, None, None].expand(3, 2, 2).clone()
    got = version(LogitMaps(logits, (8, 8), raw=False))
    assert got.faulty_pixels == 0
    assert (got.classes == 0).all()
    assert (got.entropy < 1e-6).all()
    floored = version(LogitMaps(logits.clamp_min(LOG_FLOOR), (8, 8), raw=False))
    assert torch.equal(got.entropy, floored.entropy)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("column", [[-math.inf] * 3, [math.inf, -math.inf, -math.inf], [0.0, math.nan, -math.inf]])
def test_what_is_no_log_probability_is_a_fault(version, column):
    logits = torch.zeros(3, 4, 4)
    logits[:, 1, 1] = torch.tensor(column)
    got = version(LogitMaps(logits, (4, 4), raw=False))
    assert got.faulty_pixels == 1
    assert got.classes[1, 1] == UNLABELLED


@pytest.mark.parametrize("score", [max_logit, energy])
def test_scores_of_raw_logits_are_infinite_at_faulty_pixels_only(score):
    logits = torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(3))
    logits[1, 2, 2] = math.nan
    got = score(LogitMaps(logits, (16, 16)))
    assert torch.equal(got == math.inf, faulty_by_definition(logits, (16, 16)))
    assert torch.isfinite(got[got != math.inf]).all()
