"""Networks from one file: torch.export (.pt2) or TorchScript (.ts, .torchscript, .pt).

The file holds the network, but neither its classes nor its normalisation: the caller gives both. For a .pt2 the size of
its input, or the number that its height and width must be multiples of, is read from the file, and the last convolution
is found in its graph so that closed-form scores work (see ``last_layer``). A TorchScript file may return features.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from trust_seg_ros.segmentation.archive import inspect_archive
from trust_seg_ros.segmentation.device import pick_half
from trust_seg_ros.segmentation.errors import DeviceError, ModelFileError
from trust_seg_ros.segmentation.failures import with_way_out
from trust_seg_ros.segmentation.graphs.export_graph import expose_last_layer
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.segmentation.train_mode import check_eval_mode, training_layers, training_layers_of_script
from trust_seg_ros.types import Classifier

SCRIPT_STRIDE = 32
"""A TorchScript file does not say which sizes it accepts; multiples of this suit nearly every network."""


@dataclass(frozen=True)
class ExportedModel:
    """A network from a file.

    Attributes:
        forward: (1, 3, h, w) -> logits, or whatever else ``checks.CONTRACT`` allows.
        input_spec: size and stride from the file, ImageNet's normalisation.
        classifier: the last convolution, if ``forward`` gives features for it.
        where: where an answer of the size of the image lies on the logits; None = they are stretched over it.
    """

    forward: Callable[[torch.Tensor], object]
    input_spec: InputSpec
    classifier: Classifier | None = None
    where: Where | None = None


def load_exported(path: Path, device: torch.device, half: str | bool = "auto") -> ExportedModel:
    """A network from a .pt2 or TorchScript file; the content decides which of the two it is.

    Args:
        path: the file.
        device: device it is loaded on.
        half: "auto", True or False; a .pt2 keeps the precision it was exported in.

    Raises:
        ModelFileError: the file is missing, corrupt, foreign, pickled, dangerous, or was exported in training mode.
        DeviceError: ``half`` contradicts the precision of a .pt2.
    """
    kind = inspect_archive(path)
    try:
        return _load_pt2(path, device, half) if kind == "pt2" else _load_script(path, device, half)
    except (ModelFileError, DeviceError):
        raise
    except Exception as error:  # torch raises anything from KeyError to RuntimeError for a damaged file
        if kind == "pt2" and (answer := _class_of_answer(path)):
            raise ModelFileError(
                f"{path}: the network answers with an object of {answer}, which only a program with that library "
                "loaded can read; export a module around it whose forward returns a dict or a tuple of its tensors"
            ) from error
        raise ModelFileError(
            f"{path}: corrupt, or written by an incompatible torch (this is {torch.__version__}): "
            f"{type(error).__name__}: {with_way_out(error)}"
        ) from error


def _class_of_answer(path: Path) -> str:
    """The class of ``transformers`` that a .pt2 answers with, which its reader must know; "" for plain containers."""
    content = torch._C.PyTorchFileReader(str(path)).get_record("models/model.json").decode("utf-8", "replace")
    found = re.search(r"transformers\.models\.[\w.]+|transformers\.modeling_outputs\.\w+", content)
    return found[0] if found else ""


def _load_script(path: Path, device: torch.device, half: str | bool) -> ExportedModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript itself is deprecated; files exist
        module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]  # torch's
    module.eval()
    check_eval_mode(str(path), training_layers_of_script(module))
    in_half = half != "auto" and pick_half(half, device)  # not by default: a script may hold float32 constants
    if in_half and device.type == "cpu":
        raise DeviceError(f"half is True but {path} is a TorchScript program on the CPU; use half='auto' or a GPU")
    if in_half:
        module = module.half()
    return ExportedModel(module, InputSpec(stride=SCRIPT_STRIDE, half=in_half))


def _load_pt2(path: Path, device: torch.device, half: str | bool) -> ExportedModel:
    program = torch.export.load(str(path))
    check_eval_mode(str(path), training_layers(program.graph_module))
    spec, dtype = _input_of(program, path)
    in_half = dtype == torch.float16
    if half != "auto" and pick_half(half, device) != in_half:
        raise DeviceError(f"half is {half} but {path} was exported for {dtype}; use half='auto' or export it again")
    if in_half and device.type == "cpu":
        raise DeviceError(f"{path} was exported for float16, which needs a GPU; the device is {device}")
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, str(device))
    wants_guards = "check_guards" in inspect.signature(program.module).parameters
    module = program.module(check_guards=False) if wants_guards else program.module()  # guards are Python text
    forward, ending = expose_last_layer(module, program.call_spec.out_spec)
    spec = replace(spec, half=in_half)
    if ending is None:
        return ExportedModel(forward, spec)
    return ExportedModel(forward, spec, ending.classifier, ending.tail.where)


def _input_of(program: Any, path: Path) -> tuple[InputSpec, torch.dtype]:
    """Size or stride of the program's single image input, and its type."""
    names = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(names) != 1 or len(values) != 1 or not isinstance(values[0], torch.Tensor):
        raise ModelFileError(f"{path}: takes {len(names)} inputs; expected one, an image (1, 3, h, w)")
    shape, dtype = values[0].shape, values[0].dtype
    fits = len(shape) == 4 and shape[1] == 3 and (not isinstance(shape[0], int) or shape[0] == 1)
    if not fits or dtype not in (torch.float32, torch.float16):
        raise ModelFileError(
            f"{path}: takes {tuple(map(str, shape))} {dtype}; expected an image (1, 3, h, w), float32 or float16"
        )
    height, width = shape[2], shape[3]
    if isinstance(height, int) and isinstance(width, int):
        return InputSpec(size=(height, width)), dtype
    if isinstance(height, int) or isinstance(width, int):
        raise ModelFileError(f"{path}: takes ({height}, {width}); expected both fixed or both free, export it again")
    return InputSpec(stride=math.lcm(_factor(height), _factor(width))), dtype


def _factor(side: torch.SymInt) -> int:
    """The whole number that a free side is a multiple of: 32 for ``32*s0``."""
    coefficient = side.node.expr.as_coeff_Mul()[0]
    return int(coefficient) if coefficient.is_Integer and coefficient > 0 else 1
