"""Runs a graph: ONNX Runtime and OpenVINO, behind the one call that a torch module has."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelFileError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.onnx_graph import ImageInput, OnnxGraph
from trust_seg_ros.support.backends import ONNXRUNTIME, OPENVINO
from trust_seg_ros.support.libraries import how_to_install

Forward = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
"""(B, 3, h, w) float32 on the CPU -> logits (B, q, h', w') and, where they are known, features, on the CPU; or the
classes (B, Q, K+1) and masks (B, Q, h', w') of a mask network."""
_NUMPY = {torch.float32: np.float32, torch.float16: np.float16, torch.uint8: np.uint8}


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A library that runs graphs.

    Attributes:
        name: name of the choice.
        library: name of the import.
        open: makes the call; raises whatever the library raises.
        text: one line of Markdown.
    """

    name: str
    library: str
    open: Callable[[OnnxGraph], Forward]
    text: str

    @property
    def there(self) -> bool:
        """Whether the library is installed."""
        return importlib.util.find_spec(self.library) is not None


def run_by(runtime: Runtime, graph: OnnxGraph, device: torch.device, name: str) -> Forward:
    """A graph that is ready to run.

    Args:
        runtime: the library.
        graph: the network.
        device: the device that the user asked for.
        name: the network's name, for errors.

    Raises:
        DependencyError: the library is missing; the text says what to install.
        DeviceError: the device is not the CPU.
        ModelFileError: the library refuses the graph.
    """
    if not runtime.there:
        raise DependencyError(f"{name}: backend {runtime.name} needs a library; {how_to_install(runtime.library)}")
    if device.type != "cpu":
        raise DeviceError(f"{name}: backend {runtime.name} runs on the CPU here, not on {device}; use device:=cpu")
    try:
        return runtime.open(graph)
    except Exception as error:  # each library has its own errors, which share no base
        raise ModelFileError(f"{name}: {runtime.name} refuses it: {in_brief(error)}{_way_out(str(error))}") from error


def _way_out(reason: str) -> str:
    if "opset" in reason.lower() or "IR version" in reason:
        return "; export it with an older opset, or install a newer runtime"
    return ""


def _onnxruntime(graph: OnnxGraph) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # threads that wait for work in a loop take the cores from whatever runs beside the network
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph.content, options, providers=["CPUExecutionProvider"])

    def forward(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answers = session.run(list(graph.outputs), {graph.image.name: as_input(pixels, graph.image)})
        return tuple(torch.from_numpy(answer) for answer in answers)

    return forward


def _openvino(graph: OnnxGraph) -> Forward:
    import openvino

    core = openvino.Core()
    model = core.read_model(graph.content)
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the CPU has it: other answers on other machines
    }
    compiled = core.compile_model(model, "CPU", settings)
    ports = [compiled.output(name) for name in graph.outputs]

    def forward(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answers = compiled([as_input(pixels, graph.image)])
        return tuple(torch.from_numpy(np.array(answers[port])) for port in ports)  # its memory is used again

    return forward


def as_input(pixels: torch.Tensor, image: ImageInput) -> np.ndarray:
    """Normalised pixels (B, 3, h, w) in the order, type and memory that a graph takes."""
    array = pixels.numpy()
    if image.channels_last:
        array = array.transpose(0, 2, 3, 1)
    if image.dtype == torch.uint8:
        array = np.rint(array)
    return np.ascontiguousarray(array, _NUMPY[image.dtype])


RUNTIMES: dict[str, Runtime] = {
    row.name: row
    for row in (
        Runtime(
            name=ONNXRUNTIME,
            library="onnxruntime",
            open=_onnxruntime,
            text="[ONNX Runtime](https://onnxruntime.ai) on the CPU",
        ),
        Runtime(
            name=OPENVINO,
            library="openvino",
            open=_openvino,
            text="[OpenVINO](https://docs.openvino.ai) on the CPU, in float32",
        ),
    )
}
"""Name of the choice -> library that runs graphs."""
