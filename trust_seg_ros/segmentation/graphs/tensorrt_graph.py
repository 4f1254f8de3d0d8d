"""A graph as a TensorRT engine: built once for this GPU and kept, or written to a file for another time."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from trust_seg_ros.segmentation.device import pick_device
from trust_seg_ros.segmentation.errors import DependencyError
from trust_seg_ros.segmentation.graphs.engine_file import Said, write_said
from trust_seg_ros.segmentation.graphs.onnx_graph import OnnxGraph, graph_of, onnx_model
from trust_seg_ros.segmentation.graphs.placed import Place, Running, as_input
from trust_seg_ros.segmentation.graphs.tensorrt_engine import SIZES, Engine, Size, build_plan, library_for
from trust_seg_ros.support.backends import TENSORRT
from trust_seg_ros.support.content_hash import DamagedError, sealed, unsealed
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.paths import cache_dir
from trust_seg_ros.support.resumable import whole_file

if TYPE_CHECKING:
    import onnx

_FORMAT = 1
_log = logging.getLogger(__name__)


def open_graph(graph: OnnxGraph, place: Place) -> Running:
    """A graph on TensorRT; the engine is built if there is none yet for it, this GPU and this TensorRT.

    Raises:
        ModelError: the library is missing or refuses the graph, or the device is no GPU.
    """
    trt = library_for(place)
    gpu, capability = gpu_of(place.device)
    file = cache_dir("engines") / kept_name(graph.content, trt.__version__, gpu, capability, SIZES)
    engine = None
    if file.is_file():
        try:
            engine = Engine(trt, unsealed(file.read_bytes(), file, "it is made anew"), place)
        except (DamagedError, OSError):
            file.unlink(missing_ok=True)
    if engine is None:
        _log.info("%s: TensorRT builds an engine for %s, which takes minutes, once", place.name, gpu)
        begin = time.perf_counter()
        plan = build_plan(trt, graph.content, graph.image, place, SIZES, _log.info)
        _log.info("%s: built in %.0f s, kept as %s", place.name, time.perf_counter() - begin, file)
        with whole_file(file, file.with_name(f"{file.name}.{os.getpid()}")) as draft:
            draft.write_bytes(sealed(plan))
        engine = Engine(trt, plan, place)
    return Running(_forward(engine, graph.outputs), TENSORRT)


def _forward(engine: Engine, names: Sequence[str]) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    return lambda pixels: engine.run(as_input(pixels, engine.image), names)


def gpu_of(device: torch.device) -> tuple[str, str]:
    """Name and compute capability ("9.0") of a GPU."""
    major, minor = torch.cuda.get_device_capability(device)
    return torch.cuda.get_device_name(device), f"{major}.{minor}"


def kept_name(content: bytes, version: str, gpu: str, capability: str, sizes: Sequence[Size]) -> str:
    """Name of a kept engine: another graph, TensorRT, GPU or range of sizes has another one."""
    short = re.sub(r"[^a-z0-9]+", "-", f"{gpu} {capability}".lower()).strip("-")
    spread = "-".join(f"{width}x{height}" for height, width in sizes)
    digest = hashlib.sha256(content).hexdigest()[:32]
    return f"{digest}-{version}-{short}-{spread}-{_FORMAT}.engine"


def in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph that computes in float16 and takes and gives what it did before, by ONNX Runtime's tool; it is changed.

    Raises:
        DependencyError: ONNX Runtime is missing.
    """
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise DependencyError(f"half precision needs onnxruntime; {how_to_install('onnxruntime')}") from error
    made: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return made


def build_engine(
    model: onnx.ModelProto | Path,
    out: Path,
    *,
    device: str = "auto",
    half: bool = False,
    sizes: Sequence[Size] = SIZES,
    told: Callable[[str], None] = lambda _: None,
) -> Said:
    """Write an engine of a network for the GPU here, and beside it what its classes and images are.

    Args:
        model: the network as a graph whose metadata name its classes and normalisation, as ``trust-seg export`` writes
            it; it is changed. Or its file.
        out: the engine to write, ``net.engine``; ``net.engine.json`` is written beside it.
        device: the GPU.
        half: make the graph compute in half precision first; else the engine computes in the types that it has.
        sizes: smallest, usual and largest (h, w) of images, for a graph that takes any.
        told: called with the name of each step.

    Returns:
        What is said beside the engine.

    Raises:
        ModelError: the graph is refused, there is no GPU, or the library is missing.
        OSError: a file cannot be written.
    """
    name = str(model) if isinstance(model, Path) else out.stem
    place = Place(pick_device(device), name=name)
    trt = library_for(place)
    whole = onnx_model(model) if isinstance(model, Path) else model
    graph = graph_of(in_half(whole) if half else whole, name, plain=True)
    told("TensorRT builds the engine, which takes minutes")
    plan = build_plan(trt, graph.content, graph.image, place, sizes, told)
    with whole_file(out) as draft:
        draft.write_bytes(plan)
    gpu, capability = gpu_of(place.device)
    digest = hashlib.sha256(plan).hexdigest()
    said = Said(digest, trt.__version__, gpu, capability, graph.metadata, graph.classifier)
    write_said(out, said)
    return said
