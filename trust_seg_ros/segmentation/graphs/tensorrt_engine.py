"""Every call of the library TensorRT: an engine is built from a graph, and run on torch's memory and stream.

Written against the Python API of TensorRT 10 and 11 (docs.nvidia.com/deeplearning/tensorrt). Networks are strongly
typed, which 11 always does: an engine computes in the types of its graph.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import torch

from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelError, ModelFileError
from trust_seg_ros.segmentation.graphs.onnx_graph import ImageInput
from trust_seg_ros.segmentation.graphs.placed import Place
from trust_seg_ros.support.libraries import how_to_install

OLDEST = 10
"""First major version of TensorRT whose calls are those used here."""
Size = tuple[int, int]
SIZES: tuple[Size, Size, Size] = ((32, 32), (480, 640), (1088, 1920))
"""Smallest, usual and largest (h, w) of an engine that takes images of any size."""
_log = logging.getLogger(__name__)


def library_for(place: Place) -> ModuleType:
    """The library TensorRT, once it is known that it can be used: without a GPU, calls of it end the process.

    Raises:
        DependencyError: it is missing or too old.
        DeviceError: the device is no GPU.
    """
    try:
        tensorrt = importlib.import_module("tensorrt")
    except ImportError as error:
        raise DependencyError(
            f"{place.name}: needs the library tensorrt ({error}); {how_to_install('tensorrt')}"
        ) from error
    if int(tensorrt.__version__.partition(".")[0]) < OLDEST:
        raise DependencyError(f"{place.name}: tensorrt is {tensorrt.__version__}; expected {OLDEST} or newer")
    if place.device.type != "cuda":
        raise DeviceError(f"{place.name}: TensorRT runs on an NVIDIA GPU, not on {place.device}; set device:=cuda")
    return tensorrt


def _logger(trt: ModuleType) -> Any:
    """A log that remembers errors, which TensorRT gives nowhere else."""

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]  # the base is not known before the library is loaded
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(msg)
            level = logging.WARNING if severity == trt.ILogger.WARNING else logging.DEBUG
            _log.log(level, "TensorRT: %s", msg)

        def said(self) -> str:
            return "; ".join(self.errors[-3:]) or "TensorRT gives no reason"

    return Log()


def _progress(trt: ModuleType, told: Callable[[str], None]) -> Any:
    """Tells each phase of a build that is not inside another."""

    class Progress(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                told(f"TensorRT: {phase_name}")

        def step_complete(self, phase_name: str, step: int) -> bool:
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            pass

    return Progress()


def build_plan(
    trt: ModuleType, content: bytes, image: ImageInput, place: Place, sizes: Sequence[Size], told: Callable[[str], None]
) -> bytes:
    """An engine of a graph, for the GPU here; takes minutes.

    Args:
        trt: the library.
        content: the graph, serialised.
        image: its input.
        place: the GPU, and the network's name.
        sizes: smallest, usual and largest (h, w), for a graph that takes any.
        told: called with the name of each phase.

    Raises:
        ModelFileError: TensorRT cannot read the graph or make an engine of it; the text says why.
    """
    logger = _logger(trt)
    with torch.cuda.device(place.device):
        builder = trt.Builder(logger)
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(content):
            reasons = "; ".join(parser.get_error(k).desc() for k in range(parser.num_errors)) or logger.said()
            raise ModelFileError(f"{place.name}: TensorRT cannot read the graph: {reasons}; use another backend")
        config = builder.create_builder_config()
        monitor = _progress(trt, told)  # must live as long as the configuration
        config.progress_monitor = monitor
        if image.size is None or -1 in tuple(network.get_input(0).shape):
            profile = builder.create_optimization_profile()
            profile.set_shape(image.name, *(_shape(image, image.size or size) for size in sizes))
            config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelFileError(
            f"{place.name}: TensorRT cannot make an engine of it: {logger.said()}; use another backend"
        )
    return bytes(plan)


def _shape(image: ImageInput, size: Size) -> tuple[int, int, int, int]:
    return (1, *size, 3) if image.channels_last else (1, 3, *size)


class Engine:
    """An engine, ready to run.

    Attributes:
        image: what it takes.
        outputs: names of what it answers with -> shape; -1 = depends on the image.
    """

    def __init__(self, trt: ModuleType, plan: bytes, place: Place) -> None:
        """Load an engine; the caller has refused what can be known from the file.

        Raises:
            ModelFileError: TensorRT refuses it, or it takes something else than one image.
        """
        self._name, self._device = place.name, place.device
        self._log = _logger(trt)  # TensorRT keeps no reference to what it is made from
        with torch.cuda.device(place.device):
            self._runtime = trt.Runtime(self._log)
            self._engine = self._runtime.deserialize_cuda_engine(plan)
            if self._engine is None:
                raise ModelFileError(f"{place.name}: TensorRT {trt.__version__} refuses the engine: {self._log.said()}")
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise ModelFileError(f"{place.name}: the GPU has no room for the engine: {self._log.said()}")
        types = {
            trt.DataType.FLOAT: torch.float32,
            trt.DataType.HALF: torch.float16,
            trt.DataType.BF16: torch.bfloat16,
            trt.DataType.UINT8: torch.uint8,
            trt.DataType.INT8: torch.int8,
            trt.DataType.INT32: torch.int32,
            trt.DataType.INT64: torch.int64,
            trt.DataType.BOOL: torch.bool,
        }
        names = [self._engine.get_tensor_name(k) for k in range(self._engine.num_io_tensors)]
        inputs = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._types = {name: types.get(self._engine.get_tensor_dtype(name)) for name in names}
        shapes = {name: tuple(self._engine.get_tensor_shape(name)) for name in names}
        self.image = image_input({name: (shapes[name], self._types[name]) for name in inputs}, place.name)
        self.outputs = {name: shapes[name] for name in names if name not in inputs}

    def run(self, x: torch.Tensor, names: Sequence[str]) -> tuple[torch.Tensor, ...]:
        """Answers to one input, in new memory of torch, computed in the order of torch's current stream.

        Args:
            x: what ``placed.as_input`` makes of pixels, on the GPU.
            names: which outputs to give.

        Raises:
            ModelError: TensorRT refuses the input, or fails.
        """
        context = self._context
        if not context.set_input_shape(self.image.name, tuple(x.shape)):
            sizes = [tuple(shape) for shape in self._engine.get_tensor_profile_shape(self.image.name, 0)]
            raise ModelError(
                f"network {self._name!r}: its engine was built for inputs from {sizes[0]} to {sizes[-1]}, not for "
                f"{tuple(x.shape)}; set input_size to one of these, or build it for more"
            )
        context.set_tensor_address(self.image.name, x.data_ptr())
        answers = {}
        for name in self.outputs:
            shape, kind = tuple(context.get_tensor_shape(name)), self._types[name]
            if kind is None or min(shape) < 0:
                raise ModelError(
                    f"network {self._name!r}: the size or type of its output {name!r} {shape} is not known"
                )
            answers[name] = torch.empty(shape, dtype=kind, device=self._device)
            context.set_tensor_address(name, answers[name].data_ptr())
        with torch.cuda.device(self._device):
            started = context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
        if not started:
            raise ModelError(f"network {self._name!r}: TensorRT fails: {self._log.said()}")
        return tuple(answers[name] for name in names)


def image_input(inputs: dict[str, tuple[tuple[int, ...], torch.dtype | None]], name: str) -> ImageInput:
    """The single image that an engine takes.

    Args:
        inputs: name -> (shape with -1 for free sides, type; None = of a kind that torch does not have).
        name: the network's name, for errors.

    Raises:
        ModelFileError: it takes something else.
    """
    if len(inputs) != 1:
        raise ModelFileError(
            f"{name}: takes {len(inputs)} inputs ({', '.join(inputs)}); expected one, an image (1, 3, h, w)"
        )
    ((given, (shape, kind)),) = inputs.items()
    last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
    sides = shape[1:3] if last else shape[2:4]
    if kind is None or len(shape) != 4 or shape[0] not in (1, -1) or (not last and shape[1] not in (3, -1)):
        raise ModelFileError(f"{name}: takes {shape} {kind}; expected an image (1, 3, h, w) or (1, h, w, 3)")
    return ImageInput(given, last, kind, None if min(sides) < 1 else (sides[0], sides[1]))
