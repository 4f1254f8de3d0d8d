"""The plane of the ground ahead from both sources: motion where the vehicle drives, else the borders of the road."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.plane_filter import (
    GIVEN,
    PlaneEstimate,
    PlaneFilter,
    PlaneSettings,
    rolled,
    tilted,
    too_steep,
)
from trust_seg_ros.ground.plane_motion import MotionSettings, MotionSlope

MOTION, MOTION_HELD = "motion", "motion held"
"""Where a plane comes from, besides those of ``plane_filter``: how the ground moves; how it moved before."""


class PlaneAhead:
    """Follows the slope of the road. Not thread-safe.

    The sources are not averaged: what is wrong with borders, a network that draws all of them too high, is in no
    standard deviation, and motion is the surer one by far wherever there is any.
    """

    def __init__(self, settings: PlaneSettings | None = None, pitch_deg: float = MotionSettings.pitch_deg) -> None:
        self._settings = settings or PlaneSettings()
        self._borders = PlaneFilter(self._settings)
        self._motion = MotionSlope(MotionSettings(pitch_deg, self._settings.pivot_m))

    def reset(self) -> None:
        """Forget the road: time has jumped, or the camera is another one."""
        self._borders.reset()
        self._motion.reset()

    def update(
        self,
        image: np.ndarray,
        ground: np.ndarray,
        beside: np.ndarray,
        camera: CameraModel,
        pose: Pose,
        given: GroundPlane,
        base_in_fixed: Pose | None,
        stamp_ns: int,
        up: np.ndarray | None = None,
    ) -> PlaneEstimate:
        """The ground ahead by this image and those before.

        Args:
            image: (h, w, 3) uint8 of the camera.
            ground, beside: (H, W) bool, trusted pixels of the road, and of flat ground beside it.
            camera: of the image.
            pose: takes its optical frame into the base.
            given: the plane of the parameters, in the base.
            base_in_fixed: where the vehicle is when the image is taken; None: not known, borders alone count.
            stamp_ns: of the image.
            up: (3,) direction against gravity in the base, where known, as in ``PlaneFilter.update``.

        Raises:
            GroundError: the image is not of the camera's size, the camera is below the plane, or does not see the
                ground ahead.
        """
        if base_in_fixed is not None:
            seen = self._motion.update(image, ground | beside, camera, pose, given, base_in_fixed, stamp_ns)
            if seen.sigma <= math.radians(self._settings.least_sure_deg):
                level, doubt = (given, "") if up is None else rolled(given, pose, up)
                plane = tilted(level, pose, seen.slope, self._settings.pivot_m)
                doubt = doubt or ("" if up is None else too_steep(plane, up))
                if doubt:
                    return PlaneEstimate(level, 0.0, seen.sigma, GIVEN, doubt)
                return PlaneEstimate(plane, seen.slope, seen.sigma, MOTION_HELD if seen.reason else MOTION, seen.reason)
        return self._borders.update(ground, beside, camera, pose, given, stamp_ns, up)


def warm_up() -> None:
    """Compile what motion needs, so that the first frames of a drive do not wait for it."""
    camera, mount = CameraModel.pinhole((96, 128), 100.0), Pose(translation=np.array([0.0, 0.0, 1.4])) @ OPTICAL
    image, every = np.zeros((96, 128, 3), np.uint8), np.ones((96, 128), bool)
    ahead = PlaneAhead()
    for k in range(2):
        at = Pose(translation=np.array([2.0 * k, 0.0, 0.0]))
        ahead.update(image, every, every, camera, mount, GroundPlane(), at, k * 100_000_000)
