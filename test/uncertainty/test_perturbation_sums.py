import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.errors import LogitsError, SettingError
from trust_seg_ros.uncertainty.logits import upsample
from trust_seg_ros.uncertainty.perturbation_reference import reference_statistics
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS
from trust_seg_ros.uncertainty.perturbation_sums import PassSums


def drawn(generator, passes, q, sizes, size, scale):
    made = []
    for k in range(passes):
        grid = sizes[k % len(sizes)]
        logits = torch.from_numpy(generator.normal(0, scale, (q, *grid)).astype(np.float32))
        made.append(LogitMaps(logits, size, placement=Where(corners=k % 2 == 1).placement(grid, size)))
    return made


def summed(passes, statistics=STATISTICS, **options):
    sums = PassSums(statistics, **options)
    for maps in passes:
        sums.add(maps)
    return sums.statistics()


def assert_equal(found, expected):
    for name in STATISTICS:
        assert found[name].dtype == torch.float32
        assert float((found[name].double() - expected[name]).abs().max()) < 1e-5, name
    assert torch.equal(found["classes"], expected["classes"])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    passes=st.integers(1, 6),
    q=st.integers(2, 21),
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 11)), min_size=1, max_size=2),
    size=st.tuples(st.integers(1, 33), st.integers(1, 40)),
    scale=st.sampled_from([0.1, 3.0, 40.0]),
)
def test_sums_equal_the_definition(seed, passes, q, sizes, size, scale):
    answers = drawn(np.random.default_rng(seed), passes, q, sizes, size, scale)
    found, expected = summed(answers), reference_statistics(answers)
    for name in STATISTICS[:2]:
        assert float((found[name] - expected[name]).abs().max()) < 1e-5
    logits = torch.stack([upsample(maps.logits, size, maps.placement) for maps in answers]).double()
    top = logits.topk(2, 1).values
    clear = ((top[:, 0] - top[:, 1]) > 1e-4).all(0)  # equal logits may be rounded apart
    assert torch.allclose(found["vote_variation"][clear].double(), expected["vote_variation"][clear], atol=1e-6)
    mean = logits.softmax(1).mean(0)  # passes that are certain of different classes make a tie, too
    chosen = mean.gather(0, found["classes"].long()[None])[0]
    assert float((mean.amax(0) - chosen).max()) < 1e-6


def test_the_torch_way_equals_the_definition():
    answers = drawn(np.random.default_rng(1), 4, 7, [(9, 11), (6, 8)], (33, 40), 3.0)
    sums = PassSums()
    sums._allocate(7, (33, 40), torch.device("meta"))
    sums._sum, sums._entropy_sum = torch.zeros(7, 33, 40), torch.zeros(33, 40)
    sums._vote_sum = torch.zeros(7, 33, 40, dtype=torch.uint8)
    sums.passes = 1  # the sums above are those of no pass
    for maps in answers:
        sums.add(maps)
    sums.passes = 4
    assert_equal(sums.statistics(), reference_statistics(answers))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_sums_on_a_gpu_equal_the_definition():
    answers = drawn(np.random.default_rng(1), 4, 7, [(9, 11), (6, 8)], (133, 140), 3.0)
    found = summed([replace(maps, logits=maps.logits.cuda()) for maps in answers])
    assert found["entropy"].is_cuda
    assert_equal({name: values.cpu() for name, values in found.items()}, reference_statistics(answers))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_tiles_change_nothing(threads):
    answers = drawn(np.random.default_rng(2), 3, 19, [(16, 64)], (64, 1024), 3.0)  # more than one tile
    assert_equal(summed(answers, threads=threads), reference_statistics(answers))


def test_by_hand():
    """Two classes, two passes that are certain: of one class in the first pixel, of both in the second."""
    first = torch.tensor([[[20.0, 20.0]], [[-20.0, -20.0]]])
    second = torch.tensor([[[20.0, -20.0]], [[-20.0, 20.0]]])
    found = summed([LogitMaps(first, (1, 2)), LogitMaps(second, (1, 2))])
    for name, expected in (("entropy", [0, 1]), ("mutual_information", [0, 1]), ("vote_variation", [0, 0.5])):
        assert found[name].flatten().tolist() == pytest.approx(expected, abs=1e-6)
    assert found["classes"].tolist() == [[0, 0]]


def test_passes_that_agree_in_doubt_have_no_mutual_information():
    even = LogitMaps(torch.zeros(11, 4, 5), (8, 10))
    found = summed([even] * 5)
    assert float(found["entropy"].min()) == pytest.approx(1.0, abs=1e-6)
    assert float(found["mutual_information"].max()) < 1e-6
    assert float(found["vote_variation"].max()) == 0.0


def test_limits():
    """q passes, each certain of another class: all that can be disagreed about."""
    q = 5
    passes = [LogitMaps(100.0 * torch.nn.functional.one_hot(torch.tensor([[k]]), q).permute(2, 0, 1).float(), (3, 3))
              for k in range(q)]  # fmt: skip
    found = summed(passes)
    assert float(found["mutual_information"].min()) == pytest.approx(1.0, abs=1e-5)
    assert float(found["vote_variation"].min()) == pytest.approx(1 - 1 / q)
    two = summed(passes[:2])
    assert float(two["mutual_information"].max()) == pytest.approx(math.log(2) / math.log(q), abs=1e-5)


@pytest.mark.parametrize("wanted", [("entropy",), ("mutual_information",), ("vote_variation",), STATISTICS[1:]])
def test_statistics_do_not_depend_on_which_are_wanted(wanted):
    answers = drawn(np.random.default_rng(4), 3, 6, [(5, 5)], (17, 19), 2.0)
    found, every = summed(answers, wanted), summed(answers)
    assert set(found) == {"classes", *wanted}
    assert all(torch.equal(found[name], every[name]) for name in found)


def test_a_pixel_faulty_in_one_pass_is_faulty():
    answers = drawn(np.random.default_rng(5), 3, 4, [(6, 6)], (6, 6), 2.0)
    answers[1].logits[2, 1, 3] = torch.nan
    answers[2].logits[0, 4, 4] = torch.inf
    sums = PassSums()
    for maps in answers:
        sums.add(maps)
    found, expected = sums.statistics(), reference_statistics(answers)
    assert sums.faulty_pixels == 2
    assert_equal(found, expected)
    assert found["classes"][1, 3] == found["classes"][4, 4] == 255
    assert all(float(found[name][1, 3]) == float(found[name][4, 4]) == 1.0 for name in STATISTICS)


def test_the_most_passes_are_counted():
    maps = LogitMaps(torch.tensor([[[1.0]], [[0.0]]]), (2, 2))
    sums = PassSums()
    for _ in range(255):
        sums.add(maps)
    assert float(sums.statistics()["vote_variation"].max()) == 0.0
    with pytest.raises(SettingError, match="255"):
        sums.add(maps)


def test_what_cannot_be_added_up():
    with pytest.raises(SettingError, match="no pass"):
        PassSums().statistics()
    with pytest.raises(SettingError, match="choose of: entropy"):
        PassSums(("variance",))
    sums = PassSums()
    sums.add(LogitMaps(torch.zeros(3, 4, 4), (8, 8)))
    with pytest.raises(LogitsError, match="expected the same image"):
        sums.add(LogitMaps(torch.zeros(3, 4, 4), (8, 9)))
    with pytest.raises(LogitsError, match="expected the same image"):
        sums.add(LogitMaps(torch.zeros(4, 4, 4), (8, 8)))
