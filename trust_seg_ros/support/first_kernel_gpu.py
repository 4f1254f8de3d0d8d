"""A kernel that shows whether Triton compiles and runs on a device at all: compilers and drivers differ."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


def counts(device: torch.device) -> bool:
    """Whether a small kernel gives the right numbers; raises whatever Triton, the compiler or the driver raises."""
    return bool((counted(device).cpu() == torch.arange(100).cumsum(0)).all())


def counted(device: torch.device) -> torch.Tensor:
    """(100,) int32, sums of the whole numbers from 0 on."""
    found = torch.zeros(100, dtype=torch.int32, device=device)
    with torch.cuda.device_of(found):
        _count[(1,)](found, len(found), 128)
    return found


@triton.jit
def _count(out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.atomic_add(out + at, tl.cumsum(at, 0), mask=at < n, sem="relaxed")
