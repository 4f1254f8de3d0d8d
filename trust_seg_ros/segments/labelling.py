"""8-connected components of a class map, by union-find over row runs in bands of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.segments import run_kernels as kernels
from trust_seg_ros.segments.bands import band_limits, map_bands
from trust_seg_ros.segments.errors import MapShapeError


@dataclass(frozen=True)
class Band:
    """Rows y0..y1 of an image, cut into runs, and the components of these rows alone ("parts").

    Attributes:
        y0: first row.
        y1: row past the last.
        starts: (R,) int32 first column of every run.
        ends: (R,) int32 column past the last.
        first: (y1 - y0 + 1,) int64; the runs of row y0 + r are first[r] .. first[r + 1].
        labels: (R,) int32 part of every run, 0..m-1.
        class_ids: (m,) uint8 class of every part.
        boxes: (m, 4) int32 left, top, right, bottom (exclusive).
        sizes: (m,) int64 pixels.
    """

    y0: int
    y1: int
    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Components:
    """The components of one class map, with the bands over which sums are taken later.

    Attributes:
        classes: (H, W) uint8, the class map; or any integers that tell apart the components that touch.
        ids: (H, W) int32, 0 = none, 1..n in raster order of the first pixel.
        class_ids: (n,) uint8.
        boxes: (n, 4) int32 left, top, right, bottom (exclusive).
        sizes: (n,) int64 pixels.
        bands: the bands, top to bottom.
        numbers: per band, (m,) int32 number of the component each part belongs to.
    """

    classes: np.ndarray
    ids: np.ndarray
    class_ids: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    bands: tuple[Band, ...]
    numbers: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.class_ids)


def components(classes: np.ndarray, threads: int | None = None) -> tuple[np.ndarray, int]:
    """8-connected components of equal class.

    Args:
        classes: (H, W) uint8; 255 belongs to no component.
        threads: None for all available processors; the result does not depend on it.

    Returns:
        (H, W) int32 ids, 0 = none, numbered in raster order of the first pixel; and their number.

    Raises:
        MapShapeError: not a two-dimensional uint8 array.
    """
    found = find_components(classes, threads)
    return found.ids, len(found)


def find_components(classes: np.ndarray, threads: int | None = None) -> Components:
    """The same as :func:`components`, with classes, boxes, sizes and the runs."""
    classes = check_classes(classes)
    bands = map_bands(lambda limits: _label_band(classes, *limits), band_limits(classes.shape[0]), threads)
    numbers, count = _number_parts(classes, bands)
    ids = np.zeros(classes.shape, np.int32)

    def paint(index: int) -> None:
        band = bands[index]
        kernels.write_ids(band.y0, band.starts, band.ends, band.first, band.labels, numbers[index], ids)

    map_bands(paint, range(len(bands)), threads)
    class_ids, boxes, sizes = np.zeros(count, np.uint8), np.zeros((count, 4), np.int32), np.zeros(count, np.int64)
    for band, part_numbers in zip(bands, numbers, strict=True):
        kernels.merge_outlines(part_numbers, band.class_ids, band.boxes, band.sizes, class_ids, boxes, sizes)
    return Components(classes, ids, class_ids, boxes, sizes, tuple(bands), tuple(numbers))


def check_classes(classes: np.ndarray, what: str = "class map") -> np.ndarray:
    """A class map as a C-contiguous array, refused unless it is (H, W) uint8 with at least one pixel."""
    if not isinstance(classes, np.ndarray) or classes.dtype != np.uint8 or classes.ndim != 2 or classes.size == 0:
        found = f"{classes.dtype} {classes.shape}" if hasattr(classes, "dtype") else type(classes).__name__
        raise MapShapeError(f"{what} is {found}; expected a (H, W) uint8 array with at least one pixel")
    return np.require(classes, requirements=["C", "W"])


def _label_band(classes: np.ndarray, y0: int, y1: int) -> Band:
    # Room for one run per pixel: pages that are never written to are never given out by the system.
    room = (y1 - y0) * classes.shape[1]
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    first = np.empty(y1 - y0 + 1, np.int64)
    runs = kernels.find_runs(classes, y0, y1, starts, ends, first)
    starts, ends = starts[:runs].copy(), ends[:runs].copy()
    parent, labels = np.empty(runs, np.int32), np.empty(runs, np.int32)
    class_ids, boxes, sizes = np.empty(runs, np.uint8), np.empty((runs, 4), np.int32), np.empty(runs, np.int64)
    m = kernels.label_runs(classes, y0, starts, ends, first, parent, labels, class_ids, boxes, sizes)
    return Band(y0, y1, starts, ends, first, labels, class_ids[:m].copy(), boxes[:m].copy(), sizes[:m].copy())


def _number_parts(classes: np.ndarray, bands: list[Band]) -> tuple[list[np.ndarray], int]:
    """Unite the parts across the seams between bands and number the components."""
    offsets = np.cumsum([0] + [len(band.class_ids) for band in bands])
    parent = np.arange(offsets[-1], dtype=np.int32)
    for index in range(1, len(bands)):
        upper, lower = bands[index - 1], bands[index]
        kernels.link_rows(
            classes,
            lower.y0,
            (upper.first[-2], upper.first[-1]),
            (lower.first[0], lower.first[1]),
            upper.starts,
            upper.ends,
            lower.starts,
            lower.ends,
            upper.labels + np.int32(offsets[index - 1]),
            lower.labels + np.int32(offsets[index]),
            parent,
        )
    numbers = np.empty(offsets[-1], np.int32)
    count = kernels.number_sets(parent, numbers)
    return np.split(numbers, offsets[1:-1]), count
