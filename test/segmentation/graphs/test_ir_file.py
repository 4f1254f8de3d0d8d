"""An OpenVINO file gives what its torch network gives; what cannot be a network is refused with the way out."""

import hashlib
import json

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
openvino = pytest.importorskip("openvino")
from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import CLASSES, LAST, Net, graph, value  # noqa: E402

from trust_seg_ros.segmentation import LabelError, ModelError, load_network  # noqa: E402
from trust_seg_ros.segmentation.graphs.ir_graph import weights_entry  # noqa: E402
from trust_seg_ros.segmentation.loader_row import from_module  # noqa: E402
from trust_seg_ros.segmentation.protocol import InputSpec  # noqa: E402

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
RESIZE = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
INT = TensorProto.INT64


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], **attributes)


def ir(path, half=False, said=(), **parts):
    """The graph of :class:`Net` as an .xml and a .bin file."""
    model = openvino.Core().read_model(graph(**parts).SerializeToString())
    for entry, text in said:
        model.set_rt_info(text, entry)
    openvino.save_model(model, str(path), compress_to_fp16=half)


def load(path, **settings):
    return load_network(str(path), **{"labels": "camvid11", "device": "cpu", **settings})


@pytest.fixture(scope="module")
def wanted():
    """The answer of torch."""
    labels = load_network("embedded").labels
    return from_module(Net(), "net", labels, InputSpec(stride=32), torch.device("cpu"), False).infer(IMAGE)


def check(found, wanted, tolerance=1e-5):
    assert torch.allclose(found.logits, wanted.logits, atol=tolerance)
    assert torch.allclose(found.features, wanted.features, atol=tolerance)
    assert np.allclose(found.classifier.weight.numpy(), LAST, atol=tolerance)
    assert found.raw


@pytest.mark.parametrize("backend", ["openvino", "torch", "auto"])
def test_logits_features_and_kernel_are_those_of_torch(tmp_path, wanted, backend):
    ir(tmp_path / "my net.xml")
    network = load(tmp_path / "my net.xml", backend=backend)
    check(network.infer(IMAGE), wanted)
    assert network.backend.startswith("openvino")
    both = (tmp_path / "my net.xml").read_bytes() + (tmp_path / "my net.bin").read_bytes()
    assert network.sha256 == hashlib.sha256(both).hexdigest()
    load(tmp_path / "my net.xml", sha256=network.sha256[:12])
    with pytest.raises(ModelError, match="sha256"):
        load(tmp_path / "my net.xml", sha256="0" * 64)


BEHIND = {
    "upsampled": [node("Resize", ["logits", "none", "two"], "end", **RESIZE)],
    "softmax": [node("Softmax", ["logits"], "end", axis=1)],
    "softmax of the upsampled": [
        node("Resize", ["logits", "none", "two"], "grown", **RESIZE),
        node("Softmax", ["grown"], "end", axis=1),
    ],
    "log of a softmax": [node("LogSoftmax", ["logits"], "end", axis=-3)],
}


@pytest.mark.parametrize("name", BEHIND)
def test_what_lies_behind_the_last_convolution_is_taken_off(tmp_path, wanted, name):
    ir(tmp_path / "n.xml", behind=BEHIND[name], output="end")
    network = load(tmp_path / "n.xml")
    check(network.infer(IMAGE), wanted)
    assert any("softmax" in text for text in network.remarks) == ("softmax" in name)


def test_an_upsampling_of_another_kind_stays(tmp_path):
    other = node(
        "Resize", ["logits", "none", "two"], "end", mode="linear", coordinate_transformation_mode="align_corners"
    )
    ir(tmp_path / "n.xml", behind=[other], output="end")
    found = load(tmp_path / "n.xml").infer(IMAGE)
    assert found.logits.shape[1:] == IMAGE.shape[:2]
    assert found.features is None


def test_weights_in_half_precision(tmp_path, wanted):
    ir(tmp_path / "n.xml", half=True)
    check(load(tmp_path / "n.xml").infer(IMAGE), wanted, 0.02)


def test_channels_last_and_whole_numbers(tmp_path, wanted):
    before = [
        node("Cast", ["image"], "f", to=TensorProto.FLOAT),
        node("Transpose", ["f"], "t", perm=[0, 3, 1, 2]),
    ]
    ir(tmp_path / "n.xml", before=before, image_kind=TensorProto.UINT8, image_shape=(1, None, None, 3))
    found = load(tmp_path / "n.xml").infer(IMAGE)
    pixels = torch.from_numpy(IMAGE).permute(2, 0, 1)[None].float()
    assert torch.allclose(found.logits, Net()(pixels)[0], atol=1e-2)
    with pytest.raises(ModelError, match="normalises by itself"):
        load(tmp_path / "n.xml", mean=(0.5, 0.5, 0.5))


def test_a_fixed_size_is_kept_and_another_one_refused(tmp_path, wanted):
    ir(tmp_path / "n.xml", size=(64, 96), shape=(1, CLASSES, 32, 48))
    network = load(tmp_path / "n.xml")
    assert network.input_spec.size == (64, 96)
    check(network.infer(IMAGE), wanted)
    with pytest.raises(ModelError, match="leave input_size away"):
        load(tmp_path / "n.xml", input_size=(128, 128))


def test_classes_and_normalisation_from_the_file(tmp_path):
    names = [f"class {k}" for k in range(CLASSES)]
    ours = {"name": "mine", "names": names, "palette": [[k, 0, 9] for k in range(CLASSES)]}
    spec = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.6], "order": "bgr", "stride": 16}
    said = [(["trust_seg", "labels"], json.dumps(ours)), (["trust_seg", "input"], json.dumps(spec))]
    ir(tmp_path / "a.xml", said=said)
    network = load(tmp_path / "a.xml", labels=None)
    assert (network.labels.name, network.labels.palette[3].tolist()) == ("mine", [3, 0, 9])
    assert network.input_spec == InputSpec(mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.6), order="bgr", stride=16)
    ir(tmp_path / "b.xml")
    with pytest.raises(LabelError, match="does not say its classes"):
        load(tmp_path / "b.xml", labels=None)


def test_classes_and_normalisation_as_ultralytics_writes_them(tmp_path):
    names = [f"class {k}" for k in range(CLASSES)]
    info = {
        "labels": " ".join(name.replace(" ", "_") for name in names),
        "scale_values": "[255.0]",
        "reverse_input_channels": "YES",
    }
    ir(tmp_path / "a.xml", said=[(["model_info", key], text) for key, text in info.items()])
    network = load(tmp_path / "a.xml", labels=None)
    assert network.labels.names == tuple(names)
    pixel = np.full((32, 32, 3), 51, np.uint8)
    wanted = Net()(torch.full((1, 3, 32, 32), 0.2))[0]
    assert torch.allclose(network.infer(pixel).logits, wanted, atol=1e-5)
    ir(tmp_path / "b.xml")
    lines = "".join(f"  {k}: other {k}\n" for k in range(CLASSES))
    (tmp_path / "metadata.yaml").write_text(f"task: segment\nnames:\n{lines}", encoding="utf-8")
    assert load(tmp_path / "b.xml", labels=None).labels.names[3] == "other 3"
    assert load(tmp_path / "a.xml", labels=None).labels.names[3] == "class 3"
    (tmp_path / "metadata.yaml").write_text("task: segment\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"metadata\.yaml beside it.*names none"):
        load(tmp_path / "b.xml", labels=None)


REFUSED = {
    "argmax": (
        {"behind": [node("ArgMax", ["logits"], "end", axis=1)], "output": "end", "kind": INT},
        "classes only.*export the network without it",
    ),
    "whole numbers": (
        {"behind": [node("Cast", ["logits"], "end", to=INT)], "output": "end", "kind": INT},
        "answers with .* i64; expected logits",
    ),
    "two inputs": (
        {
            "more_inputs": [value("other", TensorProto.FLOAT, (1, CLASSES, 1, 1))],
            "behind": [node("Add", ["logits", "other"], "end")],
            "output": "end",
        },
        "takes 2 inputs",
    ),
    "a batch": ({"batch": 4}, "batches of 4"),
    "grey": (
        {"image_shape": (1, 1, None, None), "before": [node("Concat", ["image"] * 3, "c", axis=1)]},
        r"takes \[1,1,\?,\?\] f32; expected an image",
    ),
    "one side free": ({"size": (64, None)}, "both sides fixed or both free"),
    "two maps": (
        {
            "behind": [node("Sigmoid", ["logits"], "end"), node("Relu", ["a"], "aux")],
            "output": "end",
            "more_outputs": [value("aux", TensorProto.FLOAT, (1, CLASSES, None, None))],
        },
        "several maps, end, aux; name that of the class scores 'logits'",
    ),
    "other labels": ({}, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_refused_with_the_way_out(tmp_path, name):
    parts, said = REFUSED[name]
    ir(tmp_path / "n.xml", **parts)
    with pytest.raises(ModelError, match=said or "19"):
        load(tmp_path / "n.xml", labels="cityscapes19" if said is None else "camvid11")


def test_settings_that_contradict_the_file(tmp_path):
    ir(tmp_path / "n.xml")
    with pytest.raises(ModelError, match=r"only openvino runs such a file; leave backend away"):
        load(tmp_path / "n.xml", backend="onnxruntime")
    with pytest.raises(ModelError, match="half is True"):
        load(tmp_path / "n.xml", half=True)


DAMAGE = {
    "newer": (lambda text: text.replace('version="11"', 'version="99"', 1), "version 99.*install a newer openvino"),
    "older": (lambda text: text.replace('version="11"', 'version="4"', 1), "version 4 .*expected 10 or 11: export it"),
    "an operator of somebody's own": (
        lambda text: text.replace('type="ReLU" version="opset1"', 'type="Mine" version="extension"'),
        "operators that this OpenVINO does not have",
    ),
    "half of it": (lambda text: text[: len(text) // 2], "damaged"),
    "nothing": (lambda text: "", "no OpenVINO model; expected the .xml file"),
    "a page": (lambda text: "<html></html>", "no OpenVINO model; expected the .xml file"),
    "a robot": (lambda text: '<?xml version="1.0"?><robot name="r"/>', "no OpenVINO model; expected the .xml file"),
    "no layers": (lambda text: '<net name="x" version="11"></net>', "no OpenVINO model|answers with nothing|takes 0"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_and_foreign_structures_are_refused(tmp_path, name):
    ir(tmp_path / "n.xml")
    change, said = DAMAGE[name]
    text = (tmp_path / "n.xml").read_text(encoding="utf-8")
    assert change(text) != text
    (tmp_path / "n.xml").write_text(change(text), encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        load(tmp_path / "n.xml")


def test_weights_are_those_of_the_file_and_in_its_folder(tmp_path, wanted):
    inside = tmp_path / "net"
    inside.mkdir()
    ir(inside / "n.xml")
    weights = (inside / "n.bin").read_bytes()
    (inside / "n.bin").write_bytes(weights[:-40])
    with pytest.raises(ModelError, match=r"n\.bin is too short for it"):
        load(inside / "n.xml")
    (inside / "n.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"n\.bin is too short for it"):
        load(inside / "n.xml")
    (inside / "n.bin").unlink()
    with pytest.raises(ModelError, match=r"lie in n\.bin, which is missing; copy that file beside it"):
        load(inside / "n.xml")
    (tmp_path / "elsewhere.bin").write_bytes(weights)
    (inside / "n.bin").symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(ModelError, match="outside its folder"):
        load(inside / "n.xml")
    (inside / "n.bin").unlink()
    (inside / "other.bin").write_bytes(weights)
    (inside / "n.bin").symlink_to(inside / "other.bin")
    check(load(inside / "n.xml").infer(IMAGE), wanted)
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "nowhere.xml")


def test_other_weights_than_those_it_was_written_with_are_refused(tmp_path):
    ir(tmp_path / "n.xml")
    structure, weights = (tmp_path / "n.xml").read_bytes(), (tmp_path / "n.bin").read_bytes()
    ir(tmp_path / "n.xml", said=[(["trust_seg", "weights"], weights_entry(structure, weights))])
    load(tmp_path / "n.xml")
    anew = openvino.Core().read_model(str(tmp_path / "n.xml"))
    openvino.save_model(anew, str(tmp_path / "half.xml"), compress_to_fp16=True)  # it keeps the entry
    load(tmp_path / "half.xml")
    damaged = bytearray(weights)
    damaged[9] ^= 64
    (tmp_path / "n.bin").write_bytes(damaged)
    with pytest.raises(ModelError, match=r"n\.bin is not the one it was written with"):
        load(tmp_path / "n.xml")


@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_a_graph_of_finished_maps_is_no_network(tmp_path, kind):
    if kind == "xml":
        ir(tmp_path / "n.xml", said=[(["trust_seg", "head"], "{}")])
    else:
        graph(tmp_path / "n.onnx", metadata=[("trust_seg.head", "{}")])
    with pytest.raises(ModelError, match=r"gives finished maps.*export the network again with --head logits"):
        load(tmp_path / f"n.{kind}")


def test_the_library_that_is_missing_is_named(tmp_path, monkeypatch):
    ir(tmp_path / "n.xml")
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(ModelError, match=r"an \.xml file needs OpenVINO; .*pip install"):
        load(tmp_path / "n.xml")
