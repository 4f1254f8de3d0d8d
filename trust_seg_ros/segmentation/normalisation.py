"""What every way to prepare an image shares: which resize, which channel, and factor and offset of each channel."""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.segmentation.device import half_type
from trust_seg_ros.segmentation.protocol import InputSpec, Size


def shrinks(old: Size, new: Size) -> bool:
    """Whether a resize averages areas: no side grows."""
    return new[0] <= old[0] and new[1] <= old[1]


def can_prepare(image: Size, size: Size) -> bool:
    """Whether 32 bits hold what the kernel of ``upload_gpu`` counts: places of windows, and their sums of bytes."""
    windows = ((image[0] + size[0] - 1) // size[0] + 1) * ((image[1] + size[1] - 1) // size[1] + 1)
    return windows < 1 << 23 and (image[0] + 1) * (size[0] + 1) < 1 << 31 and (image[1] + 1) * (size[1] + 1) < 1 << 31


def channels(spec: InputSpec) -> tuple[int, int, int]:
    """For each channel of the input, which channel of the RGB image it is."""
    return (2, 1, 0) if spec.order == "bgr" else (0, 1, 2)


def affine(spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """factor, offset, each (3,) float32, in the order of the input's channels: input = byte * factor + offset."""
    mean, std = (np.array(v, np.float64)[list(channels(spec))] for v in (spec.mean, spec.std))
    return (spec.scale / std).astype(np.float32), (-mean / std).astype(np.float32)


def empty_input(count: int, size: Size, spec: InputSpec, device: torch.device) -> torch.Tensor:
    """(count, 3, h, w) without values, in the precision and memory format of a network's input."""
    kind = half_type(device) if spec.half else torch.float32
    memory = torch.channels_last if spec.half else torch.contiguous_format
    return torch.empty((count, 3, *size), dtype=kind, device=device, memory_format=memory)
