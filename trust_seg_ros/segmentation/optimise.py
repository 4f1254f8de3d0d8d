"""Makes a network cheaper without changing what it computes."""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(module: nn.Module) -> int:
    """Fold each batch normalisation into the convolution before it, in place; the answer changes by rounding only.

    The pairs are found in the traced graph, so that a normalisation is folded only if it is the only user of its
    convolution. A module that cannot be traced (its forward branches on values) stays unchanged.

    Args:
        module: in evaluation mode.

    Returns:
        Number of normalisations folded.

    Raises:
        ValueError: the module is in training mode, where a batch normalisation is not a linear map.
    """
    if module.training:
        raise ValueError("fold_batch_norms needs a module in evaluation mode; call module.eval() first")
    pairs = _pairs(module)
    for convolution_name, norm_name in pairs:
        convolution, norm = module.get_submodule(convolution_name), module.get_submodule(norm_name)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        _replace(module, convolution_name, fuse_conv_bn_eval(convolution, norm))
        _replace(module, norm_name, nn.Identity())
    return len(pairs)


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """(convolution, normalisation) names where the second takes only the first's output, each called once."""
    try:
        graph = torch.fx.Tracer().trace(module)
    except Exception:  # tracing raises whatever the module's Python does with a stand-in for a tensor
        return []
    calls = [node for node in graph.nodes if node.op == "call_module"]
    modules = dict(module.named_modules(remove_duplicate=False))
    times = Counter(id(modules[node.target]) for node in calls)
    pairs: list[tuple[str, str]] = []
    for node in calls:
        source = node.args[0] if node.args else None
        if not isinstance(source, torch.fx.Node) or source.op != "call_module" or len(source.users) != 1:
            continue
        convolution, norm = modules[source.target], modules[node.target]
        usable = isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats
        once = times[id(convolution)] == 1 and times[id(norm)] == 1
        if type(convolution) is nn.Conv2d and usable and once and not _hooked(convolution, norm):
            pairs.append((str(source.target), str(node.target)))
    return pairs


def _hooked(*modules: nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in modules)


def _replace(root: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, new)
