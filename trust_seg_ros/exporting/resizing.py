"""OpenCV's resizing of an image as operations of a graph, with its result to the last bit.

A network's input is made by OpenCV (``preprocess.preprocess_cpu``): by area averaging where both sides shrink, else
bilinearly in fixed point. No operation of ONNX does either: its bilinear resize differs by one grey level in every
eighth pixel, its antialiased one has other weights. A few gathers of rows and columns, each times its weight, do both
exactly, for one size of the image.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

Size = tuple[int, int]
FIXED = 2048
"""OpenCV's weights of bilinear interpolation are multiples of 1/2048."""


class Resize(nn.Module):
    """(1, H, W, 3) uint8 -> (1, h, w, 3) float32, whole numbers 0 to 255.

    Args:
        old: (H, W) of the image.
        new: (h, w).
    """

    rows_index: torch.Tensor
    rows_weight: torch.Tensor
    columns_index: torch.Tensor
    columns_weight: torch.Tensor

    def __init__(self, old: Size, new: Size) -> None:
        super().__init__()
        self.old, self.new = old, new
        self.area = new[0] <= old[0] and new[1] <= old[1]
        # two by two pixels are averaged in whole numbers, where halves go up; elsewhere they go to the even number
        self.halves_up = (old[0], old[1]) == (2 * new[0], 2 * new[1])
        for axis, name in ((0, "rows"), (1, "columns")):
            index, weight = area_taps(old[axis], new[axis]) if self.area else linear_taps(old[axis], new[axis], axis)
            self.register_buffer(f"{name}_index", torch.from_numpy(index))
            self.register_buffer(f"{name}_weight", torch.from_numpy(weight))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The image at its new size."""
        if self.old == self.new:
            return image.float()
        wide = _window_sums(image, 2, self.columns_index, self.columns_weight)
        if not self.area:
            return self._linear_rows(wide)
        found = _window_sums(wide, 1, self.rows_index, self.rows_weight)
        rounded = (found + 0.5).floor() if self.halves_up else found.round()
        return rounded.clamp(0.0, 255.0)

    def _linear_rows(self, wide: torch.Tensor) -> torch.Tensor:
        """floor(((b₀ ⌊s₀/16⌋ >> 16) + (b₁ ⌊s₁/16⌋ >> 16) + 2) / 4), as OpenCV computes it in 16 bits.

        The products have 26 bits, two more than float32 holds: each is made from two parts that it does hold.
        """
        s = (wide / 16).floor()
        high = (s / 32).floor()
        low = s - 32 * high
        total = torch.zeros(())
        for k in range(2):
            weight = self.rows_weight[k].view(-1, 1, 1)
            product = high.index_select(1, self.rows_index[k]) * weight  # of 65536 / 32 = 2048 each
            whole = (product / 2048).floor()
            rest = (product - 2048 * whole) * 32 + low.index_select(1, self.rows_index[k]) * weight
            total = total + whole + (rest / 65536).floor()
        return ((total + 2) / 4).floor()


def _window_sums(x: torch.Tensor, axis: int, index: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """For each pixel of the result along an axis, the sum of a window's pixels times their weights, in their order.

    All products are made first and then cut apart: a runtime that sees a product and its sum side by side computes
    both with one rounding instead of two, and a value between two grey levels may then go to the other one.
    """
    products = x.index_select(axis, index.flatten()).float() * weight.view(-1, *(1,) * (3 - axis))
    first, *others = products.chunk(len(index), axis)
    for other in others:
        first = first + other
    return first


def linear_taps(old: int, new: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a bilinear resize, ``INTER_LINEAR`` of OpenCV, along one side.

    Args:
        old, new: length of the side.
        axis: 0 for rows, 1 for columns; beyond the border OpenCV repeats rows, and drops the weight of columns.

    Returns:
        (2, new) int64 indices, and (2, new) float32 weights in units of 1/2048.
    """
    place = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int64)
    part = place - first.astype(np.float32)
    if axis == 1:
        part[(first < 0) | (first >= old - 1)] = 0.0
    index = np.clip(np.stack([first, first + 1]), 0, old - 1)
    if axis == 1:
        index[1, part == 0.0] = index[0, part == 0.0]
    return index, np.rint(np.stack([np.float32(1.0) - part, part]) * FIXED).astype(np.float32)


def area_taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of an area average, ``INTER_AREA`` of OpenCV, along one side that shrinks.

    Returns:
        (k, new) int64 indices and float32 weights, in the order of the sum; unused ones have the weight 0.
    """
    scale = old / new
    index = np.zeros((math.ceil(scale) + 2, new), np.int64)
    weight = np.zeros(index.shape, np.float32)
    for column in range(new):
        start = column * scale
        length = min(scale, old - start)
        end = start + scale
        last = min(math.floor(end), old - 1)
        first = min(math.ceil(start), last)
        taps = [(first - 1, (first - start) / length)] if first - start > 1e-3 else []
        taps += [(pixel, 1.0 / length) for pixel in range(first, last)]
        if end - last > 1e-3:
            taps.append((last, min(end - last, 1.0, length) / length))
        for k, (pixel, share) in enumerate(taps):
            index[k, column], weight[k, column] = pixel, share
    used = int((weight > 0).any(1).sum())
    return index[:used], weight[:used]
