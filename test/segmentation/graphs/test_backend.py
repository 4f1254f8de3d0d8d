"""A torch network on another library answers as on torch, or is refused; the graph of known weights is made once."""

import logging

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from trust_seg_ros.segmentation import ModelError, load_network
from trust_seg_ros.segmentation.graphs import backend
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.loader_row import from_module
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.uncertainty import uncertainty_maps

THERE = [name for name, row in RUNTIMES.items() if row.there]
IMAGE = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
CPU = torch.device("cpu")
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/trust_seg_ros/graphs"


@pytest.fixture(scope="module")
def labels():
    return load_network("embedded").labels


def small(count, end=None):
    """Features at half the size and a 1x1 convolution, then an upsampling by two."""
    torch.manual_seed(3)
    parts = [torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, count, 1)]
    return torch.nn.Sequential(*parts, *([end] if end is not None else []))


def test_the_embedded_network_gives_the_same_maps_on_every_library(cache):
    own = load_network("embedded", device="cpu")
    maps = uncertainty_maps(own.infer(IMAGE))
    for name in THERE:
        other = load_network("embedded", device="cpu", backend=name)
        assert other.backend == name
        assert other.sha256 == own.sha256
        assert other.input_spec == own.input_spec
        answer = other.infer(IMAGE)
        assert torch.allclose(answer.logits, own.infer(IMAGE).logits, atol=1e-4)
        assert torch.allclose(answer.features, own.infer(IMAGE).features, atol=1e-4)
        found = uncertainty_maps(answer)
        assert (found.classes == maps.classes).float().mean() >= 0.9999
        assert (found.entropy - maps.entropy).abs().max() < 1 / 255
    assert len(list(cache.iterdir())) == 1, "one graph for all libraries"


def test_a_kept_graph_is_used_again_and_a_damaged_one_made_anew(cache, monkeypatch):
    load_network("embedded", device="cpu", backend=THERE[0])
    (kept,) = cache.iterdir()
    exports = []
    monkeypatch.setattr(backend, "to_model", lambda *a, made=backend.to_model: exports.append(1) or made(*a))
    load_network("embedded", device="cpu", backend=THERE[0])
    assert not exports
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(bytes(content))
    wanted = load_network("embedded", device="cpu").infer(IMAGE).logits
    assert torch.allclose(
        load_network("embedded", device="cpu", backend=THERE[0]).infer(IMAGE).logits, wanted, atol=1e-4
    )
    assert exports == [1]


def test_images_of_any_size_and_an_upsampling_that_is_taken_off(labels, cache):
    up = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    given = small(len(labels), up), "small", labels, InputSpec(stride=4), CPU, False
    own, other = from_module(*given), from_module(*given, backend=THERE[0])
    for size in ((64, 64), (96, 160), (40, 28)):
        image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
        assert torch.allclose(other.infer(image).logits, own.infer(image).logits, atol=1e-4)
        assert torch.allclose(other.infer(image).features, own.infer(image).features, atol=1e-4)
    assert not cache.exists() or not list(cache.iterdir()), "weights without a hash are not kept"


def test_auto_says_what_it_measured(labels, caplog):
    caplog.set_level(logging.INFO)
    network = from_module(small(len(labels)), "small", labels, InputSpec(size=(64, 64)), CPU, False, backend="auto")
    assert network.backend.partition(" ")[0] in ("torch", *THERE)
    assert all(name in network.backend for name in ("torch", *THERE))
    assert f"network small runs by {network.backend}" in caplog.text


class Branching(torch.nn.Module):
    """Cannot be a graph: it looks at values."""

    def __init__(self, count):
        super().__init__()
        self.net = small(count)

    def forward(self, pixels):
        logits = self.net(pixels)
        return logits * (2.0 if float(logits.mean()) > 0 else 1.0)


class Moody(torch.nn.Module):
    """As a graph it answers otherwise: what it was exported with is frozen."""

    def __init__(self, count):
        super().__init__()
        self.net, self.exporting = small(count), torch.compiler.is_exporting

    def forward(self, pixels):
        return self.net(pixels) * (1.5 if self.exporting() else 1.0)


def test_a_network_that_cannot_be_a_graph_or_answers_otherwise_is_refused(labels, caplog):
    given = "net", labels, InputSpec(size=(64, 64)), CPU, False
    with pytest.raises(ModelError, match=r"cannot export it as a graph.*backend:=torch"):
        from_module(Branching(len(labels)), *given, backend=THERE[0])
    with pytest.raises(ModelError, match=r"answers otherwise than torch.*backend:=torch"):
        from_module(Moody(len(labels)), *given, backend=THERE[0])
    network = from_module(Moody(len(labels)), *given, backend="auto")
    assert network.backend == "torch"
    assert "net stays with torch: net: " in caplog.text


def test_code_that_changed_behind_the_same_weights_makes_the_graph_anew(labels, cache):
    given = "net", labels, InputSpec(size=(64, 64)), CPU, False, "ab" * 32, THERE[0]
    from_module(small(len(labels)), *given)
    (kept,) = cache.iterdir()
    first = kept.read_bytes()
    changed = torch.nn.Sequential(small(len(labels)), torch.nn.Tanh())
    wanted = from_module(changed, *given[:-1]).infer(IMAGE).logits
    assert torch.allclose(from_module(changed, *given).infer(IMAGE).logits, wanted, atol=1e-4)
    assert kept.read_bytes() != first


def test_a_network_in_half_precision_becomes_a_graph_in_half_precision(labels, cache):
    """As on a GPU, where half precision is the usual one."""
    pixels = torch.randn(1, 3, 64, 96)
    for kind in (torch.float32, torch.float16):
        module = small(len(labels)).eval().to(kind)
        own = backend.Chosen(module, None, "torch")
        with torch.inference_mode():
            chosen = backend.run_module(own, THERE[0], CPU, "net", pixels.to(kind), False, "cd" * 32)
            logits, features = chosen.forward(pixels.to(kind))
            wanted = module(pixels.to(kind)).float()
        assert logits.dtype == features.dtype == chosen.classifier.weight.dtype == kind
        assert (logits.float() - wanted).abs().max() < 0.01 * wanted.abs().max()
    assert sorted("float16" in path.name for path in cache.iterdir()) == [False, True]


def test_half_precision_and_programs_stay_with_torch(labels, tmp_path):
    traced = torch.jit.trace(small(len(labels)).eval(), torch.zeros(1, 3, 64, 64))
    traced.save(str(tmp_path / "net.ts"))
    with pytest.raises(ModelError, match="a TorchScript program runs by torch only"):
        load_network(str(tmp_path / "net.ts"), labels="camvid11", device="cpu", backend=THERE[0])
    with pytest.raises(ModelError, match="half precision runs by torch only"):
        backend.refuse_half(True, THERE[0], CPU, "net")
    program = torch.export.export(small(len(labels)).eval(), (torch.zeros(1, 3, 64, 96),))
    torch.export.save(program, str(tmp_path / "net.pt2"))
    own = load_network(str(tmp_path / "net.pt2"), labels="camvid11", device="cpu")
    other = load_network(str(tmp_path / "net.pt2"), labels="camvid11", device="cpu", backend=THERE[0])
    assert torch.allclose(other.infer(IMAGE).logits, own.infer(IMAGE).logits, atol=1e-4)
    assert torch.allclose(other.infer(IMAGE).features, own.infer(IMAGE).features, atol=1e-4)
    assert other.backend == THERE[0]


def test_a_program_whose_last_layer_is_not_known_runs_by_a_graph_too(labels, tmp_path):
    """It is run as torch.export wrote it, and that refuses eval()."""
    program = torch.export.export(small(len(labels), torch.nn.ReLU()).eval(), (torch.zeros(1, 3, 64, 96),))
    torch.export.save(program, str(tmp_path / "net.pt2"))
    given = {"labels": "camvid11", "device": "cpu"}
    own = load_network(str(tmp_path / "net.pt2"), **given)
    other = load_network(str(tmp_path / "net.pt2"), backend=THERE[0], **given)
    assert own.infer(IMAGE).features is None
    assert torch.allclose(other.infer(IMAGE).logits, own.infer(IMAGE).logits, atol=1e-4)


class Cornered(torch.nn.Module):
    def __init__(self, count):
        super().__init__()
        self.net = small(count)

    def forward(self, pixels):
        return torch.nn.functional.interpolate(self.net(pixels), pixels.shape[2:], mode="bilinear", align_corners=True)


@pytest.mark.parametrize("name", THERE)
def test_where_the_answer_lies_on_the_logits_is_not_lost(labels, tmp_path, name):
    module, given = Cornered(len(labels)).eval(), {"labels": "camvid11", "device": "cpu"}
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 64, 96),)), str(tmp_path / "net.pt2"))
    own = load_network(str(tmp_path / "net.pt2"), **given)
    plain = from_module(module, "net", labels, InputSpec(size=(64, 96)), CPU, False)
    assert own.infer(IMAGE).placement is not None
    for other in (
        load_network(str(tmp_path / "net.pt2"), backend=name, **given),
        load_network(str(tmp_path / "net.pt2"), backend="auto", **given),
        from_module(module, "net", labels, InputSpec(size=(64, 96)), CPU, False, backend=name),
        plain,
    ):
        assert other.infer(IMAGE).placement == own.infer(IMAGE).placement
        found, wanted = uncertainty_maps(other.infer(IMAGE)), uncertainty_maps(own.infer(IMAGE))
        assert (found.classes == wanted.classes).float().mean() >= 0.9999
        assert (found.entropy - wanted.entropy).abs().max() < 1e-4


def test_auto_measures_once_on_a_machine(cache, monkeypatch):
    measured, opened = [], []
    monkeypatch.setattr(backend, "medians", lambda *a, own=backend.medians: measured.append(1) or own(*a))
    monkeypatch.setattr(backend, "run_by", lambda row, *a, own=backend.run_by: opened.append(row.name) or own(row, *a))

    def load():
        opened.clear()
        return load_network("embedded", device="cpu", backend="auto")

    first = load()
    assert sorted(opened) == sorted(THERE)
    second = load()
    best = first.backend.partition(" ")[0]
    assert second.backend == first.backend
    assert opened == [name for name in (best,) if name != "torch"]
    assert torch.allclose(second.infer(IMAGE).logits, first.infer(IMAGE).logits, atol=1e-4)
    assert measured == [1]
    (times,) = cache.glob("*.times.json")
    for changed in ("no JSON", times.read_text().replace('"torch": "', '"torch": "another '), "[]"):
        times.write_text(changed)
        assert set(THERE) <= set(load().backend.replace("(", " ").replace(";", " ").split())
    assert measured == [1] * 4, "a damaged file and another version are no reason to trust old times"


class Pooling(torch.nn.Module):
    """The exporter writes the size of its example into pooling that depends on the size."""

    def __init__(self, count):
        super().__init__()
        self.net, self.pool = small(count), torch.nn.AdaptiveAvgPool2d(4)

    def forward(self, pixels):
        logits = self.net(pixels)
        return logits + torch.nn.functional.interpolate(self.pool(logits), logits.shape[2:])


def test_a_graph_for_any_size_is_tried_at_two(labels):
    given = "net", labels, InputSpec(stride=8), CPU, False
    for name in THERE:
        with pytest.raises(ModelError, match="backend:=torch"):
            from_module(Pooling(len(labels)), *given, backend=name)
    assert from_module(Pooling(len(labels)), *given, backend="auto").backend == "torch"


@pytest.mark.parametrize("end", [torch.nn.Softmax(1), torch.nn.LogSoftmax(1)], ids=["softmax", "log-softmax"])
def test_a_softmax_that_is_taken_off_the_graph_is_no_difference(labels, end):
    given = "net", labels, InputSpec(size=(64, 64)), CPU, False
    own = uncertainty_maps(from_module(small(len(labels), end), *given).infer(IMAGE))
    for name in THERE:
        other = from_module(small(len(labels), end), *given, backend=name)
        assert other.backend == name
        found = uncertainty_maps(other.infer(IMAGE))
        assert (found.classes == own.classes).float().mean() >= 0.9999
        assert (found.entropy - own.entropy).abs().max() < 1e-4


class Scaled(Cornered):
    def forward(self, pixels):
        return 0.5 * self.net(pixels)


def test_the_kernel_of_a_program_whose_answer_is_scaled_is_not_lost(labels, tmp_path):
    module, given = Scaled(len(labels)).eval(), {"labels": "camvid11", "device": "cpu"}
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 64, 96),)), str(tmp_path / "net.pt2"))
    own = load_network(str(tmp_path / "net.pt2"), **given).infer(IMAGE)
    assert own.classifier is not None
    for name in (*THERE, "auto"):
        found = load_network(str(tmp_path / "net.pt2"), backend=name, **given).infer(IMAGE)
        assert torch.allclose(found.logits, own.logits, atol=1e-4)
        assert torch.allclose(found.features, own.features, atol=1e-4)
        assert torch.allclose(found.classifier.weight, own.classifier.weight, atol=1e-5)
