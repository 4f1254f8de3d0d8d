"""Sums over segments on the GPU, in two launches: sizes, boxes, maps and neighbours; and class probabilities.

Every value is rounded to fixed point before it is added, and only integers are added, so that sums do not depend on the
order in which the GPU takes them: the same bits every run. A warp takes a tile of 128 pixels, adds up each of the (at
most four) segments in it, and makes one atomic addition of that; pixels of further segments are added one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import triton
import triton.language as tl

from trust_seg_ros.segments.features import MAP_FIELDS
from trust_seg_ros.segments.sums import SegmentSums
from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty.sampling_gpu import along_row, check_for_kernels, device_taps, lerp, load_taps, lowest

TILE, INTERPRETED_TILE = (4, 32), (32, 64)
"""Rows and columns of a program, which is one warp: a sum of 128 values of up to 2^23 is one that int32 holds. In the
interpreter a program costs the same whatever its size."""
_BITS = tl.constexpr(23)
_ONE = tl.constexpr(float(1 << 23))
_NO_CLASS = tl.constexpr(UNLABELLED)
_INFINITY = tl.constexpr(0x7F800000)
_FAR = 2**31 - 1


class Found(Protocol):
    """The components of a class map on the device, as ``labelling_gpu`` finds them."""

    @property
    def ids(self) -> torch.Tensor: ...  # noqa: D102
    @property
    def count(self) -> torch.Tensor: ...  # noqa: D102
    @property
    def classes(self) -> torch.Tensor: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class DeviceSums:
    """Sums over the segments of an image, on its device; row k belongs to the segment with id k + 1.

    Rows beyond the segments there are hold 0, and the largest int32 as left and top. Segments beyond ``capacity`` have
    no row: then ``count`` is larger than it.

    Attributes:
        count: (1,) int32 segments of the image.
        outlines: (capacity, 6) int32 class id, left, top, right, bottom (exclusive), pixels.
        places: (capacity, 3) int64 interior pixels, sum of rows, sum of columns.
        maps: name -> (capacity, 4) int64, sums over the interior and the boundary, of squares over both; fixed point.
        map_scales: name -> (2,) float64, what a unit of a sum is worth, and of a sum of squares.
        cprob: (capacity, q) int64 sums of the class probabilities in units of ``cprob_scale``; None = not asked for.
        ndist: (capacity, q + 1) int32 neighbour pairs by class, and those without one; None = not asked for.
        flat: (N,) int64, the memory that all of these but ``count`` lie in, to be copied in one piece.
    """

    count: torch.Tensor
    outlines: torch.Tensor
    places: torch.Tensor
    maps: Mapping[str, torch.Tensor]
    map_scales: Mapping[str, torch.Tensor]
    cprob: torch.Tensor | None
    ndist: torch.Tensor | None
    flat: torch.Tensor
    cprob_scale: float = 2.0**-23

    def host(self, n: int) -> tuple[np.ndarray, SegmentSums]:
        """Outlines (n, 6) int32 and sums of the first ``n`` segments, as ``segments.sums`` gives them."""
        maps = {}
        for name, sums in self.maps.items():
            maps[name] = sums[:n].cpu().numpy() * np.repeat(self.map_scales[name].cpu().numpy(), 2)
        cprob = None if self.cprob is None else self.cprob[:n].cpu().numpy() * self.cprob_scale
        ndist = None if self.ndist is None else self.ndist[:n].cpu().numpy().astype(np.float64)
        if ndist is not None:
            ndist[:, -1] = ndist.sum(axis=1)
        sizes = self.places[:n].cpu().numpy().astype(np.float64)
        return self.outlines[:n].cpu().numpy(), SegmentSums(sizes, maps, cprob, ndist)


def device_sums(
    found: Found,
    planes: Mapping[str, torch.Tensor],
    *,
    named: torch.Tensor,
    answer: LogitMaps | None,
    log_sum: torch.Tensor | None,
    neighbours: bool,
    n_classes: int,
    capacity: int,
    tile: tuple[int, int] | None = None,
) -> DeviceSums:
    """All sums that the metrics of segments are computed from; nothing waits for the device.

    Args:
        found: the components, of at most 2^31 - 1 pixels.
        planes: name -> (H, W) float32 of every map that is added up. E, D and V lie in [0, 1]; others are scaled by
            the largest finite magnitude that they have in any segment, which also stands for infinity and NaN.
        named: (H, W) uint8 predicted classes, by which neighbours are counted.
        answer, log_sum: what class probabilities are computed from: the network's answer, and (H, W) float32 log of
            the sum of the exponentials of the upsampled logits. Both None = no class probabilities.
        neighbours: whether to count neighbours.
        n_classes: q.
        capacity: segments that there is room for, >= 1.
        tile: rows and columns that a program takes, powers of two; None: ``TILE``, or in the interpreter the larger
            one. The result does not depend on it.

    Raises:
        LogitsError: the answer is one that the kernels cannot read, such as class sums.
    """
    height, width = found.ids.shape
    tile = tile or (INTERPRETED_TILE if found.ids.device.type == "cpu" else TILE)
    bounded = tuple(name in MAP_FIELDS for name in planes)
    values = tuple(plane.contiguous() for plane in planes.values())
    sums, scales, maps = _tables(found.count, tuple(planes), n_classes, answer is not None, neighbours, capacity)
    same = named.data_ptr() == found.classes.data_ptr()
    grid = (triton.cdiv(width, tile[1]), triton.cdiv(height, tile[0]))
    with torch.cuda.device_of(found.ids):
        if not all(bounded):
            _peaks_kernel[grid](found.ids, values, scales, height, width, capacity, bounded, *tile, num_warps=1)
        _sums_kernel[grid](
            found.ids, found.classes, None if same else named, values, scales, sums.outlines, sums.places, maps,
            sums.ndist, height, width, n_classes, capacity, bounded, *tile, num_warps=1,
        )  # fmt: skip
        if answer is not None and log_sum is not None and sums.cprob is not None:
            _add_classes(found.ids, answer, log_sum, sums.cprob, tile[0] * tile[1])
    return sums


def _tables(
    count: torch.Tensor, names: tuple[str, ...], q: int, classes: bool, neighbours: bool, capacity: int
) -> tuple[DeviceSums, torch.Tensor, torch.Tensor]:
    """Tables of zeros in one piece of memory; the scales with peaks (3m,) and all maps (m, capacity, 4), both int64."""
    m = len(names)
    parts = (3 * m, 3 * capacity, 4 * capacity * m, q * capacity * classes, 3 * capacity)
    pairs = ((q + 1) * capacity * neighbours + 1) // 2
    flat = torch.zeros(sum(parts) + pairs, dtype=torch.int64, device=count.device)
    scales, places, maps, cprob, outlines, ndist = flat.split([*parts, pairs])
    maps, outlines = maps.view(m, capacity, 4), outlines.view(torch.int32).view(capacity, 6)
    outlines[:, 1:3] = _FAR
    sums = DeviceSums(
        count,
        outlines,
        places.view(capacity, 3),
        dict(zip(names, maps, strict=True)),
        dict(zip(names, scales[: 2 * m].view(torch.float64).view(m, 2), strict=True)),
        cprob.view(capacity, q) if classes else None,
        ndist.view(torch.int32)[: (q + 1) * capacity].view(capacity, q + 1) if neighbours else None,
        flat,
    )
    return sums, scales, maps


def _add_classes(ids: torch.Tensor, answer: LogitMaps, log_sum: torch.Tensor, cprob: torch.Tensor, pixels: int) -> None:
    check_for_kernels(answer)
    logits, (height, width) = answer.logits.detach(), answer.size
    q, h, w = logits.shape
    at = device_taps((h, w), (height, width), answer.placement, logits.device)
    columns = pixels // at.group_rows
    grid = (triton.cdiv(width, columns), len(at.groups) - 1)
    _classes_kernel[grid](
        ids, log_sum, logits, *logits.stride(), at.top, at.bottom, at.mix, at.left, at.right, at.weight, at.groups,
        cprob, width, len(cprob), q, lowest(answer.raw), at.group_rows, columns, num_warps=1,
    )  # fmt: skip


@triton.jit
def _fixed(share):
    """A share in [-1, 1] in units of 2^-23, rounded once."""
    return tl.floor(share * _ONE + 0.5).to(tl.int32)


@triton.jit
def _load_ids(ids_ptr, at, inside, capacity):
    """Segments of pixels, 0 = none that has a row; and the five largest of these numbers, falling, then 0."""
    ids = tl.load(ids_ptr + at, mask=inside, other=0)
    ids = tl.where(ids <= capacity, ids, 0)
    one = tl.max(ids, None)
    two = tl.max(tl.where(ids < one, ids, 0), None)
    three = tl.max(tl.where(ids < two, ids, 0), None)
    four = tl.max(tl.where(ids < three, ids, 0), None)
    return ids, (one, two, three, four, tl.max(tl.where(ids < four, ids, 0), None))


@triton.jit
def _add(table_ptr, columns, value, ids, largest):
    """Add int32 values to the first column of a table, of so many columns, in the rows of the pixels' segments."""
    for j in tl.static_range(4):
        if largest[j] > 0:
            part = tl.where(ids == largest[j], value, 0)
            whole = tl.sum(part if value.numel <= 128 else part.to(tl.int64), None).to(table_ptr.dtype.element_ty)
            row_ptr = table_ptr + (largest[j] - 1).to(tl.int64) * columns
            tl.atomic_add(row_ptr, whole, mask=whole != 0, sem="relaxed")
    if largest[4] > 0:
        row_ptr = table_ptr + (ids - 1).to(tl.int64) * columns
        rest = (ids > 0) & (ids <= largest[4]) & (value != 0)
        tl.atomic_add(row_ptr, value.to(table_ptr.dtype.element_ty), mask=rest, sem="relaxed")


@triton.jit(do_not_specialize_on_alignment=["width"])
def _peaks_kernel(
    ids_ptr, planes, scales_ptr, height, width, capacity,
    BOUNDED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Bits of the largest finite magnitude of each unbounded map over the pixels of segments."""
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    at = y * width + x
    ids = tl.load(ids_ptr + at, mask=(y < height) & (x < width), other=0)
    for m in tl.static_range(len(planes)):
        if not BOUNDED[m]:
            v = tl.load(planes[m] + at, mask=(ids > 0) & (ids <= capacity), other=0.0)
            bits = v.to(tl.int32, bitcast=True) & 0x7FFFFFFF
            peak = tl.max(tl.where(bits < _INFINITY, bits, 0), None)
            tl.atomic_max(scales_ptr + 2 * len(planes) + m, peak.to(tl.int64), mask=peak > 0, sem="relaxed")


@triton.jit(do_not_specialize_on_alignment=["width"])
def _sums_kernel(
    ids_ptr, classes_ptr, named_ptr, planes, scales_ptr, outlines_ptr, places_ptr, maps_ptr, ndist_ptr,
    height, width, q, capacity, BOUNDED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None] + tl.zeros([ROWS, COLUMNS], tl.int32)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :] + tl.zeros([ROWS, COLUMNS], tl.int32)
    at = y * width + x
    ids, largest = _load_ids(ids_ptr, at, (y < height) & (x < width), capacity)
    if (tl.program_id(0) == 0) & (tl.program_id(1) == 0):
        for m in tl.static_range(len(planes)):
            power = _power(scales_ptr + 2 * len(planes) + m, BOUNDED[m])
            tl.store(scales_ptr + 2 * m, (power - _BITS + 1023).to(tl.int64) << 52)  # bits of a float64
            tl.store(scales_ptr + 2 * m + 1, (2 * power - _BITS + 1023).to(tl.int64) << 52)
    if largest[0] == 0:
        return
    inner = _look_around(ids, classes_ptr, named_ptr, outlines_ptr, ndist_ptr, y, x, at, height, width, q)
    _add(outlines_ptr + 5, 6, (ids > 0).to(tl.int32), ids, largest)
    _add(places_ptr, 3, inner.to(tl.int32), ids, largest)
    _add(places_ptr + 1, 3, y, ids, largest)
    _add(places_ptr + 2, 3, x, ids, largest)
    for m in tl.static_range(len(planes)):
        v = tl.load(planes[m] + at, mask=ids > 0, other=0.0)
        share = _share(v, _power(scales_ptr + 2 * len(planes) + m, BOUNDED[m]))
        h, square = _fixed(share), _fixed(share * share)
        _add(maps_ptr, 4, tl.where(inner, h, 0), ids, largest)
        _add(maps_ptr + 1, 4, tl.where(inner, 0, h), ids, largest)
        _add(maps_ptr + 2, 4, tl.where(inner, square, 0), ids, largest)
        _add(maps_ptr + 3, 4, tl.where(inner, 0, square), ids, largest)
        maps_ptr += 4 * capacity.to(tl.int64)


@triton.jit
def _look_around(ids, classes_ptr, named_ptr, outlines_ptr, ndist_ptr, y, x, at, height, width, q):
    """Whether pixels are interior; outlines drawn where a segment begins or ends in a row, and neighbours counted."""
    own, row = ids > 0, (ids - 1).to(tl.int64)
    c = tl.load(classes_ptr + at, mask=own, other=_NO_CLASS)
    inner, left, right, up, down = own, own, own, own, own
    for i in tl.static_range(9):
        if i != 4:
            v, u, beside_at = y + (i // 3 - 1), x + (i % 3 - 1), at + ((i // 3 - 1) * width + i % 3 - 1)
            there = own & (v >= 0) & (v < height) & (u >= 0) & (u < width)
            beside = tl.load(classes_ptr + beside_at, mask=there, other=_NO_CLASS)
            differs = own & (beside != c)
            pair = there & differs
            inner = inner & ~pair
            if i == 1:
                up = differs
            if i == 3:
                left = differs
            if i == 5:
                right = differs
            if i == 7:
                down = differs
            if ndist_ptr is not None:
                _count_pairs(named_ptr, ndist_ptr, row, beside_at, beside, pair, q)
    if tl.max((left | right).to(tl.int32), None) > 0:
        outline_ptr = outlines_ptr + row * 6
        tl.store(outline_ptr, c.to(tl.int32), mask=left)
        tl.atomic_min(outline_ptr + 1, x, mask=left, sem="relaxed")
        tl.atomic_min(outline_ptr + 2, y, mask=left & up, sem="relaxed")
        tl.atomic_max(outline_ptr + 3, x + 1, mask=right, sem="relaxed")
        tl.atomic_max(outline_ptr + 4, y + 1, mask=left & down, sem="relaxed")
    return inner


@triton.jit
def _count_pairs(named_ptr, ndist_ptr, row, beside_at, name, pair, q):
    """Count neighbours of other segments by their class; ``named_ptr`` None: it is ``name``."""
    if tl.max(pair.to(tl.int32), None) > 0:
        if named_ptr is not None:
            name = tl.load(named_ptr + beside_at, mask=pair, other=_NO_CLASS)
        pairs = ndist_ptr + row * (q + 1) + tl.minimum(name.to(tl.int32), q)
        tl.atomic_add(pairs, 1, mask=pair, sem="relaxed")


@triton.jit
def _power(peak_ptr, BOUNDED: tl.constexpr):
    """The power of two that a map is divided by: the smallest above its peak, at most 2^126; 0 for maps in [0, 1]."""
    return tl.zeros([], tl.int32) if BOUNDED else tl.minimum((tl.load(peak_ptr) >> 23).to(tl.int32) - 126, 126)


@triton.jit
def _share(v, power):
    """A map's values divided by 2^power, -126 to 126, and limited to [-1, 1]; 1 for NaN."""
    share = v * ((127 - power) << 23).to(tl.float32, bitcast=True)
    return tl.minimum(tl.where(share > -1.0, share, tl.where(share <= -1.0, -1.0, 1.0)), 1.0)


@triton.jit(do_not_specialize_on_alignment=["width"])
def _classes_kernel(
    ids_ptr, log_sum_ptr, logits_ptr, stride_c, stride_y, stride_x,
    top_ptr, bottom_ptr, mix_ptr, left_ptr, right_ptr, weight_ptr, groups_ptr, cprob_ptr, width, capacity, q,
    LOW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    start, stop = tl.load(groups_ptr + tl.program_id(1)), tl.load(groups_ptr + tl.program_id(1) + 1)
    y, x = start + tl.arange(0, ROWS)[:, None], tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    there = x < width
    at = y * width + x[None, :]
    ids, largest = _load_ids(ids_ptr, at, (y < stop) & there[None, :], capacity)
    if largest[0] == 0:
        return
    log_sum = tl.load(log_sum_ptr + at, mask=ids > 0, other=0.0)
    above, below, _ = load_taps(top_ptr, bottom_ptr, mix_ptr, stride_y, start, start < stop)
    mix = tl.load(mix_ptr + y, mask=y < stop, other=0.0)
    left, right, weight = load_taps(left_ptr, right_ptr, weight_ptr, stride_x, x, there)
    for c in range(q):
        upper = along_row(logits_ptr + above, left, right, weight, there, LOW)[0]
        lower = along_row(logits_ptr + below, left, right, weight, there, LOW)[0]
        logits_ptr += stride_c
        p = tl.exp(lerp(upper[None, :], lower[None, :], mix) - log_sum)
        _add(cprob_ptr + c, q, _fixed(tl.minimum(p, 1.0)), ids, largest)
