"""How Triton kernels read upsampled logits: from the low-resolution ones, where they lie, in one way for all of them.

What is computed here twice, as the softmax for the maps and again for sums over segments, has the same bits both times:
every blend is one product and one fused multiply-add, written out, so that no compiler has a choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl

from trust_seg_ros.types import LogitMaps, Placement
from trust_seg_ros.uncertainty.errors import LogitsError
from trust_seg_ros.uncertainty.kernels import grid_taps
from trust_seg_ros.uncertainty.logits import LARGEST, LOG_FLOOR, check

_LARGEST = tl.constexpr(LARGEST)
_MOST_PIXELS = 2**31 - 1
_SHARED_WORK = 2.4
"""What a group of rows costs beside its rows, in rows: per class 40 instructions on sm_90, and 17 for each row."""


@dataclass(frozen=True, eq=False)
class DeviceTaps:
    """Where the pixels of a map (H, W) lie on the grid (h, w) of the logits, as tensors on the device.

    Attributes:
        top, bottom: (H,) int32, the two rows of the logits that a row is mixed of.
        mix: (H,) float32 in [0, 1], weight of the second; the first has the rest.
        left, right: (W,) int32, the same of the columns; equal where the weight is 0, so that whatever is read counts.
        weight: (W,) float32.
        groups: (G + 1,) int32, first row of each group of successive rows that are mixed of the same two; the last
            entry is H.
        group_rows: rows of the largest group: 1, 2 or 4.
    """

    top: torch.Tensor
    bottom: torch.Tensor
    mix: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    weight: torch.Tensor
    groups: torch.Tensor
    group_rows: int


@lru_cache(maxsize=32)
def device_taps(
    grid: tuple[int, int], size: tuple[int, int], placement: Placement | None, device: torch.device
) -> DeviceTaps:
    """The taps of :func:`~trust_seg_ros.uncertainty.kernels.grid_taps` on a device; kept for the next frames.

    The first call with the same arguments copies from the host, and waits for it: make it before a graph is captured.

    Args:
        grid: (h, w) of the logits.
        size: (H, W) of the maps.
        placement: where the maps lie on that grid; None = it is stretched over them.
        device: where the tensors shall be.
    """
    (top, bottom, mix), (left, right, weight) = grid_taps(grid, size, placement)
    right = np.where(weight == 0.0, left, right)  # a weight of 1 comes up only where both are the last column
    groups, group_rows = _groups(top, bottom)

    def there(part: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(part).to(device)

    rows, columns = (there(top), there(bottom), there(mix)), (there(left), there(right), there(weight))
    return DeviceTaps(*rows, *columns, there(groups), group_rows)


def _groups(top: np.ndarray, bottom: np.ndarray) -> tuple[np.ndarray, int]:
    """First rows of groups, with H at the end, and their largest size: the one that is expected to be the fastest."""
    rows = np.arange(len(top))
    new = np.diff(top, prepend=-1).astype(bool) | np.diff(bottom, prepend=-1).astype(bool)
    within = rows - np.maximum.accumulate(np.where(new, rows, 0))
    found = {most: np.flatnonzero(within % most == 0) for most in (1, 2, 4)}
    best = min(found, key=lambda most: len(found[most]) * (_SHARED_WORK + most))
    return np.append(found[best], len(top)).astype(np.int32), best


def check_for_kernels(maps: LogitMaps) -> None:
    """Raise ``LogitsError`` unless the Triton kernels can read these logits; allocates nothing."""
    check(maps)
    if maps.linear:
        raise LogitsError(
            "class sums of a mask network (linear=True); the Triton kernels expect logits or log-probabilities. "
            "uncertainty_maps takes both"
        )
    pixels = maps.size[0] * maps.size[1]
    if pixels > _MOST_PIXELS:
        raise LogitsError(
            f"the output size {tuple(maps.size)} has {pixels} pixels; expected at most {_MOST_PIXELS} on a GPU, whose "
            "kernels count them in 32 bits. Use a smaller grid, or cut the image into parts"
        )


def lowest(raw: bool) -> float:
    """What smaller logits are raised to, the ``LOW`` of the functions below."""
    return -LARGEST if raw else LOG_FLOOR


@triton.jit
def load_taps(first_ptr, second_ptr, weight_ptr, stride, at, mask):
    """Taps of output positions ``at``, a scalar or a block: two int64 offsets in elements, and the weight."""
    first = tl.load(first_ptr + at, mask=mask, other=0).to(tl.int64) * stride
    second = tl.load(second_ptr + at, mask=mask, other=0).to(tl.int64) * stride
    return first, second, tl.load(weight_ptr + at, mask=mask, other=0.0)


@triton.jit
def lerp(first, second, weight):
    """(1 - weight) * first + weight * second, with the same bits in every kernel."""
    return tl.fma(weight, second, (1.0 - weight) * first)


@triton.jit
def clean(x, LOW: tl.constexpr):
    """A float32 logit within [LOW, 2^126], and LOW for NaN: finite, as far as it matters, since its pixel is faulty."""
    return tl.minimum(tl.where(x > LOW, x, LOW), _LARGEST)  # tl.maximum lets NaN through when interpreted


@triton.jit
def along_row(row_ptr, left, right, weight, mask, LOW: tl.constexpr):
    """Logits of one class in one low-resolution row, blended horizontally; also the two they are made of, as read.

    Args:
        row_ptr: the row's first logit, of any floating type.
        left, right, weight: from ``load_taps`` of the columns.
        mask: which columns there are.
        LOW: ``lowest(raw)``.
    """
    first = tl.load(row_ptr + left, mask=mask, other=0.0).to(tl.float32)
    second = tl.load(row_ptr + right, mask=mask, other=0.0).to(tl.float32)
    return lerp(clean(first, LOW), clean(second, LOW), weight), first, second
