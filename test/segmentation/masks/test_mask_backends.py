"""Mask networks of Hugging Face as graphs: they answer as torch does, one size at a time, also from a written file."""

import logging

import mask_networks
import pytest
import torch
from mask_networks import KINDS, SIDE

pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from trust_seg_ros.exporting.logits import export_logits
from trust_seg_ros.exporting.targets import TARGETS
from trust_seg_ros.segmentation import ModelError, ModelFileError, load_network
from trust_seg_ros.segmentation.graphs.fastest import check_agreement
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.masks.network import MaskNetwork
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.tails import Where

NAMES = ("road", "sky", "car", "tree", "person")
THERE = [name for name, row in RUNTIMES.items() if row.there]
SIZE = (SIDE, SIDE + 32)
IMAGE = scene_image((75, 131))


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = {}

    def of(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("masks") / kind
            mask_networks.save(kind, made[kind], NAMES)
        return str(made[kind])

    return of


def size_of(kind):
    return None if kind.startswith("eomt") else SIZE


def same(maps, wanted):
    """Class sums within a thousandth of the largest, and the same class nearly everywhere."""
    assert (maps.linear, maps.raw) == (True, False)
    assert maps.logits.shape == wanted.logits.shape
    assert float((maps.logits - wanted.logits).abs().max()) <= 1e-3 * float(wanted.logits.max())
    assert float((maps.logits.argmax(0) == wanted.logits.argmax(0)).float().mean()) > 0.999
    assert maps.queries.masks.shape == wanted.queries.masks.shape


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_on_every_library_and_from_a_file(kind, folder, tmp_path):
    wanted = load_network(folder(kind), device="cpu", input_size=size_of(kind))
    for backend in (*THERE, "auto"):
        network = load_network(folder(kind), device="cpu", input_size=size_of(kind), backend=backend)
        assert isinstance(network, MaskNetwork)
        assert backend in (network.backend, "auto")
        assert network.sha256 == wanted.sha256
        same(network.infer(IMAGE), wanted.infer(IMAGE))
        same(network.infer_batch([IMAGE, IMAGE])[1], wanted.infer(IMAGE))
    file = tmp_path / "n.onnx"
    written = export_logits(NetworkSettings(folder(kind), input_size=size_of(kind)), file, TARGETS["onnx"])
    assert written.same_classes > 0.999
    assert written.difference < 1e-3
    assert not written.features
    again = load_network(str(file), device="cpu")
    assert again.labels.names == NAMES
    assert again.input_spec.squares == wanted.input_spec.squares
    same(again.infer(IMAGE), wanted.infer(IMAGE))


@pytest.mark.parametrize("kind", ["maskformer", "mask2former", "oneformer"])
def test_graphs_of_any_size_are_refused_and_auto_stays_with_torch(kind, folder, caplog):
    said = "as a graph a mask network takes one size only.*set input_size, or use backend:=torch"
    with pytest.raises(ModelError, match=said):
        load_network(folder(kind), device="cpu", backend=THERE[0])
    with caplog.at_level(logging.WARNING):
        network = load_network(folder(kind), device="cpu", backend="auto")
    assert network.backend == "torch"
    assert "stays with torch" in caplog.text


def test_graphs_whose_masks_differ_are_refused():
    module = torch.nn.Module()
    module.forward = lambda x: (torch.ones(1, 2, 4), x[:, :2])  # type: ignore[method-assign]
    check_agreement(module, lambda x: (torch.ones(1, 2, 4), x[:, :2] + 1e-5), Where(), torch.ones(1, 3, 4, 4), "n", "r")
    with pytest.raises(ModelFileError, match="answers otherwise than torch, its values differ by up to"):
        check_agreement(
            module, lambda x: (torch.ones(1, 2, 4), x[:, :2] + 0.1), Where(), torch.ones(1, 3, 4, 4), "n", "r"
        )


@pytest.mark.skipif("openvino" not in THERE, reason="needs OpenVINO")
def test_files_that_hold_no_mask_networks_are_refused(folder, tmp_path):
    import openvino

    settings = NetworkSettings(folder("maskformer"), input_size=SIZE)
    with pytest.raises(ModelError, match="--to openvino holds no mask networks; expected --to onnx"):
        export_logits(settings, tmp_path / "n.xml", TARGETS["openvino"])
    assert not list(tmp_path.iterdir())
    export_logits(settings, tmp_path / "n.onnx", TARGETS["onnx"])
    openvino.save_model(openvino.convert_model(tmp_path / "n.onnx"), tmp_path / "n.xml")
    with pytest.raises(ModelFileError, match=r"gives classes and masks.*\.onnx.*backend:=openvino"):
        load_network(str(tmp_path / "n.xml"), labels="camvid11", device="cpu")
