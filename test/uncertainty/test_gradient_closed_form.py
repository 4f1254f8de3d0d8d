"""The closed form against finite differences of the loss, against autograd, and the published formula by loops."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty import GradientSettings, gradient_maps, gradient_onehot, gradient_uniform
from trust_seg_ros.uncertainty.gradient_fast import fast_gradients
from trust_seg_ros.uncertainty.gradient_inputs import LABELS
from trust_seg_ros.uncertainty.gradient_reference import reference_gradients
from trust_seg_ros.uncertainty.gradient_torch import torch_gradients

VERSIONS = [reference_gradients, fast_gradients, torch_gradients]
NORMS = [0.1, 0.3, 0.5, 1.0, 2.0]
KERNELS = [(1, 1), (3, 1), (3, 2), (5, 1)]  # side, dilation
CLASSES, CHANNELS, HEIGHT, WIDTH = 4, 3, 5, 6


class Layer:
    """A last convolution in float64 and one input."""

    def __init__(self, side, dilation, with_bias):
        make = torch.Generator().manual_seed(side * 10 + dilation)
        self.side, self.dilation = side, dilation
        # small enough that no softmax is so sharp that differences of losses lose its digits
        self.weight = torch.randn(CLASSES, CHANNELS, side, side, generator=make, dtype=torch.float64) / side
        self.bias = torch.randn(CLASSES, generator=make, dtype=torch.float64) if with_bias else None
        self.features = torch.randn(CHANNELS, HEIGHT, WIDTH, generator=make).double()

    def logits(self, weight, bias):
        padding = self.side // 2 * self.dilation
        return functional.conv2d(self.features[None], weight, bias, padding=padding, dilation=self.dilation)[0]

    @property
    def maps(self):
        classifier = Classifier(self.weight, self.bias, self.dilation)
        logits = self.logits(self.weight, self.bias)
        return LogitMaps(logits, (HEIGHT, WIDTH), features=self.features, classifier=classifier)

    def patch(self, y, x):
        """The input values that one output pixel sees, (D * s * s,), zeros outside; and 1 where there is a bias."""
        reach = self.side // 2
        values = []
        for d, dy, dx in itertools.product(range(CHANNELS), range(-reach, reach + 1), range(-reach, reach + 1)):
            row, column = y + dy * self.dilation, x + dx * self.dilation
            inside = 0 <= row < HEIGHT and 0 <= column < WIDTH
            values.append(float(self.features[d, row, column]) if inside else 0.0)
        return np.array(values + ([1.0] if self.bias is not None else []))

    def kernel(self):
        """All weights as (q, D * s * s), with the bias as last column."""
        flat = self.weight.reshape(CLASSES, -1).numpy()
        return flat if self.bias is None else np.column_stack([flat, self.bias.numpy()])


def target(label, logits):
    if label == "uniform":
        return np.full(len(logits), 1.0 / len(logits))
    return np.eye(len(logits))[int(np.argmax(logits))]


def losses(kernels, patch, label):
    """Cross entropy of every kernel of (n, q, m)."""
    logits = kernels @ patch
    log_f = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return -(log_f * label).sum(1)


def finite_differences(kernel, patch, label, step=2e-3):
    """Gradient of the loss by every entry of the kernel, from a difference quotient of order four."""
    steps = np.eye(kernel.size).reshape(-1, *kernel.shape) * step

    def difference(k):
        return losses(kernel + k * steps, patch, label) - losses(kernel - k * steps, patch, label)

    return (8.0 * difference(1) - difference(2)) / (12.0 * step)


def p_norm(values, p):
    return sum(abs(float(v)) ** p for v in values) ** (1.0 / p)


def norms(version, maps, p, variant="exact"):
    """Norms, without the sign of the score."""
    settings = GradientSettings(p, variant)
    found = version(maps, settings)
    return {label: settings.sign(label) * getattr(found, label).double().numpy() for label in LABELS}


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("side", "dilation"), KERNELS)
def test_closed_form_equals_finite_differences_of_the_loss(side, dilation, with_bias):
    layer = Layer(side, dilation, with_bias)
    kernel, pixels = layer.kernel(), [(0, 0), (2, 3), (4, 5), (1, 0), (3, 4)]
    for label in LABELS:
        gradients = []
        for y, x in pixels:
            patch = layer.patch(y, x)
            gradients.append(finite_differences(kernel, patch, target(label, kernel @ patch)))
        for p in NORMS:
            found = norms(reference_gradients, layer.maps, p)[label]
            for (y, x), gradient in zip(pixels, gradients, strict=True):
                assert found[y, x] == pytest.approx(p_norm(gradient, p), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("side", "dilation"), KERNELS)
def test_closed_form_equals_autograd_at_every_pixel(version, side, dilation, with_bias):
    layer = Layer(side, dilation, with_bias)
    weight = layer.weight.clone().requires_grad_()
    bias = None if layer.bias is None else layer.bias.clone().requires_grad_()
    parameters = [part for part in (weight, bias) if part is not None]
    found = {p: norms(version, layer.maps, p) for p in [*NORMS, 0.75, 3.0]}
    log_f = layer.logits(weight, bias).log_softmax(0)
    for y, x, label in itertools.product(range(HEIGHT), range(WIDTH), LABELS):
        soft = torch.from_numpy(target(label, log_f[:, y, x].detach().numpy()))
        parts = torch.autograd.grad(-(soft * log_f[:, y, x]).sum(), parameters, retain_graph=True)
        gradient = torch.cat([part.flatten() for part in parts]).tolist()
        for p, maps in found.items():
            assert maps[label][y, x] == pytest.approx(p_norm(gradient, p), rel=3e-5)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("side", "dilation"), KERNELS)
def test_published_variant_equals_its_formula_pixel_by_pixel(version, side, dilation, with_bias):
    layer = Layer(side, dilation, with_bias)
    logits = layer.logits(layer.weight, layer.bias)
    found = {p: norms(version, layer.maps, p, "published") for p in NORMS}
    for y, x in itertools.product(range(HEIGHT), range(WIDTH)):
        total = sum(math.exp(value) for value in logits[:, y, x].tolist())
        f = [math.exp(value) / total for value in logits[:, y, x].tolist()]
        onehot = [0.0 if k == f.index(max(f)) else f[k] for k in range(CLASSES)]
        uniform = [(CLASSES - 1) / CLASSES * value for value in f]
        patch = layer.patch(y, x)
        for p in NORMS:
            assert found[p]["onehot"][y, x] == pytest.approx(p_norm(onehot, p) * p_norm(patch, p), rel=2e-5)
            assert found[p]["uniform"][y, x] == pytest.approx(p_norm(uniform, p) * p_norm(patch, p), rel=2e-5)


def one_pixel(logits, features=(1.0, 2.0)):
    """A 1×1 image of given logits with a 1×1 kernel without bias."""
    return LogitMaps(
        torch.tensor(logits, dtype=torch.float32)[:, None, None],
        (1, 1),
        features=torch.tensor(features)[:, None, None],
        classifier=Classifier(torch.zeros(len(logits), len(features), 1, 1)),
    )


def test_norms_worked_out_by_hand():
    maps = one_pixel([math.log(0.5), math.log(0.3), math.log(0.2)], (3.0, -4.0))
    assert gradient_onehot(maps, p=1.0).item() == pytest.approx((0.5 + 0.3 + 0.2) * 7)
    assert gradient_onehot(maps, p=2.0).item() == pytest.approx(math.sqrt(0.25 + 0.09 + 0.04) * 5)
    assert gradient_onehot(maps, p=1.0, variant="published").item() == pytest.approx((0.3 + 0.2) * 7)
    assert gradient_uniform(maps, p=1.0).item() == pytest.approx(-(1 / 6 + 1 / 30 + 2 / 15) * 7)
    assert gradient_uniform(maps, p=0.5, variant="published").item() == pytest.approx(
        2 / 3 * (math.sqrt(0.5) + math.sqrt(0.3) + math.sqrt(0.2)) ** 2 * (math.sqrt(3) + 2) ** 2
    )
    assert gradient_onehot(maps, p=1.0, scale="log").item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_exact_uniform_is_zero_at_the_uniform_softmax_and_falls_with_confidence(version, p):
    settings = GradientSettings(p)
    scores = [version(one_pixel([gap, 0.0, 0.0, 0.0, 0.0]), settings).uniform.item() for gap in (0, 0.5, 1, 2, 4, 8)]
    assert scores[0] == 0.0
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < scores[1] < 0.0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", ["exact", "published"])
@pytest.mark.parametrize("scale", ["norm", "log"])
def test_scores_of_both_labels_fall_with_confidence(version, variant, scale):
    for p, label in itertools.product(NORMS, LABELS):
        if p == 1.0 and variant == "published" and label == "uniform":
            continue  # Σ f = 1: constant
        settings = GradientSettings(p, variant, scale)
        gaps = [getattr(version(one_pixel([g, 0.0, 0.0, 0.0]), settings), label).item() for g in (0.5, 1, 3, 6)]
        assert gaps == sorted(gaps, reverse=True), (p, label)
        assert gaps[0] > gaps[-1], (p, label)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_published_uniform_has_the_sign_under_which_the_uniform_softmax_is_least_trusted(version, p):
    score = version(one_pixel([1.0, 0.0, 0.0]), GradientSettings(p, "published")).uniform.item()
    assert (score < 0) == (p >= 1.0)


def test_both_maps_together_equal_each_alone():
    layer = Layer(3, 1, True)
    for variant, scale in itertools.product(("exact", "published"), ("norm", "log")):
        both = gradient_maps(layer.maps, p=0.3, variant=variant, scale=scale)
        assert torch.equal(both.onehot, gradient_onehot(layer.maps, p=0.3, variant=variant, scale=scale))
        assert torch.equal(both.uniform, gradient_uniform(layer.maps, p=0.3, variant=variant, scale=scale))
