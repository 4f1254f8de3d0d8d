"""A torch module as an ONNX graph, by torch's own exporter."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trust_seg_ros.segmentation.errors import DependencyError, ModelError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    import onnx


def onnx_library(name: str) -> ModuleType:
    """The library ``onnx``, with what torch's exporter needs beside it.

    Raises:
        DependencyError: one is missing; the text names ``name``.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        missing = error.name or "onnx"
        raise DependencyError(f"{name}: an ONNX graph of it needs {missing}; {how_to_install(missing)}") from error
    return onnx


def to_onnx(
    module: nn.Module, name: str, image: torch.Tensor, outputs: Sequence[str], free: Sequence[int] = ()
) -> onnx.ModelProto:
    """A torch module as a graph.

    Args:
        module: in evaluation mode; takes one image and gives a tensor or a tuple of them.
        name: its name, for errors.
        image: an example; the graph's input is called ``image``.
        outputs: names of its answers.
        free: dimensions of the image that may change.

    Raises:
        DependencyError: a library is missing.
        ModelError: it cannot be exported, or takes one size only where others were asked for.
    """
    onnx_library(name)
    quiet = [logging.getLogger(part) for part in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in quiet]
    try:
        for logger in quiet:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (image.clone(),),
                input_names=["image"],
                output_names=list(outputs),
                dynamic_shapes=(dict.fromkeys(free, torch.export.Dim.AUTO),) if free else None,
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
    sides = model.graph.input[0].type.tensor_type.shape.dim
    if any(sides[side].dim_value for side in free):
        raise ModelError(f"{name}: as a graph it takes one size only; set input_size, or use backend:=torch")
    return model


def _is_all_true(values: Any) -> Any:
    """An operator that torch's exporter does not know; OneFormer checks shapes with it."""
    from onnxscript import opset18

    op: Any = opset18
    return op.Cast(op.ReduceMin(op.Cast(values, to=7), keepdims=0), to=9)
