"""Planes of published images on a GPU, all in one launch: bytes of maps, masks and ids of segments, at their size.

Each equals what ``render`` makes of the same frame on the host, bit for bit. One pass reads each map once and writes
the planes that are wanted: 58 MB with all eight at 2 MP. ``~/overlay`` is not made here, as its outlines, hatching and
dots are OpenCV's and it is a picture for people; nor is ``~/gradient``, whose bytes need the range of the frame first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl

from trust_seg_ros.drawing.pictures import PIXEL_FLAG, colour_map
from trust_seg_ros.grid import Size, sources
from trust_seg_ros.messages.render import MAX_SEGMENT_ID

_BLOCK = 512
_PIXEL_FLAG, _MAX_ID = tl.constexpr(PIXEL_FLAG), tl.constexpr(MAX_SEGMENT_ID)
_ROUND = tl.constexpr(12582912.0)
"""1.5 · 2^23: adding and subtracting it rounds a small float32 to a whole number, half to even."""

PLANES = {
    "segmentation": ("classes",),
    "entropy": ("entropy",),
    "confidence": ("entropy",),
    "margin": ("margin",),
    "unreliable": ("ids", "unreliable"),
    "segment_ids": ("ids",),
    "ood": ("ood_ids", "ood"),
    "ood_ids": ("ood_ids", "ood_numbers"),
}
"""Name of a topic -> fields of ``Paints`` that it needs; the planes of ids are uint16, all others uint8."""


@dataclass(frozen=True, eq=False)
class Paints:
    """What planes are made of, on one device; None = no plane that is wanted needs it.

    Attributes:
        classes: (H', W') uint8 class ids.
        entropy, margin: (H', W') float32 in [0, 1].
        ids, ood_ids: (H', W') int32 numbers of segments, and of OoD segments; 0 = none.
        pixel_flags: (H', W') bool or uint8, pixels over their threshold; None = none are.
        unreliable, ood: (n + 1,) uint8, what is painted for each number; 0 for number 0 and beyond n. See
            ``kernels.flag_table``.
        ood_numbers: (m + 1,) int32, number that is published for each OoD segment; above 65534 it is 0.
    """

    classes: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    margin: torch.Tensor | None = None
    ids: torch.Tensor | None = None
    ood_ids: torch.Tensor | None = None
    pixel_flags: torch.Tensor | None = None
    unreliable: torch.Tensor | None = None
    ood: torch.Tensor | None = None
    ood_numbers: torch.Tensor | None = None


def painted(paints: Paints, wanted: Collection[str], size: Size | None = None) -> dict[str, torch.Tensor]:
    """The wanted planes in one launch; nothing is waited for.

    Args:
        paints: what they are made of.
        wanted: names in ``PLANES``; what each needs must be given.
        size: (H, W) of the planes, by the nearest pixel as ``grid.resized``; None = (H', W').

    Returns:
        Name -> (H, W), ``ids`` uint16, others uint8.
    """
    if not wanted:
        return {}
    given = {name: part.contiguous() for name, part in vars(paints).items() if part is not None}
    first = next(part for name, part in given.items() if part.ndim == 2)
    grid, device = (int(first.shape[0]), int(first.shape[1])), first.device
    size = size or grid
    rows, columns = (None, None) if size == grid else _places(grid, size, device)
    out = {
        name: torch.empty(size, dtype=torch.uint16 if name.endswith("ids") else torch.uint8, device=device)
        for name in PLANES
        if name in wanted
    }
    maps = ("classes", "entropy", "margin", "ids", "ood_ids", "pixel_flags")
    tables = [given.get(name) for name in ("unreliable", "ood", "ood_numbers")]
    with torch.cuda.device_of(first):
        _paint[(size[0] * triton.cdiv(size[1], _BLOCK),)](
            rows, columns, size[1], grid[1],
            *(given.get(name) for name in maps), *tables, *(0 if table is None else len(table) for table in tables),
            *(out.get(name) for name in PLANES),
            BLOCK=_BLOCK, enable_fp_fusion=False,  # 255 x is rounded before it becomes a byte, as OpenCV does it
        )  # fmt: skip
    return out


def coloured(plane: torch.Tensor, name: str = "inferno") -> torch.Tensor:
    """(H, W) uint8 -> (H, W, 3) uint8 RGB, as ``drawing.pictures.colour_map``."""
    return _colours(name, plane.device)[plane.int()]


@lru_cache(maxsize=8)
def _colours(name: str, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(colour_map(np.arange(256, dtype=np.uint8)[:, None], name)[:, 0]).to(device)


@lru_cache(maxsize=8)
def _places(grid: Size, size: Size, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """For rows and columns of planes, those of the grid: int32."""
    rows, columns = (sources(old, new).astype(np.int32) for old, new in zip(grid, size, strict=True))
    return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)


@triton.jit
def _paint(
    rows_ptr, columns_ptr, width, grid_width,
    classes_ptr, entropy_ptr, margin_ptr, ids_ptr, ood_ids_ptr, flags_ptr,
    unreliable_ptr, ood_ptr, numbers_ptr, unreliable_count, ood_count, numbers_count,
    segmentation_out, entropy_out, confidence_out, margin_out, unreliable_out, segment_ids_out, ood_out, ood_ids_out,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """One program paints ``BLOCK`` pixels of a row of every plane; what is None is left out when it is compiled."""
    blocks = tl.cdiv(width, BLOCK)
    y = tl.program_id(0) // blocks
    x = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    inside = x < width
    row = y if rows_ptr is None else tl.load(rows_ptr + y)
    column = x if columns_ptr is None else tl.load(columns_ptr + x, mask=inside, other=0)
    at = row.to(tl.int64) * grid_width + column
    to = y.to(tl.int64) * width + x
    if segmentation_out is not None:
        tl.store(segmentation_out + to, tl.load(classes_ptr + at, mask=inside), mask=inside)
    if (entropy_out is not None) or (confidence_out is not None):
        byte = _byte(tl.load(entropy_ptr + at, mask=inside, other=0.0))
        if entropy_out is not None:
            tl.store(entropy_out + to, byte.to(tl.uint8), mask=inside)
        if confidence_out is not None:
            tl.store(confidence_out + to, (255 - byte).to(tl.uint8), mask=inside)
    if margin_out is not None:
        tl.store(margin_out + to, _byte(tl.load(margin_ptr + at, mask=inside, other=0.0)).to(tl.uint8), mask=inside)
    if (unreliable_out is not None) or (segment_ids_out is not None):
        number = tl.load(ids_ptr + at, mask=inside, other=0)
        if unreliable_out is not None:
            mask = tl.load(unreliable_ptr + number, mask=number < unreliable_count, other=0).to(tl.int32)
            if flags_ptr is not None:
                flagged = tl.load(flags_ptr + at, mask=inside, other=0) != 0
                mask = tl.maximum(mask, tl.where(flagged, _PIXEL_FLAG, 0))
            tl.store(unreliable_out + to, mask.to(tl.uint8), mask=inside)
        if segment_ids_out is not None:
            tl.store(segment_ids_out + to, tl.where(number > _MAX_ID, 0, number).to(tl.uint16), mask=inside)
    if (ood_out is not None) or (ood_ids_out is not None):
        number = tl.load(ood_ids_ptr + at, mask=inside, other=0)
        if ood_out is not None:
            tl.store(ood_out + to, tl.load(ood_ptr + number, mask=number < ood_count, other=0), mask=inside)
        if ood_ids_out is not None:
            shown = tl.load(numbers_ptr + number, mask=number < numbers_count, other=0)
            tl.store(ood_ids_out + to, tl.where(shown > _MAX_ID, 0, shown).to(tl.uint16), mask=inside)


@triton.jit
def _byte(value):
    """A float32 in [0, 1] as a whole number from 0 to 255, as ``cv2.convertScaleAbs`` rounds it; beyond, saturated."""
    return ((tl.minimum(tl.abs(value * 255.0), 255.0) + _ROUND) - _ROUND).to(tl.int32)
