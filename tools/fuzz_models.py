"""Small model files of every kind, and the cheap part of what reads them: targets of ``tools/fuzz.py``."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

_PLAN = b"ftrt" + bytes(20) + bytes((10, 3, 0, 26)) + bytes(range(100))
"""What begins as an engine of TensorRT 10.3 does; nothing runs it."""
_BUILD = tuple[Callable[[], dict[str, bytes]], Callable[[bytes], object]]


def _program(exported: bool) -> bytes:
    """A network written by torch.export or TorchScript."""
    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 11, 1)).eval()
    example, file = torch.zeros(1, 3, 16, 16), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if exported:
            torch.export.save(torch.export.export(module, (example,)), file)
        else:
            torch.jit.save(torch.jit.trace(module, example), file)
    return file.getvalue()


def _weights() -> bytes:
    """Weights of a compact network of few channels."""
    from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet, save_compact

    small = CompactConfig(stem=16, quarter=16, eighth=16, sixteenth=16, eighth_blocks=1, dilations=(1,), decoder=16)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.safetensors"
        save_compact(CompactNet(small).eval(), path)
        return path.read_bytes()


def _settings() -> dict[str, bytes]:
    """Files of image processors."""
    sizes = (224, [96, 128], {"height": 96, "width": 128}, {"shortest_edge": 96, "longest_edge": 200})
    rest = {"image_mean": [0.5, 0.5, 0.5], "image_std": 0.5, "rescale_factor": 0.00392, "do_center_crop": True}
    kinds = ("SegformerImageProcessor", "MobileViTFeatureExtractor", "ConvNextImageProcessor", "DPTImageProcessorFast")
    return {
        kind: json.dumps({"image_processor_type": kind, "size": size, "crop_size": 96, **rest}).encode()
        for kind, size in zip(kinds, sizes, strict=True)
    }


@lru_cache(maxsize=1)
def _ir() -> tuple[bytes, bytes]:
    """A network as an .xml and a .bin file of OpenVINO."""
    import numpy as np
    import openvino
    from openvino import opset13 as op

    rng = np.random.default_rng(0)
    image = op.parameter(openvino.PartialShape([1, 3, -1, -1]), openvino.Type.f32, name="image")
    zero, kernel = [0, 0], op.constant(rng.normal(size=(11, 3, 1, 1)).astype(np.float32))
    scores = op.convolution(image, kernel, [1, 1], zero, zero, [1, 1])
    scores = op.softmax(op.add(scores, op.constant(rng.normal(size=(1, 11, 1, 1)).astype(np.float32))), 1)
    model = openvino.Model([scores.output(0)], [image], "net")
    model.set_rt_info("a b c", ["model_info", "labels"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.xml"
        openvino.save_model(model, str(path), compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _read_ir(path: Path) -> object:
    from trust_seg_ros.segmentation.graphs.ir_graph import read_ir

    return read_ir(path.read_bytes(), _ir()[1], path)


def _on_disk(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """``read`` for a file of these bytes; its errors must name it."""

    def run(data: bytes) -> object:
        from trust_seg_ros.errors import TrustSegError

        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            try:
                return read(path)
            except TrustSegError as error:
                if str(path) not in str(error):
                    raise ValueError(f"the error does not name the file: {error}") from error
                raise

    return run


def _memory() -> Path | None:
    """A folder in memory, where there is one."""
    return Path("/dev/shm") if Path("/dev/shm").is_dir() else None


def _inspect(path: Path) -> object:
    from trust_seg_ros.segmentation.archive import inspect_archive

    return inspect_archive(path)


def _load_weights(path: Path) -> object:
    from trust_seg_ros.segmentation.compact import load_compact
    from trust_seg_ros.segmentation.modules import is_compact_file

    return is_compact_file(path), load_compact(weights=path)


def _read_settings(path: Path) -> object:
    from trust_seg_ros.segmentation.huggingface import read_json
    from trust_seg_ros.segmentation.image_processors import input_spec_of

    return input_spec_of(read_json(path), str(path)).size_for((360, 480))


def _engines() -> dict[str, bytes]:
    """With and without the text of Ultralytics before it."""
    text = json.dumps({"names": {"0": "road", "1": "car"}, "task": "segment"}).encode()
    return {"plain": _PLAN, "ultralytics": len(text).to_bytes(4, "little") + text + _PLAN}


def _read_engine(path: Path) -> object:
    from trust_seg_ros.segmentation.graphs.engine_file import read_engine
    from trust_seg_ros.segmentation.graphs.onnx_file import labels_of

    return labels_of(read_engine(path).metadata, str(path))


def _said() -> dict[str, bytes]:
    """The file beside an engine."""
    import hashlib

    import torch

    from trust_seg_ros.segmentation.graphs.engine_file import Said, beside, write_said
    from trust_seg_ros.types import Classifier

    kernel = Classifier(torch.ones(2, 3, 1, 1), torch.zeros(2))
    said = Said(hashlib.sha256(_PLAN).hexdigest(), "10.3.0", "NVIDIA H200", "9.0", {"names": "['a', 'b']"}, kernel)
    with tempfile.TemporaryDirectory() as folder:
        write_said(Path(folder) / "net.engine", said)
        return {"said": beside(Path(folder) / "net.engine").read_bytes()}


def _read_said(path: Path) -> object:
    engine = path.with_suffix("")
    engine.write_bytes(_PLAN)
    return _read_engine(engine)


def _graphs() -> dict[str, bytes]:
    """A graph with a last convolution in float32, and one whose kernel is whole numbers with a scale."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    made = {}
    for name in ("float32", "int8"):
        nodes = [
            helper.make_node("Conv", ["image", "first"], ["x"]),
            helper.make_node("Conv", ["x", "last"], ["logits"]),
        ]
        first, last = rng.normal(size=(4, 3, 1, 1)).astype(np.float32), rng.normal(size=(5, 4, 1, 1)).astype(np.float32)
        stored = {"first": first, "last": last}
        if name == "int8":
            stored = {"first": first, "whole": (last * 50).astype(np.int8), "step": np.full(5, 0.02, np.float32)}
            stored["zero"] = np.zeros(5, np.int8)
            nodes.insert(0, helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["last"], axis=0))
        given = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 8, 8))
        answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 5, 8, 8))
        tensors = [numpy_helper.from_array(array, key) for key, array in stored.items()]
        graph = helper.make_graph(nodes, "net", [given], [answer], tensors)
        made[name] = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    return made


def _read_graph(path: Path) -> object:
    from trust_seg_ros.segmentation.graphs.onnx_graph import read_onnx

    return read_onnx(path)


MODELS: dict[str, _BUILD] = {
    "pt2": (lambda: {"net": _program(exported=True)}, _on_disk(_inspect, "net.pt2")),
    "torchscript": (lambda: {"net": _program(exported=False)}, _on_disk(_inspect, "net.ts")),
    "compact weights": (lambda: {"net": _weights()}, _on_disk(_load_weights, "net.safetensors")),
    "openvino": (lambda: {"net": _ir()[0]}, _on_disk(_read_ir, "net.xml")),
    "onnx": (_graphs, _on_disk(_read_graph, "net.onnx")),
    "engine": (_engines, _on_disk(_read_engine, "net.engine")),
    "beside an engine": (_said, _on_disk(_read_said, "net.engine.json")),
    "image processor": (_settings, _on_disk(_read_settings, "preprocessor_config.json")),
}
"""Name of a target -> its valid inputs, and what reads one."""
