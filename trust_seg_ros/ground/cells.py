"""From the scan to the cells of a map: ground that is free as far as one frame can tell, and feet of things."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground import cell_kernels
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.scan import Scan
from trust_seg_ros.ground.table import PolarTable
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.uncertainty.threads import run_bands

NOTHING, SEEN_GROUND, A_FOOT, HIDDEN = range(4)
"""What a frame says of a cell: nothing, it is out of the image; all of it is trusted ground; something stands in it; it
is in the image, but hidden, or seen as something else than trusted ground."""


@dataclass(frozen=True)
class Window:
    """The cells of a map: whole multiples of the resolution, so that maps at different times share their cells.

    Attributes:
        x, y: number of the first column and of the first row, counted from the origin of the map's frame.
        rows, columns: cells along y and along x.
        resolution: metres of a cell's side.
    """

    x: int
    y: int
    rows: int
    columns: int
    resolution: float

    @property
    def origin(self) -> tuple[float, float]:
        """(x, y) of the outer corner of cell (0, 0), metres in the map's frame."""
        return self.x * self.resolution, self.y * self.resolution

    @classmethod
    def around(cls, centre: np.ndarray, extent: tuple[float, float], resolution: float) -> Window:
        """Around a place (x, y), ``extent`` metres along x and y, rounded up to whole cells."""
        columns, rows = (math.ceil(side / resolution - 1e-9) for side in extent)
        x, y = (round(float(c) / resolution - n / 2) for c, n in zip(centre, (columns, rows), strict=True))
        return cls(x, y, rows, columns, resolution)


@dataclass(frozen=True, eq=False)
class Placement:
    """How places of the map's frame lie around the point below the camera: along its view, and to the left of it.

    Attributes:
        matrix: (2, 2), offset: (2,): (along, left) = matrix @ (x, y) + offset, for ground at (x, y) of the map's frame.
    """

    matrix: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, view: GroundView, table: PolarTable, base_in_map: Pose) -> Placement:
        """For a view and the place of the vehicle in the map's frame."""
        ahead = view.pose.rotation @ table.ahead
        basis = np.stack([ahead, np.cross(view.plane.normal, ahead)])
        normal = base_in_map.rotation @ view.plane.normal
        height = view.plane.offset + normal @ base_in_map.translation
        places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        z = (height - places @ normal[:2]) / normal[2]
        around = (base_in_map.inverse().apply(np.column_stack([places, z])) - view.foot) @ basis.T
        return cls(np.column_stack([around[1] - around[0], around[2] - around[0]]), around[0])


def nearest_of(table: PolarTable, height: float) -> np.ndarray:
    """(D + 1,) ascending metres on the ground at which the samples of an azimuth begin; the last one's end."""
    border = table.first_depression - (np.arange(table.pixels.shape[1] + 1) - 0.5) * table.depression_step
    found: np.ndarray = height / np.tan(np.clip(border, 1e-6, 0.5 * math.pi))
    return found


@dataclass(frozen=True, eq=False)
class Observation:
    """What one frame says of the cells (rows, columns) of a window.

    Attributes:
        kind: uint8, ``NOTHING``, ``SEEN_GROUND``, ``A_FOOT`` or ``HIDDEN``.
        p: float32, P(hazard); 0 where nothing was seen.
    """

    kind: np.ndarray
    p: np.ndarray


def observe(
    scan: Scan,
    table: PolarTable,
    placement: Placement,
    window: Window,
    height: float,
    range_m: float,
    feet: np.ndarray,
    p: np.ndarray,
    threads: int | None = None,
) -> Observation:
    """What the scan says of every cell.

    A cell is seen as ground only if all samples of the square of its size that faces the camera are; it takes the
    largest of their P, as do cells with several feet.

    Args:
        scan, table: of this frame.
        placement: of the map's frame.
        window: the cells.
        height: of the camera above the ground, metres.
        range_m: cells whose centre is farther from the point below the camera say nothing.
        feet: (m, 2) float64 (x, y) of feet in the map's frame.
        p: (m,) float32 P(hazard) of the feet.
        threads: how many threads work; None for one per core, at most 8.
    """
    kind, found = np.empty((window.rows, window.columns), np.uint8), np.empty((window.rows, window.columns), np.float32)

    borders = nearest_of(table, height)
    marks = np.arange(0.0, range_m + 2 * window.resolution, cell_kernels.HINT_M)
    hints = np.searchsorted(borders, marks, "right") - 1

    def band(first: int, last: int) -> None:
        cell_kernels.observe_rows(
            scan.ground, table.first_azimuth, table.azimuth_step, borders, hints, table.closed,
            placement.matrix, placement.offset, window.x, window.y, window.resolution, range_m,
            first, kind[first:last], found[first:last],
        )  # fmt: skip

    run_bands(band, window.rows, threads)
    cell_kernels.mark_feet(feet, p, window.x, window.y, window.resolution, kind, found)
    return Observation(kind, found)
