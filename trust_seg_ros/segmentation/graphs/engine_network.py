"""Networks from a file with a TensorRT engine."""

from __future__ import annotations

from dataclasses import replace

import torch

from trust_seg_ros.segmentation.errors import DeviceError, LabelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.graphs.backend import on_device
from trust_seg_ros.segmentation.graphs.engine_file import (
    EngineFile,
    read_engine,
    refuse_other_gpu,
    refuse_other_version,
)
from trust_seg_ros.segmentation.graphs.onnx_file import INPUT_KEY, input_spec, labels_of
from trust_seg_ros.segmentation.graphs.placed import Place, as_input
from trust_seg_ros.segmentation.graphs.tensorrt_engine import Engine, library_for
from trust_seg_ros.segmentation.graphs.tensorrt_graph import gpu_of
from trust_seg_ros.segmentation.loader_row import Request
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.segmentation.weights_hash import require_sha256
from trust_seg_ros.support.backends import AUTO, TENSORRT, TORCH


def load_engine(asked: Request) -> ModuleNetwork:
    """A network from a file with an engine; everything that can be known without TensorRT is looked at first.

    Raises:
        LabelError: neither the file nor the caller names the classes.
        ModelError: the file is missing, damaged, foreign, or for another TensorRT or GPU; there is no GPU, or the
            library is missing; or a setting does not apply to an engine.
    """
    path, wishes, name = asked.path, asked.overrides, str(asked.path)
    file = read_engine(path)
    require_sha256(file.sha256, asked.sha256, name)
    _refuse_settings(asked)
    labels = wishes.labels or labels_of(file.metadata, path.stem)
    if labels is None:
        raise LabelError(f"{name}: an engine does not say its classes; set labels to a shipped set or a .yaml file")
    place = Place(asked.device, name=name)
    trt = library_for(place)
    refuse_other_version(file, trt.__version__, name)
    gpu, capability = gpu_of(place.device)
    refuse_other_gpu(file.said, capability, gpu, name)
    engine = Engine(trt, file.plan, place)
    outputs = named_outputs(engine.outputs, name)
    own = _input_of(engine, file)
    if wishes.input_size is not None and own.size not in (None, tuple(wishes.input_size)):
        raise ModelSpecError(
            f"{name} was built for inputs of {own.size} but input_size is {wishes.input_size}; leave it away"
        )
    kernel = on_device(file.said.classifier, place.device) if file.said is not None and len(outputs) > 1 else None
    return ModuleNetwork(
        lambda pixels: engine.run(as_input(pixels, engine.image), outputs),
        name=name,
        labels=labels,
        device=place.device,
        input_spec=wishes.apply(own),
        classifier=kernel,
        sha256=file.sha256,
        backend=TENSORRT,
    )


def _refuse_settings(asked: Request) -> None:
    """Refuse settings that an engine cannot follow."""
    path = asked.path
    if asked.half not in ("auto", False, "off"):
        raise DeviceError(f"half is {asked.half!r} but {path} has the precision it was built in; use half='auto'")
    if asked.backend not in (TORCH, AUTO, TENSORRT):
        raise ModelSpecError(
            f"{path} is an engine, which runs by TensorRT only; leave backend away, or give its .onnx file"
        )
    if asked.providers:
        raise ModelSpecError(f"{path} is an engine, which has no providers; leave them empty, or give its .onnx file")


def _input_of(engine: Engine, file: EngineFile) -> InputSpec:
    """How an image reaches it: as the file beside it says, as Ultralytics does it (0 to 1), else ImageNet's values."""
    own = input_spec(engine.image, file.metadata, engine.image.name)
    if file.ultralytics and INPUT_KEY not in file.metadata and engine.image.dtype != torch.uint8:
        return replace(own, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return own


def named_outputs(outputs: dict[str, tuple[int, ...]], name: str) -> tuple[str, ...]:
    """Names of the outputs with logits and, where there are any, features.

    Args:
        outputs: name -> shape, -1 for what depends on the image.
        name: the network's name, for errors.

    Raises:
        ModelFileError: none holds the scores of classes, or several may.
    """
    maps = [output for output, shape in outputs.items() if len(shape) == 4]
    features = ["features"] if "features" in maps else []
    logits = [output for output in maps if output in ("logits", "out")] or [o for o in maps if o not in features]
    if len(logits) != 1:
        said = ", ".join(f"{output} {shape}" for output, shape in outputs.items()) or "nothing"
        raise ModelFileError(
            f"{name}: answers with {said}; expected logits (1, q, h, w), named 'logits' where there are several: build "
            "it from a graph with that output"
        )
    return (logits[0], *features)
