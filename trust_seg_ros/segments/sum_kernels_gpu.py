"""Triton kernels that add pixels up over segments; :mod:`sums_gpu` says what and starts them.

A program is one warp with a tile of 128 pixels: no barriers, and sums over a tile are single instructions. ``largest``
are the numbers of the five largest segments in the tile, falling, 0 = none: the first four are added up before one
atomic addition each; pixels of further ones are added one by one.
"""

from __future__ import annotations

import triton
import triton.language as tl

from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty.sampling_gpu import along_row, lerp, load_taps

BITS = 23
"""Values in [-1, 1] are added in units of 2^-23: 128 of them are a sum that int32 holds."""
_BITS, _ONE = tl.constexpr(BITS), tl.constexpr(float(1 << BITS))
_NO_CLASS = tl.constexpr(UNLABELLED)
_INFINITY = tl.constexpr(0x7F800000)


@triton.jit
def _fixed(share):
    """A share in [-1, 1] in units of 2^-23, rounded once."""
    return tl.floor(share * _ONE + 0.5).to(tl.int32)


@triton.jit
def _pixels(width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Rows and columns of the program's tile, both (ROWS, COLUMNS) int32."""
    across = tl.cdiv(width, COLUMNS)
    y = tl.program_id(0) // across * ROWS + tl.arange(0, ROWS)[:, None]
    x = tl.program_id(0) % across * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    return tl.broadcast(y, x)


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
def find_peaks(
    ids_ptr, planes, scales_ptr, height, width, capacity,
    BOUNDED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Bits of the largest finite magnitude of each unbounded map over the pixels of segments."""
    y, x = _pixels(width, ROWS, COLUMNS)
    at = y * width + x
    ids = tl.load(ids_ptr + at, mask=(y < height) & (x < width), other=0)
    for m in tl.static_range(len(planes)):
        if not BOUNDED[m]:
            v = tl.load(planes[m] + at, mask=(ids > 0) & (ids <= capacity), other=0.0)
            bits = v.to(tl.int32, bitcast=True) & 0x7FFFFFFF
            peak = tl.max(tl.where(bits < _INFINITY, bits, 0), None)
            tl.atomic_max(scales_ptr + 2 * len(planes) + m, peak.to(tl.int64), mask=peak > 0, sem="relaxed")


@triton.jit(do_not_specialize_on_alignment=["width"])
def add_maps(
    ids_ptr, classes_ptr, named_ptr, planes, scales_ptr, outlines_ptr, places_ptr, maps_ptr, ndist_ptr,
    height, width, q, capacity,
    M: tl.constexpr, BOUNDED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """All sums but class probabilities; every table starts with zeros, left and top with the largest int32.

    The scales (2M,) of the ``planes`` (None: M = 0) are written, whose peaks (M,) lie behind them, all in int64.
    ``BOUNDED`` planes lie in [0, 1]. Without ``named_ptr`` neighbours are named by ``classes_ptr``, without
    ``ndist_ptr`` they are not counted.
    """
    y, x = _pixels(width, ROWS, COLUMNS)
    at = y * width + x
    ids, largest = _load_ids(ids_ptr, at, (y < height) & (x < width), capacity)
    if tl.program_id(0) == 0:
        for m in tl.static_range(M):
            power = _power(scales_ptr + 2 * M + m, BOUNDED[m])
            tl.store(scales_ptr + 2 * m, (power - _BITS + 1023).to(tl.int64) << 52)  # bits of a float64
            tl.store(scales_ptr + 2 * m + 1, (2 * power - _BITS + 1023).to(tl.int64) << 52)
    if largest[0] == 0:
        return
    inner = _look_around(ids, classes_ptr, named_ptr, outlines_ptr, ndist_ptr, y, x, at, height, width, q)
    _add(outlines_ptr + 5, 6, (ids > 0).to(tl.int32), ids, largest)
    _add(places_ptr, 3, inner.to(tl.int32), ids, largest)
    _add(places_ptr + 1, 3, y, ids, largest)
    _add(places_ptr + 2, 3, x, ids, largest)
    for m in tl.static_range(M):
        v = tl.load(planes[m] + at, mask=ids > 0, other=0.0)
        share = _share(v, _power(scales_ptr + 2 * M + m, BOUNDED[m]))
        h, square = _fixed(share), _fixed(share * share)
        _add(maps_ptr, 4, tl.where(inner, h, 0), ids, largest)
        _add(maps_ptr + 1, 4, tl.where(inner, 0, h), ids, largest)
        _add(maps_ptr + 2, 4, tl.where(inner, square, 0), ids, largest)
        _add(maps_ptr + 3, 4, tl.where(inner, 0, square), ids, largest)
        maps_ptr += 4 * capacity


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
def add_classes(
    ids_ptr, log_sum_ptr, logits_ptr, stride_c, stride_y, stride_x,
    top_ptr, bottom_ptr, mix_ptr, left_ptr, right_ptr, weight_ptr, groups_ptr, cprob_ptr, width, capacity, q,
    LOW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Class probabilities; a tile is some columns of a group of rows that are mixed of the same two of the logits."""
    across = tl.cdiv(width, COLUMNS)
    groups_ptr += tl.program_id(0) // across
    start, stop = tl.load(groups_ptr), tl.load(groups_ptr + 1)
    y, x = start + tl.arange(0, ROWS)[:, None], tl.program_id(0) % across * COLUMNS + tl.arange(0, COLUMNS)
    there = x < width
    at = y * width + x[None, :]
    ids, largest = _load_ids(ids_ptr, at, (y < stop) & there[None, :], capacity)
    if largest[0] == 0:
        return
    log_sum = tl.load(log_sum_ptr + at, mask=ids > 0, other=float("inf"))
    above, below, _ = load_taps(top_ptr, bottom_ptr, mix_ptr, stride_y, start, start < stop)
    mix = tl.load(mix_ptr + y, mask=y < stop, other=0.0)
    left, right, weight = load_taps(left_ptr, right_ptr, weight_ptr, stride_x, x, there)
    for c in range(q):
        upper = along_row(logits_ptr + above, left, right, weight, there, LOW)[0]
        lower = along_row(logits_ptr + below, left, right, weight, there, LOW)[0]
        logits_ptr += stride_c
        p = tl.exp(lerp(upper[None, :], lower[None, :], mix) - log_sum)
        _add(cprob_ptr + c, q, _fixed(tl.minimum(p, 1.0)), ids, largest)
