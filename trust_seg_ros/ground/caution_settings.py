"""Settings of the caution map."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.ground.errors import GroundError

_RANGES = {
    "range_m": (1.0, 200.0),
    "width_m": (1.0, 200.0),
    "resolution_m": (0.05, 1.0),
    "decay_s": (0.05, 60.0),
    "free_below": (0.0, 1.0),
    "foot_sigma_px": (0.0, 20.0),
    "plane_sigma_deg": (0.0, 5.0),
    "bonnet_share": (0.0, 0.9),
}


@dataclass(frozen=True)
class CautionSettings:
    """What the caution map covers, and when a cell is free.

    Attributes:
        range_m: farthest ground that is judged, metres from the point below the camera; the map's extent that way.
        width_m: the map's extent across. A map in the fixed frame is a square of the larger of the two.
        resolution_m: metres of a cell's side.
        decay_s: time constant of forgetting, seconds; a cell is free only if seen as ground within it.
        free_below: a cell is free only where P(hazard) is below it.
        foot_sigma_px: standard deviation of a foot in the image, pixels of the judging grid.
        plane_sigma_deg: standard deviation of the angle between camera and ground.
        bonnet_share: share of the image's rows, from below, that show the vehicle itself.
        fuse: whether cells are remembered from frame to frame, where the vehicle's place in a fixed frame is known.

    Raises:
        GroundError: a value is out of range.
    """

    range_m: float = 40.0
    width_m: float = 40.0
    resolution_m: float = 0.2
    decay_s: float = 2.0
    free_below: float = 0.3
    foot_sigma_px: float = 1.0
    plane_sigma_deg: float = 0.1
    bonnet_share: float = 0.0
    fuse: bool = True

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise GroundError(f"caution.{name} = {value}: expected a number from {low:g} to {high:g}")
        if max(self.range_m, self.width_m) / self.resolution_m > 2000:
            raise GroundError(
                f"a caution map of {self.range_m:g} x {self.width_m:g} m in cells of {self.resolution_m:g} m: expected "
                "at most 2000 cells along a side; make it smaller or its cells larger"
            )
