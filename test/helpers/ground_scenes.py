"""Boxes on flat ground as a camera sees them, pixel by pixel, for tests of the caution map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.hazards import AN_OBSTACLE, NO_HAZARD, HazardMaps
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.roles import GROUND, IGNORED, OBSTACLE
from trust_seg_ros.ground.view import GroundView, image_point

SKY, ROAD, CAR = 0, 1, 2


@dataclass(frozen=True)
class Box:
    """Upright on the plane z = 0: x from, x to, y from, y to, height."""

    x0: float
    x1: float
    y0: float
    y1: float
    height: float = 1.5

    def shrunk(self, by: float) -> Box:
        """By so many metres on every side, the height too; perhaps to nothing."""
        return Box(self.x0 + by, self.x1 - by, self.y0 + by, self.y1 - by, self.height - by)

    def first_hit(self, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """(N,) distance along each ray at which it enters the box; inf where it misses."""
        low, high = np.array([self.x0, self.y0, 0.0]), np.array([self.x1, self.y1, self.height])
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (low - origin) / rays, (high - origin) / rays
        enter, leave = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
        return np.where((enter <= leave) & (enter > 0), enter, np.inf)

    def holds(self, x: np.ndarray, y: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Whether places lie within the footprint, grown by a margin."""
        inside_x = (x >= self.x0 - margin) & (x <= self.x1 + margin)
        return inside_x & (y >= self.y0 - margin) & (y <= self.y1 + margin)


def looking(pitch: float = 0.05, roll: float = 0.0, yaw: float = 0.0, height: float = 1.5, x: float = 0.0) -> Pose:
    """Pose of an optical frame in the base frame; pitch is positive downwards."""
    return Pose.from_angles(roll, pitch, yaw, np.array([x, 0.0, height])) @ OPTICAL


def view_of(camera: CameraModel, pose: Pose | None = None, plane: GroundPlane | None = None) -> GroundView:
    return GroundView(camera, looking() if pose is None else pose, plane or GroundPlane())


def drawn(view: GroundView, boxes: list[Box], grid: tuple[int, int], p: float = 0.9) -> HazardMaps:
    """What each pixel of the judging grid sees: the sky, the road (P 0.02), or a box (``p``)."""
    rows, columns = (part.ravel() for part in np.indices(grid))
    rays = view.camera.rays(image_point(rows, columns, grid, view.camera.size)) @ view.pose.rotation.T
    origin = view.pose.translation
    with np.errstate(divide="ignore", invalid="ignore"):
        ground = np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)
        hits = [box.first_hit(origin, rays) for box in boxes]
    nearest = np.min([np.full(len(rays), np.inf), *hits], axis=0)
    classes = np.where(nearest < ground, CAR, np.where(np.isfinite(ground), ROAD, SKY)).astype(np.uint8)
    classes[~np.isfinite(rays).all(1)] = CAR  # beyond the lens: black
    return of_classes(classes.reshape(grid), p)


def of_classes(classes: np.ndarray, p: float = 0.9) -> HazardMaps:
    """Maps without a network: SKY, ROAD, and everything else an obstacle."""
    role = np.full(classes.shape, OBSTACLE, np.uint8)
    role[classes == SKY], role[classes == ROAD] = IGNORED, GROUND
    kind = np.where(role == OBSTACLE, AN_OBSTACLE, NO_HAZARD).astype(np.uint8)
    found = np.where(role == OBSTACLE, p, 0.02).astype(np.float32)
    return HazardMaps(role, found, classes.astype(np.uint8), kind)


def hidden(view: GroundView, boxes: list[Box], places: np.ndarray, before: float = 0.0) -> np.ndarray:
    """(N, 3) places on the ground -> (N,) bool: in a box, or behind one by more than ``before`` metres of the ray."""
    origin = view.pose.translation
    away = places - origin
    length = np.linalg.norm(away, axis=1)
    rays = away / length[:, None]
    return np.any([box.first_hit(origin, rays) < length - before for box in boxes], axis=0)
