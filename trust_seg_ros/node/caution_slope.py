"""The slope of the road ahead, followed from frame to frame: ``caution.plane: estimated``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trust_seg_ros.ground import plane_ahead, plane_filter
from trust_seg_ros.ground.hazards import NO_HAZARD, HazardMaps
from trust_seg_ros.ground.plane_ahead import PlaneAhead
from trust_seg_ros.ground.plane_filter import GIVEN
from trust_seg_ros.ground.roles import FLAT
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.node.caution_geometry import Placed

_SOURCES = {
    plane_filter.ROAD: "the borders of the road",
    plane_filter.HELD: "the borders of the road",
    plane_ahead.MOTION: "motion",
    plane_ahead.MOTION_HELD: "motion",
}


class SlopeAhead:
    """Tilts the given plane of the ground by what frames show of the road."""

    def __init__(self) -> None:
        self._ahead = PlaneAhead()

    def reset(self) -> None:
        """Forget the road."""
        self._ahead.reset()

    @staticmethod
    def warm_up() -> None:
        """Compile what it needs."""
        plane_filter.warm_up()
        plane_ahead.warm_up()

    def see(self, image: np.ndarray, maps: HazardMaps, placed: Placed, stamp_ns: int) -> Placed:
        """The geometry of a frame over the plane that it shows; where it shows none, over the given one.

        Args:
            image: (H, W, 3) uint8, whose ground moves as the vehicle does, where that is known.
            maps: of the judged frame: ground that is trusted counts, and flat ground beside it.
            placed: over the given plane.
            stamp_ns: of the image.

        Raises:
            GroundError: the camera does not see the ground ahead.
        """
        view = placed.view
        beside = (maps.role == FLAT) & (maps.kind == NO_HAZARD)
        found = self._ahead.update(
            image, maps.trusted_ground, beside, view.camera, view.pose, view.plane, placed.base_in_fixed, stamp_ns,
            placed.up,
        )  # fmt: skip
        if found.source == GIVEN:
            words = f"as given: {found.reason}" if found.reason else "as given"
        else:
            words = f"{100 * found.slope:.1f} % ± {100 * found.sigma:.1f} % ahead by {_SOURCES[found.source]}"
            words += f", from frames before: {found.reason}" if found.reason else ""
        if found.plane is view.plane:
            return replace(placed, plane=words)
        return replace(placed, view=GroundView(view.camera, view.pose, found.plane), plane=words)
