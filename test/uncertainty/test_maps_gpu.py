"""The kernel of all maps, in Triton's interpreter, against the definition and the CPU's kernels."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreted import needs_triton
from map_cases import assert_equal, cases, random_logits

from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty import LogitsError, scores
from trust_seg_ros.uncertainty import maps as chosen
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.kernels import grid_taps
from trust_seg_ros.uncertainty.logits import prepare, upsample
from trust_seg_ros.uncertainty.reference import reference_maps

pytestmark = needs_triton
small = cases(classes=st.integers(2, 7), grid=(4, 9), most=(9, 30), factor=4)
FIELDS = ("classes", "entropy", "margin", "variation_ratio", "log_sum", "faulty", "max_logit", "energy")


def device_maps(maps, **options):
    from trust_seg_ros.uncertainty import maps_gpu  # the kernel is defined with the interpreter's variable set

    return maps_gpu.device_maps(maps, **options)


def same_bits(got, want):
    return all(torch.equal(getattr(got, name), getattr(want, name)) for name in FIELDS)


def everything(maps):
    return device_maps(maps, max_logit=True, energy=True)


def assert_scores_equal(got, want):
    """Scores of raw logits, as near as float32 holds them."""
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(maps=small)
def test_all_maps_equal_their_definitions(maps):
    got = device_maps(maps, max_logit=maps.raw, energy=maps.raw)
    assert_equal(got.maps(), reference_maps(maps), maps)
    assert_equal(got.maps(), fast_maps(maps), maps)
    assert got.log_sum.isfinite().all()
    prepared, fine = prepare(maps), got.classes != UNLABELLED
    logits = upsample(prepared.values, prepared.size, prepared.placement)
    assert_scores_equal(got.log_sum[fine], logits.logsumexp(0)[fine])
    if maps.raw:
        assert_scores_equal(got.max_logit, scores.max_logit(maps))
        assert_scores_equal(got.energy, scores.energy(maps))
    else:
        assert got.max_logit is None
        assert got.energy is None


@settings(max_examples=8, deadline=None)
@given(maps=small)
def test_probabilities_from_the_sum_of_logits_add_up_to_one(maps):
    from probability_kernel import total_probability

    got = device_maps(maps)
    fine = got.classes != UNLABELLED
    total = total_probability(maps, got.log_sum)[fine]
    deviation = (total - 1.0).abs() - 2e-7 * got.log_sum[fine].abs()  # what float32 holds of a large sum
    assert not (deviation > 1e-5).any()


@pytest.mark.parametrize(
    ("grid", "size"),
    [
        ((1, 1), (1, 1)),
        ((1, 1), (5, 7)),
        ((3, 40), (12, 320)),
        ((2, 65), (6, 130)),
        ((6, 9), (6, 9)),
        ((9, 30), (4, 13)),
    ],
)
def test_maps_of_any_size_fill_blocks_and_groups(grid, size):
    maps = LogitMaps(random_logits(3, *grid, 1), size)
    assert_equal(device_maps(maps).maps(), reference_maps(maps), maps)


@pytest.mark.parametrize("block", [16, 512])
def test_the_width_of_a_program_changes_no_bit(block):
    maps = LogitMaps(random_logits(4, 3, 10, 2), (10, 40))
    got, want = (device_maps(maps, max_logit=True, energy=True, block=width) for width in (block, 128))
    assert same_bits(got, want)


@pytest.mark.parametrize("q", [2, 254])
def test_the_fewest_and_the_most_classes(q):
    maps = LogitMaps(random_logits(q, 1, 5, 3), (2, 11))
    assert_equal(device_maps(maps).maps(), reference_maps(maps), maps)
    uniform = device_maps(LogitMaps(torch.zeros(q, 1, 1), (1, 2))).maps()
    assert uniform.entropy.min() == pytest.approx(1.0, abs=1e-6)
    assert (uniform.classes == 0).all()


@pytest.mark.parametrize("equal", [(0, 1), (1, 3), (2, 5), (5, 6)])
def test_the_lowest_of_tied_classes_wins(equal):
    logits = torch.full((7, 2, 3), -2.0)
    logits[list(equal)] = 1.5
    got = device_maps(LogitMaps(logits, (4, 6)))
    assert (got.classes == equal[0]).all()
    torch.testing.assert_close(got.margin, torch.ones(4, 6), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_give_the_same_bits_as_their_copy(dtype):
    logits = random_logits(5, 3, 4, 4).to(dtype)
    logits[2, 1, 1] = torch.inf
    assert same_bits(everything(LogitMaps(logits, (9, 16))), everything(LogitMaps(logits.float(), (9, 16))))


@pytest.mark.parametrize(
    "view",
    [
        lambda base: base.permute(1, 2, 0).contiguous().permute(2, 0, 1),  # channels last
        lambda base: base.mT.contiguous().mT,
        lambda base: base.repeat(2, 2, 3)[1::2, 1:4, 2::3],
        lambda base: base[:, :1, :1].expand(-1, 3, 4),
        lambda base: base.clone().requires_grad_(),
    ],
)
def test_any_strides_give_the_same_bits_as_a_copy_and_stay_untouched(view):
    strided = view(random_logits(6, 3, 4, 5))
    copy = strided.detach().clone(memory_format=torch.contiguous_format)
    got = everything(LogitMaps(strided, (7, 16)))
    assert same_bits(got, everything(LogitMaps(copy, (7, 16))))
    assert torch.equal(strided, copy)
    assert not got.entropy.requires_grad


def with_weight(taps, i):
    first, second, weight = (part[i] for part in taps)
    return {int(first)} - ({int(first)} if weight == 1 else set()) | ({int(second)} if weight else set())


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("size", "where"),
    [((6, 12), None), ((3, 4), None), ((9, 4), None), ((5, 10), Where(corners=True)), ((2, 2), None)],
)
def test_exactly_the_pixels_with_a_weighted_bad_neighbour_are_faulty(size, where, value, raw):
    placement = where and where.placement((3, 4), size)
    rows, columns = grid_taps((3, 4), size, placement)
    for place in ((0, 0), (1, 2), (2, 3)):
        logits = random_logits(2, 3, 4, 6)
        logits[(1, *place)] = value
        want = torch.tensor(
            [
                [place[0] in with_weight(rows, y) and place[1] in with_weight(columns, x) for x in range(size[1])]
                for y in range(size[0])
            ]
        )
        want &= torch.tensor(raw or value != -math.inf)  # an impossible class is no fault
        maps = LogitMaps(logits, size, raw=raw, placement=placement)
        got = device_maps(maps, max_logit=True, energy=True)
        assert torch.equal(got.classes == UNLABELLED, want)
        assert got.faulty.tolist() == [int(want.sum())]
        assert_equal(got.maps(), reference_maps(maps), maps)
        for score in (got.max_logit, got.energy):
            assert torch.equal(score == math.inf, want)


@pytest.mark.parametrize("column", [[-math.inf] * 3, [math.inf, -math.inf, -math.inf], [0.0, math.nan, -math.inf]])
@pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 3)])
def test_what_is_no_log_probability_is_a_fault(column, place):
    logits = torch.zeros(3, 4, 4)
    logits[(slice(None), *place)] = torch.tensor(column)
    for size in ((4, 4), (8, 12)):
        maps = LogitMaps(logits, size, raw=False)
        got, want = device_maps(maps).maps(), reference_maps(maps)
        assert 0 < got.faulty_pixels < size[0] * size[1]
        assert_equal(got, want, maps)


@pytest.mark.parametrize("huge", [1e37, 3.4e38, torch.finfo(torch.float32).max])
@pytest.mark.parametrize("order", itertools.permutations((1.0, -1.0, 0.0)))
def test_huge_finite_logits_are_no_fault(huge, order):
    logits = torch.tensor(order)[:, None, None].expand(3, 2, 2) * huge
    got = everything(LogitMaps(logits, (4, 5)))
    assert got.faulty.item() == 0
    assert (got.classes == order.index(1.0)).all()
    assert (got.entropy < 1e-30).all()
    assert (got.energy == got.max_logit).all()
    assert (got.max_logit == -min(huge, 2.0**126)).all()


def test_two_runs_give_the_same_bits():
    logits = random_logits(5, 4, 6, 7)
    logits[3, 2, 2] = math.nan
    maps = LogitMaps(logits, (16, 25))
    assert same_bits(everything(maps), everything(maps))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_callers_get_the_kernels_where_they_can_run(monkeypatch, temperature):
    logits = random_logits(4, 3, 5, 8)
    logits[0, 1, 1] = math.inf
    maps = LogitMaps(logits, (9, 10))
    want = fast_maps(maps), scores.max_logit(maps), scores.energy(maps, temperature=temperature)
    asked = []
    for module in (chosen, scores):
        monkeypatch.setattr(module, "kernels_for", lambda device: not asked.append(device))
    assert_equal(chosen.uncertainty_maps(maps), want[0], maps)
    assert_scores_equal(scores.max_logit(maps), want[1])
    assert_scores_equal(scores.energy(maps, temperature=temperature), want[2])
    assert len(asked) == 3


@pytest.mark.filterwarnings("ignore:overflow encountered")  # NumPy of the interpreter; the logits are limited after it
@pytest.mark.parametrize("temperature", [1e-300, 1e-40, 1e40, 1e300])
def test_an_energy_of_any_temperature_is_a_number(temperature):
    from trust_seg_ros.uncertainty.maps_gpu import device_score

    got = device_score(LogitMaps(random_logits(3, 2, 2, 9), (4, 4)), energy=True, temperature=temperature)
    assert not got.isnan().any()


def test_class_sums_are_for_torch(monkeypatch):
    sums = LogitMaps(torch.rand(3, 2, 2), (4, 4), raw=False, linear=True)
    with pytest.raises(LogitsError, match="linear=True"):
        device_maps(sums)
    monkeypatch.setattr(chosen, "kernels_for", lambda device: True)
    assert torch.equal(chosen.uncertainty_maps(sums).entropy, fast_maps(sums).entropy)


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((3, 2, 2), (46341, 46341), "2147488281 pixels"),
        ((3, 60000, 60000), (60000, 60000), "3600000000 pixels"),
        ((1, 2, 2), (4, 4), "1 classes"),
        ((3, 0, 2), (4, 4), "no empty side"),
        ((3, 2, 2), (0, 4), "output size"),
    ],
)
def test_what_the_kernel_cannot_count_is_refused_before_anything_is_allocated(shape, size, message):
    with pytest.raises(LogitsError, match=message):
        device_maps(LogitMaps(torch.zeros(1).expand(shape), size))
