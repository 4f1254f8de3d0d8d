"""Sums over segments on the GPU, in two launches: sizes, boxes, maps and neighbours; and class probabilities.

Every value is rounded to fixed point before it is added, and only integers are added, so that sums do not depend on the
order in which the GPU takes them: the same bits every run.

Two further launches empty the tables, and one finds the scale of maps that are not bounded. Bytes per pixel: 5 and 4
per map; then 8 and the low-resolution logits. Atomic additions: 4, 4 per map and one per class for each segment in each
tile of 128 pixels (36,000 such pairs at 2 MP with 1,800 segments drawn at random), one per pair of neighbours (680,000
there), and up to four per run of a row (72,000).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import triton

from trust_seg_ros.segments.errors import MapShapeError
from trust_seg_ros.segments.features import MAP_FIELDS
from trust_seg_ros.segments.labelling_gpu import DeviceComponents
from trust_seg_ros.segments.sum_kernels_gpu import BITS, add_classes, add_maps, find_peaks
from trust_seg_ros.segments.sums import SegmentSums
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.sampling_gpu import check_for_kernels, device_taps, lowest

TILE, INTERPRETED_TILE = (4, 32), (32, 64)
"""Rows and columns of a program; in the interpreter one costs the same whatever its size."""
_FAR = 2**31 - 1
_LONGEST = 2**24  # the sum of the columns of 128 pixels is an int32


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
    cprob_scale: float = 2.0**-BITS

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
    found: DeviceComponents,
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
        found: the components, of a map (H, W) with sides of up to 2^24 pixels.
        planes: name -> (H, W) float32 of every map that is added up. E, D and V lie in [0, 1]; others are scaled by
            the largest finite magnitude that they have in any segment, which also stands for infinity and NaN.
        named: (H, W) uint8 predicted classes, by which neighbours are counted.
        answer, log_sum: what class probabilities are computed from: the network's answer, and (H, W) float32 log of
            the sum of the exponentials of the upsampled logits. One is None = no class probabilities.
        neighbours: whether to count neighbours.
        n_classes: q.
        capacity: segments that there is room for, >= 1.
        tile: rows and columns that a program takes, powers of two; None: ``TILE``, or in the interpreter the larger
            one. The result does not depend on it.

    Raises:
        MapShapeError: shapes that do not agree, or a longer side.
        LogitsError: the answer is one that the kernels cannot read, such as class sums.
    """
    height, width = found.ids.shape
    answer = None if log_sum is None else answer
    given = {**planes, "classes": named, **({} if log_sum is None else {"log_sum": log_sum})}
    _check((height, width), given, answer, n_classes)
    tile = tile or (INTERPRETED_TILE if found.ids.device.type == "cpu" else TILE)
    bounded = tuple(name in MAP_FIELDS for name in planes)
    values = tuple(plane.float().contiguous() for plane in planes.values())
    sums, scales, maps = _tables(found.count, tuple(planes), n_classes, answer is not None, neighbours, capacity)
    other = None if named.data_ptr() == found.classes.data_ptr() else named.contiguous()
    grid = (triton.cdiv(height, tile[0]) * triton.cdiv(width, tile[1]),)
    with torch.cuda.device_of(found.ids):
        if not all(bounded):
            find_peaks[grid](found.ids, values, scales, height, width, capacity, bounded, *tile, num_warps=1)
        add_maps[grid](
            found.ids, found.classes, other, values or None, scales, sums.outlines, sums.places, maps,
            sums.ndist, height, width, n_classes, capacity, len(values), bounded or None, *tile, num_warps=1,
        )  # fmt: skip
        if answer is not None and log_sum is not None and sums.cprob is not None:
            _launch_classes(found.ids, answer, log_sum, sums.cprob, tile[0] * tile[1])
    return sums


def _check(
    shape: tuple[int, ...], planes: Mapping[str, torch.Tensor], answer: LogitMaps | None, n_classes: int
) -> None:
    """Raise unless the kernels may read all of this."""
    if max(shape) > _LONGEST:
        raise MapShapeError(f"a map of {shape}; expected sides of up to {_LONGEST} pixels. Cut the image into parts")
    for name, plane in planes.items():
        if tuple(plane.shape) != shape:
            raise MapShapeError(f"map {name!r} has shape {tuple(plane.shape)}; expected {shape}, as the segments")
    if answer is not None:
        check_for_kernels(answer)
        expected, given = (n_classes, *shape), (len(answer.logits), *answer.size)
        if given != expected:
            raise MapShapeError(f"logits for maps of (classes, height, width) {given}; expected {expected}")


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


def _launch_classes(
    ids: torch.Tensor, answer: LogitMaps, log_sum: torch.Tensor, cprob: torch.Tensor, pixels: int
) -> None:
    logits, log_sum, (height, width) = answer.logits.detach(), log_sum.contiguous(), answer.size
    q, h, w = logits.shape
    at = device_taps((h, w), (height, width), answer.placement, logits.device)
    columns = pixels // at.group_rows
    programs = (len(at.groups) - 1) * triton.cdiv(width, columns)
    add_classes[(programs,)](
        ids, log_sum, logits, *logits.stride(), at.top, at.bottom, at.mix, at.left, at.right, at.weight, at.groups,
        cprob, width, len(cprob), q, lowest(answer.raw), at.group_rows, columns, num_warps=1,
    )  # fmt: skip
