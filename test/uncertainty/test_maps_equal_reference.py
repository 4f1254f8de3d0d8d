"""Every version of the maps against the definition, on random inputs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from map_cases import assert_equal, cases, random_logits

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import banded
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.reference import reference_maps

VERSIONS = [fast_maps, banded_maps]


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=100, deadline=None)
@given(maps=cases())
def test_random_logits_give_the_reference_maps(version, maps):
    assert_equal(version(maps), reference_maps(maps), maps)


@pytest.mark.parametrize(("h", "w", "size"), [(256, 512, (1024, 2048)), (45, 60, (360, 480)), (97, 301, (333, 1999))])
def test_large_images_give_the_reference_maps_in_every_tile_and_band(h, w, size):
    logits = random_logits(5, h, w, 3)
    maps = LogitMaps(logits, size)
    assert_equal(fast_maps(maps, threads=2), reference_maps(maps), maps)


def test_bands_of_one_row_give_the_reference_maps(monkeypatch):
    monkeypatch.setattr(banded, "BAND_VALUES", 1)
    logits = random_logits(7, 9, 6, 4)
    maps = LogitMaps(logits, (31, 17))
    assert_equal(banded_maps(maps), reference_maps(maps), maps)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_floating_type_is_computed_in_float32(version, dtype):
    logits = random_logits(6, 5, 7, 5).to(dtype)
    got = version(LogitMaps(logits, (20, 28)))
    assert got.entropy.dtype == torch.float32
    assert got.classes.dtype == torch.uint8
    maps = LogitMaps(logits.float(), (20, 28))
    assert_equal(got, reference_maps(maps), maps)


@pytest.mark.parametrize("version", VERSIONS)
def test_strided_logits_equal_their_copy_and_stay_untouched(version):
    base = random_logits(8, 6, 5, 6)
    strided = base.permute(1, 2, 0).contiguous().permute(2, 0, 1)[::2]  # channels last, every other class
    before = strided.clone()
    got, want = version(LogitMaps(strided, (13, 11))), version(LogitMaps(before, (13, 11)))
    assert torch.equal(got.entropy, want.entropy)
    assert torch.equal(strided, before)


@pytest.mark.parametrize("version", [*VERSIONS, reference_maps])
def test_logits_that_require_grad_are_accepted(version):
    logits = random_logits(3, 4, 4, 7).requires_grad_()
    assert not version(LogitMaps(logits, (8, 8))).entropy.requires_grad


@pytest.mark.parametrize("version", [*VERSIONS, reference_maps])
@pytest.mark.parametrize("equal", [(0, 1), (1, 3), (2, 5), (5, 6), (3, 4)])
def test_the_lowest_of_tied_classes_wins(version, equal):
    logits = torch.full((7, 3, 4), -2.0)
    logits[list(equal)] = 1.5
    got = version(LogitMaps(logits, (12, 16)))
    assert (got.classes == equal[0]).all()
    np.testing.assert_allclose(got.margin.numpy(), 1.0, atol=1e-6)


@pytest.mark.parametrize("version", [*VERSIONS, reference_maps])
@pytest.mark.parametrize("q", [2, 19, 254])
def test_uniform_logits_have_the_largest_scores(version, q):
    got = version(LogitMaps(torch.zeros(q, 2, 3), (5, 9)))
    np.testing.assert_allclose(got.entropy.numpy(), 1.0, atol=1e-6)
    np.testing.assert_allclose(got.variation_ratio.numpy(), 1.0 - 1.0 / q, atol=1e-6)
    assert got.faulty_pixels == 0


@pytest.mark.parametrize("version", [*VERSIONS, reference_maps])
def test_scores_of_a_known_softmax(version):
    f = np.array([0.5, 0.3, 0.2])
    got = version(LogitMaps(torch.tensor(np.log(f))[:, None, None] + 100.0, (1, 1)))
    assert got.entropy.item() == pytest.approx(-(f * np.log(f)).sum() / np.log(3), abs=2e-5)
    assert got.margin.item() == pytest.approx(0.8, abs=2e-5)
    assert got.variation_ratio.item() == pytest.approx(0.5, abs=2e-5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), q=st.integers(2, 30), spread=st.sampled_from([0.001, 3.0, 1e4, 1e38]))
def test_scores_stay_in_their_ranges(seed, q, spread):
    got = uncertainty_maps(LogitMaps(random_logits(q, 5, 6, seed, spread).clamp(-3.4e38, 3.4e38), (17, 23)))
    for name, most in (("entropy", 1.0), ("margin", 1.0), ("variation_ratio", np.float32(1.0 - 1.0 / q))):
        score = getattr(got, name)
        assert score.min() >= 0.0, name
        assert score.max() <= most, name
    assert got.classes.max() < q
