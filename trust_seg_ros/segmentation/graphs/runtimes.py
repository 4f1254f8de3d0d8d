"""Runs a graph: ONNX Runtime, OpenVINO and TensorRT, behind the one call that a torch module has."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.graphs.onnx_graph import OnnxGraph
from trust_seg_ros.segmentation.graphs.onnx_session import chosen_providers, has_cuda, open_session
from trust_seg_ros.segmentation.graphs.placed import Place, Running, as_input
from trust_seg_ros.segmentation.graphs.tensorrt_graph import open_graph
from trust_seg_ros.support.backends import ONNXRUNTIME, OPENVINO, TENSORRT
from trust_seg_ros.support.libraries import how_to_install


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A library that runs graphs.

    Attributes:
        name: name of the choice.
        library: name of the import.
        open: makes the call; raises ModelError, or whatever the library raises about the graph.
        devices: kinds of devices that it computes on.
        quick: whether it starts in seconds, so that "auto" may try it.
        text: one line of Markdown.
    """

    name: str
    library: str
    open: Callable[[OnnxGraph, Place], Running]
    devices: tuple[str, ...]
    quick: bool = True
    text: str

    @property
    def there(self) -> bool:
        """Whether the library is installed."""
        return importlib.util.find_spec(self.library) is not None

    def fits(self, device: torch.device) -> bool:
        """Whether it is installed and computes on the device."""
        built = self.name != ONNXRUNTIME or device.type == "cpu" or (self.there and has_cuda())
        return device.type in self.devices and self.there and built


def refuse_early(runtime: Runtime, place: Place) -> None:
    """Refuse what can be known before there is a graph.

    Raises:
        DependencyError: the library is missing.
        DeviceError: it does not compute on the device.
        ModelSpecError: providers are asked for, and the library has none.
    """
    name, device = place.name, place.device
    if not runtime.there:
        raise DependencyError(f"{name}: backend {runtime.name} needs a library; {how_to_install(runtime.library)}")
    if place.providers and runtime.name != ONNXRUNTIME:
        raise ModelSpecError(f"{name}: providers are ONNX Runtime's, but backend is {runtime.name}; leave them empty")
    if device.type not in runtime.devices:
        where, other = ("a GPU", "cuda") if device.type == "cpu" else ("the CPU", "cpu")
        raise DeviceError(
            f"{name}: backend {runtime.name} runs on {where} here, not on {device}; use device:={other}, or another "
            "backend"
        )
    if runtime.name == ONNXRUNTIME:
        chosen_providers(place)


def run_by(runtime: Runtime, graph: OnnxGraph, place: Place) -> Running:
    """A graph that is ready to run.

    Args:
        runtime: the library.
        graph: the network.
        place: where it is to run.

    Raises:
        ModelError: as :func:`refuse_early`, or it lacks a part of its own; the text says what to install.
        ModelFileError: the library refuses the graph.
    """
    refuse_early(runtime, place)
    try:
        running = runtime.open(graph, place)
    except ModelError:
        raise
    except Exception as error:  # each library has its own errors, which share no base
        reason = f"{in_brief(error)}{_way_out(str(error))}"
        raise ModelFileError(f"{place.name}: {runtime.name} refuses it: {reason}") from error
    ending, call = graph.ending, running.forward
    return running if ending is None else replace(running, forward=lambda pixels: ending.joined(call(pixels)))


_TOO_NEW = re.compile(r"Opset \d+ is under development|[Uu]nsupported opset|IR version")
_NO_CODE = re.compile(r"not a registered function/op|Could not find an implementation|No conversion rule found")


def _way_out(reason: str) -> str:
    if _TOO_NEW.search(reason):
        return "; export it with an older opset, or install a newer runtime"
    if _NO_CODE.search(reason):
        return "; it has no code for that operator: use another backend or provider, or export with standard operators"
    return ""


def _openvino(graph: OnnxGraph, place: Place) -> Running:
    import openvino

    if graph.image.dtype == torch.bfloat16:
        raise ModelFileError(
            f"{place.name}: takes bfloat16, which OpenVINO is not given here; use backend:=onnxruntime"
        )
    core = openvino.Core()
    model = core.read_model(graph.content) if isinstance(graph.content, bytes) else graph.content
    rounds = any(operation.get_type_name() == "FakeQuantize" for operation in model.get_ops())
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the CPU has it: other answers on other machines
    }
    if rounds:  # OpenVINO 2026.4 dies of a segmentation fault on int8 graphs otherwise
        settings["LP_TRANSFORMS_MODE"] = "NO"
    compiled = core.compile_model(model, "CPU", settings)
    ports = [compiled.output(name) for name in graph.outputs]

    def forward(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answers = compiled([as_input(pixels, graph.image).numpy()])
        return tuple(torch.from_numpy(np.array(answers[port])) for port in ports)  # its memory is used again

    return Running(forward, OPENVINO)


RUNTIMES: dict[str, Runtime] = {
    row.name: row
    for row in (
        Runtime(
            name=ONNXRUNTIME,
            library="onnxruntime",
            open=open_session,
            devices=("cpu", "cuda"),
            text="[ONNX Runtime](https://onnxruntime.ai), on the CPU or by other providers",
        ),
        Runtime(
            name=OPENVINO,
            library="openvino",
            open=_openvino,
            devices=("cpu",),
            text="[OpenVINO](https://docs.openvino.ai) on the CPU, in float32",
        ),
        Runtime(
            name=TENSORRT,
            library="tensorrt",
            open=open_graph,
            devices=("cuda",),
            quick=False,
            text="[TensorRT](https://docs.nvidia.com/deeplearning/tensorrt) on an NVIDIA GPU",
        ),
    )
}
"""Name of the choice -> library that runs graphs."""
