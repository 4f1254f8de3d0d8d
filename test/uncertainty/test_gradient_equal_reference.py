"""Every version of the gradient scores against the definition, on random inputs."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from gradient_cases import answer, answers, assert_equal, limits
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segmentation import load_network
from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty import GradientSettings, gradient_maps
from trust_seg_ros.uncertainty import gradient_kernels as kernels
from trust_seg_ros.uncertainty.gradient_fast import box_sum, fast_gradients
from trust_seg_ros.uncertainty.gradient_inputs import LABELS
from trust_seg_ros.uncertainty.gradient_reference import reference_gradients
from trust_seg_ros.uncertainty.gradient_torch import torch_gradients

VERSIONS = [fast_gradients, torch_gradients]
NORMS = [0.1, 0.3, 0.5, 1.0, 2.0]
VARIANTS = ["exact", "published"]


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=120, deadline=None)
@given(
    case=answers(),
    p=st.one_of(st.sampled_from(NORMS), st.floats(0.1, 4.0)),
    variant=st.sampled_from(VARIANTS),
    scale=st.sampled_from(["norm", "log"]),
)
def test_random_answers_give_the_reference_scores(version, case, p, variant, scale):
    maps, chosen = answer(**case), GradientSettings(p, variant, scale)
    assert_equal(version(maps, chosen), reference_gradients(maps, chosen), chosen, maps)


@settings(max_examples=60, deadline=None)
@given(case=answers(), p=st.sampled_from([1e-3, 0.05, 4.5, 7.0, 30.0, 300.0]), variant=st.sampled_from(VARIANTS))
def test_any_other_p_gives_the_reference_scores(case, p, variant):
    maps, chosen = answer(**case), GradientSettings(p, variant, "log")
    got, want = gradient_maps(maps, p=p, variant=variant, scale="log"), reference_gradients(maps, chosen)
    for label in LABELS:  # at p = 1e-3 a rounding of 1e-16 of the sum is one of 1e-13 of the norm, 1e-7 of float32 1e-4
        torch.testing.assert_close(getattr(got, label), getattr(want, label), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("h", "w", "size"), [(97, 301, (333, 1199)), (64, 128, (256, 512))])
def test_every_block_and_band_of_a_large_image_gives_the_reference_scores(h, w, size, last):
    maps = answer(5, 33, h, w, size, side=3, dilation=2, bias=True, last=last, rectified=True)
    for p in (0.3, 0.5):
        chosen = GradientSettings(p)
        assert_equal(fast_gradients(maps, chosen, threads=2), reference_gradients(maps, chosen), chosen, maps)


@settings(max_examples=150, deadline=None)
@given(
    q=st.integers(2, 30),
    n=st.integers(1, 700),
    seed=st.integers(0, 2**31),
    spread=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 10.0, 100.0]),
    p=st.one_of(st.sampled_from(NORMS), st.floats(0.1, 4.0)),
)
def test_uniform_factor_is_as_exact_as_the_softmax_allows(q, n, seed, spread, p):
    logits = (np.random.default_rng(seed).normal(size=(q, n)) * spread).astype(np.float32)
    logits[:, 0] = logits[0, 0]  # a uniform softmax
    onehot, uniform = np.empty((2, n))
    kernels.LABEL_NORMS[kernels.mode_of(p)](logits, 0, n, np.float32(p), False, (True, True), onehot, uniform)
    least, most = limits(logits, p)
    assert np.isneginf(uniform[0])
    assert (uniform[1:] >= least[1:] - 1e-5 - 1e-6 * np.abs(least[1:])).all()
    assert (uniform[1:] <= most[1:] + 1e-5 + 1e-6 * np.abs(most[1:])).all()


@pytest.mark.parametrize("p", [0.1, 0.3, 0.75, 1.5, 3.0, 4.0])
def test_powers_are_accurate_over_the_range_of_float32(p):
    values = np.exp(np.linspace(-87.0, 88.0, 20_001)).astype(np.float32)
    expected = p * np.log(values.astype(np.float64))
    fine = np.abs(expected) < 86.0
    sums = np.empty(values.size)
    kernels.SUMS_BY_CHANNEL[kernels.ANY](-values[None], 0, values.size, np.float32(p), sums)
    error = np.abs(sums / np.exp(expected) - 1.0)[fine]
    assert (error <= 1e-6 + 2e-7 * np.abs(expected[fine])).all()


@settings(max_examples=60, deadline=None)
@given(h=st.integers(1, 9), w=st.integers(1, 9), side=st.sampled_from([1, 3, 5]), dilation=st.integers(1, 6))
def test_box_sum_equals_its_loops(h, w, side, dilation):
    plane = np.random.default_rng(h * w).random((h, w))
    reach = side // 2 * dilation
    offsets = range(-reach, reach + 1, dilation)
    want, found = np.zeros((h, w)), box_sum(plane, offsets)
    for y, x, dy, dx in itertools.product(range(h), range(w), offsets, offsets):
        if 0 <= y + dy < h and 0 <= x + dx < w:
            want[y, x] += plane[y + dy, x + dx]
    np.testing.assert_allclose(found, want, atol=1e-12)
    assert np.array_equal(box_sum(plane > 0.5, offsets), box_sum((plane > 0.5).astype(float), offsets) > 0)


@pytest.mark.parametrize("version", [*VERSIONS, reference_gradients])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("last", [False, True])
def test_every_floating_type_gives_float32_scores(version, dtype, last):
    maps = answer(6, 10, 5, 7, (20, 28), side=3, last=last)
    maps = replace(maps, logits=maps.logits.to(dtype), features=maps.features.to(dtype))
    chosen = GradientSettings(0.5)
    got = version(maps, chosen)
    assert got.onehot.dtype == got.uniform.dtype == torch.float32
    assert_equal(got, reference_gradients(maps, chosen), chosen, maps)


@pytest.mark.parametrize("version", VERSIONS)
def test_strided_answers_equal_their_copies_and_stay_untouched(version):
    base = answer(8, 12, 6, 10, (13, 11), side=3)
    strided = replace(base, logits=base.logits[::2, :, ::2], features=base.features[1::3, :, ::2])
    layer = Classifier(torch.zeros(4, 4, 3, 3))
    before = strided.logits.clone(), strided.features.clone()
    chosen = GradientSettings(0.3)
    got = version(replace(strided, classifier=layer), chosen)
    want = version(LogitMaps(before[0], (13, 11), features=before[1], classifier=layer), chosen)
    assert torch.equal(got.onehot, want.onehot)
    assert torch.equal(got.uniform, want.uniform)
    assert torch.equal(strided.logits, before[0])
    assert torch.equal(strided.features, before[1])


@pytest.mark.parametrize("version", [*VERSIONS, reference_gradients])
def test_tensors_that_require_grad_are_accepted(version):
    maps = answer(3, 5, 4, 4, (8, 8))
    maps.logits.requires_grad_(), maps.features.requires_grad_()
    assert not version(maps, GradientSettings()).onehot.requires_grad


@pytest.mark.parametrize("version", VERSIONS)
def test_log_probabilities_have_the_scores_of_their_logits(version):
    maps = answer(6, 9, 5, 6, (20, 24))
    chosen = GradientSettings(0.5)
    logs = replace(maps, logits=maps.logits.log_softmax(0), raw=False)
    assert_equal(version(logs, chosen), reference_gradients(maps, chosen), chosen, maps)


def test_many_callers_at_once_each_get_their_own_scores():
    cases = [answer(4, 6, 9, 8, (72, 64), seed=k) for k in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(gradient_maps, cases))
    for got, case in zip(found, cases, strict=True):
        assert_equal(got, reference_gradients(case, GradientSettings()), GradientSettings(), case)


@pytest.mark.parametrize("variant", VARIANTS)
def test_embedded_network_gives_what_gradient_scores_need(variant):
    network = load_network("embedded", device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    maps = network.infer(image)
    assert maps.features.shape[1:] == maps.logits.shape[1:]
    again = torch.nn.functional.conv2d(maps.features[None], maps.classifier.weight, maps.classifier.bias)[0]
    torch.testing.assert_close(again, maps.logits, atol=1e-3, rtol=1e-3)
    chosen = GradientSettings(0.5, variant)
    got = gradient_maps(maps, p=0.5, variant=variant)
    assert got.onehot.shape == (90, 120)
    assert_equal(got, reference_gradients(maps, chosen), chosen, maps)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("p", NORMS)
def test_scores_on_a_gpu_stay_there_and_equal_the_reference(p):
    maps = answer(19, 40, 32, 64, (128, 256), side=3, bias=True)
    layer = Classifier(maps.classifier.weight.cuda(), maps.classifier.bias.cuda())
    there = replace(maps, logits=maps.logits.cuda(), features=maps.features.cuda(), classifier=layer)
    chosen = GradientSettings(p)
    got = gradient_maps(there, p=p)
    assert got.onehot.device.type == "cuda"
    here = replace(got, onehot=got.onehot.cpu(), uniform=got.uniform.cpu())
    assert_equal(here, reference_gradients(maps, chosen), chosen, maps)
