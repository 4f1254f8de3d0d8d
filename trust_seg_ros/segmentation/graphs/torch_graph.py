"""A network of torch as an ONNX graph whose outputs are called by what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.errors import ModelError
from trust_seg_ros.segmentation.graphs.to_onnx import onnx_library, to_onnx
from trust_seg_ros.segmentation.masks.queries import NAMES, read_masks

if TYPE_CHECKING:
    import onnx


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
    """A network as a graph with the outputs ``logits`` and, if it gives them, ``features``; or with those of a mask
    network, ``queries.NAMES[0]``.

    Args:
        module: in evaluation mode.
        name: its name, for errors.
        pixels: (1, 3, h, w), an example on its device in its precision, which becomes that of the graph.
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
    return to_onnx(_Answer(module), name, pixels, outputs, (2, 3) if any_size else ())


@torch.inference_mode()
def _outputs(module: nn.Module, pixels: torch.Tensor) -> tuple[str, ...]:
    """Names for the outputs that a module has."""
    output = module(pixels)
    if read_masks(output) is not None:
        return NAMES[0]
    return ("logits",) if read_output(output)[1] is None else ("logits", "features")
