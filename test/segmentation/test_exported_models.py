import warnings

import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import (
    DeviceError,
    InputSpec,
    LabelError,
    ModelError,
    ModelFileError,
    ModelOutputError,
    ModelSpecError,
    load_labels,
    load_network,
)
from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet
from trust_seg_ros.segmentation.loader_row import from_module

CAMVID = load_labels("camvid11")


def export(module, path, size=(64, 96), multiple=None, example=None):
    shapes = None
    if multiple:
        sides = {2 + i: multiple * torch.export.Dim(n, min=1, max=64) for i, n in enumerate("hw")}
        shapes = (sides,)
    program = torch.export.export(module, example or (torch.zeros(1, 3, *size),), dynamic_shapes=shapes, strict=False)
    torch.export.save(program, path)
    return path


def script(module, path, trace=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = torch.jit.trace(module, torch.zeros(1, 3, 64, 96)) if trace else torch.jit.script(module)
        torch.jit.save(made, path)
    return path


def load(path, **settings):
    return load_network(str(path), labels="camvid11", device="cpu", **settings)


def plain(module, spec):
    return from_module(module, "direct", CAMVID, spec, torch.device("cpu"), False)


def assert_same(ours, reference, image):
    a, b = ours.infer(image), reference.infer(image)
    assert torch.allclose(a.logits, b.logits, atol=1e-5)
    assert a.size == b.size
    return a, b


def test_pt2_of_fixed_size_answers_as_the_module(tiny, image, tmp_path):
    network = load(export(tiny(), tmp_path / "net.pt2", (32, 48)))
    assert network.input_spec.size == (32, 48)
    maps, reference = assert_same(network, plain(tiny(), InputSpec(size=(32, 48))), image)
    assert torch.allclose(maps.features, reference.features, atol=1e-5)
    assert torch.equal(maps.classifier.weight, reference.classifier.weight)


def test_pt2_of_free_size_reads_its_multiple(tiny, image, tmp_path):
    network = load(export(tiny(), tmp_path / "net.pt2", multiple=16))
    assert (network.input_spec.size, network.input_spec.stride) == (None, 16)
    assert_same(network, plain(tiny(), InputSpec(stride=16)), image)
    assert_same(network, plain(tiny(), InputSpec(stride=16)), image[:33, :77])


@pytest.mark.parametrize("kernel", [1, 3])
def test_pt2_loses_its_upsampling_and_gains_features(tiny, image, tmp_path, kernel):
    network = load(export(tiny(grow=True, kernel=kernel), tmp_path / "net.pt2"))
    maps, _ = assert_same(network, plain(tiny(kernel=kernel), InputSpec(size=(64, 96))), image)
    assert maps.features.shape == (8, 32, 48)
    assert maps.logits.shape == (11, 32, 48)


def test_pt2_with_a_softmax_is_recognised(tiny, image, tmp_path):
    network = load(export(tiny(end="probabilities"), tmp_path / "net.pt2"))
    assert not network.raw
    assert network.infer(image).features is None


class Returns(nn.Module):
    def __init__(self, inner, form):
        super().__init__()
        self.inner, self.form = inner, form

    def forward(self, x):
        features = self.inner.body(x)
        logits = self.inner.head(features)
        forms = {"dict": {"out": logits, "aux": features}, "pair": (logits, features), "single": (logits,)}
        return forms[self.form]


@pytest.mark.parametrize("form", ["dict", "pair", "single"])
def test_pt2_may_return_any_form_of_the_contract(tiny, image, tmp_path, form):
    network = load(export(Returns(tiny(), form), tmp_path / "net.pt2"))
    maps, _ = assert_same(network, plain(tiny(), InputSpec(size=(64, 96))), image)
    assert maps.features.shape == (8, 32, 48)


@pytest.mark.slow
def test_pt2_of_the_embedded_network(image, tmp_path):
    torch.manual_seed(0)
    net = CompactNet(CompactConfig(eighth_blocks=1, dilations=(1, 2))).eval()
    network = load(export(net, tmp_path / "net.pt2", multiple=32))
    maps, reference = assert_same(network, plain(net, InputSpec(stride=32)), image)
    assert torch.allclose(maps.features, reference.features, atol=1e-5)


@pytest.mark.parametrize("suffix", [".ts", ".pt", ".torchscript"])
def test_torchscript_answers_as_the_module(tiny, image, tmp_path, suffix):
    network = load(script(tiny(), tmp_path / f"net{suffix}"))
    maps, _ = assert_same(network, plain(tiny(), InputSpec(stride=32)), image)
    assert maps.features is None


def test_torchscript_may_return_features(tiny, image, tmp_path):
    maps = load(script(Returns(tiny(), "pair"), tmp_path / "net.ts")).infer(image)
    assert maps.features.shape == (8, 32, 48)
    assert maps.classifier is None


def test_torchscript_stays_float32_on_the_cpu(tiny, tmp_path):
    path = script(tiny(), tmp_path / "net.ts")
    with pytest.raises(DeviceError, match=r"TorchScript program on the CPU|no bfloat16"):
        load(path, half=True)


def test_format_is_told_by_content_not_by_name(tiny, image, tmp_path):
    assert load(script(tiny(), tmp_path / "net.pt2")).infer(image).logits.shape[0] == 11


def test_settings_apply_to_files(tiny, image, tmp_path):
    path = script(tiny(), tmp_path / "net.ts")
    network = load(path, input_size=(32, 32), mean=(0, 0, 0), std=(1, 1, 1), order="bgr")
    spec = InputSpec(size=(32, 32), mean=(0, 0, 0), std=(1, 1, 1), order="bgr", stride=32)
    assert network.input_spec == spec
    assert_same(network, plain(tiny(), spec), image)


def test_labels_are_needed(tiny, tmp_path):
    with pytest.raises(LabelError, match="does not say its classes"):
        load_network(str(export(tiny(), tmp_path / "net.pt2")), device="cpu")


@pytest.mark.parametrize("write", [export, script])
def test_wrong_number_of_classes_names_both(tiny, tmp_path, write):
    with pytest.raises(ModelOutputError, match="7 classes apart but labels 'camvid11' name 11"):
        load(write(tiny(classes=7), tmp_path / "net.pt2"))


def test_fixed_size_cannot_be_overruled(tiny, tmp_path):
    path = export(tiny(), tmp_path / "net.pt2")
    with pytest.raises(ModelSpecError, match=r"exported for inputs of \(64, 96\) but input_size is \(32, 32\)"):
        load(path, input_size=(32, 32))
    assert load(path, input_size=(64, 96)).input_spec.size == (64, 96)


def test_pt2_keeps_its_precision(tiny, tmp_path):
    path = export(tiny().half(), tmp_path / "net.pt2", example=(torch.zeros(1, 3, 64, 96).half(),))
    with pytest.raises(DeviceError, match="float16, which needs a GPU"):
        load(path)


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


class Gray(nn.Module):
    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("module", "example", "match"),
    [
        (TwoInputs(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)), "takes 2 inputs; expected one"),
        (Gray(), (torch.zeros(1, 1, 8, 8),), r"expected an image \(1, 3, h, w\)"),
        (Gray(), (torch.zeros(4, 3, 8, 8),), r"expected an image \(1, 3, h, w\)"),
        (Gray(), (torch.zeros(1, 3, 8, 8, dtype=torch.uint8),), "uint8"),
    ],
)
def test_pt2_of_another_kind_of_input(tmp_path, module, example, match):
    with pytest.raises(ModelFileError, match=match):
        load(export(module, tmp_path / "net.pt2", example=example))


def test_script_of_another_kind_fails_at_loading(tmp_path):
    with pytest.raises(ModelError, match="net"):
        load(script(nn.Conv2d(1, 11, 1), tmp_path / "net.ts", trace=False))
