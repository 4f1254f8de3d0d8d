"""Makes an exported program also return its last convolution's input."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from trust_seg_ros.types import Classifier

_CONVOLUTIONS = {torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding, torch.ops.aten.convolution.default}
_UPSAMPLING = {torch.ops.aten.upsample_bilinear2d.vec, torch.ops.aten.upsample_bilinear2d.default}
_DEFAULTS = ("bias", None), ("stride", [1, 1]), ("padding", [0, 0]), ("dilation", [1, 1])


def expose_last_layer(module: fx.GraphModule, out_spec: Any) -> tuple[fx.GraphModule, Classifier | None]:
    """The program with (logits, features) as its output, where the logits come from a plain convolution.

    A bilinear upsampling behind that convolution (align_corners=False) is taken off: the logits stay at the network's
    own resolution.

    Args:
        module: the program, parameters inside.
        out_spec: tree of its output.

    Returns:
        The program and the convolution's kernel; the program as it was and None where there is no such convolution
        or the program returns features itself.
    """
    output = next(node for node in module.graph.nodes if node.op == "output")
    answer = pytree.tree_unflatten(list(output.args[0]), out_spec)
    node = _logits_node(answer)
    while node is not None and node.target in _UPSAMPLING and _argument(node, 2, "align_corners", None) is False:
        source = node.args[0]
        node = source if isinstance(source, fx.Node) else None
    if node is None or node.target not in _CONVOLUTIONS:
        return module, None
    classifier, features = _kernel(module, node), node.args[0]
    if classifier is None or not isinstance(features, fx.Node):
        return module, None
    graph = fx.Graph()
    values: dict[fx.Node, fx.Node] = {}
    graph.graph_copy(module.graph, values)
    graph.output((values[node], values[features]))
    graph.eliminate_dead_code()
    return fx.GraphModule(module, graph), classifier


def _logits_node(answer: Any) -> fx.Node | None:
    """The node of the logits in an output's tree; None where features come with them or nothing is known."""
    if isinstance(answer, fx.Node):
        return answer
    if isinstance(answer, Mapping):
        found = None if "features" in answer else answer.get("logits", answer.get("out"))
        return found if isinstance(found, fx.Node) else None
    single = isinstance(answer, (tuple, list)) and len(answer) == 1
    return answer[0] if single and isinstance(answer[0], fx.Node) else None


def _argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _kernel(module: fx.GraphModule, node: fx.Node) -> Classifier | None:
    """The kernel of a convolution node, if it is plain: see ``last_layer.is_plain``."""
    weight = _parameter(module, node.args[1])
    values = {name: _argument(node, 2 + i, name, default) for i, (name, default) in enumerate(_DEFAULTS)}
    bias = None if values["bias"] is None else _parameter(module, values["bias"])
    if weight is None or (bias is None and values["bias"] is not None):
        return None
    last = ("groups", 6) if node.target is not torch.ops.aten.convolution.default else ("groups", 8)
    groups = _argument(node, last[1], last[0], 1)
    transposed = node.target is torch.ops.aten.convolution.default and _argument(node, 6, "transposed", False)
    height, width = weight.shape[2:]
    dilation = _pair(values["dilation"])
    keeps = values["padding"] == "same" or _pair(values["padding"]) == (dilation[0] * (height // 2),) * 2
    square = height == width and height % 2 == 1 and dilation[0] == dilation[1]
    if not (square and keeps and groups == 1 and not transposed and _pair(values["stride"]) == (1, 1)):
        return None
    return Classifier(weight.detach(), None if bias is None else bias.detach(), dilation[0])


def _pair(value: Any) -> tuple[int, int]:
    values = [value] * 2 if isinstance(value, int) else list(value) * (2 if len(value) == 1 else 1)
    return int(values[0]), int(values[1])


def _parameter(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    value = operator.attrgetter(str(node.target))(module)
    return value if isinstance(value, torch.Tensor) else None
