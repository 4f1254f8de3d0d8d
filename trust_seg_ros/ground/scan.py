"""Along every azimuth outward over the ground: what is trusted ground, where things stand, and what nobody can know.

- Trusted ground is seen, with its P(hazard); flat ground beside the road is seen, and neither free nor a hazard.
- The first sample that is neither, after a sample of ground, has its foot between the two.
- What belongs to the same thing (its class, or an OoD segment) is hidden behind that foot, until ground is seen again.
- A thing that begins anywhere else (the image's border, another thing, the sky) has an unseen foot: nothing is marked,
  and all that lies behind it along that azimuth is unknown.

- A foot right beside a nearer thing that reaches as high in the image is no foot but that thing's outline, which rises
  more steeply than lines on the ground do: it is unseen, too. Else every post would throw feet onto the road behind it.

The place of a foot is uncertain by a constant angle, so by a distance that grows with the square of the range: the
ground right before it gets the P that the thing stands nearer than measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trust_seg_ros.ground import scan_kernels
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.table import PolarTable
from trust_seg_ros.uncertainty.threads import run_bands

MOST_FEET = 16
"""Along one azimuth; behind the last of them everything is unknown."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What was found along the azimuths of a polar table.

    Attributes:
        ground: (A, D) float32, P(hazard) of trusted ground that is seen there; -1 elsewhere, and -2 out of
            the image.
        shown: (A,) bool, azimuths along which the image shows something.
        lit: (A,) bool, those along which it shows trusted ground.
        azimuths: (m,) int32 azimuths of the feet.
        samples: (m,) int32 first sample of the thing; its foot lies half a step before it.
        pixels: (m,) int32 index of the pixel of the judging grid in that sample.
    """

    ground: np.ndarray
    shown: np.ndarray
    lit: np.ndarray
    azimuths: np.ndarray
    samples: np.ndarray
    pixels: np.ndarray

    @property
    def blind(self) -> float:
        """Share of the azimuths that show something along which no trusted ground is seen."""
        return 1.0 - float(self.lit.sum()) / max(int(self.shown.sum()), 1)

    def __repr__(self) -> str:
        return f"Scan({len(self.azimuths)} feet, {100 * float((self.ground >= 0).mean()):.1f} % trusted ground)"


def shares_before(sigma: float, step: float) -> np.ndarray:
    """P that a thing stands at or before the samples before its measured foot, nearest first, down to 1 in 1000.

    Args:
        sigma: standard deviation of the foot's depression, radians.
        step: between two samples, radians.
    """
    if sigma <= 0.0:
        return np.zeros(0, np.float32)
    number = int(3.1 * sigma / step + 0.5)
    return np.array([NormalDist().cdf(-(k + 0.5) * step / sigma) for k in range(number)], np.float32)


def scan(table: PolarTable, maps: HazardMaps, before: np.ndarray, threads: int | None = None) -> Scan:
    """Scan along every azimuth.

    Args:
        table: for the grid of ``maps``.
        maps: P(hazard), role, class and kind.
        before: see :func:`shares_before`.
        threads: how many threads work; None for one per core, at most 8.

    Raises:
        GroundError: the table was made for a larger grid.
    """
    check(table, maps)
    azimuths, depressions = table.pixels.shape
    ground = np.empty((azimuths, depressions), np.float32)
    shown, lit = np.empty(azimuths, bool), np.empty(azimuths, bool)
    samples, ends = np.empty((azimuths, MOST_FEET), np.int32), np.empty((azimuths, MOST_FEET), np.int32)
    kept = np.empty(azimuths, np.int32)
    role, kind, classes, p = (plane.ravel() for plane in (maps.role, maps.kind, maps.classes, maps.p))

    def band(first: int, last: int) -> None:
        part = slice(first, last)
        found = (ground[part], shown[part], lit[part], samples[part], ends[part])
        scan_kernels.scan_band(table.pixels[part], role, kind, classes, p, *found)

    def judge(first: int, last: int) -> None:
        part = slice(first, last)
        scan_kernels.drop_outlines(samples, ends, slope_of(table), first, last, ground, kept)
        scan_kernels.warn_before(table.pixels[part], p, samples[part], kept[part], before, ground[part])

    run_bands(band, azimuths, threads)
    run_bands(judge, azimuths, threads)
    where, order = np.nonzero(np.arange(MOST_FEET) < kept[:, None])
    found = samples[where, order]
    return Scan(ground, shown, lit, where.astype(np.int32), found, table.pixels[where, found])


def slope_of(table: PolarTable) -> float:
    """Samples that the steepest believable line on the ground rises from one azimuth to the next."""
    return scan_kernels.STEEPEST * table.azimuth_step / table.depression_step


def check(table: PolarTable, maps: HazardMaps) -> None:
    """Refuse a table for another grid; raises GroundError."""
    if table.grid != maps.size:
        raise GroundError(f"a polar table for {table.grid} and maps of hazards {maps.size}: expected one judging grid")
