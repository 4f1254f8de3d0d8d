"""``trust-seg check NETWORK``: what a network is, which scores it gives, and how each library runs it."""

import json

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper
from onnx_graphs import CLASSES, graph

from trust_seg_ros import cli

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    labels = "camvid11"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 11, 1)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


class Softened(Net):
    def forward(self, x):
        return torch.relu(super().forward(x)) * 2.0


class Lost(Net):
    def forward(self, x):
        return super().forward(x) * float("nan")


class Choosing(Net):
    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(4, 11, 1)  # other weights, else the graph of Net, which is kept, would do

    def forward(self, x):  # data decides what is computed: no graph has that
        out = super().forward(x)
        return out * 2.0 if float(out.mean()) > float(out.std()) * 9 else out
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "checked_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def check(capsys):
    """Run the command; gives the exit status and line by line what it found."""

    def run(*words):
        status = cli.main(["check", *map(str, words), "--json"])
        printed = json.loads(capsys.readouterr().out)
        return status, {entry["name"]: entry for entry in printed["findings"]}

    return run


def test_an_onnx_file_on_every_library(check, tmp_path):
    path = tmp_path / "net.onnx"
    graph(path)
    status, found = check(path, "--labels", "camvid11")
    assert status == 0
    assert str(path) in found["network"]["found"]
    assert f"({CLASSES})" in found["classes"]["found"]
    assert "multiples of 32" in found["images"]["found"]
    assert found["answer"]["found"].startswith("raw logits, 11x")
    assert "gradient_onehot" in found["scores"]["found"]
    assert "ms a frame" in found["onnxruntime"]["found"]
    assert found["fastest"]["state"] == "ok"
    assert "torch" not in found


def test_every_library_that_is_there_agrees(check, nets):
    status, found = check("checked_nets:Net")
    assert status == 0
    assert "ms a frame" in found["torch"]["found"]
    assert found["onnxruntime"]["state"] == "ok"
    assert "100.000% of the classes alike" in found["onnxruntime"]["found"]
    assert found["calibration"]["state"] == "warning"
    assert "trust-seg fit" in found["judge of segments"]["way_out"]


def test_one_library_can_be_asked_for(check, nets):
    status, found = check("checked_nets:Net", "--backend", "onnxruntime")
    assert status == 0
    assert not {"torch", "openvino"} & set(found)
    assert found["fastest"]["found"] == "onnxruntime, as it is"


def test_a_library_that_refuses_it_is_a_warning(check, nets):
    status, found = check("checked_nets:Choosing")
    assert status == 0
    assert found["onnxruntime"]["state"] == "warning"
    assert found["onnxruntime"]["way_out"] == "use backend:=torch"
    assert found["fastest"]["found"] == "torch, as it is"


def test_scores_without_a_last_layer_are_told_with_the_reason(check, nets):
    status, found = check("checked_nets:Softened")
    assert status == 0
    assert "gradient" not in found["scores"]["found"]
    told = found["gradient scores"]
    assert told["state"] == "warning"
    assert "gradient_onehot, gradient_uniform" in told["found"]
    assert found["feature scores"]["state"] == "warning"


def test_a_network_of_the_package_has_its_files(check):
    status, found = check("embedded", "--backend", "torch", "--half", "off")
    assert status == 0
    assert [found[name]["state"] for name in ("calibration", "judge of segments", "judge of unknown objects")] == [
        "ok"
    ] * 3
    assert "standardized_max_logit" in found["scores"]["found"]
    assert found["feature scores"]["state"] == "skipped"


def test_an_image_of_ones_own(check, tmp_path):
    import cv2

    path = tmp_path / "net.onnx"
    graph(path)
    image = np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "street.png"), image)
    _, found = check(path, "--labels", "camvid11", "--image", tmp_path / "street.png")
    assert found["answer"]["found"] == "raw logits, 11x32x48"


@pytest.mark.parametrize(
    ("behind", "output", "kind", "words"),
    [
        (
            [("ArgMax", {"axis": 1, "keepdims": 0})],
            "classes",
            TensorProto.INT64,
            "without which there is no uncertainty",
        ),
    ],
)
def test_a_graph_without_uncertainty_fails(check, tmp_path, behind, output, kind, words):
    path = tmp_path / "net.onnx"
    nodes = [helper.make_node(name, ["logits"], [output], **options) for name, options in behind]
    graph(path, behind=nodes, output=output, kind=kind, shape=(1, None, None))
    status, found = check(path, "--labels", "camvid11")
    assert status == 1
    assert list(found) == ["network"]
    assert words in found["network"]["found"]


def test_a_network_of_nothing_but_nan_fails(check, nets):
    status, found = check("checked_nets:Lost")
    assert status == 1
    assert "failed" in {entry["state"] for entry in found.values()}


def test_scores_of_the_other_kind_of_network_are_no_warning(check, nets, tmp_path):
    _, found = check("checked_nets:Net")
    assert found["mask scores"]["state"] == "skipped"
    assert "mask network" in found["mask scores"]["found"]
    status, found = check("linear_networks:Masks", "--backend", "torch")
    assert status == 0
    assert found["answer"]["found"].startswith("sums of ")
    assert "rba" in found["scores"]["found"]
    kinds = ("logits", "gradient", "feature", "standardised")
    assert {found[f"{kind} scores"]["state"] for kind in kinds} == {"skipped"}


def test_a_library_that_does_not_run_such_files_is_no_warning(check, tmp_path):
    openvino = pytest.importorskip("openvino")
    graph(tmp_path / "net.onnx")
    openvino.save_model(openvino.convert_model(str(tmp_path / "net.onnx")), str(tmp_path / "net.xml"), False)
    _, found = check(tmp_path / "net.xml", "--labels", "camvid11")
    assert found["onnxruntime"]["state"] == "skipped"
    assert "only openvino runs such a file" in found["onnxruntime"]["found"]
    assert "gradient_onehot" in found["scores"]["found"]
