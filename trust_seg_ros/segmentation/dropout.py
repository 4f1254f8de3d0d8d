"""Dropout at run time: a network's own dropout layers are switched on; each pass draws its masks from its own seed.

The layers stay in evaluation mode and get a hook that multiplies their input by a mask. Torch's own dropout draws from
the global generator, which other threads use, too, so results could not be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.types import Classifier

CHANNELWISE = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
"""Layers that drop whole channels; ``nn.Dropout`` drops single values."""


@dataclass(frozen=True)
class DropoutRate:
    """Rate and kind of a layer's dropout.

    Attributes:
        rate: share that is dropped, 0 < rate <= 1; the rest is divided by 1 - rate.
        channels: whether whole channels are dropped instead of single values.
    """

    rate: float
    channels: bool = True

    def mask(self, shape: Sequence[int], generator: torch.Generator, like: torch.Tensor) -> torch.Tensor:
        """Factors for one image's input of ``shape`` (D, ...): 0 or 1 / (1 - rate); (D, 1, ...) for channels."""
        wanted = (shape[0], *(1 for _ in shape[1:])) if self.channels else tuple(shape)
        kept = torch.rand(wanted, generator=generator, device=generator.device) >= self.rate
        return kept.to(like.device, like.dtype) / max(1.0 - self.rate, 1e-12)


def dropout_layers(module: nn.Module) -> dict[str, nn.Module]:
    """Name -> layer, of all dropout layers whose rate is above 0; functional dropout cannot be seen from outside."""
    kinds = (nn.Dropout, *CHANNELWISE)
    return {name: m for name, m in module.named_modules() if isinstance(m, kinds) and m.p > 0}


def rate_of(layer: nn.Module) -> DropoutRate:
    """Rate and kind of dropout of one of :func:`dropout_layers`."""
    return DropoutRate(float(layer.p), isinstance(layer, CHANNELWISE))  # type: ignore[arg-type]


def generators(seeds: Sequence[int], device: torch.device) -> list[torch.Generator]:
    """One generator per pass."""
    return [torch.Generator(device).manual_seed(seed % (1 << 63)) for seed in seeds]


class FoldedError(Exception):
    """A layer sees images folded into other dimensions, as windows, so that it cannot drop for each by its own seed."""


@contextmanager
def dropping(layers: Sequence[nn.Module], seeds: Sequence[int], device: torch.device) -> Iterator[None]:
    """Context in which ``layers`` drop: image b of a batch of ``len(seeds)`` images by masks drawn from seed b.

    A layer that sees something else than a batch of so many raises FoldedError, unless one seed is for all of it.
    """
    drawn = generators(seeds, device)

    def drop(layer: nn.Module, inputs: tuple[torch.Tensor, ...], _output: torch.Tensor) -> torch.Tensor:
        x, how = inputs[0], rate_of(layer)
        if len(drawn) > 1 and x.shape[0] != len(drawn):
            raise FoldedError(f"{tuple(x.shape)} for {len(drawn)} images")
        each = drawn if x.shape[0] == len(drawn) else drawn * x.shape[0]  # every part of one image by the one generator
        return x * torch.stack([how.mask(x.shape[1:], generator, x) for generator in each])

    handles = [layer.register_forward_hook(drop) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def last_dropout(
    layers: Sequence[nn.Module],
    run: Callable[[], tuple[torch.Tensor, torch.Tensor | None]],
    classifier: Classifier | None,
) -> DropoutRate | None:
    """The network's dropout, if it only drops directly before its last convolution; None otherwise.

    Such dropout needs no second pass of the network: the last convolution is applied to its input again.

    Args:
        layers: the network's dropout layers.
        run: makes one pass without dropout -> logits (1, q, h, w), features (1, D, h, w) or None.
        classifier: the last convolution, whose input the features are.
    """
    if len(layers) != 1 or classifier is None:
        return None
    seen: list[torch.Tensor] = []
    handle = layers[0].register_forward_hook(lambda _layer, inputs, _output: seen.append(inputs[0]))
    try:
        _, features = run()
    finally:
        handle.remove()
    if features is None or len(seen) != 1 or seen[0].shape != features.shape or not torch.equal(seen[0], features):
        return None
    how = rate_of(layers[0])
    with dropping(layers, (0,), features.device):
        logits, _ = run()
    expected = last_layer_passes(features[0], classifier, how, (0,))[0]
    close = torch.allclose(logits[0].float(), expected.float(), rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    return how if close else None


def last_layer_passes(
    features: torch.Tensor, classifier: Classifier, how: DropoutRate, seeds: Sequence[int]
) -> torch.Tensor:
    """Logits of the last convolution on features with dropout.

    Args:
        features: (D, h, w), the input of the convolution.
        classifier: the convolution.
        how: rate, and whether channels are dropped.
        seeds: one per pass; :func:`dropping` draws the same masks from the same seeds.

    Returns:
        (len(seeds), q, h, w), of the same type as the features.
    """
    weight, bias, step = classifier.weight, classifier.bias, classifier.dilation
    padding = step * (weight.shape[-1] // 2)
    masks = [how.mask(features.shape, g, features) for g in generators(seeds, features.device)]
    if not how.channels:
        return torch.cat([F.conv2d((features * m)[None], weight, bias, 1, padding, step) for m in masks])
    # dropping a channel is the same as zeroing its weights: all passes are one convolution of the same features
    kernels = torch.cat([weight * m[None].to(weight.dtype) for m in masks])
    out = F.conv2d(features[None], kernels, None, 1, padding, step)[0].view(len(masks), -1, *features.shape[1:])
    return out if bias is None else out + bias.view(1, -1, 1, 1)
