"""A network written as a file is the same network: classes, normalisation, logits, features; others are refused."""

import json
import sys

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
import hf_architectures
import onnx

from trust_seg_ros import cli
from trust_seg_ros.segmentation import load_network

IMAGE = np.random.default_rng(4).integers(0, 256, (120, 160, 3), dtype=np.uint8)
NET = """
import torch

LABELS = ["sky", "road <b>", "Straße", "car"]


class Net(torch.nn.Module):
    def __init__(self, upsampled):
        super().__init__()
        torch.manual_seed(1)
        self.body = torch.nn.Conv2d(3, 6, 3, 2, 1)
        self.last = torch.nn.Conv2d(6, 4, 1)
        self.upsampled = upsampled
        self.mean, self.std, self.order = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bgr"

    def forward(self, x):
        out = self.last(torch.relu(self.body(x)))
        if not self.upsampled:
            return {"out": out}
        return torch.nn.functional.interpolate(out, scale_factor=2.0, mode="bilinear", align_corners=False)


def plain():
    return Net(False)


def upsampled():
    return Net(True)


class Cornered(Net):
    def forward(self, x):
        out = super().forward(x)["out"]
        return torch.nn.functional.interpolate(out, x.shape[2:], mode="bilinear", align_corners=True)


def cornered():
    return Cornered(False)


class Choosing(Net):
    def forward(self, x):
        out = super().forward(x)
        return {"out": out["out"] * (2.0 if float(out["out"].mean()) > 0 else 1.0)}


def choosing():
    return Choosing(False)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A package on the path, with labels beside it."""
    (tmp_path / "my_nets.py").write_text(NET, encoding="utf-8")
    names = "".join(f"  - {{name: '{name}'}}\n" for name in ("sky", "road <b>", "Straße", "car"))
    (tmp_path / "mine.yaml").write_text(f"name: mine\nclasses:\n{names}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_nets", None)  # other tests have one of the same name


def export(*words):
    return cli.main(["export", *map(str, words)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file"), [("plain", "my net.onnx"), ("upsampled", "my net.onnx"), ("plain", "my net.xml")]
)
def test_the_file_says_all_that_its_network_is(own, capsys, name, file):
    if file.endswith(".xml"):
        pytest.importorskip("openvino")
    assert export(f"my_nets:{name}", "--labels", "mine.yaml", "--out", own / file) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "images of any size; every score" in said
    assert "100.000% of the pixels" in said
    net = load_network(f"my_nets:{name}", labels="mine.yaml", device="cpu")
    read = load_network(file, device="cpu")
    assert read.labels == net.labels
    for part in ("mean", "std", "order", "scale"):
        assert getattr(read.input_spec, part) == getattr(net.input_spec, part)
    wanted, found = net.infer(IMAGE), read.infer(IMAGE)
    assert torch.allclose(found.logits, wanted.logits, atol=1e-4)
    assert torch.allclose(found.features, wanted.features, atol=1e-4)
    assert torch.equal(found.classifier.weight, wanted.classifier.weight)
    if file.endswith(".onnx"):
        outputs = [value.name for value in onnx.load(file).graph.output]
        assert outputs == ["logits", "features"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "size"), [("onnx", ()), ("onnx", ("--input-size", "96x64")), ("xml", ("--input-size", "96x64"))]
)
def test_a_tail_that_stays_in_the_file_is_found_when_it_is_read(own, ending, size):
    if ending == "xml":
        pytest.importorskip("openvino")
    assert export("my_nets:cornered", "--labels", "mine.yaml", *size, "--out", f"net.{ending}") == 0
    other = load_network(str(own / f"net.{ending}"), device="cpu")
    network = load_network("my_nets:cornered", labels="mine.yaml", device="cpu", input_size=other.input_spec.size)
    wanted, found = network.infer(IMAGE), other.infer(IMAGE)
    assert torch.allclose(found.features, wanted.features, atol=1e-4)
    assert torch.allclose(found.logits, wanted.logits, atol=1e-4)
    assert found.placement == wanted.placement


@pytest.mark.slow
def test_a_size_that_follows_the_image_stands_in_the_file(own, capsys):
    transformers = pytest.importorskip("transformers")
    model, case = hf_architectures.make("SegFormer")
    model.save_pretrained(own / "net")
    settings = {**case.settings, "size": {"shortest_edge": 96}, "do_resize": True}
    (own / "net/preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert transformers
    assert export("net", "--out", "net.onnx") == 0
    network, read = load_network("net", device="cpu"), load_network("net.onnx", device="cpu")
    assert network.input_spec.edges is not None
    assert read.input_spec == network.input_spec
    assert read.input_spec.size_for((120, 160)) != (120, 160)
    assert torch.allclose(read.infer(IMAGE).logits, network.infer(IMAGE).logits, atol=1e-4)


@pytest.mark.slow
def test_a_file_that_cannot_be_made_leaves_the_old_one(own, capsys):
    (own / "net.onnx").write_bytes(b"the old one")
    assert export("--model", "my_nets:choosing", "--labels", "mine.yaml", "--out", "net.onnx") == 2
    assert "torch cannot export it as a graph" in capsys.readouterr().err
    assert (own / "net.onnx").read_bytes() == b"the old one"
    assert sorted(path.name for path in own.glob("net.*")) == ["net.onnx"]


def test_what_cannot_be_exported_is_refused(own, capsys):
    for words, said in (
        (("--out", "net.pt2"), "expected a name that ends in .onnx or .xml or .engine"),
        (("--out", "net.onnx", "--to", "openvino"), "expected a name that ends in .xml for --to openvino"),
        (("--out", "n.engine", "--head", "trust"), "--to engine gives logits only"),
        (("nowhere.pt2", "--out", "n.onnx"), "nowhere.pt2: no such file"),
        (("embedded:synthetic", "--model", "my_nets:plain", "--out", "n.onnx"), "two networks, embedded:synthetic and"),
        (("--image-size", "64x64", "--out", "n.onnx"), "--image-size does not apply to --head logits"),
        (("--out", "n.onnx", "--backend", "openvino"), "torch exports in float32"),
        (("--out", "n.onnx", "--input-flip"), "a file holds one pass of the network"),
        (("--out", "n.onnx", "--half", "on"), "torch exports in float32"),
        (("--out", "n.onnx", "--model", str(own / "a.pt2")), "no such file"),
    ):
        assert export(*words) == 2
        assert said in capsys.readouterr().err
    (own / "a.pt2").write_bytes(b"x")
    assert export("--out", "n.onnx", "--model", own / "a.pt2") == 2
    assert "is a program already" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_engine_without_a_gpu_is_refused_before_the_work(own, capsys, monkeypatch):
    from trust_seg_ros.exporting import logits

    monkeypatch.setattr(logits, "load_network_of", lambda settings: pytest.fail("the network was loaded"))
    assert export("--out", "n.engine") == 2
    assert "device is 'cuda' but CUDA is not available" in capsys.readouterr().err
    assert not list(own.glob("n.engine*"))
