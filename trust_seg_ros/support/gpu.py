"""Whether the Triton kernels can run on a device.

Modules with such kernels are called ``*_gpu.py``; they import triton and are imported by those who asked here first, so
that nobody without a GPU needs it.
"""

from __future__ import annotations

import importlib.util
from functools import cache

import torch

LEAST_CAPABILITY = (7, 0)
"""Compute capability that Triton's atomics and barriers need: Volta."""


def kernels_for(device: torch.device) -> bool:
    """Whether the Triton kernels can run on this device: an NVIDIA GPU, with triton installed."""
    return not why_no_kernels(device)


@cache
def why_no_kernels(device: torch.device) -> str:
    """What is in the way of the Triton kernels on a device, in words; "" = nothing."""
    if device.type != "cuda":
        return f"the device is {device}, no NVIDIA GPU"
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed: pip install 'trust_seg_ros[gpu]'"
    found = torch.cuda.get_device_capability(device)
    if found < LEAST_CAPABILITY:
        return f"the GPU has compute capability {found[0]}.{found[1]}, expected at least 7.0"
    return ""
