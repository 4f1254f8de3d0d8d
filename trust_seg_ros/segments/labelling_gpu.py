"""8-connected components of a class map on the GPU: what :mod:`labelling` does, as five launches of Triton kernels.

``parent`` holds one int32 per pixel: the index of an earlier pixel of the same component. A pixel that is its own
parent is a root. Links only lead to smaller indices, so that in the end a root is its component's first pixel.

1. ``_label_tiles``: one program per tile links every pixel to the start of its run in the row, and runs that touch.
2. ``_label_seams``: the same across the seams between tiles.
3. ``_rank_roots``: numbers the roots of a block of pixels (-1, -2, ... in place of their parent), shortens long ways.
4. ``_add_up``: how many roots lie before each block, and in all.
5. ``_paint``: every pixel goes to its root and takes its number.

Why any order of threads gives the same sets: while runs are united (1 and 2), only ``_unite`` changes parents. For
pixels p > q it lowers the parent of p to q at most, and gets back the parent v that p had.
(a) Once p had the parent v, they end in one set: whoever puts q < v in its place goes on to unite v and q (v is not p).
(b) A union of p and q ends in one set: it stops if v is p or q, when p has had the parent q; else v and q follow.
(c) It stops, as each step lowers p or q, whatever others do.
(a) leans on (b) for pixels below p, and (b) on (a) for p and on itself for pixels below p: no circle. A stale read is a
parent that the pixel once had, and the order in which changes of different pixels are seen does not matter, so that
relaxed atomics are enough.

Bytes per pixel to and from memory: 5 in (1), 4 in (3), 8 in (5), 17 in all; what is read twice comes from the cache.
(2) touches the 8 % of the pixels along seams, (4) 8 bytes per block. (1) waits rather for its chains of atomics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import triton
import triton.language as tl

from trust_seg_ros.segments.errors import MapShapeError, ScoreThresholdError

TILE = (16, 64)
"""Rows and columns of a tile: wide, as seams between columns are read in short pieces."""

BLOCK = 2048
"""Pixels per program of the kernels that do not care for rows."""

WARPS = 8
"""Per program; with 4 pixels of a tile per thread four programs fit on a multiprocessor, as compiled."""

MOST_PIXELS = 2**31 - 1

NONE = tl.constexpr(-(2**31))  # the parent of a pixel without a component


@dataclass(frozen=True, eq=False)
class DeviceComponents:
    """The components of one class map, all on its device.

    Attributes:
        ids: (H, W) int32, 0 = none, 1..n in raster order of the first pixel.
        count: (1,) int32, n.
        classes: (H, W) uint8, C-contiguous: what told the components apart; 255 belongs to none.
    """

    ids: torch.Tensor
    count: torch.Tensor
    classes: torch.Tensor

    def __repr__(self) -> str:
        return f"DeviceComponents({self.ids.shape[0]}×{self.ids.shape[1]} on {self.ids.device})"


def device_components(classes: torch.Tensor, *, tile: tuple[int, int] = TILE, block: int = BLOCK) -> DeviceComponents:
    """8-connected components of equal class, numbered as by :func:`labelling.components`; nothing waits for the device.

    Args:
        classes: (H, W) uint8; 255 belongs to no component.
        tile: rows and columns of a tile, powers of two; the result does not depend on it.
        block: pixels per program elsewhere, a power of two; the result does not depend on it.

    Raises:
        MapShapeError: not a two-dimensional uint8 tensor of 1 to 2^31 - 1 pixels.
    """
    classes = _checked(classes, "class map")
    (height, width), (rows, columns) = classes.shape, tile
    blocks = triton.cdiv(classes.numel(), block)
    parent, ids = (torch.empty(classes.shape, dtype=torch.int32, device=classes.device) for _ in range(2))
    before = torch.empty(blocks + 1, dtype=torch.int32, device=classes.device)
    down, right = triton.cdiv(height, rows), triton.cdiv(width, columns)
    level, upright = (triton.cdiv(seams, 256) for seams in ((down - 1) * width, (right - 1) * height))
    _label_tiles[(down * right,)](classes, parent, height, width, rows, columns, num_warps=WARPS)
    if level + upright:
        _label_seams[(level + upright,)](classes, parent, height, width, level, rows, columns, 256)
    _rank_roots[(blocks,)](parent, before, classes.numel(), width, columns, block, num_warps=WARPS)
    _add_up[(1,)](before, blocks, 1024)
    _paint[(blocks,)](parent, before, ids, classes.numel(), block, num_warps=WARPS)
    return DeviceComponents(ids, before[blocks:], classes)


def over_threshold(score: torch.Tensor, threshold: float | torch.Tensor) -> torch.Tensor:
    """The pixels whose score reaches a threshold, as a map for :func:`device_components`; does not wait for the device.

    Args:
        score: (H, W) floating point, taken as float32.
        threshold: a number, or a (1,) floating-point tensor on the same device; compared in float32.

    Returns:
        (H, W) uint8: 0 where score >= threshold, 255 elsewhere, at NaN and with a tensor that holds NaN.

    Raises:
        MapShapeError: the score is not a two-dimensional floating-point tensor of 1 to 2^31 - 1 pixels.
        ScoreThresholdError: the threshold is the number NaN.
    """
    score = _checked(score, "score map", of_floats=True)
    on_device = isinstance(threshold, torch.Tensor)
    if not isinstance(threshold, torch.Tensor):
        if math.isnan(threshold):
            raise ScoreThresholdError(
                "the score threshold is NaN; expected a number in the unit of the score, 0.7 for entropy"
            )
        threshold = float(np.float32(threshold))
    classes = torch.empty(score.shape, dtype=torch.uint8, device=score.device)
    _reach[(triton.cdiv(score.numel(), BLOCK),)](score, threshold, classes, score.numel(), on_device, BLOCK)
    return classes


def _checked(values: torch.Tensor, what: str, of_floats: bool = False) -> torch.Tensor:
    fits = isinstance(values, torch.Tensor) and values.ndim == 2 and 0 < values.numel() <= MOST_PIXELS
    if not fits or not (values.is_floating_point() if of_floats else values.dtype == torch.uint8):
        found = f"{values.dtype} {tuple(values.shape)}" if hasattr(values, "dtype") else type(values).__name__
        kind = "floating-point" if of_floats else "uint8"
        raise MapShapeError(f"{what} is {found}; expected a (H, W) {kind} tensor of 1 to {MOST_PIXELS} pixels")
    return values.contiguous()


@triton.jit(do_not_specialize=("height", "width"))
def _label_tiles(classes, parent, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    right = tl.cdiv(width, COLUMNS)
    top, left = tl.program_id(0) // right * ROWS, tl.program_id(0) % right * COLUMNS
    y, x = top + tl.arange(0, ROWS)[:, None], left + tl.arange(0, COLUMNS)[None, :]
    inside = (y < height) & (x < width)
    at = y * width + x  # may wrap around outside the map only
    own = tl.load(classes + at, mask=inside, other=255)
    some = own != 255
    starts = some & (own != tl.load(classes + at - 1, mask=inside & (x > left), other=255))
    # The start of each run is left where the whole run finds it, at the run's number in its row of the tile.
    meeting = y * width + left + tl.cumsum(starts.to(tl.int32), 1) - 1
    tl.store(parent + meeting, at, mask=starts)
    tl.debug_barrier()
    start = tl.load(parent + meeting, mask=some, other=NONE, volatile=True)
    tl.debug_barrier()
    tl.store(parent + at, start, mask=inside)
    tl.debug_barrier()
    _join(classes, parent, at, own, some & (y > top), width, 1, x > left, (x + 1 < left + COLUMNS) & (x + 1 < width))
    tl.debug_barrier()
    _shorten(parent, at, at, starts)


@triton.jit(do_not_specialize=("height", "width", "level"))
def _label_seams(classes, parent, height, width, level, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    """Programs before ``level`` unite along seams between rows, the others along seams between columns."""
    upright = tl.program_id(0) >= level
    i = (tl.program_id(0) - tl.where(upright, level, 0)) * BLOCK + tl.arange(0, BLOCK)
    length = tl.where(upright, height, width)
    across, along = i // length, i % length
    across = (across + 1) * tl.where(upright, COLUMNS, ROWS)
    some = across < tl.where(upright, width, height)
    at = tl.where(upright, along * width + across, across * width + along)
    own = tl.load(classes + at, mask=some, other=255)
    # Seams between columns close each row of tiles without help from seams between rows, which lean on them.
    behind = tl.where(upright, along % ROWS, along) > 0
    ahead = (along + 1 < length) & (((along + 1) % ROWS > 0) | (upright == 0))
    some &= own != 255
    _join(classes, parent, at, own, some, tl.where(upright, 1, width), tl.where(upright, width, 1), behind, ahead)


@triton.jit
def _join(classes, parent, at, own, some, across, along, behind, ahead):
    """Unite pixels with their three neighbours across a line, where no neighbour along the line does it for them.

    ``behind`` and ``ahead``: whether the pixels before and after, along the line, are already joined to these if equal.
    """
    over = own == tl.load(classes + at - across, mask=some, other=255)
    back = behind & (own == tl.load(classes + at - along, mask=some & behind, other=255))
    back_over = behind & (own == tl.load(classes + at - along - across, mask=some & behind, other=255))
    fore = ahead & (own == tl.load(classes + at + along, mask=some & ahead, other=255))
    fore_over = ahead & (own == tl.load(classes + at + along - across, mask=some & ahead, other=255))
    other = at - across - tl.where(over, 0, along)
    _unite(parent, at, other, some & tl.where(back, over & (back_over == 0), over | back_over))
    _unite(parent, at, at - across + along, some & fore_over & (over == 0) & (fore == 0))


@triton.jit
def _unite(parent, a, b, active):
    """Make one set of those of a and of b, while others do the same; the module's docstring says why this is right."""
    a = tl.load(parent + a, mask=active, other=0, volatile=True)
    b = tl.load(parent + b, mask=active, other=0, volatile=True)
    active &= a != b
    while tl.max(active.to(tl.int32)) > 0:
        low, high = tl.minimum(a, b), tl.maximum(a, b)
        a = tl.atomic_min(parent + high, low, mask=active, sem="relaxed")
        b = low
        active &= (a != high) & (a != low)


@triton.jit
def _shorten(parent, at, above, active):
    """Move the parents of pixels (``above``) up to their roots; only the pixel's own thread writes here."""
    while tl.max(active.to(tl.int32)) > 0:
        higher = tl.load(parent + above, mask=active, other=NONE, volatile=True)
        active &= (higher >= 0) & (higher < above)
        above = tl.where(active, higher, above)
        tl.store(parent + at, above, mask=active)


@triton.jit
def _rank_roots(parent, counts, pixels, width, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    at = place.to(tl.int32)
    above = tl.load(parent + at, mask=place < pixels, other=NONE, volatile=True)
    roots = (above == at).to(tl.int32)
    # Most lead to the start of their run like the pixel before them. They need not move: their start does.
    before = tl.load(parent + at - 1, mask=(place > 0) & (place < pixels), other=NONE)
    _shorten(parent, at, above, (above >= 0) & ((above <= at - tl.minimum(COLUMNS, width)) | (above != before)))
    # Threads that still walk take a number below 0 for a root, as they take a pixel that is its own parent.
    tl.store(parent + at, -tl.cumsum(roots, 0), mask=roots > 0)
    tl.store(counts + tl.program_id(0), tl.sum(roots, 0))


@triton.jit
def _add_up(counts, blocks, BLOCK: tl.constexpr):
    total = 0
    for start in range(0, blocks, BLOCK):
        i = start + tl.arange(0, BLOCK)
        count = tl.load(counts + i, mask=i < blocks, other=0)
        tl.store(counts + i, total + tl.cumsum(count, 0) - count, mask=i < blocks)
        total += tl.sum(count, 0)
    tl.store(counts + blocks, total)


@triton.jit
def _paint(parent, before, ids, pixels, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    root = place.to(tl.int32)
    value = tl.load(parent + root, mask=place < pixels, other=NONE)
    walks = value >= 0
    while tl.max(walks.to(tl.int32), 0) > 0:
        root = tl.where(walks, value, root)
        value = tl.where(walks, tl.load(parent + root, mask=walks, other=NONE), value)
        walks = value >= 0
    number = tl.load(before + root // BLOCK, mask=value != NONE, other=0) - value
    tl.store(ids + place, tl.where(value == NONE, 0, number), mask=place < pixels)


@triton.jit
def _reach(score, threshold, classes, pixels, ON_DEVICE: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(score + at, mask=at < pixels, other=0).to(tl.float32)
    least = tl.load(threshold).to(tl.float32) if ON_DEVICE else threshold
    tl.store(classes + at, tl.where(value >= least, 0, 255).to(tl.uint8), mask=at < pixels)
