"""A torch module as an ONNX graph."""

from __future__ import annotations

import logging
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.errors import DependencyError, ModelError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.masks import NAMES, read_masks
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    import onnx


def onnx_library(name: str) -> ModuleType:
    """The library onnx.

    Raises:
        DependencyError: it, or what torch's exporter needs besides it, is missing.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        missing = error.name or "onnx"
        raise DependencyError(
            f"{name}: another backend than torch needs {missing}; {how_to_install(missing)}"
        ) from error
    return onnx


class _Answer(nn.Module):
    """A network whose answer is logits, logits and features, or classes and masks, whatever form it has them in."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = False  # by itself: eval() would reach into an exported program, which refuses the call

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        output = self.network(pixels)
        if (found := read_masks(output)) is not None:
            return found.classes, found.masks
        logits, features = read_output(output)
        return logits if features is None else (logits, features)


def to_model(module: nn.Module, name: str, pixels: torch.Tensor, any_size: bool) -> onnx.ModelProto:
    """A torch module as a graph with the outputs ``logits`` and, if it gives them, ``features``; or with those of a
    mask network, ``masks.NAMES[0]``.

    Args:
        module: in evaluation mode, on the CPU, in float32.
        name: its name, for errors.
        pixels: (1, 3, h, w), an example.
        any_size: whether the graph must take other sizes, too.

    Raises:
        DependencyError: a library is missing.
        ModelError: it cannot be exported, or is a mask network that must take any size.
    """
    onnx_library(name)
    outputs = _outputs(module, pixels)
    if any_size and outputs == NAMES[0]:
        raise ModelError(
            f"{name}: as a graph a mask network takes one size only, as its windows and masks are laid out for it; set "
            "input_size, or use backend:=torch"
        )
    free = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    quiet = [logging.getLogger(part) for part in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in quiet]
    try:
        for logger in quiet:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _Answer(module),
                (pixels.clone(),),
                input_names=["image"],
                output_names=list(outputs),
                dynamic_shapes=(free,) if any_size else None,
                dynamo=True,
                custom_translation_table={torch.ops.aten._is_all_true.default: _is_all_true},
                verbose=False,
            )
    except Exception as error:  # the exporter passes on whatever happens in a foreign network
        raise ModelError(
            f"{name}: torch cannot export it as a graph ({in_brief(error)}); use backend:=torch"
        ) from error
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)
    assert program is not None
    model = program.model_proto
    sides = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]]
    if any_size and any(sides):
        raise ModelError(f"{name}: as a graph it takes one size only; set input_size, or use backend:=torch")
    return model


@torch.inference_mode()
def _outputs(module: nn.Module, pixels: torch.Tensor) -> tuple[str, ...]:
    """Names for the outputs that a module has."""
    output = module(pixels)
    if read_masks(output) is not None:
        return NAMES[0]
    return ("logits",) if read_output(output)[1] is None else ("logits", "features")


def _is_all_true(values: Any) -> Any:
    """An operator that torch's exporter does not know; OneFormer checks shapes with it."""
    from onnxscript import opset18

    op: Any = opset18
    return op.Cast(op.ReduceMin(op.Cast(values, to=7), keepdims=0), to=9)
