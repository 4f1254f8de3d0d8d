"""Graphs in half precision or with whole numbers give features and the kernel for them, as in float32."""

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_graphs import BIAS, CLASSES, LAST, Net, graph, value  # noqa: E402
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static  # noqa: E402
from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: E402

from trust_seg_ros.segmentation import DeviceError, ModelError, load_network  # noqa: E402
from trust_seg_ros.segmentation.graphs.onnx_graph import onnx_model  # noqa: E402
from trust_seg_ros.segmentation.graphs.onnx_weights import Weights  # noqa: E402
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES  # noqa: E402
from trust_seg_ros.segmentation.graphs.tensorrt_graph import in_half  # noqa: E402
from trust_seg_ros.uncertainty import uncertainty_maps  # noqa: E402

THERE = [name for name, row in RUNTIMES.items() if row.fits(torch.device("cpu"))]
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)


def load(path, **settings):
    return load_network(str(path), **{"labels": "camvid11", "device": "cpu", **settings})


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("original") / "n.onnx"
    graph(path, size=(64, 96), shape=(1, CLASSES, 32, 48))
    return path


@pytest.fixture(scope="module")
def wanted(original):
    return load(original).infer(IMAGE)


class Images(CalibrationDataReader):
    def __init__(self):
        rng = np.random.default_rng(4)
        self.left = iter([{"image": rng.normal(size=(1, 3, 64, 96)).astype(np.float32) * 1.2} for _ in range(8)])

    def get_next(self):
        return next(self.left, None)


@pytest.mark.parametrize("backend", THERE)
@pytest.mark.parametrize("outside", [True, False])
def test_float16(tmp_path, original, wanted, backend, outside):
    onnx.save(convert_float_to_float16(onnx.load(original), keep_io_types=outside), tmp_path / "n.onnx")
    answer = load(tmp_path / "n.onnx", backend=backend).infer(IMAGE)
    assert answer.features.dtype == answer.classifier.weight.dtype == torch.float16
    assert np.array_equal(answer.classifier.weight.numpy(), LAST.astype(np.float16))
    assert torch.allclose(answer.logits, wanted.logits, atol=0.02)
    assert (uncertainty_maps(answer).entropy - uncertainty_maps(wanted).entropy).abs().max() < 0.02


def test_a_graph_made_half_precise_for_an_engine(tmp_path, original, wanted):
    onnx.save(in_half(onnx_model(original)), tmp_path / "n.onnx")
    answer = load(tmp_path / "n.onnx").infer(IMAGE)
    assert answer.features.dtype == torch.float16
    assert torch.allclose(answer.logits, wanted.logits, atol=0.02)


@pytest.mark.parametrize("backend", THERE)
@pytest.mark.parametrize("per_channel", [True, False])
def test_static_int8_keeps_features_and_kernel(tmp_path, original, wanted, backend, per_channel):
    quantize_static(original, tmp_path / "n.onnx", Images(), quant_format=QuantFormat.QDQ, per_channel=per_channel)
    network = load(tmp_path / "n.onnx", backend=backend)
    assert any("rounds its logits" in text for text in network.remarks)
    answer = network.infer(IMAGE)
    step = np.abs(LAST).max((1, 2, 3), keepdims=True) / 127 if per_channel else np.abs(LAST).max() / 127
    assert (np.abs(answer.classifier.weight.numpy() - LAST) <= step / 2 + 1e-6).all()
    scale = float(wanted.logits.abs().max())
    assert (answer.logits - wanted.logits).abs().max() < 0.1 * scale
    assert len(answer.logits.unique()) > 256, "the logits are those before they are rounded"


@pytest.mark.parametrize("backend", THERE)
def test_dynamic_int8_gives_logits_without_features(tmp_path, original, wanted, backend):
    quantize_dynamic(original, tmp_path / "n.onnx")
    answer = load(tmp_path / "n.onnx", backend=backend).infer(IMAGE)
    assert answer.features is None
    assert (answer.logits - wanted.logits).abs().max() < 0.1 * float(wanted.logits.abs().max())


def test_whole_number_operators_run_where_they_are_known(tmp_path, original, wanted):
    quantize_static(original, tmp_path / "n.onnx", Images(), quant_format=QuantFormat.QOperator)
    answer = load(tmp_path / "n.onnx", backend="onnxruntime").infer(IMAGE)
    assert answer.features is None
    assert (answer.logits - wanted.logits).abs().max() < 0.1 * float(wanted.logits.abs().max())


WHOLE = np.array([[-128, 3], [127, -5], [0, 64]], np.int8).reshape(3, 2, 1, 1)
STEPS = np.array([0.5, 0.25, 2.0], np.float32)


def weights_of(nodes, **stored):
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    made = helper.make_graph(nodes, "g", [value("x", 1, (1,))], [], tensors)
    return Weights(made, {output: node for node in nodes for output in node.output})


@pytest.mark.parametrize(
    ("steps", "zero", "attributes"),
    [
        (STEPS, None, {"axis": 0}),
        (STEPS, np.array([1, -2, 3], np.int8), {"axis": 0}),
        (STEPS[:2], np.array([1, -2], np.int8), {}),
        (np.float32(0.5), np.int8(7), {}),
    ],
)
def test_stored_whole_numbers_are_what_onnx_says(steps, zero, attributes):
    names = ["whole", "steps"] + ([] if zero is None else ["zero"])
    node = helper.make_node("DequantizeLinear", names, ["weight"], **attributes)
    stored = {"whole": WHOLE, "steps": steps} | ({} if zero is None else {"zero": zero})
    found = weights_of([node], **stored).tensor("weight")
    made = helper.make_graph([node], "g", [], [value("weight", 1, WHOLE.shape)], [
        numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()
    ])  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (wanted,) = onnx.reference.ReferenceEvaluator(model).run(None, {})
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), wanted)


def test_stored_numbers_that_are_rounded_when_the_graph_runs():
    nodes = [
        helper.make_node("QuantizeLinear", ["plain", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["weight"]),
        helper.make_node("DequantizeLinear", ["x", "step"], ["computed"]),
    ]
    weights = weights_of(nodes, plain=LAST, step=np.float32(0.02), zero=np.int8(0))
    wanted = np.clip(np.rint(LAST / np.float32(0.02)), -128, 127) * np.float32(0.02)
    assert np.allclose(weights.tensor("weight").numpy(), wanted, atol=1e-6)
    assert weights.tensor("computed") is None


def test_half_precision_weights_that_are_cast():
    nodes = [helper.make_node("Cast", ["half"], ["weight"], to=TensorProto.FLOAT)]
    found = weights_of(nodes, half=BIAS.astype(np.float16)).tensor("weight")
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), BIAS.astype(np.float16).astype(np.float32))


def test_bfloat16_is_refused_where_it_is_not_computed(tmp_path):
    bf16 = TensorProto.BFLOAT16
    graph(tmp_path / "n.onnx", image_kind=bf16, kind=bf16)
    for backend in THERE:
        with pytest.raises(ModelError, match=r"bfloat16"):
            load(tmp_path / "n.onnx", backend=backend)
    cast = [helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT)]
    graph(tmp_path / "cast.onnx", image_kind=bf16, before=cast)
    assert load(tmp_path / "cast.onnx", backend="onnxruntime").infer(IMAGE).logits.shape == (CLASSES, 32, 48)


def test_whole_numbers_as_image_with_a_scale(tmp_path, wanted):
    """A quantised input: bytes, and DequantizeLinear inside."""
    before = [helper.make_node("DequantizeLinear", ["image", "step", "middle"], ["f"])]
    made = graph(image_kind=TensorProto.UINT8, before=before)
    made.graph.initializer.append(numpy_helper.from_array(np.uint8(128), "middle"))
    onnx.save(made, tmp_path / "n.onnx")
    answer = load(tmp_path / "n.onnx").infer(IMAGE)
    x = (torch.from_numpy(IMAGE).float().permute(2, 0, 1)[None] - 128) / 16
    assert torch.allclose(answer.logits, Net()(x)[0].detach(), atol=1e-3)


def test_half_on_a_cpu_belongs_to_torch(tmp_path, original):
    with pytest.raises(DeviceError, match="has the precision it was exported in"):
        load(original, half="on")
