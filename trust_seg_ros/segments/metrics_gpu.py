"""Metrics of segments from their sums, on the GPU: the columns of ``families.column_values`` in one launch.

Sums are integers (fixed point); here, once per segment, they become float64. Where a family's columns stand is worked
out by ``families`` and handed to the kernel as a table: a row for the families of plain sums, one for those of classes,
and one per map; a program takes one row and a block of segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import triton
import triton.language as tl

from trust_seg_ros.grid import Size
from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.segments.families import Family, MapFamily, column_groups
from trust_seg_ros.segments.sums_gpu import DeviceSums

PLAIN = {"size": 5, "centroid": 2, "share": 4, "relative_centroid": 2}
OF_CLASSES = {"cprob": 1, "ndist": 1}
OF_MAPS = {"mean": 3, "relative_mean": 2, "variance": 3, "relative_variance": 2}
"""Families that the kernel knows, in the order of a row of its table -> columns of each, one for all classes."""
SEGMENTS, CLASSES = tl.constexpr(64), tl.constexpr(8)
"""Segments of a program, and classes that it takes at a time."""


def knows(families: Sequence[Family | MapFamily]) -> bool:
    """Whether the kernel has every column of these families; if not, the host computes the metrics."""
    known = PLAIN | OF_CLASSES | OF_MAPS
    return all(known.get(family.name) == len(family.columns) for family in families)


def device_metrics(
    sums: DeviceSums, families: Sequence[Family | MapFamily], maps: Sequence[str], n_classes: int, size: Size
) -> torch.Tensor:
    """Metrics of all segments of an image.

    Args:
        sums: sums over the segments; of all ``maps``, and of what the families need (``Family.sums``).
        families: in the order of ``FAMILIES``.
        maps: prefixes of the maps, in order.
        n_classes: number q of classes.
        size: (H, W) of the image.

    Returns:
        (capacity, m) float64, the columns that ``column_names`` names, finite; 0 beyond the last segment.

    Raises:
        FeatureError: a family that :func:`knows` denies, or without its sums.
    """
    if not knows(families):
        names = ", ".join(family.name for family in families)
        raise FeatureError(f"the GPU does not have all metrics of the families {names}; compute them on the host")
    needed = {"cprob": sums.cprob, "ndist": sums.ndist}
    if absent := [family.name for family in families if needed.get(family.name, sums.places) is None]:
        raise FeatureError(f"no sums for the families {', '.join(absent)}; ask device_sums for them")
    starts, columns = _layout(tuple(families), tuple(maps), n_classes, sums.count.device)
    capacity = len(sums.outlines)
    out = torch.empty((capacity, columns), dtype=torch.float64, device=sums.count.device)
    cprob = sums.places if sums.cprob is None else sums.cprob  # not looked at where no family asks for it
    ndist = sums.outlines if sums.ndist is None else sums.ndist
    tables = sums.count, sums.outlines, sums.places, cprob, ndist
    of_maps = tuple(sums.maps[name] for name in maps), tuple(sums.map_scales[name] for name in maps)
    shape, grid = (capacity, columns, n_classes, *size), (triton.cdiv(capacity, SEGMENTS.value), len(starts))
    with torch.cuda.device_of(out):
        _metrics[grid](tables, *of_maps, sums.cprob_scale, starts, out, shape, num_warps=2)
    return out


@lru_cache(maxsize=16)
def _layout(
    families: tuple[Family | MapFamily, ...], maps: tuple[str, ...], n_classes: int, device: torch.device
) -> tuple[torch.Tensor, int]:
    """First columns (2 + maps, 4) int32 of the families, in the order of the dictionaries above; -1 = not wanted."""
    starts = torch.full((2 + len(maps), 4), -1, dtype=torch.int32)
    column = 0
    for family, prefix, names in column_groups(families, maps, n_classes):
        row, kind = next(
            (row, kind)
            for row, kind in ((0, PLAIN), (1, OF_CLASSES), (2 + maps.index(prefix) if prefix else 2, OF_MAPS))
            if family.name in kind
        )
        starts[row, list(kind).index(family.name)] = column
        column += len(names)
    return starts.to(device), column


@triton.jit
def _metrics(tables, maps, scales, cprob_scale: tl.float64, starts, out, shape):
    count, outlines, places, cprob, ndist = tables
    capacity, columns, q, height, width = shape
    part = tl.program_id(1)
    segments = (tl.program_id(0) * SEGMENTS + tl.arange(0, SEGMENTS)).to(tl.int64)
    kept = segments < capacity
    here = kept & (segments < tl.load(count))
    pixels = tl.load(outlines + segments * 6 + 5, mask=here, other=1)
    inside = tl.load(places + segments * 3, mask=here, other=0)
    whole = inside == pixels  # one segment fills the image: all of it counts as boundary
    size, interior = pixels.to(tl.float64), tl.where(whole, 0, inside).to(tl.float64)
    starts += part * 4
    to = (out + segments * columns, kept, here)
    if part == 0:
        _plain(to, starts, size, interior, places + segments * 3, height, width)
    elif part == 1:
        _of_classes(to, starts, size, cprob, ndist, cprob_scale, segments, q)
    for i in tl.static_range(len(maps)):
        if part == 2 + i:
            _of_map(to, starts, size, interior, whole, maps[i] + segments * 4, scales[i])


@triton.jit
def _put(to, first, values):
    """Columns of a family whose first one is ``first``; none below 0."""
    out, kept, here = to
    for k in tl.static_range(len(values)):
        tl.store(out + first + k, tl.where(here, values[k], 0.0), mask=kept & (first >= 0))


@triton.jit
def _plain(to, starts, size, interior, places, height, width):
    """The families of ``PLAIN``."""
    rows, columns = tl.full((1,), height, tl.float64), tl.full((1,), width, tl.float64)
    boundary, area, diagonal = size - interior, rows * columns, tl.sqrt(rows * rows + columns * columns)
    row = tl.load(places + 1, mask=to[2], other=0).to(tl.float64) / size
    column = tl.load(places + 2, mask=to[2], other=0).to(tl.float64) / size
    compact = size / (boundary * boundary)
    _put(to, tl.load(starts), (size, interior, boundary, size / boundary, interior / boundary))
    _put(to, tl.load(starts + 1), (row, column))
    _put(to, tl.load(starts + 2), (size / area, interior / area, boundary / diagonal, compact))
    _put(to, tl.load(starts + 3), ((row + 0.5) / rows, (column + 0.5) / columns))


@triton.jit
def _of_classes(to, starts, size, cprob, ndist, scale, segments, q):
    """The families of ``OF_CLASSES``: both are rows of sums by class, times a factor of the segment."""
    if tl.load(starts) >= 0:
        _scaled(to, tl.load(starts), cprob + segments * q, q, scale / size)
    if tl.load(starts + 1) >= 0:
        pairs = ndist + segments * (q + 1)
        total = tl.zeros(size.shape, tl.int32)
        for c in range(0, q + 1):  # the last column holds neighbours without a class
            total += tl.load(pairs + c, mask=to[2], other=0)
        _scaled(to, tl.load(starts + 1), pairs, q, 1.0 / tl.maximum(total, 1).to(tl.float64))


@triton.jit
def _scaled(to, first, sums, q, factor):
    out, kept, here = to
    for c0 in range(0, q, CLASSES):  # a tile of segments and classes: their columns lie side by side
        c = c0 + tl.arange(0, CLASSES)[None, :]
        found = tl.load(sums[:, None] + c, mask=here[:, None] & (c < q), other=0)
        _put(
            (out[:, None], kept[:, None] & (c < q), here[:, None]), first + c, (found.to(tl.float64) * factor[:, None],)
        )


@triton.jit
def _of_map(to, starts, size, interior, whole, sums, scales):
    """The families of ``OF_MAPS`` for one map."""
    per_pixel = (1.0 / size, 1.0 / tl.maximum(interior, 1.0), 1.0 / (size - interior))
    relative, relative_in = size * per_pixel[2], interior * per_pixel[2]
    mean, mean_in, mean_bd = _means(sums, tl.load(scales), per_pixel, whole, to[2])
    _put(to, tl.load(starts), (mean, mean_in, mean_bd))
    _put(to, tl.load(starts + 1), (mean * relative, mean_in * relative_in))
    square, square_in, square_bd = _means(sums + 2, tl.load(scales + 1), per_pixel, whole, to[2])
    variance = tl.maximum(square - mean * mean, 0.0)
    variance_in = tl.maximum(square_in - mean_in * mean_in, 0.0)
    _put(to, tl.load(starts + 2), (variance, variance_in, tl.maximum(square_bd - mean_bd * mean_bd, 0.0)))
    _put(to, tl.load(starts + 3), (variance * relative, variance_in * relative_in))


@triton.jit
def _means(sums, unit, per_pixel, whole, here):
    """Over all, interior and boundary."""
    inner, outer = tl.load(sums, mask=here, other=0), tl.load(sums + 1, mask=here, other=0)
    total = inner + outer
    inner, outer = tl.where(whole, 0, inner).to(tl.float64), tl.where(whole, total, outer).to(tl.float64)
    return total.to(tl.float64) * unit * per_pixel[0], inner * unit * per_pixel[1], outer * unit * per_pixel[2]
