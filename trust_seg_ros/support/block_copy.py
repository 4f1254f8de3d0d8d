"""Brings several tensors of one device to the host together."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

import torch

_ALIGNED = 64  # bytes: views of any type may start there


_Name = TypeVar("_Name", bound=Hashable)


def to_host(parts: Mapping[_Name, torch.Tensor]) -> dict[_Name, torch.Tensor]:
    """The same tensors on the host, in one block of memory; waits for the device once.

    On a GPU the block is pinned, so that the copies follow the kernels on the current stream without the host between
    them. torch keeps pinned blocks for reuse; this one lives as long as a tensor of it does.

    Args:
        parts: tensors of one device; any shapes, types and strides.
    """
    device = next((part.device for part in parts.values()), torch.device("cpu"))
    starts, end = {}, 0
    for name, part in parts.items():
        starts[name] = end
        end += math.ceil(part.numel() * part.element_size() / _ALIGNED) * _ALIGNED
    block = torch.empty(end, dtype=torch.uint8, pin_memory=device.type == "cuda")
    found = {}
    for name, part in parts.items():
        size = part.numel() * part.element_size()
        found[name] = block[starts[name] : starts[name] + size].view(part.dtype).view(part.shape)
        found[name].copy_(part, non_blocking=True)
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    return found
