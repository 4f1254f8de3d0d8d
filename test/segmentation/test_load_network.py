import sys

import numpy as np
import pytest
import torch

from trust_seg_ros.segmentation import (
    DeviceError,
    LabelError,
    LabelSet,
    ModelError,
    ModelFileError,
    ModelOutputError,
    ModelSpecError,
    SegmentationNetwork,
    load_network,
)
from trust_seg_ros.segmentation import compact as compact_module
from trust_seg_ros.segmentation.compact import CompactNet, save_compact
from trust_seg_ros.segmentation.device import cpu_has_bfloat16, pick_device, pick_half
from trust_seg_ros.segmentation.factory import module_spec

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of a machine without a GPU")

FACTORIES = """
import torch
from torch import nn
from trust_seg_ros.segmentation import InputSpec, LabelSet, load_labels, load_network
from trust_seg_ros.types import LogitMaps

class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.head = nn.Conv2d(3, classes, 1)
    def forward(self, x):
        return self.head(x)

def plain():
    return Net()

def described():
    net = Net(11)
    net.labels, net.mean, net.std, net.order = "camvid11", [0.1, 0.2, 0.3], torch.tensor([0.4, 0.5, 0.6]), "bgr"
    net.scale, net.stride, net.input_size = 1.0, 8, (16, 24)
    return net

def badly_described():
    net = described()
    net.order = "grb"
    return net

def badly_labelled():
    net = Net(3)
    net.labels = "no_such_set"
    return net

def listed():
    net = Net(3)
    net.labels = ["road", "sky", "car"]
    return net

def oddly_labelled():
    net = Net(3)
    net.labels = {0: "road"}
    return net

def too_many():
    net = Net(12)
    net.labels = "camvid11"
    return net

class Complete:
    name, raw = "complete", True
    labels = LabelSet("two", ("a", "b"))
    input_spec = InputSpec(stride=4)
    classes = 2
    def __init__(self, device):
        self.device = device
    def infer(self, image):
        return LogitMaps(torch.zeros(self.classes, 4, 4), image.shape[:2])
    def warm_up(self, size):
        pass

def complete(device):
    return Complete(device)

def contradictory(device):
    net = Complete(device)
    net.classes = 3
    return net

def nothing():
    return 5

def broken():
    raise RuntimeError("no weights today")

class Holder:
    @staticmethod
    def make():
        return described()

not_callable = 3
"""

THREE = LabelSet("three", ("a", "b", "c"))


@pytest.fixture(autouse=True)
def factories(tmp_path, monkeypatch):
    (tmp_path / "seg_own").mkdir()
    (tmp_path / "seg_own" / "nets.py").write_text(FACTORIES)
    (tmp_path / "seg_own" / "needs.py").write_text("import module_that_is_not_there\n")
    (tmp_path / "seg_own" / "fails.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [n for n in sys.modules if n.startswith("seg_own")]:
        del sys.modules[name]


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "compact.safetensors"
    save_compact(CompactNet().eval(), path)
    return path


def test_factory_with_labels_from_outside(image):
    network = load_network("seg_own.nets:plain", labels=THREE, device="cpu")
    assert isinstance(network, SegmentationNetwork)
    assert network.name == "seg_own.nets:plain"
    maps = network.infer(image)
    assert maps.logits.shape == (3, 64, 96)
    assert maps.features.shape == (3, 64, 96)
    assert maps.classifier.weight.shape == (3, 3, 1, 1)


@pytest.mark.parametrize("name", ["described", "Holder.make"])
def test_factory_describes_its_input(name):
    network = load_network(f"seg_own.nets:{name}", device="cpu")
    spec = network.input_spec
    assert network.labels.name == "camvid11"
    assert (spec.size, spec.order, spec.scale, spec.stride) == ((16, 24), "bgr", 1.0, 8)
    assert spec.mean == (0.1, 0.2, 0.3)
    assert np.allclose(spec.std, (0.4, 0.5, 0.6))


def test_a_factory_may_list_its_classes():
    assert load_network("seg_own.nets:listed", device="cpu").labels.names == ("road", "sky", "car")


def test_callers_settings_overrule_the_networks_own(image):
    network = load_network(
        "seg_own.nets:described", input_size=[32, 48], mean=[0, 0, 0], std=[1, 1, 1], order="rgb", device="cpu"
    )
    spec = network.input_spec
    assert (spec.size, spec.mean, spec.std, spec.order, spec.scale) == ((32, 48), (0, 0, 0), (1, 1, 1), "rgb", 1.0)
    assert network.infer(image).logits.shape == (11, 32, 48)


def test_input_size_zero_is_as_the_image(image):
    network = load_network("seg_own.nets:described", input_size=(0, 0), device="cpu")
    assert network.input_spec.size is None
    assert network.infer(image).logits.shape == (11, 64, 96)


def test_complete_network_is_used_as_it_is():
    network = load_network("seg_own.nets:complete", device="cpu")
    assert type(network).__name__ == "Complete"
    assert network.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("spec", "error", "match"),
    [
        ("seg_own.nets:plain", LabelError, "no 'labels'"),
        ("seg_own.nets:badly_labelled", LabelError, r"no_such_set.*camvid11"),
        ("seg_own.nets:oddly_labelled", LabelError, r"Net\.labels is \{0: 'road'\}; expected a LabelSet"),
        ("seg_own.nets:badly_described", ModelSpecError, "order is 'grb'"),
        ("seg_own.nets:too_many", ModelOutputError, "12 classes apart but labels 'camvid11' name 11"),
        ("seg_own.nets:contradictory", ModelOutputError, "3 classes apart but labels 'two' name 2"),
        ("seg_own.nets:nothing", ModelOutputError, "returned int"),
        ("seg_own.nets:broken", ModelError, "RuntimeError: no weights today"),
        ("seg_own.nets:not_callable", ModelSpecError, "is int; expected something to call"),
        ("seg_own.nets:absent", ModelSpecError, "seg_own.nets has no 'absent'"),
        ("seg_own.absent:make", ModelSpecError, "no module 'seg_own.absent'"),
        ("absent_package.nets:make", ModelSpecError, r"no module 'absent_package'.*PYTHONPATH"),
        (
            "seg_own.needs:make",
            ModelError,
            "importing seg_own.needs failed: No module named 'module_that_is_not_there'",
        ),
        ("seg_own.fails:make", ModelError, "ZeroDivisionError"),
        ("seg_own.nets:described()", ModelSpecError, "is not known"),
        ("", ModelSpecError, "expected 'embedded'"),
        ("enbedded", ModelSpecError, "network 'enbedded' is not known"),
        ("models/none", ModelSpecError, "no such file or folder"),
        ("models/none.pt2", ModelFileError, "no such file"),
        ("embedded:huge", ModelSpecError, "no embedded network 'embedded:huge'"),
        ("embedded:../compact", ModelSpecError, "no embedded network"),
    ],
)
def test_errors_name_the_value_and_the_way_out(spec, error, match):
    with pytest.raises(error, match=match):
        load_network(spec, device="cpu")


def test_complete_network_cannot_be_overruled():
    with pytest.raises(ModelSpecError, match="complete network"):
        load_network("seg_own.nets:complete", order="bgr")
    with pytest.raises(ModelSpecError, match="complete network, which answers by itself; leave backend"):
        load_network("seg_own.nets:complete", device="cpu", backend="onnxruntime")
    assert load_network("seg_own.nets:complete", device="cpu", backend="auto").name == "complete"


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"labels": "citiscapes"}, LabelError, "citiscapes"),
        ({"labels": "cityscapes19"}, ModelOutputError, "11 classes apart but labels 'cityscapes19' name 19"),
        ({"device": "tpu0"}, DeviceError, "device is 'tpu0'"),
        ({"device": "meta"}, DeviceError, "device is 'meta'"),
        ({"half": "yes"}, DeviceError, "half is 'yes'"),
        ({"order": "gbr"}, ModelSpecError, "'gbr'"),
        ({"std": (0, 1, 1)}, ModelSpecError, "above 0"),
        ({"mean": (0, 1)}, ModelSpecError, "three finite numbers"),
        ({"input_size": (10,)}, ModelSpecError, r"\(10,\)"),
        ({"input_size": (0, 10)}, ModelSpecError, r"\(0, 10\)"),
    ],
)
def test_settings_are_checked(settings, error, match):
    with pytest.raises(error, match=match):
        load_network("seg_own.nets:described", **settings)


@pytest.mark.skipif(not cpu_has_bfloat16(), reason="this CPU has no bfloat16 arithmetic")
def test_half_on_the_cpu_is_bfloat16(image):
    torch.manual_seed(0)
    full = load_network("seg_own.nets:described", device="cpu", half=False).infer(image)
    torch.manual_seed(0)
    half = load_network("seg_own.nets:described", device="cpu", half=True).infer(image)
    assert half.logits.dtype == torch.float32
    assert half.features.dtype == half.classifier.weight.dtype == torch.bfloat16
    scale = float(full.logits.abs().max())
    assert 0 < (half.logits - full.logits).abs().max() < 0.02 * scale


def test_half_is_refused_on_a_cpu_without_it(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    with pytest.raises(DeviceError, match="no bfloat16 arithmetic"):
        load_network("seg_own.nets:described", device="cpu", half=True)


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda")])
def test_absent_gpu_is_said(device):
    with pytest.raises(DeviceError, match=r"CUDA is not available.*use 'auto' or 'cpu'"):
        load_network("seg_own.nets:described", device=device)


@no_gpu
def test_auto_is_the_cpu_in_single_precision():
    assert pick_device("auto") == torch.device("cpu")
    assert not pick_half("auto", torch.device("cpu"))


def test_auto_is_half_on_a_gpu():
    assert pick_half("auto", torch.device("cuda"))
    assert not pick_half("false", torch.device("cuda"))
    assert not pick_half("off", torch.device("cuda"))
    assert pick_half("on", torch.device("cuda"))


def test_embedded_network_runs_with_features(weights, image, monkeypatch):
    monkeypatch.setattr(compact_module, "SHIPPED", weights)
    network = load_network(device="cpu")
    maps = network.infer(image)
    assert network.labels.name == "camvid11"
    assert network.input_spec.size == (416, 544)
    assert network.input_spec.mean == compact_module.MEAN
    assert maps.logits.shape == (11, 104, 136)
    assert maps.features.shape[1:] == (104, 136)
    assert maps.size == (64, 96)


def test_embedded_network_takes_other_sizes(weights, image, monkeypatch):
    monkeypatch.setattr(compact_module, "SHIPPED", weights)
    assert load_network(device="cpu", input_size=(0, 0)).infer(image).logits.shape == (11, 16, 24)


@pytest.mark.parametrize("content", [None, b"", b"not safetensors"])
def test_embedded_weights_missing_or_corrupt(tmp_path, monkeypatch, content):
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(compact_module, "SHIPPED", path)
    with pytest.raises(ModelFileError, match=str(path)):
        load_network(device="cpu")


@pytest.mark.skipif(
    not compact_module.SHIPPED.is_file(), reason="the embedded network's weights are not in this checkout"
)
def test_shipped_network_loads_by_both_names(image):
    by_name = load_network(f"embedded:{compact_module.SHIPPED.stem}", device="cpu").infer(image).logits
    assert torch.equal(load_network(device="cpu").infer(image).logits, by_name)


def test_a_stride_that_is_no_number_is_refused_with_the_way_out():
    class Bare(torch.nn.Conv2d):
        """A convolution as a whole network: its stride is a pair, and not that of an input."""

    with pytest.raises(ModelSpecError, match=r"Bare.stride is \(1, 1\); expected a number: wrap the network"):
        module_spec(Bare(3, 2, 1))
