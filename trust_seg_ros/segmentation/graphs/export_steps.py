"""Single nodes of an exported program: what may lie behind a last convolution, as a ``Step``."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from trust_seg_ros.segmentation.graphs.graph_tails import Step

_ATEN = torch.ops.aten
_UPSAMPLING = {_ATEN.upsample_bilinear2d.vec, _ATEN.upsample_bilinear2d.default}
_SCALED = {_ATEN.mul.Tensor: False, _ATEN.mul.Scalar: False, _ATEN.div.Tensor: True, _ATEN.div.Scalar: True}


def read_step(module: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, Step] | None:
    """The node that a node works on, and what it does with it; None if that is something else than a ``Step``."""
    source = node.args[0] if node.args else None
    step: Step | None = None
    if not isinstance(source, fx.Node):
        return None
    if node.target in _UPSAMPLING:
        step = Step(upsampled=bool(argument(node, 2, "align_corners", False)))
    elif node.target is _ATEN.slice.Tensor:
        step = _slice(node)
    elif node.target in (_ATEN.batch_norm.default, _ATEN._native_batch_norm_legit_no_training.default):
        step = _batch_norm(module, node)
    elif node.target in _SCALED and isinstance(node.args[1], (int, float)):
        value = torch.tensor([float(node.args[1])])
        step = Step(scale=1 / value if _SCALED[node.target] else value)
    return None if step is None else (source, step)


def _slice(node: fx.Node) -> Step | None:
    """A slice of channels, or one that takes everything."""
    dim, start, stop, stride = (
        argument(node, k, name, default)
        for k, name, default in ((1, "dim", 0), (2, "start", None), (3, "end", None), (4, "step", 1))
    )
    if start in (None, 0) and (stop is None or (isinstance(stop, int) and stop >= 1 << 31)) and stride == 1:
        return Step()
    if dim not in (1, -3) or stride != 1 or not isinstance(start or 0, int) or not isinstance(stop or 0, int):
        return None
    return Step(start=start or 0, stop=stop)


def _batch_norm(module: fx.GraphModule, node: fx.Node) -> Step | None:
    """A batch normalisation with statistics that are known."""
    legit = node.target is not _ATEN.batch_norm.default
    weight, bias, mean, var = (parameter(module, part) for part in node.args[1:5])
    epsilon = node.args[6 if legit else 7]
    training = False if legit else node.args[5]
    if mean is None or var is None or training or not isinstance(epsilon, float):
        return None
    factor = (var.float() + epsilon).rsqrt() * (1.0 if weight is None else weight.float())
    shift = (0.0 if bias is None else bias.float()) - mean.float() * factor
    return Step(scale=factor.detach(), shift=shift.detach())


def argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    """An argument of a node, given by place or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def parameter(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    """The tensor of a program that a node stands for; None if it is computed."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    value = operator.attrgetter(str(node.target))(module)
    return value if isinstance(value, torch.Tensor) else None
