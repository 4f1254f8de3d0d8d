"""Values that are not finite, extreme values, and what is refused."""

import itertools
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from gradient_cases import answer

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.types import Classifier
from trust_seg_ros.uncertainty import (
    FeaturesError,
    FeaturesNeededError,
    GradientSettings,
    LogitsError,
    SettingError,
    gradient_maps,
    gradient_onehot,
    gradient_uniform,
)
from trust_seg_ros.uncertainty.gradient_fast import fast_gradients
from trust_seg_ros.uncertainty.gradient_inputs import LABELS, LOG_LEAST
from trust_seg_ros.uncertainty.gradient_reference import reference_gradients
from trust_seg_ros.uncertainty.gradient_torch import torch_gradients

VERSIONS = [reference_gradients, fast_gradients, torch_gradients]
NORMS = [0.1, 0.3, 0.5, 1.0, 2.0]
MODES = [0.3, 0.5, 1.0, 2.0]


def neighbours(i, source, target):
    """Samples with a weight other than zero, in exact arithmetic (sizes are chosen so that float32 is exact)."""
    position = max((i + 0.5) * source / target - 0.5, 0.0)
    low = min(math.floor(position), source - 1)
    return {low} if position == low else {low, min(low + 1, source - 1)}


def faulty_by_definition(maps, side, dilation):
    """Pixels of the output that are interpolated from one whose logits or patch are not finite."""
    h, w = maps.logits.shape[1:]
    reach = side // 2
    bad = ~torch.isfinite(maps.logits).all(0)
    for y, x in itertools.product(range(h), range(w)):
        for dy, dx in itertools.product(range(-reach, reach + 1), repeat=2):
            row, column = y + dy * dilation, x + dx * dilation
            if 0 <= row < h and 0 <= column < w and not torch.isfinite(maps.features[:, row, column]).all():
                bad[y, x] = True
    out = torch.zeros(maps.size, dtype=torch.bool)
    for y, x in itertools.product(range(maps.size[0]), range(maps.size[1])):
        out[y, x] = any(bad[i, j] for i in neighbours(y, h, maps.size[0]) for j in neighbours(x, w, maps.size[1]))
    return out


def with_a_bad_value(value, side, dilation, last, size):
    maps = answer(5, 11, 8, 16, size, side=side, dilation=dilation, last=last)
    maps.features[7, 1, 3] = value
    maps.logits[2, 6, 12] = value
    return maps


@cache  # one for all versions and norms
def faulty_of(value, side, dilation, last, size):
    return faulty_by_definition(with_a_bad_value(value, side, dilation, last, size), side, dilation)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("side", "dilation"), [(1, 1), (3, 1), (3, 2)])
@pytest.mark.parametrize("last", [False, True])
def test_exactly_the_pixels_that_a_bad_value_reaches_are_faulty(version, value, side, dilation, last):
    for size, p in itertools.product([(8, 16), (16, 32), (4, 8)], MODES):
        maps = with_a_bad_value(value, side, dilation, last, size)
        want = faulty_of(value, side, dilation, last, size)
        got = version(maps, GradientSettings(p))
        assert got.faulty_pixels == int(want.sum()) > 0
        for label in LABELS:
            assert torch.equal(getattr(got, label) == math.inf, want)
            assert torch.isfinite(getattr(got, label)[~want]).all()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", ["exact", "published"])
@pytest.mark.parametrize("scale", ["norm", "log"])
def test_pixels_beside_a_fault_are_as_without_it(version, variant, scale):
    maps = answer(5, 11, 6, 6, (24, 24), side=3)
    for p in MODES:
        clean = version(maps, GradientSettings(p, variant, scale))
        features = maps.features.clone()
        features[3, 2, 2], features[4, 2, 2] = math.inf, math.nan
        got = version(replace(maps, features=features), GradientSettings(p, variant, scale))
        assert 0 < got.faulty_pixels < 24 * 24
        for label in LABELS:
            fine = getattr(got, label) != math.inf
            torch.testing.assert_close(getattr(got, label)[fine], getattr(clean, label)[fine], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scale", ["norm", "log"])
def test_nothing_finite_gives_a_whole_image_of_faults(version, scale):
    maps = answer(3, 4, 4, 4, (8, 8))
    got = version(replace(maps, features=torch.full_like(maps.features, math.nan)), GradientSettings(0.5, scale=scale))
    assert got.faulty_pixels == 64
    assert (got.onehot == math.inf).all()
    assert (got.uniform == math.inf).all()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("magnitude", [1e-34, 1e-25, 1e-12, 1e12, 1e25, 1e37])
def test_any_magnitude_of_features_only_scales_the_norm(version, last, magnitude):
    maps = answer(5, 13, 4, 6, (8, 12), last=last)
    far = replace(maps, features=maps.features * magnitude)
    exact = far.features.double() / maps.features.double()  # what the product was rounded to
    factor = exact.mean().item()
    for p in NORMS:
        near, got = version(maps, GradientSettings(p, scale="log")), version(far, GradientSettings(p, scale="log"))
        want = near.onehot + math.log(factor)
        torch.testing.assert_close(got.onehot, want.clamp_min(LOG_LEAST), atol=1e-4, rtol=1e-6)
        assert got.faulty_pixels == 0


@pytest.mark.parametrize("version", [fast_gradients, torch_gradients])
def test_pixels_of_very_different_magnitude_are_each_right(version):
    maps = answer(5, 20, 3, 4, (3, 4), side=3)
    scales = torch.tensor([1e-30, 1.0, 1e-15, 1e18, 1e30, 1e-3, 1e8, 0.0, 1e-8, 1e3, 1.0, 1e20]).reshape(3, 4)
    maps = replace(maps, features=maps.features * scales)
    for p in NORMS:
        chosen = GradientSettings(p, scale="log")
        got, want = version(maps, chosen), reference_gradients(maps, chosen)
        torch.testing.assert_close(got.onehot, want.onehot, atol=5e-5, rtol=1e-6)
        torch.testing.assert_close(got.uniform, want.uniform, atol=5e-4, rtol=1e-6)


@pytest.mark.parametrize("version", VERSIONS)
def test_dead_features_have_a_norm_of_zero_without_a_bias_and_of_the_bias_with_one(version):
    dead = answer(4, 6, 3, 3, (6, 6))
    dead = replace(dead, features=torch.zeros_like(dead.features))
    got = version(dead, GradientSettings(0.5))
    assert (got.onehot == 0.0).all()
    assert (got.uniform == 0.0).all()
    logs = version(dead, GradientSettings(0.5, scale="log"))
    assert (logs.onehot == LOG_LEAST).all()
    assert (logs.uniform == -LOG_LEAST).all()
    alive = version(replace(dead, classifier=Classifier(dead.classifier.weight, torch.zeros(4))), GradientSettings(2.0))
    f = dead.logits[:, 0, 0].double().softmax(0)
    want = (f - torch.nn.functional.one_hot(f.argmax(), 4)).norm()
    assert alive.onehot[0, 0].item() == pytest.approx(want.item(), rel=1e-5)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_norm_beyond_float32_is_limited_and_its_logarithm_is_not(version):
    maps = answer(19, 200, 4, 5, (8, 10), side=5)
    normal = version(maps, GradientSettings(0.1))
    assert normal.limited
    assert (normal.onehot == torch.finfo(torch.float32).max).any()
    assert torch.isfinite(normal.onehot).all()
    assert torch.isfinite(normal.uniform).all()
    logs = version(maps, GradientSettings(0.1, scale="log"))
    assert not logs.limited
    assert logs.onehot.unique().numel() == 80
    assert logs.onehot.max() > math.log(torch.finfo(torch.float32).max)
    assert not version(maps, GradientSettings(0.5)).limited


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_logarithms_are_those_of_the_norms(version, p):
    maps = answer(7, 9, 5, 6, (20, 24), bias=True)
    norm, logs = version(maps, GradientSettings(p)), version(maps, GradientSettings(p, scale="log"))
    torch.testing.assert_close(logs.onehot, norm.onehot.log(), atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(-logs.uniform, (-norm.uniform).log(), atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("version", [fast_gradients, torch_gradients])
@pytest.mark.parametrize("gap", [30.0, 80.0, 200.0, 3e4, 3e38])
def test_very_confident_pixels_keep_their_order(version, gap):
    maps = answer(4, 3, 1, 2, (1, 2))
    logits = torch.tensor([[gap, gap / 2], [0.0, 0.0], [-1.0, -1.0], [-1.0, -gap]])[:, None]
    maps = replace(maps, logits=logits, features=torch.ones(3, 1, 2))
    for p in NORMS:
        for variant in ("exact", "published"):
            chosen = GradientSettings(p, variant, "log")
            got, want = version(maps, chosen), reference_gradients(maps, chosen)
            torch.testing.assert_close(got.onehot, want.onehot, atol=2e-5, rtol=2e-6)
            torch.testing.assert_close(got.uniform, want.uniform, atol=2e-5, rtol=2e-6)


@pytest.mark.parametrize("function", [gradient_maps, gradient_onehot, gradient_uniform])
def test_a_network_without_features_is_told_what_to_do(function):
    maps = answer(3, 4, 4, 4, (8, 8))
    with pytest.raises(FeaturesNeededError, match=r"gives no features.*entropy") as caught:
        function(replace(maps, features=None))
    assert isinstance(caught.value, TrustSegError)
    with pytest.raises(FeaturesNeededError, match="gives no classifier"):
        function(replace(maps, classifier=None))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features": torch.zeros(4, 8, 8)}, r"features have shape \(4, 8, 8\) .* expected \(D, 4, 4\)"),
        ({"features": torch.zeros(1, 4, 4, 4)}, r"shape \(1, 4, 4, 4\)"),
        ({"features": torch.zeros(0, 4, 4)}, r"shape \(0, 4, 4\)"),
        ({"features": torch.zeros(4, 4, 4, dtype=torch.int32)}, "torch.int32"),
        ({"features": torch.zeros(4, 4, 4, device="meta")}, "features are on meta"),
        ({"classifier": Classifier(torch.zeros(3, 5, 1, 1))}, r"\(3, 5, 1, 1\).*expected \(3, 4, s, s\)"),
        ({"classifier": Classifier(torch.zeros(2, 4, 1, 1))}, r"\(2, 4, 1, 1\)"),
        ({"classifier": Classifier(torch.zeros(3, 4, 2, 2))}, "odd s"),
        ({"classifier": Classifier(torch.zeros(3, 4, 1, 3))}, r"\(3, 4, 1, 3\)"),
        ({"classifier": Classifier(torch.zeros(3, 4))}, r"shape \(3, 4\)"),
        ({"classifier": Classifier(torch.zeros(3, 4, 3, 3), dilation=0)}, "dilation 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_their_values(version, change, says):
    with pytest.raises(FeaturesError, match=says):
        version(replace(answer(3, 4, 4, 4, (8, 8)), **change), GradientSettings())


def test_logits_that_cannot_be_used_are_refused():
    with pytest.raises(LogitsError, match="1 classes"):
        gradient_maps(replace(answer(3, 4, 4, 4, (8, 8)), logits=torch.zeros(1, 4, 4)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"p": 0.0}, "p of the gradient norm is 0.0.*above 0"),
        ({"p": -1.0}, "is -1.0"),
        ({"p": math.inf}, "is inf"),
        ({"p": math.nan}, "is nan"),
        ({"variant": "released"}, "'released'; expected exact or published"),
        ({"scale": "linear"}, "'linear'; expected norm or log"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, says):
    with pytest.raises(SettingError, match=says):
        gradient_maps(answer(3, 4, 4, 4, (8, 8)), **wrong)
