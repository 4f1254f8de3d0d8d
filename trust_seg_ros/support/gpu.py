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
_refused = ""


def kernels_for(device: torch.device) -> bool:
    """Whether the Triton kernels can run on this device: an NVIDIA GPU, with triton installed and able to compile."""
    return not why_no_kernels(device)


def refuse(why: str) -> None:
    """Have this process do without the kernels from now on, for a reason in words; "" = they may be used again."""
    global _refused
    _refused = why


def why_no_kernels(device: torch.device) -> str:
    """What is in the way of the Triton kernels on a device, in words; "" = nothing."""
    if device.type != "cuda":
        return f"the device is {device}, no NVIDIA GPU"
    return _refused or _lacking(device)


@cache
def _lacking(device: torch.device) -> str:
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed: pip install 'trust_seg_ros[gpu]'"
    found = torch.cuda.get_device_capability(device)
    if found < LEAST_CAPABILITY:
        return f"the GPU has compute capability {found[0]}.{found[1]}, expected at least 7.0"
    return _tried(device)


def _tried(device: torch.device) -> str:
    """What became of a small kernel, in words; "" = it gave the right numbers."""
    try:
        from trust_seg_ros.support.first_kernel_gpu import counts

        return "" if counts(device) else "a small kernel gave wrong numbers"
    except Exception as error:  # no compiler for Triton's launchers, a driver that is too old, …
        return f"a small kernel does not run: {type(error).__name__}: {error}"
