"""Finds layers that were exported or traced in training mode: they can no longer be switched off.

Such a dropout draws anew in every pass, and such a batch normalisation normalises by the image at hand instead of by
the statistics it learned, so the answers are not those of the network that was validated.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from trust_seg_ros.segmentation.errors import ModelFileError

EVAL_FIRST = "call module.eval() first, then export or trace it again"

_DROPOUTS = {
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "feature_alpha_dropout",
    "native_dropout",
}
"""(input, rate, train); a variant in place ends in an underscore."""
_NORMS = {
    "batch_norm",
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_functional",
    "cudnn_batch_norm",
    "miopen_batch_norm",
    "_batch_norm_impl_index",
}
"""(input, weight, bias, running mean, running variance, training, ...)"""
_TRAINING_NORMS = {"_batch_norm_with_update", "_batch_norm_with_update_functional"}


def check_eval_mode(name: str, found: set[str]) -> None:
    """Refuse a program with layers in training mode.

    Args:
        name: the file, for the message.
        found: what :func:`training_layers` or :func:`training_layers_of_script` found.

    Raises:
        ModelFileError: there are some.
    """
    if found:
        raise ModelFileError(
            f"{name}: refused: exported in training mode ({' and '.join(sorted(found))} in it cannot be switched off), "
            f"so its answers are not those of the trained network; {EVAL_FIRST}"
        )


def training_layers(module: fx.GraphModule) -> set[str]:
    """Kinds of layers in training mode in the graph of an exported program, in words."""
    graphs = [part.graph for part in module.modules() if isinstance(part, fx.GraphModule)]
    found = set()
    for node in (node for graph in graphs for node in graph.nodes if node.op == "call_function"):
        target = node.target
        if isinstance(target, torch._ops.OpOverload):
            names = [argument.name for argument in target._schema.arguments]
            values = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
            found.add(_kind(target._schema.name.partition("::")[2], [values.get(n) for n in names]))
    return found - {""}


def training_layers_of_script(module: torch.jit.ScriptModule) -> set[str]:
    """Kinds of layers in training mode in a TorchScript program that is in evaluation mode, in words.

    A frozen copy is looked at, in which branches that depend on the mode are decided.
    """
    return {_kind(node.kind().partition("::")[2], _constants(node)) for node in _nodes(_decided(module))} - {""}


def _kind(operator: str, values: list[Any]) -> str:
    """What a call is, if it is a layer in training mode; else "". Unknown values count as harmless."""
    plain = operator.rstrip("_")
    if plain in _DROPOUTS and len(values) > 2:
        return "dropout" if values[2] is True and values[1] != 0 else ""
    if plain in _NORMS and len(values) > 5:  # without running statistics it normalises by the image by design
        return "batch normalisation" if values[5] is True and values[3] is not None else ""
    if plain in _TRAINING_NORMS:
        return "batch normalisation"
    if plain == "bernoulli":
        return "stochastic depth or dropout"
    return "dropout in attention" if plain == "scaled_dot_product_attention" and _rate(values) > 0 else ""


def _rate(values: list[Any]) -> float:
    rate = values[4] if len(values) > 4 else None
    return float(rate) if isinstance(rate, (int, float)) else 0.0


def _decided(module: torch.jit.ScriptModule) -> Any:
    """The graph of a program with its branches decided where possible, otherwise as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            frozen = torch.jit.freeze(copy.copy(module), optimize_numerics=False)
        return frozen.inlined_graph
    except Exception:  # programs that cannot be frozen: the two probes still see a dropout
        return getattr(module, "inlined_graph", None)


def _nodes(block: Any) -> Iterator[Any]:
    """The calls that are made for certain: those in undecided branches are left out."""
    for node in block.nodes() if block is not None else ():
        yield node
        if node.kind() != "prim::If":
            for inner in node.blocks():
                yield from _nodes(inner)


def _constants(node: Any) -> list[Any]:
    """Values of a call's arguments, where they are constants; ``...`` where they are computed."""
    return [_constant(value) for value in node.inputs()]


def _constant(value: Any) -> Any:
    source = value.node()
    if source.kind() != "prim::Constant":
        return ...
    return value.toIValue() if value.type().kind() in ("BoolType", "FloatType", "IntType", "NoneType") else ...
