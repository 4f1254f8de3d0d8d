"""What a caution map says after a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import GroundPlane


@dataclass(frozen=True, eq=False)
class Feet:
    """Where things meet trusted ground, as one frame sees them: at most one per azimuth and thing.

    Attributes:
        points: (m, 3) float64 in the base frame, metres.
        p: (m,) float32 P(hazard).
        class_ids: (m,) uint8 predicted class; 255 = none.
        kinds: (m,) uint8 kind of hazard, see ``hazards.KIND_NAMES``.
        sigma_m: (m,) float32 standard deviation along the viewing ray, metres.
        pixels: (m,) int32 index of the thing's lowest pixel there, on the judging grid.
    """

    points: np.ndarray
    p: np.ndarray
    class_ids: np.ndarray
    kinds: np.ndarray
    sigma_m: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.p)

    def __repr__(self) -> str:
        return f"Feet({len(self)} points)"


@dataclass(frozen=True, eq=False)
class CautionFrame:
    """A caution map; rows of its cells lie along y, columns along x of its frame.

    Attributes:
        occupancy: (rows, columns) int8, 100 ``p`` rounded; -1 where nothing is known.
        p: (rows, columns) float32 in [0, 1], P(hazard); NaN where nothing is known.
        seen: (rows, columns) bool, trusted ground when last in the image, and that recently. Free at a threshold t is
            ``seen & (p < t)``, for every t.
        free_below: that threshold.
        resolution: metres of a cell's side.
        origin: (x, y) of the outer corner of cell (0, 0), metres in the map's frame; a multiple of the resolution.
        in_fixed: whether the map's frame is the fixed frame; else it is the base frame.
        plane: the ground in the map's frame.
        feet: feet of this frame.
        blind: share of the azimuths along which the frame shows no ground at all, though it shows something: a covered
            lens, the vehicle's own bonnet, or a wrong pose.
        reset: why the memory of earlier frames was thrown away with this one; "" if it was not.
        stamp_ns: when the image was taken.
    """

    occupancy: np.ndarray
    p: np.ndarray
    seen: np.ndarray
    free_below: float
    resolution: float
    origin: tuple[float, float]
    in_fixed: bool
    plane: GroundPlane
    feet: Feet
    blind: float = 0.0
    reset: str = ""
    stamp_ns: int = 0

    def __repr__(self) -> str:
        rows, columns = self.p.shape
        known = f"{int(self.free.sum())} free cells, {len(self.feet)} feet"
        return f"{type(self).__name__}({rows}×{columns} cells of {self.resolution:g} m, {known})"

    @property
    def free(self) -> np.ndarray:
        """(rows, columns) bool, trusted ground with P(hazard) below the threshold."""
        return self.free_at(self.free_below)

    def free_at(self, threshold: float) -> np.ndarray:
        """(rows, columns) bool, free cells at another threshold; the higher, the more."""
        with np.errstate(invalid="ignore"):
            found: np.ndarray = self.seen & (self.p < threshold)
        return found

    def centres(self, cells: np.ndarray) -> np.ndarray:
        """(rows, columns) bool -> (k, 3) float64 centres of these cells on the ground, in the map's frame."""
        row, column = np.nonzero(cells)
        x, y = (self.origin[i] + (n + 0.5) * self.resolution for i, n in enumerate((column, row)))
        return np.column_stack([x, y, self.plane.heights(x, y)])

    def free_points(self) -> np.ndarray:
        """(k, 3) float64 centres of the free cells, in the map's frame."""
        return self.centres(self.free)


def merged(frames: Sequence[CautionFrame]) -> CautionFrame:
    """One map of the maps of several cameras of a vehicle.

    Where several know a cell, its P(hazard) is the largest, and it is free only if all of them see ground there: a
    cell that is free in one and a hazard in another stays a hazard. Where only one knows it, that one is believed.

    Args:
        frames: at least one, in one frame of reference, with one resolution.

    Returns:
        The smallest map that holds all; plane and stamp are of the latest, the threshold is the lowest.

    Raises:
        GroundError: no map, or maps that do not share their frame or their resolution.
    """
    if len({(frame.in_fixed, frame.resolution) for frame in frames}) != 1:
        kinds = [f"{'fixed' if f.in_fixed else 'base'} frame, cells of {f.resolution:g} m" for f in frames]
        raise GroundError(f"maps to merge: {'; '.join(kinds) or 'none'}: expected one frame and one resolution")
    latest, cell = max(frames, key=lambda frame: frame.stamp_ns), frames[0].resolution
    corners = np.array([[round(frame.origin[1] / cell), round(frame.origin[0] / cell)] for frame in frames])
    first = corners.min(0)
    rows, columns = (corners + [frame.p.shape for frame in frames]).max(0) - first
    p, seen = np.full((rows, columns), np.nan, np.float32), np.ones((rows, columns), bool)
    for frame, (row, column) in zip(frames, corners - first, strict=True):
        part = np.s_[row : row + frame.p.shape[0], column : column + frame.p.shape[1]]
        p[part] = np.fmax(p[part], frame.p)
        seen[part] &= frame.seen | np.isnan(frame.p)
    known = np.isfinite(p)
    return CautionFrame(
        occupancy=np.where(known, np.floor(100 * np.nan_to_num(p) + 0.5), -1).astype(np.int8),
        p=p,
        seen=seen & known,
        free_below=min(frame.free_below for frame in frames),
        resolution=cell,
        origin=(float(first[1] * cell), float(first[0] * cell)),
        in_fixed=latest.in_fixed,
        plane=latest.plane,
        feet=joined([frame.feet for frame in frames]),
        blind=float(np.mean([frame.blind for frame in frames])),
        reset="; ".join(dict.fromkeys(frame.reset for frame in frames if frame.reset)),
        stamp_ns=latest.stamp_ns,
    )


def joined(feet: Sequence[Feet]) -> Feet:
    """The feet of several cameras; pixels stay those of each camera's own grid."""
    names = ("points", "p", "class_ids", "kinds", "sigma_m", "pixels")
    return Feet(**{name: np.concatenate([getattr(part, name) for part in feet]) for name in names})
