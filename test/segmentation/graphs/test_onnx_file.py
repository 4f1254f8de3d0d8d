"""An .onnx file gives what its torch network gives; what cannot be a network is refused with the way out."""

import json

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import CLASSES, LAST, Net, graph, value  # noqa: E402

from trust_seg_ros.segmentation import LabelError, ModelError, load_network  # noqa: E402
from trust_seg_ros.segmentation.graphs.onnx_graph import read_onnx  # noqa: E402
from trust_seg_ros.segmentation.graphs.onnx_tail import cut_to_logits  # noqa: E402
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES  # noqa: E402
from trust_seg_ros.segmentation.loader_row import from_module  # noqa: E402
from trust_seg_ros.segmentation.protocol import InputSpec  # noqa: E402
from trust_seg_ros.support.content_hash import hash_of_file  # noqa: E402

THERE = [name for name, row in RUNTIMES.items() if row.there]
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
RESIZE = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], **attributes)


def load(path, **settings):
    return load_network(str(path), **{"labels": "camvid11", "device": "cpu", **settings})


@pytest.fixture(scope="module")
def wanted():
    """The answer of torch."""
    labels = load_network("embedded").labels
    return from_module(Net(), "net", labels, InputSpec(stride=32), torch.device("cpu"), False).infer(IMAGE)


def check(found, wanted):
    assert torch.allclose(found.logits, wanted.logits, atol=1e-5)
    assert torch.allclose(found.features, wanted.features, atol=1e-5)
    assert np.array_equal(found.classifier.weight.numpy(), LAST)
    assert found.raw


@pytest.mark.parametrize("backend", [*THERE, "torch", "auto"])
def test_logits_features_and_kernel_are_those_of_torch(tmp_path, wanted, backend):
    graph(tmp_path / "my net.onnx")
    network = load(tmp_path / "my net.onnx", backend=backend)
    check(network.infer(IMAGE), wanted)
    assert network.backend.startswith(THERE[0] if backend == "torch" else "" if backend == "auto" else backend)
    assert network.sha256 == hash_of_file(tmp_path / "my net.onnx")
    assert network.remarks == () or all("looks" not in text for text in network.remarks)


BEHIND = {
    "upsampled": [node("Resize", ["logits", "none", "two"], "end", **RESIZE)],
    "softmax": [node("Softmax", ["logits"], "end", axis=1)],
    "softmax of the upsampled": [
        node("Resize", ["logits", "none", "two"], "grown", **RESIZE),
        node("Softmax", ["grown"], "end", axis=1),
    ],
    "log of a softmax": [node("LogSoftmax", ["logits"], "end", axis=-3)],
    "a copy": [node("Identity", ["logits"], "end")],
}


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize("backend", THERE)
def test_what_lies_behind_the_last_convolution_is_taken_off(tmp_path, wanted, name, backend):
    graph(tmp_path / "n.onnx", behind=BEHIND[name], output="end")
    network = load(tmp_path / "n.onnx", backend=backend)
    check(network.infer(IMAGE), wanted)
    assert any("softmax" in text for text in network.remarks) == ("softmax" in name)


def test_an_upsampling_of_another_kind_stays(tmp_path, wanted):
    other = node(
        "Resize", ["logits", "none", "two"], "end", mode="linear", coordinate_transformation_mode="align_corners"
    )
    graph(tmp_path / "n.onnx", behind=[other], output="end")
    found = load(tmp_path / "n.onnx").infer(IMAGE)
    assert found.logits.shape[1:] == IMAGE.shape[:2]
    assert found.features is None
    grown = torch.nn.functional.interpolate(wanted.logits[None], scale_factor=2, mode="bilinear", align_corners=True)
    assert torch.allclose(found.logits, grown[0], atol=1e-4)


def test_channels_last_uint8_with_normalisation_inside(tmp_path, wanted):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    before = [
        node("Cast", ["image"], "f", to=TensorProto.FLOAT),
        node("Transpose", ["f"], "t", perm=[0, 3, 1, 2]),
        node(
            "Constant",
            [],
            "m",
            value=onnx.numpy_helper.from_array(255 * np.array(mean, np.float32).reshape(1, 3, 1, 1)),
        ),
        node(
            "Constant", [], "s", value=onnx.numpy_helper.from_array(255 * np.array(std, np.float32).reshape(1, 3, 1, 1))
        ),
        node("Sub", ["t", "m"], "u"),
        node("Div", ["u", "s"], "v"),
    ]
    shape = (1, None, None, 3)
    graph(tmp_path / "n.onnx", before=before, image_kind=TensorProto.UINT8, image_shape=shape)
    for backend in THERE:
        check(load(tmp_path / "n.onnx", backend=backend).infer(IMAGE), wanted)
    with pytest.raises(ModelError, match="normalises by itself"):
        load(tmp_path / "n.onnx", mean=(0.5, 0.5, 0.5))


def test_half_precision_inputs(tmp_path, wanted):
    before = [node("Cast", ["image"], "f", to=TensorProto.FLOAT)]
    graph(tmp_path / "n.onnx", before=before, image_kind=TensorProto.FLOAT16)
    found = load(tmp_path / "n.onnx").infer(IMAGE)
    assert torch.allclose(found.logits, wanted.logits, atol=0.02)


def test_a_fixed_size_is_kept_and_another_one_refused(tmp_path, wanted):
    graph(tmp_path / "n.onnx", size=(64, 96), shape=(1, CLASSES, 32, 48))
    network = load(tmp_path / "n.onnx")
    assert network.input_spec.size == (64, 96)
    check(network.infer(IMAGE), wanted)
    assert network.infer(np.zeros((300, 200, 3), np.uint8)).logits.shape == (CLASSES, 32, 48)
    with pytest.raises(ModelError, match="leave input_size away"):
        load(tmp_path / "n.onnx", input_size=(128, 128))


def test_classes_and_normalisation_from_the_file(tmp_path):
    names = [f"class {k}" for k in range(CLASSES)]
    graph(tmp_path / "a.onnx", metadata=[("names", str(dict(enumerate(names))))])
    assert load(tmp_path / "a.onnx", labels=None).labels.names == tuple(names)
    ours = {"name": "mine", "names": names, "palette": [[k, 0, 9] for k in range(CLASSES)]}
    spec = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.6], "order": "bgr", "stride": 16}
    graph(
        tmp_path / "b.onnx",
        metadata=[("trust_seg.labels", json.dumps(ours)), ("trust_seg.input", json.dumps(spec))],
    )
    network = load(tmp_path / "b.onnx", labels=None)
    assert network.labels.name == "mine"
    assert network.labels.palette[3].tolist() == [3, 0, 9]
    assert network.input_spec == InputSpec(mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.6), order="bgr", stride=16)
    graph(tmp_path / "c.onnx", metadata=[("names", "{0: 'a', __import__('os')}")])
    with pytest.raises(LabelError, match="cannot be read"):
        load(tmp_path / "c.onnx", labels=None)
    graph(tmp_path / "d.onnx", metadata=[("trust_seg.input", '{"mean": "red"}')])
    with pytest.raises(ModelError, match=r"trust_seg\.input cannot be read"):
        load(tmp_path / "d.onnx")
    graph(tmp_path / "e.onnx")
    with pytest.raises(LabelError, match="does not say its classes"):
        load(tmp_path / "e.onnx", labels=None)


def branch(domain):
    made = node("Relu", ["logits"], "inner", domain=domain)
    return helper.make_graph([made], "branch", [], [value("inner", TensorProto.FLOAT, (1, CLASSES, None, None))])


INT = TensorProto.INT64
REFUSED = {
    "argmax": (
        {"behind": [node("ArgMax", ["logits"], "end", axis=1)], "output": "end", "kind": INT},
        "classes only.*export the network without it",
    ),
    "argmax, cast and squeezed": (
        {
            "behind": [
                node("ArgMax", ["logits"], "m", axis=1, keepdims=0),
                node("Cast", ["m"], "end", to=TensorProto.UINT8),
            ],
            "output": "end",
            "kind": TensorProto.UINT8,
            "shape": (1, None, None),
        },
        "classes only",
    ),
    "quantised": (
        {
            "behind": [node("QuantizeLinear", ["logits", "step", "zero"], "end")],
            "output": "end",
            "kind": TensorProto.INT8,
        },
        "quantised.*DequantizeLinear",
    ),
    "two inputs": ({"more_inputs": [value("other", TensorProto.FLOAT, (1, 1))]}, "takes 2 inputs"),
    "a batch": ({"batch": 4}, "batches of 4"),
    "grey": ({"image_shape": (1, 1, None, None)}, r"takes \(1, 1, \?, \?\) float32; expected an image"),
    "one side free": ({"size": (64, None)}, "both sides fixed or both free"),
    "a vector": ({"image_shape": (1, 12)}, "expected an image"),
    "own operators": (
        {"behind": [node("Mine", ["logits"], "end", domain="my.ops")], "output": "end", "domain": "my.ops"},
        "operators of somebody's own, my.ops::Mine",
    ),
    "two maps": (
        {
            "behind": [node("Identity", ["logits"], "end"), node("Relu", ["a"], "aux")],
            "output": "end",
            "more_outputs": [value("aux", TensorProto.FLOAT, (1, CLASSES, None, None))],
        },
        "several maps, end, aux; name that of the class scores 'logits'",
    ),
    "operators of onnxruntime-extensions": (
        {
            "behind": [node("Inverse", ["logits"], "end", domain="ai.onnx.contrib")],
            "output": "end",
            "domain": "ai.onnx.contrib",
        },
        "operators of the library onnxruntime-extensions, ai.onnx.contrib::Inverse",
    ),
    "plugins of TensorRT": (
        {
            "behind": [node("EfficientNMS_TRT", ["logits"], "end", domain="trt.plugins")],
            "output": "end",
            "domain": "trt.plugins",
        },
        "operators of plugins of TensorRT, trt.plugins::EfficientNMS_TRT",
    ),
    "own operators in a branch": (
        {
            "behind": [
                node("Constant", [], "yes", value=helper.make_tensor("", TensorProto.BOOL, (), [True])),
                node("If", ["yes"], "end", then_branch=branch("my.ops"), else_branch=branch("")),
            ],
            "output": "end",
            "domain": "my.ops",
        },
        "operators of somebody's own, my.ops::Relu",
    ),
    "compiled for a provider": (
        {
            "behind": [
                node("EPContext", ["logits"], "end", domain="com.microsoft", source=b"TensorrtExecutionProvider")
            ],
            "output": "end",
            "domain": "com.microsoft",
        },
        r"compiled for the provider tensorrt .*\(EPContext\).*give the \.onnx file that it was compiled from",
    ),
    "an operator without code": (
        {
            "behind": [node("Nonsense", ["logits"], "end", domain="com.microsoft")],
            "output": "end",
            "domain": "com.microsoft",
        },
        "refuses it.*no code for that operator: use another backend or provider",
    ),
    "other labels": ({"shape": (1, None, None, None)}, None),
    "opset of the future": ({"opset": 99}, "opset|refuses it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_refused_with_the_way_out(tmp_path, name):
    parts, said = REFUSED[name]
    graph(tmp_path / "n.onnx", **parts)
    labels = "cityscapes19" if said is None else "camvid11"
    with pytest.raises(ModelError, match=said or "19"):
        load(tmp_path / "n.onnx", labels=labels)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x08\x08" * 40, b"\xff" * 1000])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "n.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"n\.onnx: no ONNX model"):
        load(tmp_path / "n.onnx")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"ftrt" + bytes(400), "a TensorRT engine"),
        (b"ptrt" + bytes(400), "a TensorRT engine"),
        (b"\x02\x00\x00\x00{}ftrt" + bytes(400), "a TensorRT engine"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 9\n", "LFS"),
    ],
)
def test_what_is_no_graph_is_said(tmp_path, content, what):
    (tmp_path / "n.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=rf"n\.onnx: .*{what}"):
        load(tmp_path / "n.onnx")


def test_a_file_of_more_than_two_gigabytes_is_not_even_read(tmp_path):
    graph(tmp_path / "n.onnx")
    with (tmp_path / "n.onnx").open("r+b") as file:
        file.truncate(2_100_000_000)  # a hole: it takes no room
    with pytest.raises(ModelError, match=r"more than 2 GB; export it in half precision"):
        read_onnx(tmp_path / "n.onnx")


def test_nodes_in_any_order(tmp_path, wanted):
    made = graph()
    nodes = list(made.graph.node)[::-1]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    found = cut_to_logits(made, "net")
    assert len(made.graph.node) == 3
    assert found.ending is not None


def test_a_damaged_file_is_refused_or_known_by_another_hash(tmp_path):
    graph(tmp_path / "n.onnx")
    whole = (tmp_path / "n.onnx").read_bytes()
    digest = hash_of_file(tmp_path / "n.onnx")
    for length in (10, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "n.onnx").write_bytes(whole[:length])
        with pytest.raises(ModelError):
            load(tmp_path / "n.onnx", sha256=digest)
        with pytest.raises(ModelError):
            load(tmp_path / "n.onnx")
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "nowhere.onnx")


def with_weights_in(model, path, location):
    """Save a model whose last kernel lies in a file."""
    for tensor in model.graph.initializer:
        if tensor.name == "last":
            onnx.external_data_helper.set_external_data(tensor, location)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("backend", THERE)
def test_weights_beside_the_file_are_read_and_nothing_else(tmp_path, wanted, backend):
    inside = tmp_path / "net"
    inside.mkdir()
    for folder in (tmp_path, inside):
        (folder / "weights.bin").write_bytes(LAST.tobytes())
    with_weights_in(graph(), inside / "n.onnx", "weights.bin")
    check(load(inside / "n.onnx", backend=backend).infer(IMAGE), wanted)
    (inside / "link.bin").symlink_to(tmp_path / "weights.bin")
    for location in ("../weights.bin", str(tmp_path / "weights.bin"), "link.bin"):
        with_weights_in(graph(), inside / "n.onnx", location)
        with pytest.raises(ModelError, match="outside its folder"):
            load(inside / "n.onnx", backend=backend)
    with_weights_in(graph(), inside / "n.onnx", "lost.bin")
    with pytest.raises(ModelError, match=r"lie in 'lost\.bin', which is missing"):
        load(inside / "n.onnx", backend=backend)
    (inside / "weights.bin").write_bytes(b"short")
    with_weights_in(graph(), inside / "n.onnx", "weights.bin")
    with pytest.raises(ModelError):
        load(inside / "n.onnx", backend=backend)


def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch):
    graph(tmp_path / "n.onnx")
    monkeypatch.setattr("trust_seg_ros.segmentation.graphs.runtimes.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"no library that runs \.onnx files.*onnxruntime"):
        load(tmp_path / "n.onnx")
    with pytest.raises(ModelError, match="backend openvino needs a library"):
        load(tmp_path / "n.onnx", backend="openvino")


def test_settings_that_contradict_the_file(tmp_path):
    graph(tmp_path / "n.onnx")
    with pytest.raises(ModelError, match="backend is 'caffe'; expected 'torch', 'auto'"):
        load(tmp_path / "n.onnx", backend="caffe")
    with pytest.raises(ModelError, match="half is True"):
        load(tmp_path / "n.onnx", half=True)
    with pytest.raises(ModelError, match="cannot be watched"):
        load(tmp_path / "n.onnx", features_layer="b")
