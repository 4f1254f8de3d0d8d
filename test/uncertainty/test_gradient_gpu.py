"""The Triton version of the gradient scores in the interpreter, against the definition and beside torch."""

import math
from dataclasses import replace

from interpreted import needs_triton  # isort: skip  # before kernels are defined
import pytest
import torch
from gradient_cases import answer, answers, assert_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.types import Classifier
from trust_seg_ros.uncertainty import FeaturesNeededError, GradientSettings, LogitsError
from trust_seg_ros.uncertainty.gradient_inputs import LABELS
from trust_seg_ros.uncertainty.gradient_reference import reference_gradients
from trust_seg_ros.uncertainty.gradient_torch import torch_gradients

pytestmark = [needs_triton, pytest.mark.filterwarnings("ignore::RuntimeWarning")]  # NumPy's, of log2(0)
NORMS = [0.1, 0.3, 0.5, 1.0, 2.0]
VARIANTS = ["exact", "published"]


def on_device(maps, chosen, labels=LABELS):
    from trust_seg_ros.uncertainty.gradient_gpu import device_gradients

    return device_gradients(maps, chosen, labels)


@settings(max_examples=25, deadline=None)
@given(
    case=answers(most=(3, 30), largest=(9, 70)),
    p=st.one_of(st.sampled_from(NORMS), st.floats(0.1, 4.0)),
    variant=st.sampled_from(VARIANTS),
    scale=st.sampled_from(["norm", "log"]),
)
def test_random_answers_give_the_reference_scores_on_the_device(case, p, variant, scale):
    maps, chosen = answer(**case), GradientSettings(p, variant, scale)
    assert_equal(on_device(maps, chosen), reference_gradients(maps, chosen), chosen, maps)


@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("p", NORMS)
def test_published_norms_equal_reference_and_torch(p, variant, side):
    maps = answer(19, 70, 3, 9, (6, 21), side=side, bias=True, last=side == 3)
    for scale in ("norm", "log"):
        chosen = GradientSettings(p, variant, scale)
        got = on_device(maps, chosen)
        assert_equal(got, reference_gradients(maps, chosen), chosen, maps)
        if scale == "norm":
            assert_equal(got, torch_gradients(maps, chosen), chosen, maps)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_types_and_strides_are_read_where_they_lie(dtype):
    base = answer(8, 12, 6, 10, (7, 11), side=3)
    maps = replace(
        base,
        logits=base.logits.to(dtype)[::2, ::2, ::2],
        features=base.features.to(dtype)[1::3, ::2, ::2],
        classifier=Classifier(torch.zeros(4, 4, 3, 3)),
    )
    chosen = GradientSettings(0.3)
    got = on_device(maps, chosen)
    assert got.onehot.dtype == got.uniform.dtype == torch.float32
    assert_equal(got, reference_gradients(maps, chosen), chosen, maps)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("size", "p"), [((5, 6), 0.5), ((10, 12), 0.3), ((3, 4), 2.0)])
def test_faults_are_those_of_the_reference_and_the_rest_is_as_without_them(value, size, p):
    clean = answer(5, 40, 5, 6, size, side=3)
    maps = replace(clean, logits=clean.logits.clone(), features=clean.features.clone())
    maps.features[37, 1, 1], maps.logits[2, 4, 5] = value, value
    chosen = GradientSettings(p, scale="log")
    got, want, without = on_device(maps, chosen), reference_gradients(maps, chosen), on_device(clean, chosen)
    assert got.faulty_pixels == want.faulty_pixels > 0
    for label in LABELS:
        faulty = getattr(got, label) == math.inf
        assert torch.equal(faulty, getattr(want, label) == math.inf)
        assert torch.equal(getattr(got, label)[~faulty], getattr(without, label)[~faulty])


def test_log_probabilities_may_be_impossible_but_not_all_of_them():
    maps = answer(6, 9, 2, 6, (4, 12))
    logs = maps.logits.log_softmax(0)
    logs[3, 0, 1], logs[:, 1, 4] = -math.inf, -math.inf
    maps, chosen = replace(maps, logits=logs, raw=False), GradientSettings(0.5)
    got, want = on_device(maps, chosen), reference_gradients(maps, chosen)
    assert got.faulty_pixels == want.faulty_pixels > 0
    for label in LABELS:  # assert_close takes +inf for equal to +inf
        torch.testing.assert_close(getattr(got, label), getattr(want, label), atol=0.0, rtol=2e-5)


@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("p", NORMS)
def test_pixels_of_any_magnitude_are_each_right(p, side):
    maps = answer(5, 20, 3, 4, (3, 4), side=side)
    scales = torch.tensor([1e-30, 1.0, 1e-15, 1e18, 1e30, 1e-3, 1e8, 0.0, 1e-8, 1e3, 1e37, 1e20]).reshape(3, 4)
    maps, chosen = replace(maps, features=maps.features * scales), GradientSettings(p, scale="log")
    got, want = on_device(maps, chosen), reference_gradients(maps, chosen)
    torch.testing.assert_close(got.onehot, want.onehot, atol=5e-5, rtol=1e-6)
    torch.testing.assert_close(got.uniform, want.uniform, atol=5e-4, rtol=1e-6)


@pytest.mark.parametrize("gap", [30.0, 200.0, 3e38])
def test_very_confident_pixels_keep_their_order_on_the_device(gap):
    maps = answer(4, 3, 1, 2, (1, 2))
    logits = torch.tensor([[gap, gap / 2], [0.0, 0.0], [-1.0, -1.0], [-1.0, -gap]])[:, None]
    maps = replace(maps, logits=logits, features=torch.ones(3, 1, 2))
    for p in NORMS:
        for variant in VARIANTS:
            chosen = GradientSettings(p, variant, "log")
            got, want = on_device(maps, chosen), reference_gradients(maps, chosen)
            torch.testing.assert_close(got.onehot, want.onehot, atol=2e-5, rtol=2e-6)
            torch.testing.assert_close(got.uniform, want.uniform, atol=2e-5, rtol=2e-6)


def test_dead_features_leave_the_bias_or_nothing():
    dead = answer(4, 6, 2, 3, (4, 6))
    dead = replace(dead, features=torch.zeros_like(dead.features))
    alive = replace(dead, classifier=Classifier(dead.classifier.weight, torch.zeros(4)))
    for scale in ("norm", "log"):
        for maps in (dead, alive):
            chosen = GradientSettings(0.5, scale=scale)
            assert_equal(on_device(maps, chosen), reference_gradients(maps, chosen), chosen, maps)


def test_a_norm_beyond_float32_is_limited_on_the_device():
    maps = answer(19, 200, 2, 5, (4, 10), side=5)
    got = on_device(maps, GradientSettings(0.1))
    assert got.limited
    assert (got.onehot == torch.finfo(torch.float32).max).any()
    assert torch.isfinite(got.uniform).all()
    logs, want = (version(maps, GradientSettings(0.1, scale="log")) for version in (on_device, reference_gradients))
    assert not logs.limited
    torch.testing.assert_close(logs.onehot, want.onehot, atol=2e-5, rtol=1e-6)
    assert not on_device(maps, GradientSettings(0.5)).limited


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_one_score_alone_is_that_of_both(label, variant):
    maps, chosen = answer(5, 6, 2, 4, (3, 7)), GradientSettings(0.5, variant)
    alone, both = on_device(maps, chosen, (label,)), on_device(maps, chosen)
    assert torch.equal(getattr(alone, label), getattr(both, label))
    assert [getattr(alone, other) for other in LABELS if other != label] == [None]


def test_what_the_kernels_cannot_read_is_refused():
    maps = answer(3, 4, 4, 4, (8, 8))
    with pytest.raises(FeaturesNeededError, match="gives no features"):
        on_device(replace(maps, features=None), GradientSettings())
    with pytest.raises(LogitsError, match="70000"):
        on_device(replace(maps, size=(70_000, 70_000)), GradientSettings())
