"""Sums over segments on the GPU, in two launches: sizes, boxes, maps and neighbours; and class probabilities.

Every value is rounded to fixed point before it is added, and only integers are added, so that sums do not depend on the
order in which the GPU takes them: the same bits every run. A warp takes a few rows of 128 pixels. If all are of one
segment it adds their sum at once; else the sum over a part of a segment in one row is a difference of prefix sums, and
an atomic addition where the part begins and where it ends.
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

BLOCK = (4, 128)
"""Rows and columns of a program, which is one warp. The sum of 128 values of 2^23 is one that int32 holds."""
_BITS = tl.constexpr(23)
_ONE = tl.constexpr(float(1 << 23))
_NO_CLASS = tl.constexpr(UNLABELLED)
_INFINITY = tl.constexpr(0x7F800000)
_FAR = 2**31 - 1


class Found(Protocol):
    """The components of a class map on the device."""

    ids: torch.Tensor
    count: torch.Tensor
    classes: torch.Tensor


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
    block: tuple[int, int] = BLOCK,
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
        block: rows and columns that a program takes, powers of two, at most 128 columns. The result does not depend
            on it.

    Raises:
        LogitsError: the answer is one that the kernels cannot read, such as class sums.
    """
    height, width = found.ids.shape
    bounded = tuple(name in MAP_FIELDS for name in planes)
    values = tuple(plane.contiguous() for plane in planes.values())
    sums, scales, maps = _tables(found.count, tuple(planes), n_classes, answer is not None, neighbours, capacity)
    same = named.data_ptr() == found.classes.data_ptr()
    grid = (triton.cdiv(width, block[1]), triton.cdiv(height, block[0]))
    with torch.cuda.device_of(found.ids):
        if not all(bounded):
            _peaks_kernel[grid](found.ids, values, scales, height, width, capacity, bounded, *block, num_warps=1)
        _sums_kernel[grid](
            found.ids, found.classes, None if same else named, values, scales, sums.outlines, sums.places, maps,
            sums.ndist, height, width, n_classes, capacity, bounded, *block, num_warps=1,
        )  # fmt: skip
        if answer is not None and log_sum is not None and sums.cprob is not None:
            _add_classes(found.ids, answer, log_sum, sums.cprob, block[1])
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


def _add_classes(ids: torch.Tensor, answer: LogitMaps, log_sum: torch.Tensor, cprob: torch.Tensor, block: int) -> None:
    check_for_kernels(answer)
    logits, (height, width) = answer.logits.detach(), answer.size
    q, h, w = logits.shape
    at = device_taps((h, w), (height, width), answer.placement, logits.device)
    grid = (triton.cdiv(width, block), len(at.groups) - 1)
    _classes_kernel[grid](
        ids, log_sum, logits, *logits.stride(), at.top, at.bottom, at.mix, at.left, at.right, at.weight, at.groups,
        cprob, width, len(cprob), q, lowest(answer.raw), at.group_rows, block, num_warps=1,
    )  # fmt: skip


@triton.jit
def _fixed(share):
    """A share in [-1, 1] in units of 2^-23, rounded once."""
    return tl.floor(share * _ONE + 0.5).to(tl.int32)


@triton.jit
def _add_runs(table_ptr, row, value, starts, ends, own, uniform, first):
    """Add values (R, C) int32 to ``table_ptr[row]``, segment by segment.

    ``starts`` and ``ends`` are the pixels at which a segment begins and ends in a row; one that began before the first
    column needs no start, as no prefix sum came before it. If ``uniform``, all of the image's pixels are of one segment
    and go to ``first``.
    """
    if uniform:
        whole = tl.sum(tl.sum(tl.where(own, value, 0), 0).to(tl.int64), 0)
        tl.atomic_add(table_ptr + first, whole, mask=whole != 0, sem="relaxed")
    else:
        total = tl.cumsum(value, 1)
        part = tl.where(ends, total, 0) - tl.where(starts, total - value, 0)
        tl.atomic_add(table_ptr + row, part.to(tl.int64), mask=own & (part != 0), sem="relaxed")


@triton.jit
def _segment_rows(ids_ptr, at, inside, capacity):
    """Table rows of pixels (int64), which have one, whether it is the same for all there are, and the largest."""
    ids = tl.load(ids_ptr + at, mask=inside, other=0)
    low = tl.min(tl.min(tl.where(inside, ids, capacity + 1), 1), 0)
    high = tl.max(tl.max(ids, 1), 0)
    return (
        (ids - 1).to(tl.int64),
        (ids > 0) & (ids <= capacity),
        (low == high) & (low <= capacity),
        (high - 1).to(tl.int64),
    )


@triton.jit
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
            peak = tl.max(tl.max(tl.where(bits < _INFINITY, bits, 0), 1), 0)
            tl.atomic_max(scales_ptr + 2 * len(planes) + m, peak.to(tl.int64), sem="relaxed")


@triton.jit
def _sums_kernel(
    ids_ptr, classes_ptr, named_ptr, planes, scales_ptr, outlines_ptr, places_ptr, maps_ptr, ndist_ptr,
    height, width, q, capacity, BOUNDED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    at = y * width + x
    row, own, uniform, first = _segment_rows(ids_ptr, at, (y < height) & (x < width), capacity)
    if (tl.program_id(0) == 0) & (tl.program_id(1) == 0):
        for m in tl.static_range(len(planes)):
            power = _power(scales_ptr + 2 * len(planes) + m, BOUNDED[m])
            tl.store(scales_ptr + 2 * m, (power - _BITS + 1023).to(tl.int64) << 52)  # bits of a float64
            tl.store(scales_ptr + 2 * m + 1, (2 * power - _BITS + 1023).to(tl.int64) << 52)
    if first < 0:
        return
    c = tl.load(classes_ptr + at, mask=own, other=_NO_CLASS)
    inner, left, right, up, down = own, own, own, own, own
    for i in tl.static_range(9):
        if i != 4:
            v, u, beside_at = y + (i // 3 - 1), x + (i % 3 - 1), at + ((i // 3 - 1) * width + i % 3 - 1)
            there = own & (v >= 0) & (v < height) & (u >= 0) & (u < width)
            beside = tl.load(classes_ptr + beside_at, mask=there, other=_NO_CLASS)
            differs = beside != c
            inner = inner & ~(there & differs)
            if i == 1:
                up = differs
            if i == 3:
                left = differs
            if i == 5:
                right = differs
            if i == 7:
                down = differs
            if ndist_ptr is not None:
                if named_ptr is not None:
                    beside = tl.load(named_ptr + beside_at, mask=there & differs, other=_NO_CLASS)
                pairs = ndist_ptr + row * (q + 1) + tl.minimum(beside.to(tl.int32), q)
                tl.atomic_add(pairs, 1, mask=there & differs, sem="relaxed")
    _add_outlines(outlines_ptr + row * 6, places_ptr + row * 3 + 1, c, y, x, own & left, own & right, up, down)
    ends = right | (tl.arange(0, COLUMNS)[None, :] == COLUMNS - 1)
    _add_runs(places_ptr, row * 3, inner.to(tl.int32), left, ends, own, uniform, first * 3)
    for m in tl.static_range(len(planes)):
        share = _share(
            tl.load(planes[m] + at, mask=own, other=0.0), _power(scales_ptr + 2 * len(planes) + m, BOUNDED[m])
        )
        h, square = _fixed(share), _fixed(share * share)
        table_ptr = maps_ptr + (capacity * 4).to(tl.int64) * m
        _add_runs(table_ptr, row * 4, tl.where(inner, h, 0), left, ends, own, uniform, first * 4)
        _add_runs(table_ptr, row * 4 + 1, tl.where(inner, 0, h), left, ends, own, uniform, first * 4 + 1)
        _add_runs(table_ptr, row * 4 + 2, tl.where(inner, square, 0), left, ends, own, uniform, first * 4 + 2)
        _add_runs(table_ptr, row * 4 + 3, tl.where(inner, 0, square), left, ends, own, uniform, first * 4 + 3)


@triton.jit
def _power(peak_ptr, BOUNDED: tl.constexpr):
    """The power of two that a map is divided by: the smallest above its peak, at most 2^126; 0 for maps in [0, 1]."""
    return tl.zeros([], tl.int32) if BOUNDED else tl.minimum((tl.load(peak_ptr) >> 23).to(tl.int32) - 126, 126)


@triton.jit
def _share(v, power):
    """A map's values divided by 2^power, -126 to 126, and limited to [-1, 1]; 1 for NaN."""
    share = v * ((127 - power) << 23).to(tl.float32, bitcast=True)
    return tl.minimum(tl.where(share > -1.0, share, tl.where(share <= -1.0, -1.0, 1.0)), 1.0)


@triton.jit
def _add_outlines(outlines_ptr, places_ptr, c, y, x, left, right, up, down):
    """Boxes, pixels and sums of coordinates, at the pixels where a run of a segment begins (``left``) and ends."""
    tl.store(outlines_ptr, c.to(tl.int32), mask=left)
    tl.atomic_min(outlines_ptr + 1, x, mask=left, sem="relaxed")
    tl.atomic_min(outlines_ptr + 2, y, mask=left & up, sem="relaxed")
    tl.atomic_max(outlines_ptr + 3, x + 1, mask=right, sem="relaxed")
    tl.atomic_max(outlines_ptr + 4, y + 1, mask=left & down, sem="relaxed")
    begin, end = tl.where(left, x, 0), tl.where(right, x + 1, 0)
    some = (left | right) & (begin != end)
    tl.atomic_add(outlines_ptr + 5, end - begin, mask=some, sem="relaxed")
    tl.atomic_add(places_ptr, (end - begin).to(tl.int64) * y, mask=some, sem="relaxed")
    begin, end = begin.to(tl.int64), end.to(tl.int64)
    tl.atomic_add(places_ptr + 1, (end * (end - 1) - begin * (begin - 1)) // 2, mask=some, sem="relaxed")


@triton.jit
def _classes_kernel(
    ids_ptr, log_sum_ptr, logits_ptr, stride_c, stride_y, stride_x,
    top_ptr, bottom_ptr, mix_ptr, left_ptr, right_ptr, weight_ptr, groups_ptr, cprob_ptr, width, capacity, q,
    LOW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    start, stop = tl.load(groups_ptr + tl.program_id(1)), tl.load(groups_ptr + tl.program_id(1) + 1)
    y, x = start + tl.arange(0, ROWS)[:, None], tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    there = x < width
    at = y * width + x[None, :]
    row, own, uniform, first = _segment_rows(ids_ptr, at, (y < stop) & there[None, :], capacity)
    if first < 0:
        return
    before = tl.load(ids_ptr + at - 1, mask=own & (x > 0)[None, :], other=0)
    after = tl.load(ids_ptr + at + 1, mask=own & (x < width - 1)[None, :], other=0)
    starts = before != row + 1
    ends = (after != row + 1) | (tl.arange(0, COLUMNS) == COLUMNS - 1)[None, :]
    log_sum = tl.load(log_sum_ptr + at, mask=own, other=0.0)
    above, below, _ = load_taps(top_ptr, bottom_ptr, mix_ptr, stride_y, start, start < stop)
    mix = tl.load(mix_ptr + y, mask=y < stop, other=0.0)
    left, right, weight = load_taps(left_ptr, right_ptr, weight_ptr, stride_x, x, there)
    for c in range(q):
        upper = along_row(logits_ptr + above, left, right, weight, there, LOW)[0]
        lower = along_row(logits_ptr + below, left, right, weight, there, LOW)[0]
        logits_ptr += stride_c
        p = tl.exp(lerp(upper[None, :], lower[None, :], mix) - log_sum)
        value = tl.where(own, _fixed(tl.minimum(p, 1.0)), 0)
        _add_runs(cprob_ptr, row * q + c, value, starts, ends, own, uniform, first * q + c)
