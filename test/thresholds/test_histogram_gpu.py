"""Per-image thresholds by Triton kernels in the interpreter, against the definition; tensors handed to policies."""

import math

from interpreted import needs_triton  # isort: skip  # before kernels are defined
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from score_cases import QUANTILES, TINY, maps

from trust_seg_ros.thresholds import policy_fast, policy_reference, warm
from trust_seg_ros.thresholds.engine import ThresholdEngine
from trust_seg_ros.thresholds.frame_statistics import frame_mean
from trust_seg_ros.thresholds.policies import PolicyError, PolicySettings, resolution, resolve
from trust_seg_ros.thresholds.policies.mean_std import MeanStd
from trust_seg_ros.thresholds.policies.otsu import Otsu
from trust_seg_ros.thresholds.policies.quantile import Quantile

pytestmark = [needs_triton, pytest.mark.filterwarnings("ignore::RuntimeWarning")]  # NumPy's, of scores such as 1e38
SIZES = (4095, 4096, 4097, 9000)
POLICIES = [Quantile(0.93), Otsu(), MeanStd(1.5)]


@settings(max_examples=60, deadline=None)
@given(score=maps(SIZES), q=QUANTILES)
def test_the_quantile_of_the_device_is_that_of_the_definition(score, q):
    assert Quantile(q).of_device(torch.from_numpy(score), None) == policy_reference.quantile_threshold(score, q)


@settings(max_examples=60, deadline=None)
@given(score=maps(SIZES))
def test_the_otsu_threshold_of_the_device_is_that_of_the_definition(score):
    assert Otsu().of_device(torch.from_numpy(score), None) == policy_reference.otsu_threshold(score)


@settings(max_examples=60, deadline=None)
@given(score=maps(SIZES), k=st.floats(0, 5))
def test_mean_and_deviation_of_the_device_are_those_of_the_definition(score, k):
    got, want = MeanStd(k).of_device(torch.from_numpy(score), None), policy_reference.mean_std_threshold(score, k)
    finite = score[np.isfinite(score)]
    largest = float(np.abs(finite).max()) if finite.size else 1.0
    assert got == want or abs(got - want) <= 1.3e-7 * (1 + k) * largest + float(TINY)


def test_mean_and_deviation_far_from_zero_keep_their_digits():
    score = (1e3 + np.random.default_rng(3).standard_normal(20_000) * 1e-2).astype(np.float32)
    for sign in (np.float32(1), np.float32(-1)):
        got, want = (
            f - sign * 1e3
            for f in (
                MeanStd(100.0).of_device(torch.from_numpy(sign * score), None),
                policy_fast.mean_std_threshold(sign * score, 100.0),
            )
        )
        assert got == pytest.approx(want, abs=1e-4)  # a step of float32 at 1,000 is 6e-5


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_bins_with_many_equal_values_are_counted_whole(policy):
    score = np.zeros(30_000, np.float32)
    score[:2_000] = np.linspace(0.1, 1.0, 2_000, dtype=np.float32)
    assert policy.of_device(torch.from_numpy(score), None) == pytest.approx(policy.of_image(score, None), rel=1e-6)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("value", [0.0, -0.0, 0.25, -3e38, float(np.finfo(np.float32).max), math.nan, math.inf])
def test_an_image_without_contrast_or_without_scores(policy, value):
    for shape in ((7, 9), (1, 1), (0, 4)):
        score = torch.full(shape, value)
        assert policy.of_device(score, None) == policy.of_image(score.numpy(), None)


@pytest.fixture
def counted(monkeypatch):
    """Devices that kernels were asked for: there are some for tensors on the CPU, interpreted; they run unchanged."""
    asked = []
    monkeypatch.setattr(resolution, "kernels_for", lambda device: asked.append(device) or True)
    return asked


def test_the_warm_up_runs_the_kernels_of_every_policy_of_the_image(counted):
    warm.warm_up(torch.device("cpu"))
    assert counted == [torch.device("cpu")] * len(POLICIES)


def image(seed=0):
    rng = np.random.default_rng(seed)
    score, classes = rng.random((60, 80), np.float32), rng.integers(0, 19, (60, 80), dtype=np.uint8)
    score[:20], classes[:20] = 1.0, 255
    score[30, :5] = [np.nan, np.inf, -np.inf, 0.0, 1.0]
    return score, classes


@pytest.mark.parametrize("policy", ["quantile", "otsu", "mean_std"])
@pytest.mark.parametrize("kernels", [True, False])
def test_an_engine_takes_tensors_and_leaves_out_pixels_without_a_class(policy, kernels, request):
    if kernels:
        request.getfixturevalue("counted")
    there, here = (ThresholdEngine(PolicySettings(policy, smoothing_s=1.0)) for _ in range(2))
    for stamp in (5.0, 5.5):
        score, classes = image(int(stamp * 2))
        tensors = torch.from_numpy(score), torch.from_numpy(classes)
        got = there.update(tensors[0], stamp, classes=tensors[1]).value
        assert got == pytest.approx(here.update(score, stamp, classes=classes).value, rel=1e-6)
    assert got != pytest.approx(here.update(score, 50.0).value, rel=1e-3)  # classes do make a difference


def test_strided_tensors_and_other_types_give_the_same_threshold(counted):
    score, classes = image()
    turned = torch.from_numpy(score.T.copy()).T
    want = resolve(Quantile(0.9), score, classes=classes)
    assert resolve(Quantile(0.9), turned, classes=torch.from_numpy(classes.T.copy()).T) == want
    assert resolve(Quantile(0.9), torch.from_numpy(score), classes=classes) == want
    double = torch.from_numpy(score.astype(np.float64))
    assert resolve(Quantile(0.9), double) == resolve(Quantile(0.9), double.numpy())


@pytest.mark.parametrize("kernels", [True, False])
def test_classes_of_another_image_are_refused_as_tensors_too(kernels, request):
    if kernels:
        request.getfixturevalue("counted")
    score = torch.rand(4, 6)
    for classes in (torch.zeros(6, 4, dtype=torch.uint8), torch.zeros(4, 6, dtype=torch.int32)):
        with pytest.raises(PolicyError, match=r"expected \(4, 6\) uint8"):
            resolve(Otsu(), score, classes=classes)


def test_the_mean_of_a_frame_is_that_of_its_array():
    score, _ = image()
    assert frame_mean(torch.from_numpy(score)) == pytest.approx(frame_mean(score), rel=1e-14)
    assert math.isnan(frame_mean(torch.full((3, 3), math.nan)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_thresholds_of_maps_on_a_gpu_are_those_of_the_host_every_time(policy):
    score, classes = np.random.default_rng(1).random((1000, 1900), np.float32) ** 5, np.zeros((1000, 1900), np.uint8)
    classes[:50] = 255
    there = torch.from_numpy(score).cuda(), torch.from_numpy(classes).cuda()
    got = {resolve(policy, there[0], classes=there[1]) for _ in range(5)}
    assert len(got) == 1
    assert got.pop() == pytest.approx(resolve(policy, score, classes=classes), rel=1e-6)
