"""Keeps the output of a layer that the user named, as features for scores that compare them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from trust_seg_ros.segmentation.errors import ModelOutputError, ModelSpecError
from trust_seg_ros.segmentation.protocol import SegmentationNetwork, Size
from trust_seg_ros.support.nearest import did_you_mean


class NamedLayer:
    """Keeps the output of one layer from each pass until :meth:`take`.

    Attributes:
        name: the layer, as ``named_modules`` names it.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        """Watch a layer.

        Raises:
            ModelSpecError: the module has no such layer.
        """
        layers = dict(module.named_modules())
        layers.pop("", None)
        if name not in layers:
            near = did_you_mean(name, tuple(layers)) or f"; its last ones are {', '.join(list(layers)[-5:]) or 'none'}"
            raise ModelSpecError(f"features_layer is {name!r}, but the network has no such layer{near}")
        self.name = name
        self._seen: object = None
        layers[name].register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: object, output: object) -> None:
        self._seen = output

    def take(self, images: int, size: Size, grid: Size | None = None) -> torch.Tensor:
        """Features (images, D, h, w) of the last pass; they are released here.

        Args:
            images: number of images in that pass.
            size: (h, w) of the network's input.
            grid: (h, w) of the tokens of the image, which come last; None = what fits their number and ``size``.

        Raises:
            ModelOutputError: the layer did not run, or its output is no map of features.
        """
        output, self._seen = self._seen, None
        if isinstance(output, Mapping):
            output = next(iter(output.values()), None)
        while isinstance(output, (tuple, list)) and output:
            output = output[0]
        if isinstance(output, torch.Tensor) and output.is_floating_point() and output.shape[0] == images:
            if output.ndim == 4 and 0 not in output.shape:
                return output
            if output.ndim == 3 and grid is not None and output.shape[1] < grid[0] * grid[1]:
                grid = None
            if output.ndim == 3 and (grid := grid or _token_grid(output.shape[1], size)):
                tokens = output[:, output.shape[1] - grid[0] * grid[1] :]  # a class token comes first
                return tokens.transpose(1, 2).reshape(images, -1, *grid)
        found = "nothing" if output is None else type(output).__name__
        if isinstance(output, torch.Tensor):
            found = f"shape {tuple(output.shape)} and type {output.dtype}"
        raise ModelOutputError(
            f"the layer {self.name!r} (features_layer) gave {found}; expected ({images}, D, h, w) floating point, or "
            f"({images}, tokens, D) with tokens on a grid of the shape of the input {size[0]}x{size[1]}: name another"
        )


def watch_layer(network: SegmentationNetwork, name: str) -> None:
    """Let a network give the output of a layer with every answer, as ``LogitMaps.layer``.

    Raises:
        ModelSpecError: it has no such layer, or its layers cannot be watched.
        ModelOutputError: the layer gives no map of features.
    """
    watch = getattr(network, "watch_layer", None)
    if watch is None:
        raise ModelSpecError(
            f"features_layer is {name!r}, but network {network.name!r} answers by itself and its layers cannot be "
            "watched; let it fill LogitMaps.layer, or leave features_layer empty"
        )
    watch(name)


def _token_grid(tokens: int, size: Size) -> Size | None:
    """(h, w) of the aspect of ``size`` with h · w = ``tokens``, or one less (a class token); None if there is none."""
    for count in (tokens, tokens - 1):
        h = round((count * size[0] / size[1]) ** 0.5) if count > 0 else 0
        if h > 0 and count % h == 0 and abs(count / h / h - size[1] / size[0]) < 0.1 * size[1] / size[0]:
            return h, count // h
    return None
