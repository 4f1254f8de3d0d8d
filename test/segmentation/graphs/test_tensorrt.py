"""TensorRT: what is around its calls; the calls where there is a GPU; their signatures where its lean runtime is."""

import re

import numpy as np
import pytest
import torch
from test_engine_file import plan

from trust_seg_ros.segmentation import DependencyError, DeviceError, ModelFileError, load_network
from trust_seg_ros.segmentation.graphs.engine_network import named_outputs
from trust_seg_ros.segmentation.graphs.placed import Place
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.graphs.tensorrt_engine import _logger, image_input, library_for
from trust_seg_ros.segmentation.graphs.tensorrt_graph import build_engine, kept_name

CPU = torch.device("cpu")
THERE = RUNTIMES["tensorrt"].there
without_library = pytest.mark.skipif(THERE, reason="tensorrt is installed")


@without_library
def test_the_library_is_named(tmp_path):
    (tmp_path / "n.engine").write_bytes(plan())
    with pytest.raises(DependencyError, match=r'needs the library tensorrt .*python -m pip install "tensorrt>=10"'):
        load_network(str(tmp_path / "n.engine"), labels="camvid11", device="cpu")
    with pytest.raises(DependencyError, match=r"backend tensorrt needs a library"):
        load_network("embedded", device="cpu", backend="tensorrt")


def test_a_cpu_is_no_place_for_it(tmp_path, monkeypatch):
    (tmp_path / "tensorrt.py").write_text('__version__ = "10.3.0"\n')  # has the name only: no call may reach it
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "tensorrt", raising=False)
    with pytest.raises(DeviceError, match="net: TensorRT runs on an NVIDIA GPU, not on cpu; set device:=cuda"):
        library_for(Place(CPU, name="net"))
    with pytest.raises(DeviceError, match="backend tensorrt runs on a GPU here, not on cpu; use device:=cuda"):
        load_network("embedded", device="cpu", backend="tensorrt")
    (tmp_path / "tensorrt.py").write_text('__version__ = "8.6.1"\n')
    monkeypatch.delitem(__import__("sys").modules, "tensorrt")
    with pytest.raises(DependencyError, match=r"tensorrt is 8\.6\.1; expected 10 or newer"):
        library_for(Place(torch.device("cuda", 0), name="net"))


def test_auto_does_not_build_engines():
    assert not RUNTIMES["tensorrt"].quick
    assert not RUNTIMES["tensorrt"].fits(CPU)


def test_an_engine_is_kept_for_a_graph_a_version_a_gpu_and_sizes():
    sizes = ((32, 32), (480, 640), (1088, 1920))
    name = kept_name(b"graph", "10.3.0", "NVIDIA RTX A4000", "8.6", sizes)
    assert re.fullmatch(r"[0-9a-f]{32}-10\.3\.0-nvidia-rtx-a4000-8-6-32x32-640x480-1920x1088-\d\.engine", name)
    others = {
        kept_name(b"other", "10.3.0", "NVIDIA RTX A4000", "8.6", sizes),
        kept_name(b"graph", "10.3.1", "NVIDIA RTX A4000", "8.6", sizes),
        kept_name(b"graph", "10.3.0", "NVIDIA H200", "9.0", sizes),
        kept_name(b"graph", "10.3.0", "NVIDIA RTX A4000", "8.6", sizes[:2]),
    }
    assert len(others) == 4
    assert name not in others


def test_the_image_that_an_engine_takes():
    float32, half, byte = torch.float32, torch.float16, torch.uint8
    free = image_input({"image": ((1, 3, -1, -1), half)}, "net")
    assert (free.size, free.channels_last, free.dtype) == (None, False, half)
    assert image_input({"x": ((-1, 3, 416, 544), float32)}, "net").size == (416, 544)
    last = image_input({"x": ((1, 480, 640, 3), byte)}, "net")
    assert last.channels_last
    assert last.size == (480, 640)
    for wrong in (
        {"x": ((1, 3, 8, 8), float32), "y": ((1,), float32)},
        {},
        {"x": ((4, 3, 8, 8), float32)},
        {"x": ((1, 1, 8, 8), float32)},
        {"x": ((1, 3, 8, 8), None)},
        {"x": ((1, 12), float32)},
    ):
        with pytest.raises(ModelFileError, match=r"net: takes .*; expected .*an image \(1, 3, h, w\)"):
            image_input(wrong, "net")


def test_which_output_holds_the_logits():
    logits, features = (1, 11, 104, 136), (1, 64, 104, 136)
    assert named_outputs({"logits": logits, "features": features}, "net") == ("logits", "features")
    assert named_outputs({"end": logits}, "net") == ("end",)
    assert named_outputs({"aux": logits, "out": logits, "classes": (1, 104, 136)}, "net") == ("out",)
    for wrong in ({}, {"output0": (1, 116, 8400)}, {"a": logits, "b": logits}, {"features": features}):
        with pytest.raises(ModelFileError, match=r"net: answers with .*; expected logits"):
            named_outputs(wrong, "net")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_engine_is_not_built_without_a_gpu(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx_graphs import graph

    made = graph(metadata=[("names", "['a']")])
    assert isinstance(made, onnx.ModelProto)
    with pytest.raises((DependencyError, DeviceError), match=r"tensorrt|GPU"):
        build_engine(made, tmp_path / "n.engine")
    assert not list(tmp_path.iterdir())


CALLS = {
    "Runtime": ("deserialize_cuda_engine",),
    "ICudaEngine": (
        "create_execution_context",
        "get_tensor_name",
        "get_tensor_mode",
        "get_tensor_dtype",
        "get_tensor_shape",
        "get_tensor_profile_shape",
        "num_io_tensors",
    ),
    "IExecutionContext": ("set_input_shape", "set_tensor_address", "get_tensor_shape", "execute_async_v3"),
}


def test_the_calls_that_run_an_engine_exist():
    lean = pytest.importorskip("tensorrt_lean_bindings", reason="has these calls: pip install tensorrt-lean-cu12")
    for kind, names in CALLS.items():
        assert not [name for name in names if not hasattr(getattr(lean, kind), name)]
    assert "memory: " in lean.IExecutionContext.set_tensor_address.__doc__
    assert "-> bool" in lean.IExecutionContext.execute_async_v3.__doc__
    assert "-> list" in lean.ICudaEngine.get_tensor_profile_shape.__doc__.lower()
    assert tuple(lean.Dims((1, 3, 4, 5))) == (1, 3, 4, 5)
    types = ("FLOAT", "HALF", "BF16", "UINT8", "INT8", "INT32", "INT64", "BOOL")
    assert not [name for name in types if not hasattr(lean.DataType, name)]
    logger = _logger(lean)
    logger.log(lean.ILogger.ERROR, "first")
    logger.log(lean.ILogger.INFO, "second")
    assert logger.said() == "first"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available() or not THERE, reason="needs CUDA and tensorrt")
def test_engines_answer_as_torch(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from trust_seg_ros.exporting.logits import export_logits
    from trust_seg_ros.exporting.targets import TARGETS
    from trust_seg_ros.segmentation.settings import NetworkSettings

    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    own = load_network("embedded", device="cpu").infer(image)
    network = load_network("embedded", device="cuda", half="off", backend="tensorrt")
    export_logits(NetworkSettings(model="embedded"), tmp_path / "n.onnx", TARGETS["onnx"])
    said = build_engine(tmp_path / "n.onnx", tmp_path / "n.engine")
    assert said.classifier is not None
    for one in (network, load_network(str(tmp_path / "n.engine"), device="cuda")):
        answers = [one.infer(image) for _ in range(5)]
        for found in answers:
            assert found.logits.is_cuda
            assert torch.allclose(found.logits.cpu(), own.logits, atol=0.02 * float(own.logits.abs().max()))
            assert found.features is not None
    assert len(list((tmp_path / "cache/trust_seg_ros/engines").iterdir())) == 1
