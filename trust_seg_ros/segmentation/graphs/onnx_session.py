"""Runs a graph by ONNX Runtime, by the providers that the user asks for, in memory that belongs to torch.

A provider is ONNX Runtime's word for what computes: the CPU, CUDA, TensorRT, Intel's OpenVINO and others. A session
that cannot start one of them goes on without it and computes on the CPU, which is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelSpecError
from trust_seg_ros.segmentation.graphs.onnx_graph import OnnxGraph
from trust_seg_ros.segmentation.graphs.placed import Forward, Place, Running, as_input
from trust_seg_ros.support.backends import ONNXRUNTIME, short_provider
from trust_seg_ros.support.paths import cache_dir

if TYPE_CHECKING:
    import onnxruntime

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_ON_GPU = (CUDA, TENSORRT)
_BUILDS = {CUDA: "onnxruntime-gpu", TENSORRT: "onnxruntime-gpu", "OpenVINOExecutionProvider": "onnxruntime-openvino"}
"""Provider -> the build of the library that has it; each brings the module ``onnxruntime``, so one replaces another."""
_TYPES: dict[str, tuple[torch.dtype, int]] = {
    "tensor(float)": (torch.float32, 1),
    "tensor(uint8)": (torch.uint8, 2),
    "tensor(float16)": (torch.float16, 10),
    "tensor(double)": (torch.float64, 11),
    "tensor(bfloat16)": (torch.bfloat16, 16),
}
"""ONNX Runtime's name of a type -> torch's, and its number in ONNX."""
_NUMBERS = dict(_TYPES.values())


def has_cuda() -> bool:
    """Whether the build of ONNX Runtime that is installed has CUDA inside; it may still lack CUDA's libraries."""
    import onnxruntime

    return CUDA in onnxruntime.get_available_providers()


def chosen_providers(place: Place) -> list[str]:
    """The providers that a user asks for, as ONNX Runtime spells them; without a wish those of the device.

    Raises:
        ModelSpecError: ONNX Runtime knows none of that name.
        DependencyError: this build of it has no such provider; the text says which one has.
        DeviceError: it computes elsewhere than on the device.
    """
    import onnxruntime

    device, there = place.device, onnxruntime.get_available_providers()
    known = {name.lower(): name for name in (*onnxruntime.get_all_providers(), *there)}
    names = []
    for wanted in place.providers or ((CUDA,) if device.type == "cuda" else (CPU,)):
        if wanted.lower() not in known:
            raise ModelSpecError(
                f"provider {short_provider(wanted)!r} is not known to onnxruntime {onnxruntime.__version__}; expected "
                f"names such as {', '.join(map(short_provider, there))}, with commas between them"
            )
        names.append(known[wanted.lower()])
    for name in names:
        if name not in there:
            raise DependencyError(f"{place.name}: {_no_such_build(name, there, device)}")
    on_gpu = [name for name in names if name in _ON_GPU]
    if on_gpu and device.type != "cuda":
        raise DeviceError(f"{place.name}: provider {short_provider(on_gpu[0])} computes on a GPU; set device:=cuda")
    if device.type == "cuda" and not on_gpu:
        raise DeviceError(
            f"{place.name}: providers {', '.join(map(short_provider, names))} do not compute on {device}; set "
            "device:=cpu, or providers:=cuda"
        )
    if TENSORRT in names and CUDA not in names and CUDA in there:
        names.insert(names.index(TENSORRT) + 1, CUDA)  # for what TensorRT does not know; else that falls to the CPU
    return names


def _no_such_build(name: str, there: list[str], device: torch.device) -> str:
    build = _BUILDS.get(name)
    line = f"python -m pip uninstall onnxruntime && python -m pip install {build}"
    way_out = line if build else "see onnxruntime.ai/docs/execution-providers for the build that has it"
    elsewhere = ", or set device:=cpu" if device.type == "cuda" else ""
    has = ", ".join(map(short_provider, there))
    return f"this build of onnxruntime has no provider {short_provider(name)}, only {has}; {way_out}{elsewhere}"


def open_session(graph: OnnxGraph, place: Place) -> Running:
    """A graph on ONNX Runtime.

    Raises:
        ModelError: as :func:`chosen_providers`; or a provider's own libraries cannot be loaded.
        Exception: ONNX Runtime's own, about the graph.
    """
    import onnxruntime

    names = chosen_providers(place)
    if place.device.type == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA and cuDNN of torch's wheels, which are not on the linker's path
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # threads that wait for work in a loop take the cores from whatever runs beside the network
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    asked = [(name, _options(name, place.device)) for name in names]
    session = onnxruntime.InferenceSession(graph.content, options, providers=asked)
    session.disable_fallback()  # else an error on the road would make a session on the CPU of it
    refuse_missing(names, session.get_providers(), place.name)
    plain = names == [CPU]
    said = ONNXRUNTIME if plain else f"{ONNXRUNTIME} by {', '.join(map(short_provider, session.get_providers()))}"
    return Running(_bound(session, graph, place.device), said)


def refuse_missing(asked: list[str], running: list[str], name: str) -> None:
    """Refuse a session that goes without a provider that it was asked for.

    Raises:
        DeviceError: it does.
    """
    missing = [short_provider(one) for one in asked if one not in running]
    if missing:
        raise DeviceError(
            f"{name}: onnxruntime has the provider {missing[0]} but cannot start it, and would run by "
            f"{', '.join(map(short_provider, running))}: its libraries (CUDA, cuDNN, TensorRT) are missing or of "
            "another version than onnxruntime.ai/docs/execution-providers asks for; install them, or "
            "choose other providers"
        )


def _options(name: str, device: torch.device) -> dict[str, Any]:
    if name not in _ON_GPU:
        return {}
    options: dict[str, Any] = {"device_id": device.index or 0}
    if name == TENSORRT:  # it makes an engine of the graph, which takes minutes: once
        kept = str(cache_dir("engines") / "onnxruntime")
        options |= {"trt_engine_cache_enable": True, "trt_engine_cache_path": kept}
        options |= {"trt_timing_cache_enable": True, "trt_timing_cache_path": kept}
    return options


def _bound(session: onnxruntime.InferenceSession, graph: OnnxGraph, device: torch.device) -> Forward:
    """The call: input and output lie in torch's memory on the device, so that nothing goes through the host.

    ONNX Runtime computes on a CUDA stream of its own. It waits for that stream before a run returns, but not for
    torch's before it begins, where the pixels are still being made and the memory of the answers may still be read: so
    that is waited for here (github.com/microsoft/onnxruntime/issues/26609 and 7225).
    """
    found = {output.name: output.type for output in session.get_outputs()}
    outputs = [(name, *_TYPES[found[name]]) for name in graph.outputs]
    shapes: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    at = (device.type, device.index or 0)

    def run(x: torch.Tensor, answers: list[torch.Tensor] | None) -> Any:
        binding = session.io_binding()
        binding.bind_input(graph.image.name, *at, _NUMBERS[x.dtype], list(x.shape), x.data_ptr())
        for k, (name, _, number) in enumerate(outputs):
            if answers is None:
                binding.bind_output(name, *at)
            else:
                binding.bind_output(name, *at, number, list(answers[k].shape), answers[k].data_ptr())
        if device.type == "cuda":
            torch.cuda.current_stream(device).synchronize()
        session.run_with_iobinding(binding)
        return binding

    def forward(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = as_input(pixels, graph.image)
        size = tuple(x.shape)
        if size not in shapes:  # the first image of a size: what comes out is as large as ONNX Runtime makes it
            shapes[size] = [tuple(value.shape()) for value in run(x, None).get_outputs()]
        answers = [torch.empty(s, dtype=t, device=device) for s, (_, t, _) in zip(shapes[size], outputs, strict=True)]
        run(x, answers)
        return tuple(answers)

    return forward
