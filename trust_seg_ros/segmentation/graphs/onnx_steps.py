"""Single nodes of an ONNX graph behind its last convolution, as a ``Step`` each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.graphs.graph_tails import Step
from trust_seg_ros.segmentation.graphs.onnx_weights import Weights, attribute

_STRETCHED = (b"half_pixel", b"pytorch_half_pixel")


def read_step(node: Any, weights: Weights) -> tuple[str, Step] | None:
    """The input that a node works on, and what it does with it; None if that is something else than a ``Step``."""
    kind = node.op_type
    if kind == "Resize":
        corners = _upsampling(node)
        return None if corners is None else (node.input[0], Step(upsampled=corners))
    if kind == "Slice":
        return _channels(node, weights)
    if kind == "BatchNormalization":
        scale, shift, mean, var = (weights.numbers(name) for name in node.input[1:5])
        if scale is None or shift is None or mean is None or var is None or attribute(node, "training_mode", 0):
            return None
        factor = scale / np.sqrt(var + attribute(node, "epsilon", 1e-5))
        return node.input[0], Step(scale=torch.from_numpy(factor), shift=torch.from_numpy(shift - mean * factor))
    if kind in ("Mul", "Div", "Add", "Sub"):
        return _by_constant(node, weights)
    return None


def _upsampling(node: Any) -> bool | None:
    """Whether corners lie on corners in an upsampling that the package knows, None for another one."""
    how = attribute(node, "coordinate_transformation_mode", b"half_pixel")
    if attribute(node, "mode", b"nearest") != b"linear" or attribute(node, "antialias", 0):
        return None
    return True if how == b"align_corners" else False if how in _STRETCHED else None


def _channels(node: Any, weights: Weights) -> tuple[str, Step] | None:
    """A slice of channels."""
    starts, stops, axes, strides = (
        weights.numbers(node.input[k]) if len(node.input) > k and node.input[k] else None for k in (1, 2, 3, 4)
    )
    if starts is None or stops is None or axes is None or starts.size != 1 or int(axes[0]) not in (1, -3):
        return None
    if strides is not None and int(strides[0]) != 1:
        return None
    return node.input[0], Step(start=int(starts[0]), stop=int(min(stops[0], 1 << 31)))


def _by_constant(node: Any, weights: Weights) -> tuple[str, Step] | None:
    """A number, or one for each channel, that is added, taken away, multiplied with or divided by."""
    for source, other in ((0, 1), (1, 0)):
        value = weights.numbers(node.input[other])
        if value is None or (other == 0 and node.op_type in ("Div", "Sub")):
            continue
        if value.size != 1 and (value.ndim < 3 or value.shape[-3] != value.size):
            return None
        number = torch.from_numpy(value.reshape(-1))
        step = {
            "Mul": lambda n=number: Step(scale=n),
            "Div": lambda n=number: Step(scale=1 / n),
            "Add": lambda n=number: Step(shift=n),
            "Sub": lambda n=number: Step(shift=-n),
        }[node.op_type]()
        return node.input[source], step
    return None
