"""The plane of the ground ahead over time: the given one, tilted by the slope of the road where images show it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.plane_estimate import SIZE, SLOPE, RoadState, fit_road, unknown_road
from trust_seg_ros.ground.road_borders import BorderPoints, RoadBorders, level_frame

GIVEN, ROAD, HELD = "given", "road", "held"
"""Where a plane comes from: the parameters; this image; images before, as this one shows no road."""

_LONGEST_GAP_S = 1.0
_CHANGES = np.diag(np.square([0.5, 0.5, 0.7, 0.7, 0.06, 0.003, 0.025]))
"""How much the road changes in a second: variances of a random walk, of the numbers of a ``RoadState``."""
_BELIEVED = 0.8  # share of border points that a road from nothing needs, to replace one that was followed
_MOVED = 5e-4  # metres, or radians, of a camera that is taken for the same
_MOST_ROLL = math.radians(8.0)
_STEEPEST_ROAD = math.radians(14.0)


@dataclass(frozen=True)
class PlaneSettings:
    """Settings of the estimate.

    Attributes:
        least_sure_deg: standard deviation of the slope, in degrees, from which on the given plane is taken.
        forget_s: seconds after which an unseen slope has fallen to a third.
        pivot_m: metres ahead of the camera of the line about which the road ahead is tilted: the front axle, as a
            vehicle stands on the road behind it.
    """

    least_sure_deg: float = 1.0
    forget_s: float = 4.0
    pivot_m: float = 1.0

    def __post_init__(self) -> None:
        for name in ("least_sure_deg", "forget_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise GroundError(f"{name} {getattr(self, name)!r} of the plane: expected a number above 0")
        if not math.isfinite(self.pivot_m):
            raise GroundError(f"pivot_m {self.pivot_m!r} of the plane: expected metres")


@dataclass(frozen=True, eq=False)
class PlaneEstimate:
    """The ground ahead.

    Attributes:
        plane: in the base.
        slope: rise per metre ahead against the given plane; 0 where that is taken.
        sigma: standard deviation of what is known of the slope, whether it is taken or not.
        source: ``GIVEN``, ``ROAD`` or ``HELD``.
        reason: why this image shows no slope; empty where it does.
    """

    plane: GroundPlane
    slope: float
    sigma: float
    source: str
    reason: str = ""

    def __repr__(self) -> str:
        text = f"PlaneEstimate({self.source}, slope={self.slope:.2%}, sigma={self.sigma:.2%}"
        return f"{text}, {self.reason})" if self.reason else f"{text})"


class PlaneFilter:
    """Follows the slope of the road from image to image. Not thread-safe."""

    def __init__(self, settings: PlaneSettings | None = None) -> None:
        self._settings = settings or PlaneSettings()
        self._road: RoadState | None = None
        self._stamp_ns = 0
        self._borders: RoadBorders | None = None
        self._camera: CameraModel | None = None
        self._made_of = np.zeros(0)

    def reset(self) -> None:
        """Forget the road: time has jumped, or the camera is another one."""
        self._road = None

    def update(
        self,
        ground: np.ndarray,
        beside: np.ndarray | None,
        camera: CameraModel,
        pose: Pose,
        given: GroundPlane,
        stamp_ns: int,
        up: np.ndarray | None = None,
    ) -> PlaneEstimate:
        """The ground ahead by this image and those before.

        Args:
            ground: (H, W) bool, pixels of the road that are trusted.
            beside: (H, W) bool, pixels of flat ground beside a road (``FLAT``); None: not known.
            camera: of the image; the masks show all of it, at any size.
            pose: takes the optical frame into the base.
            given: the plane of the parameters, in the base.
            stamp_ns: of the image.
            up: (3,) direction against gravity in the base, where known: the ground is taken for level from left to
                right, and a slope that would be too steep a road is not believed.

        Raises:
            GroundError: the camera is below the given plane, or does not see the ground ahead.
        """
        borders = self._borders_of(camera, pose, given, (ground.shape[0], ground.shape[1]))
        road, reason = self._follow(borders.find(ground, beside), borders.pixel, stamp_ns)
        level, doubt = (given, "") if up is None else rolled(given, pose, up)
        if road.sigma > math.radians(self._settings.least_sure_deg):
            reason = reason or f"the slope is known to {math.degrees(road.sigma):.2g}° only"
            return PlaneEstimate(level, 0.0, road.sigma, GIVEN, reason)
        plane = tilted(level, pose, road.slope, self._settings.pivot_m)
        doubt = doubt or ("" if up is None else too_steep(plane, up))
        if doubt:
            return PlaneEstimate(level, 0.0, road.sigma, GIVEN, doubt)
        return PlaneEstimate(plane, road.slope, road.sigma, HELD if reason else ROAD, reason)

    def _borders_of(self, camera: CameraModel, pose: Pose, given: GroundPlane, grid: tuple[int, int]) -> RoadBorders:
        numbers = np.concatenate([pose.rotation.ravel(), pose.translation, given.normal, [given.offset], grid])
        known = self._borders is not None and self._camera is camera
        if not known or np.abs(numbers - self._made_of).max() > _MOVED:
            self._borders = RoadBorders(camera, pose, given, grid)
            self._camera, self._made_of = camera, numbers
            self.reset()
        assert self._borders is not None
        return self._borders

    def _follow(self, points: BorderPoints, pixel: float, stamp_ns: int) -> tuple[RoadState, str]:
        """The road, and why this image shows none (else empty)."""
        before, fresh = self._predicted(stamp_ns)
        found = fit_road(points, before, pixel, fresh) if len(points.q) else "no border of the road is seen"
        if isinstance(found, str) and not fresh and len(points.q):
            again = fit_road(points, unknown_road(), pixel, True)  # another road, or the last one was wrong
            found = again if not isinstance(again, str) and again.share > _BELIEVED else found
        self._stamp_ns = stamp_ns
        if isinstance(found, str):
            self._road = None if fresh else before
            return before, found
        self._road = found
        return found, ""

    def _predicted(self, stamp_ns: int) -> tuple[RoadState, bool]:
        """What the road before says of this moment, and whether there is none."""
        dt = (stamp_ns - self._stamp_ns) / 1e9
        first = unknown_road()
        if self._road is None or not 0 <= dt <= _LONGEST_GAP_S:
            return first, True
        kept = np.ones(SIZE)
        kept[SLOPE] = math.exp(-dt / self._settings.forget_s)
        covariance = self._road.covariance * kept * kept[:, None] + _CHANGES * dt
        covariance[SLOPE, SLOPE] += (1 - kept[SLOPE] ** 2) * first.covariance[SLOPE, SLOPE]
        return RoadState(self._road.mean * kept, covariance), False


def tilted(given: GroundPlane, pose: Pose, slope: float, pivot_m: float) -> GroundPlane:
    """The given plane, turned to rise by ``slope`` ahead, about a line ``pivot_m`` ahead of the camera."""
    frame = level_frame(given)
    normal = frame @ np.array([-slope, 0.0, 1.0])
    normal /= np.linalg.norm(normal)
    pivot = _below(given, pose) + pivot_m * frame[:, 0]
    return GroundPlane(normal, float(normal @ pivot))


def rolled(given: GroundPlane, pose: Pose, up: np.ndarray) -> tuple[GroundPlane, str]:
    """The given plane, level from left to right by gravity, as high below the camera; and why it is not believed."""
    frame = level_frame(given)
    _, left, along_normal = up @ frame
    roll = math.atan2(left, along_normal)
    if not abs(roll) <= _MOST_ROLL:
        return given, (
            f"gravity would have the vehicle lean by {math.degrees(roll):.2g}° against the given plane: at most "
            f"{math.degrees(_MOST_ROLL):.2g}° expected; is the pose of the IMU right?"
        )
    normal = frame @ np.array([0.0, math.sin(roll), math.cos(roll)])
    return GroundPlane(normal, float(normal @ _below(given, pose))), ""


def too_steep(plane: GroundPlane, up: np.ndarray) -> str:
    """Why the plane is no road by gravity, else empty."""
    steep = math.acos(min(float(plane.normal @ up) / float(np.linalg.norm(up)), 1.0))
    if steep <= _STEEPEST_ROAD:
        return ""
    return f"by gravity the road would be {math.degrees(steep):.2g}° steep: at most {math.degrees(_STEEPEST_ROAD):.2g}°"


def _below(plane: GroundPlane, pose: Pose) -> np.ndarray:
    """(3,) point of the plane below the camera."""
    point: np.ndarray = pose.translation - plane.above(pose.translation[None])[0] * plane.normal
    return point


def warm_up() -> None:
    """Compile what ``PlaneFilter.update`` needs, so that the first frame does not wait for it."""
    camera = CameraModel.pinhole((96, 128), 100.0)
    rows, columns = np.mgrid[:96, :128]
    road = np.abs(columns - 63.5) < 2.0 * (rows - 47.5)
    PlaneFilter().update(road, ~road, camera, Pose(translation=np.array([0.0, 0.0, 1.4])) @ OPTICAL, GroundPlane(), 0)
