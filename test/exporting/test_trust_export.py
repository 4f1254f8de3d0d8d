"""A trust head as a file gives the package's maps, says what its bytes mean, and is no network for this package."""

import json
import re

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
import mask_networks
import onnx

from trust_seg_ros import cli
from trust_seg_ros.exporting.errors import ExportError
from trust_seg_ros.exporting.head_file import open_head
from trust_seg_ros.segmentation import ModelError, load_network
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.thresholds.calibration import Calibration
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.thresholds.score_calibration import ScoreCalibration
from trust_seg_ros.uncertainty.feature_inputs import read_features
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics, Moments
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import score_map

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self, softmax=False):
        super().__init__()
        torch.manual_seed(1)
        self.body = torch.nn.Conv2d(3, 8, 3, 2, 1)
        self.last = torch.nn.Conv2d(8, 4, 1)
        self.last.weight.data *= 8
        self.softmax, self.stride, self.order = softmax, 4, "bgr"

    def forward(self, x):
        out = self.last(torch.relu(self.body(x)))
        out = torch.nn.functional.interpolate(out, scale_factor=2.0, mode="bilinear", align_corners=False)
        return out.softmax(1) if self.softmax else out


def free():
    return Net()


def softmax():
    return Net(softmax=True)


class Cornered(Net):
    def forward(self, x):
        out = self.last(torch.relu(self.body(x)))
        return torch.nn.functional.interpolate(out, x.shape[2:], mode="bilinear", align_corners=True)


def cornered():
    return Cornered()


class Whole:
    name = "whole"
    sha256 = ""
    raw = True

    def __init__(self):
        from trust_seg_ros.segmentation import load_network

        self._inner = load_network("head_nets:free", labels="mine.yaml", device="cpu")
        self.labels, self.input_spec = self._inner.labels, self._inner.input_spec
        self.device = self._inner.device

    def infer(self, image):
        return self._inner.infer(image)

    def warm_up(self, size):
        self._inner.warm_up(size)


def whole():
    return Whole()
"""
NAMES = ("road", "sky", "car", "tree", "person")
SPACE = ("head_nets:free", "--labels", "mine.yaml")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a network's code and labels."""
    folder = tmp_path_factory.mktemp("head")
    (folder / "head_nets.py").write_text(NET, encoding="utf-8")
    names = "".join(f"  - {{name: '{name}'}}\n" for name in ("sky", "road <b>", "Straße", "car"))
    (folder / "mine.yaml").write_text(f"name: mine\nclasses:\n{names}", encoding="utf-8")
    return folder


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.chdir(place)
    return place


def export(*words):
    return cli.main(["export", "--head", "trust", *map(str, words)])


def net():
    return load_network("head_nets:free", labels="mine.yaml", device="cpu")


def close(head, image, network):
    """The maps of a file are the package's, by class and within one step of a byte."""
    maps = uncertainty_maps(network.infer(image))
    found = head.values(image)
    assert (found["class"] == maps.classes.numpy()).mean() >= 0.9999
    for name in ("entropy", "margin", "variation_ratio"):
        assert np.abs(found[name] - getattr(maps, name).numpy()).max() <= 1 / 255, name
    return maps


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_one_size_resized_inside(here, capsys, kind):
    file = here / f"my head.{kind}"
    assert export(*SPACE, "--input-size", "96x64", "--image-size", "250x170", "--out", file) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "images of 250x170" in said
    assert said.count("read by") == (2 if kind == "onnx" else 1)
    network = load_network("head_nets:free", labels="mine.yaml", device="cpu", input_size=(64, 96))
    for runtime in ("onnxruntime", "openvino") if kind == "onnx" else ("openvino",):
        head = open_head(file, runtime)
        assert (head.size, head.labels) == ((170, 250), network.labels)
        for seed in (1, 2):
            close(head, scene_image((170, 250), seed), network)
    assert json.loads(head.metadata["trust_seg.source"]) == {"model": "head_nets:free", "sha256": network.sha256}
    assert head.metadata["trust_seg.classes"].split("\n") == list(network.labels.names)
    assert head.metadata["trust_seg.maps"].split("\n")[:2] == ["class 1.0 0.0", f"entropy {1 / 255!r} 0.0"]
    with pytest.raises(ModelError, match=r"gives finished maps.*export the network again with --head logits"):
        load_network(str(file), device="cpu")


@pytest.mark.slow
def test_any_size_that_is_not_resized(here, capsys):
    assert export(*SPACE, "--out", "free.onnx") == 0
    assert "images with sides that are multiples of 4" in " ".join(capsys.readouterr().out.split())
    graph = onnx.load("free.onnx").graph
    assert [output.name for output in graph.output] == ["class", "entropy", "margin", "variation_ratio"]
    assert {output.type.tensor_type.elem_type for output in graph.output} == {onnx.TensorProto.UINT8}
    head = open_head("free.onnx")
    assert (head.size, head.stride) == (None, 4)
    for size in ((64, 96), (120, 44)):
        close(head, scene_image(size), net())
    for wrong in (np.zeros((64, 97, 3), np.uint8), np.zeros((64, 96), np.uint8), np.zeros((64, 96, 3), np.float32)):
        with pytest.raises(ExportError, match=r"expected \(H, W, 3\) uint8, sides that are multiples of 4"):
            head(wrong)


@pytest.fixture
def calibrated(here):
    """A calibration of that network with statistics of its features and a range of two scores."""
    network = net()
    features = read_features(network.infer(scene_image((64, 96), 5))).flatten(1)
    statistics = FeatureStatistics(
        "",
        features.mean(1),
        torch.linalg.qr(torch.randn((8, 3), generator=torch.Generator().manual_seed(0))).Q.half(),
        0.7,
        torch.nn.functional.normalize(features[:, ::70].T).half(),
        Moments(0.1, 0.1),
        Moments(-3.0, 1.0),
        100,
        network.name,
        network.sha256,
    )
    curve = RiskCurve(np.array([-8.0, -4.0, 0.0]), np.array([0.0, 0.1, 0.2]), 3)
    scores = {"energy": ScoreCalibration(None, curve), "vim": ScoreCalibration(None, curve)}
    calibration = Calibration(
        network.name,
        network.labels.names,
        scores=scores,
        network_sha256=network.sha256,
        features=lambda: statistics,
    )
    calibration.save(here / "calibration.json")
    return statistics


@pytest.mark.slow
def test_scores_without_limits_and_of_features(here, calibrated, capsys):
    words = ("--maps", "vim,energy,max_logit,knn", "--range", "max_logit=-30:30")
    assert export(*SPACE, *words, "--calibration", "calibration.json", "--out", "more.onnx") == 0
    assert "energy: " in capsys.readouterr().out
    head, image = open_head("more.onnx"), scene_image((64, 96), 8)
    ranges = {one.name: one.range for one in head.maps}
    assert ranges["energy"] == pytest.approx((-10.0, 2.0))  # -8 to 0, a quarter wider at each end
    assert ranges["max_logit"] == pytest.approx((-30.0, 30.0))
    network = net()
    answer = network.infer(image)
    statistics = NetworkStatistics(features=lambda: calibrated)
    for name in ("vim", "energy", "max_logit", "knn"):
        wanted = score_map(name, answer, uncertainty_maps(answer), statistics=statistics).numpy()
        low, high = ranges[name]
        assert np.abs(head.values(image)[name] - wanted.clip(low, high)).max() <= (high - low) / 255


REFUSED = [
    ((*SPACE, "--maps", "clas"), "no map 'clas'.*did you mean class"),
    ((*SPACE, "--maps", "class,class"), "expected each map once"),
    ((*SPACE, "--maps", "class,energy"), "energy has no limits of its own.*--range energy=LOW:HIGH"),
    ((*SPACE, "--range", "energy=-20:0"), "--range energy: there is no such score among --maps"),
    ((*SPACE, "--maps", "knn"), "statistics of the network's features: trust-seg calibrate"),
    (("embedded",), "544x416 pixels.*give it with --image-size WIDTHxHEIGHT"),
    (("head_nets:cornered", "--labels", "mine.yaml"), "aligned corners or a crop.*--image-size WIDTHxHEIGHT"),
    (("head_nets:whole",), "complete network of its own.*let the factory return that"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[said[:20] for _, said in REFUSED])
def test_what_cannot_be_had_is_refused_with_the_way_out(here, capsys, words, said):
    assert export(*words, "--out", "no.onnx") == 2
    assert re.search(said, " ".join(capsys.readouterr().err.split()))
    assert not (here / "no.onnx").exists()


def test_a_calibration_of_another_network_is_refused(here, calibrated, capsys):
    words = ("head_nets:softmax", "--labels", "mine.yaml", "--maps", "class,knn")
    assert export(*words, "--calibration", "calibration.json", "--out", "no.onnx") == 2
    assert "the calibration was made for" in capsys.readouterr().err


def test_other_files_are_no_trust_heads(here):
    from onnx_graphs import graph

    graph(here / "plain.onnx")
    with pytest.raises(ExportError, match="no trust head"):
        open_head(here / "plain.onnx")
    (here / "text.onnx").write_bytes(b"a text")
    with pytest.raises(ExportError):
        open_head(here / "text.onnx")
    graph(here / "newer.onnx", metadata=[("trust_seg.head", json.dumps({"version": 99}))])
    with pytest.raises(ExportError, match="version 99; expected 1"):
        open_head(here / "newer.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mask2former", "maskformer"])
def test_a_mask_network_gives_its_maps(here, capsys, kind):
    pytest.importorskip("transformers")
    mask_networks.save(kind, here / kind, NAMES)
    names = "class,entropy,margin,variation_ratio,rba,mask_uncertainty"
    file = here / f"{kind}.onnx"
    words = (kind, "--input-size", "96x64", "--image-size", "96x64", "--maps", names, "--range", "rba=-2:0")
    assert export(*words, "--out", file) == 0
    assert capsys.readouterr().out.count("read by") == 2
    network = load_network(str(here / kind), device="cpu", input_size=(64, 96))
    image = scene_image((64, 96), 3)
    answer = network.infer(image)
    maps = uncertainty_maps(answer)
    for runtime in ("onnxruntime", "openvino"):
        found = open_head(file, runtime).values(image)
        assert (found["class"] == maps.classes.numpy()).mean() >= 0.9999
        for name in ("entropy", "margin", "variation_ratio"):
            assert np.abs(found[name] - getattr(maps, name).numpy()).max() <= 1 / 255, name
        assert np.abs(found["mask_uncertainty"] - score_map("mask_uncertainty", answer, maps).numpy()).max() <= 1 / 255
        wanted = score_map("rba", answer, maps).numpy().clip(-2, 0)
        assert np.abs(found["rba"] - wanted).max() <= 2 / 255


def test_maps_of_another_kind_of_network_are_refused(here, capsys):
    assert export(*SPACE, "--maps", "class,rba", "--out", "n.onnx") == 2
    assert "--maps rba: a map of a mask network, which this is not; expected some of class" in capsys.readouterr().err


@pytest.mark.slow
def test_logits_of_a_mask_network_and_squares_are_refused(here, capsys):
    pytest.importorskip("transformers")
    mask_networks.save("maskformer", here / "maskformer", NAMES)
    words = ("maskformer", "--input-size", "96x64", "--image-size", "96x64", "--range", "energy=0:1", "--out", "n.onnx")
    assert export(*words, "--maps", "class,energy") == 2
    assert "--maps energy: a map of logits, and a mask network has none" in capsys.readouterr().err
    mask_networks.save("eomt", here / "eomt", NAMES)
    assert export("eomt", "--image-size", "96x64", "--out", "n.onnx") == 2
    assert "sees an image in squares" in capsys.readouterr().err
