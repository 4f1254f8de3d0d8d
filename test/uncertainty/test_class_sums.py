"""Maps, segment sums, passes and temperatures of class sums (mask networks) against their definitions in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import mask_answer

from trust_seg_ros.segments import ood_segment_table, segment_table
from trust_seg_ros.thresholds.temperature import LogitSample, nll
from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty import LogitsError, RawLogitsNeededError, banded, energy, on_grid, uncertainty_maps
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.errors import FeaturesNeededError
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.gradient import gradient_maps
from trust_seg_ros.uncertainty.logits import UNCLAIMED, class_probabilities, prepare, prepare_sums
from trust_seg_ros.uncertainty.perturbation_reference import reference_statistics
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS
from trust_seg_ros.uncertainty.perturbation_sums import PassSums
from trust_seg_ros.uncertainty.reference import reference_maps

SCORES = ("entropy", "margin", "variation_ratio")


def by_definition(maps):
    """p = L / sum L of finite sums, float64 (q, H, W); uniform where no query claims the pixel; and where that is."""
    sums = torch.nn.functional.interpolate(maps.logits[None], size=maps.size, mode="bilinear", align_corners=False)[
        0
    ].double()
    none = sums.amax(0) <= UNCLAIMED
    return torch.where(none, 1.0 / len(sums), sums / sums.sum(0)), none


@st.composite
def cases(draw):
    q, h, w = draw(st.one_of(st.integers(2, 24), st.just(254))), draw(st.integers(1, 12)), draw(st.integers(1, 40))
    size = (draw(st.integers(1, 50)), draw(st.integers(1, 90)))
    if draw(st.booleans()):
        size = (h * draw(st.integers(1, 9)), w * draw(st.integers(1, 9)))
    scale = draw(st.sampled_from([1.0, 30.0, 1e-5, 1e-10]))
    maps = mask_answer(q, draw(st.integers(1, 9)), h, w, size, draw(st.integers(0, 2**31)), 5.0, scale)
    for _ in range(draw(st.integers(0, 3))):
        y, x = draw(st.integers(0, h - 1)), draw(st.integers(0, w - 1))
        if draw(st.booleans()):
            maps.logits[:, : y + 1, : x + 1] = 0.0
        else:
            maps.logits[draw(st.integers(0, q - 1)), y, x] = draw(st.sampled_from([torch.nan, torch.inf, -torch.inf]))
    return maps


@pytest.mark.parametrize("version", [fast_maps, banded_maps])
@settings(max_examples=80, deadline=None)
@given(maps=cases())
def test_every_version_gives_the_reference_maps(version, maps):
    got, want = version(maps), reference_maps(maps)
    for name in SCORES:
        assert (getattr(got, name) - getattr(want, name)).abs().max() <= 1e-6, name
    assert got.faulty_pixels == want.faulty_pixels
    differing = got.classes != want.classes
    if differing.any():
        top = class_probabilities(maps).topk(2, 0).values
        assert ((top[0] - top[1])[differing] <= 1e-6).all()
        assert ((got.classes == UNLABELLED) == (want.classes == UNLABELLED)).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1.0, 1e-12]))
def test_the_reference_is_the_definition(seed, scale):
    maps = mask_answer(7, 5, 6, 9, (13, 31), seed, scale=scale)
    maps.logits[:, :2, :3] = 0.0
    p, none = by_definition(maps)
    got = reference_maps(maps)
    top = p.topk(2, 0).values
    assert (got.entropy - (-torch.special.xlogy(p, p).sum(0) / math.log(7))).abs().max() < 1e-6
    assert (got.margin - (1.0 - top[0] + top[1])).abs().max() < 1e-6
    assert (got.variation_ratio - (1.0 - top[0])).abs().max() < 1e-6
    assert none.any()
    assert (got.classes == torch.where(none, UNLABELLED, p.argmax(0))).all()


def test_large_images_in_every_tile_and_band(monkeypatch):
    maps = mask_answer(60, 8, 97, 301, (333, 1999))
    got, want = fast_maps(maps, threads=2), reference_maps(maps)
    for name in SCORES:
        assert (getattr(got, name) - getattr(want, name)).abs().max() <= 1e-6
    monkeypatch.setattr(banded, "BAND_VALUES", 1)
    small = mask_answer(6, 8, 5, 4, (9, 17))
    assert (banded_maps(small).entropy - reference_maps(small).entropy).abs().max() <= 1e-6


@pytest.mark.parametrize("version", [fast_maps, banded_maps, reference_maps])
def test_a_pixel_that_no_query_claims_is_as_uncertain_as_can_be_and_no_fault(version):
    maps = mask_answer(5, 4, 6, 8, (12, 16))
    maps.logits[:, 2:5, 2:6] = 0.0
    got, (_, none) = version(maps), by_definition(maps)
    assert none.sum() == 24
    assert (got.classes[none] == UNLABELLED).all()
    assert (got.entropy[none] == 1.0).all()
    assert (got.margin[none] == 1.0).all()
    assert got.variation_ratio[none].tolist() == [pytest.approx(0.8)] * 24
    assert (got.classes[~none] < 5).all()
    assert got.faulty_pixels == 0


def test_a_faulty_sum_spoils_its_own_pixels_only():
    maps = mask_answer(5, 4, 3, 3, (3, 3))
    clean = uncertainty_maps(maps)
    maps.logits[2, 1, 1] = torch.nan
    got = uncertainty_maps(maps)
    assert got.faulty_pixels == 1
    assert got.classes[1, 1] == UNLABELLED
    assert got.entropy[1, 1] == 1.0
    others = torch.ones(3, 3, dtype=torch.bool)
    others[1, 1] = False
    assert torch.equal(got.entropy[others], clean.entropy[others])


@settings(max_examples=20, deadline=None)
@given(maps=cases())
def test_readers_without_a_path_of_their_own_get_the_logarithm_of_the_distribution(maps):
    prepared = prepare(maps)
    assert prepared.values.shape == (len(maps.logits), *maps.size)
    assert (prepared.values.softmax(0) - class_probabilities(maps)).abs().max() <= 5e-6  # logarithms to -87
    faulty, want = prepared.faulty(), prepare_sums(maps).faulty()
    assert (faulty is None and want is None) or torch.equal(faulty, want)


def test_the_sums_are_not_taken_for_logits():
    maps = mask_answer(4, 3, 5, 5, (5, 5))
    with pytest.raises(LogitsError, match=r"raw=True.*expected linear=True and raw=False"):
        uncertainty_maps(replace(maps, raw=True))
    with pytest.raises(LogitsError, match="linear=False"):
        prepare_sums(replace(maps, linear=False))
    with pytest.raises(LogitsError, match=r"go down to -0\.5; expected at least 0"):
        uncertainty_maps(replace(maps, logits=maps.logits - maps.logits - 0.5))
    with pytest.raises(RawLogitsNeededError, match=r"'energy' needs raw logits.*class sums\. Use rba"):
        energy(maps)
    with pytest.raises(FeaturesNeededError, match="mask network"):
        gradient_maps(maps, p=0.5)


@pytest.mark.parametrize("size", [(24, 40), (7, 11)])
def test_segments_have_the_mean_probabilities_of_their_pixels(size):
    maps = mask_answer(6, 7, 12, 20, size, seed=3)
    maps.logits[:, 3:6, 4:9] = 0.0
    found, (p, none) = uncertainty_maps(maps), by_definition(maps)
    assert none.any()
    table = segment_table(found, maps, "metaseg")
    assert (table.ids[none.numpy()] == 0).all()
    for number in range(1, len(table) + 1):
        inside = torch.from_numpy(table.ids == number)
        for c in range(6):
            assert table.column(f"cprob_{c}")[number - 1] == pytest.approx(float(p[c][inside].mean()), abs=1e-6)
    unknown = ood_segment_table(found.entropy, 1.0, found, maps)  # unclaimed pixels are in these
    assert unknown.sizes.sum() == none.sum()
    assert unknown.column("cprob_2") == pytest.approx(1 / 6, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), passes=st.integers(1, 5), on_device=st.booleans())
def test_passes_of_a_mask_network_add_up(seed, passes, on_device):
    answers = [mask_answer(5, 6, 4, 7, (9, 23), seed + k) for k in range(passes)]
    rng = np.random.default_rng(seed)
    for answer in answers:
        answer.logits[:, : rng.integers(0, 3), : rng.integers(0, 4)] = 0.0
    if rng.random() < 0.3:
        answers[0].logits[1, 3, 6] = torch.nan
    sums = PassSums()
    if on_device:
        allocate = sums._allocate

        def elsewhere(q, size, device):
            allocate(q, size, torch.device("meta"))
            sums._sum, sums._entropy_sum = torch.zeros((q, *size)), torch.zeros(size)
            sums._vote_sum = torch.zeros((q, *size), dtype=torch.uint8)

        sums._allocate = elsewhere
    for answer in answers:
        sums.add(answer)
    got, want = sums.statistics(), reference_statistics(answers)
    for name in STATISTICS:
        assert (got[name] - want[name]).abs().max() <= 1e-5, name
    assert torch.equal(got["classes"], want["classes"])


def test_a_pixel_unclaimed_in_every_pass_is_no_class_for_certain():
    answer = mask_answer(5, 6, 4, 4, (4, 4))
    answer.logits[:, 1, 1] = 0.0
    sums = PassSums()
    for _ in range(3):
        sums.add(answer)
    got = sums.statistics()
    assert got["classes"][1, 1] == UNLABELLED
    assert got["entropy"][1, 1] == pytest.approx(1.0)
    assert got["vote_variation"][1, 1] == 1.0
    assert got["vote_variation"][2, 2] == 0.0


def test_a_temperature_scales_the_distribution_itself():
    maps = mask_answer(4, 6, 8, 9, (16, 27), seed=5)
    truth = torch.multinomial(class_probabilities(maps).reshape(4, -1).T.sqrt(), 1)[:, 0].reshape(16, 27).byte().numpy()
    sample = LogitSample(per_image=10_000)
    sample.add(maps, truth)
    found = sample.temperature()
    p = by_definition(maps)[0].reshape(4, -1).T.numpy()
    for t, want in ((1.0, found.nll_before), (found.value, found.nll_after)):
        scaled = p ** (1.0 / t)
        scaled /= scaled.sum(1, keepdims=True)
        assert -np.log(scaled[np.arange(len(p)), truth.ravel()]).mean() == pytest.approx(want, rel=1e-5)
    assert found.value > 1.2  # truth was drawn from flatter probabilities
    assert nll(np.log(p), truth.ravel()) == pytest.approx(found.nll_before, rel=1e-5)


def test_a_grid_smaller_than_the_image_samples_the_sums():
    from trust_seg_ros.grid import parsed_grid

    maps = mask_answer(4, 6, 30, 40, (120, 160))
    small = on_grid(maps, parsed_grid("20x15"))
    assert small.size == (15, 20)
    p = by_definition(small)[0]
    entropy = -torch.special.xlogy(p, p).sum(0) / math.log(4)
    assert (uncertainty_maps(small).entropy - entropy).abs().max() < 1e-6


def test_log_probabilities_of_the_sums_would_give_other_maps():
    """Why ``linear`` exists: the logarithm does not commute with the interpolation."""
    maps = mask_answer(4, 6, 6, 8, (24, 32))
    logs = LogitMaps((maps.logits / maps.logits.sum(0)).log(), maps.size, raw=False)
    assert (uncertainty_maps(maps).entropy - uncertainty_maps(logs).entropy).abs().max() > 0.05
