"""Makes an exported program also return its last convolution's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from trust_seg_ros.segmentation.graphs.export_steps import argument, parameter, read_step
from trust_seg_ros.segmentation.graphs.graph_tails import Ending, Joined, ending_of
from trust_seg_ros.types import Classifier

_CONVOLUTIONS = {torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding, torch.ops.aten.convolution.default}
_DEFAULTS = ("bias", None), ("stride", [1, 1]), ("padding", [0, 0]), ("dilation", [1, 1])


def expose_last_layer(module: fx.GraphModule, out_spec: Any) -> tuple[torch.nn.Module, Ending | None]:
    """The program with (logits, features) as its output, where the logits come from a plain convolution or two.

    What lies behind the convolution, as far as ``export_steps`` reads it, is taken off: the logits stay at the
    network's own resolution.

    Args:
        module: the program, parameters inside.
        out_spec: tree of its output.

    Returns:
        The program and its ending; the program as it was and None where there is no such convolution or the program
        returns features itself.
    """
    output = next(node for node in module.graph.nodes if node.op == "output")
    answer = pytree.tree_unflatten(list(output.args[0]), out_spec)
    last = _logits_node(answer)
    node, steps = last, []
    while node is not None and node.target not in _CONVOLUTIONS and not _added(node):
        found = read_step(module, node)
        if found is None:
            return module, None
        node = found[0]
        steps.append(found[1])
    if node is None or last is None:
        return module, None
    heads = _added(node) or (node,)
    kernels = [_kernel(module, head) for head in heads]
    inputs = [head.args[0] for head in heads]
    if any(kernel is None for kernel in kernels) or not all(isinstance(one, fx.Node) for one in inputs):
        return module, None
    ending = ending_of([kernel for kernel in kernels if kernel is not None], steps)
    if ending is None or (ending.tail.where.corners and not _of_the_image(module.graph, last)):
        return module, None
    graph = fx.Graph()
    values: dict[fx.Node, fx.Node] = {}
    graph.graph_copy(module.graph, values)
    graph.output(tuple(values[one] for one in (*heads, *inputs) if isinstance(one, fx.Node)))
    graph.eliminate_dead_code()
    exposed = fx.GraphModule(module, graph)
    return exposed if ending.plain else Joined(exposed, ending), ending


def _added(node: fx.Node) -> tuple[fx.Node, ...]:
    """The two convolutions whose outputs a node adds; () if it does something else."""
    parts = node.args[:2] if node.target is torch.ops.aten.add.Tensor and not node.kwargs.get("alpha") else ()
    both = tuple(part for part in parts if isinstance(part, fx.Node) and part.target in _CONVOLUTIONS)
    return both if len(both) == 2 else ()


def _of_the_image(graph: fx.Graph, answer: fx.Node) -> bool:
    """Whether the answer has the size of the image."""
    images = [node for node in graph.nodes if node.op == "placeholder"]
    values = [node.meta.get("val") for node in (*images, answer)]
    if len(values) != 2 or not all(isinstance(value, torch.Tensor) for value in values):
        return False
    sides = [[str(side) for side in value.shape[2:]] for value in values if value is not None]
    return sides[0] == sides[1]


def _logits_node(answer: Any) -> fx.Node | None:
    """The node of the logits in an output's tree; None where features come with them or nothing is known."""
    if isinstance(answer, fx.Node):
        return answer
    if isinstance(answer, Mapping):
        found = None if "features" in answer else answer.get("logits", answer.get("out"))
        return found if isinstance(found, fx.Node) else None
    single = isinstance(answer, (tuple, list)) and len(answer) == 1
    return answer[0] if single and isinstance(answer[0], fx.Node) else None


def _kernel(module: fx.GraphModule, node: fx.Node) -> Classifier | None:
    """The kernel of a convolution node, if it is plain: see ``last_layer.is_plain``."""
    weight = parameter(module, node.args[1])
    values = {name: argument(node, 2 + i, name, default) for i, (name, default) in enumerate(_DEFAULTS)}
    bias = None if values["bias"] is None else parameter(module, values["bias"])
    if weight is None or (bias is None and values["bias"] is not None):
        return None
    last = ("groups", 6) if node.target is not torch.ops.aten.convolution.default else ("groups", 8)
    groups = argument(node, last[1], last[0], 1)
    transposed = node.target is torch.ops.aten.convolution.default and argument(node, 6, "transposed", False)
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
