"""A graph on a library: where it is to run, and the call that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from trust_seg_ros.segmentation.graphs.onnx_graph import ImageInput

Forward = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
"""(B, 3, h, w) floating point on the device -> logits (B, q, h', w') and, where they are known, features, there too; or
the classes (B, Q, K+1) and masks (B, Q, h', w') of a mask network.

An answer stays as it is whatever is called afterwards.
"""


@dataclass(frozen=True)
class Place:
    """Where a graph is to run.

    Attributes:
        device: the device that the user asked for; pixels lie there, and so do the answers.
        providers: ONNX Runtime's, in order of preference; () = the one of the device.
        name: the network's name, for errors.
    """

    device: torch.device
    providers: tuple[str, ...] = ()
    name: str = "network"


@dataclass(frozen=True)
class Running:
    """A graph that is ready to run.

    Attributes:
        forward: the call.
        said: what runs it, for people.
    """

    forward: Forward
    said: str


def as_input(pixels: torch.Tensor, image: ImageInput) -> torch.Tensor:
    """Normalised pixels (B, 3, h, w) in the order and type that a graph takes, in one piece, where they are."""
    if image.channels_last:
        pixels = pixels.permute(0, 2, 3, 1)
    if image.dtype == torch.uint8:
        pixels = pixels.round()
    return pixels.to(image.dtype).contiguous()
