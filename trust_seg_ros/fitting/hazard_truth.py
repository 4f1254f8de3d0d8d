"""True hazard cells: where everything that is no ground in the true labels stands on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.roles import FLAT, GROUND, OBSTACLE
from trust_seg_ros.ground.view import GroundView

SLACK_M = 0.1
"""What is seen right below a foot is ground before it. Where it is ground behind it, by more than this and by more than
one pixel, the thing hangs over the ground there: a crown, a bumper, a belly between legs."""


@dataclass(frozen=True, eq=False)
class TruePoints:
    """Points of one image, from its true labels.

    Attributes:
        pixels: (m, 2) int64 row and column.
        points: (m, 3) float64 in the base frame, metres.
    """

    pixels: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def within(self, view: GroundView, range_m: float) -> TruePoints:
        """Those at most ``range_m`` from the point below the camera."""
        near = np.linalg.norm(self.points[:, :2] - view.foot[:2], axis=1) <= range_m
        return TruePoints(self.pixels[near], self.points[near])


class PixelRays:
    """Viewing rays of all pixels of a camera, at unit distance along its axis.

    Attributes:
        ahead: (H, W, 3) float32 in the optical frame; NaN without a ray, and for rays across the view.
    """

    def __init__(self, camera: CameraModel) -> None:
        height, width = camera.size
        rows, columns = np.mgrid[:height, :width]
        rays = camera.rays(np.stack([columns.ravel(), rows.ravel()], 1)).reshape(height, width, 3)
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = np.where(rays[..., 2:] > 1e-3, rays / rays[..., 2:], np.nan)
        self.ahead = ahead.astype(np.float32)

    def points(self, depth: np.ndarray, pixels: np.ndarray, pose: Pose) -> np.ndarray:
        """(m, 3) float64 points in the base frame that pixels (m, 2) show.

        Args:
            depth: (H, W) metres along the optical axis.
            pixels: row and column.
            pose: takes points of the optical frame into the base frame.
        """
        row, column = pixels.T
        far = depth[row, column, None].astype(np.float64)
        return pose.apply(self.ahead[row, column].astype(np.float64) * np.where(np.isfinite(far), far, np.nan))


def foot_pixels(role: np.ndarray) -> np.ndarray:
    """(m, 2) row and column of obstacles right above ground, driven on or flat, in the image.

    Args:
        role: (H, W) uint8, see ``ground.roles``.
    """
    below = role[1:]
    feet = (role[:-1] == OBSTACLE) & ((below == GROUND) | (below == FLAT))
    return np.argwhere(feet)


def feet_by_depth(role: np.ndarray, depth: np.ndarray, rays: PixelRays, pose: Pose) -> TruePoints:
    """Feet by measured depth; things that hang over the road are none.

    Args:
        role: (H, W) uint8 of the true labels.
        depth: (H, W) metres along the optical axis; not finite = not known.
        rays, pose: of the camera.
    """
    pixels = foot_pixels(role)
    lowest = np.minimum(pixels + np.array([2, 0]), [len(role) - 1, role.shape[1]])
    points, below, lower = (rays.points(depth, some, pose) for some in (pixels, pixels + np.array([1, 0]), lowest))
    known = np.isfinite(points).all(1) & np.isfinite(below).all(1)
    far, behind, before = (
        np.linalg.norm(some[:, :2] - pose.translation[:2], axis=1) for some in (points, below, lower)
    )
    a_pixel = np.clip(np.nan_to_num(behind - before), 0.0, None)
    standing = known & (behind - far <= SLACK_M + a_pixel)
    return TruePoints(pixels[standing], points[standing])


def feet_by_plane(role: np.ndarray, view: GroundView) -> TruePoints:
    """Feet where the rays between an obstacle and the ground below it meet the plane.

    Args:
        role: (H, W) uint8 of the true labels.
        view: the camera over the plane, for images of that size.
    """
    pixels = foot_pixels(role)
    points = view.points(np.stack([pixels[:, 1], pixels[:, 0] + 0.5], 1))
    known = np.isfinite(points).all(1)
    return TruePoints(pixels[known], points[known])


def ground_points(role: np.ndarray, depth: np.ndarray, rays: PixelRays, pose: Pose, wanted: int = GROUND) -> TruePoints:
    """What is seen of ground of the role ``wanted``, by depth."""
    pixels = np.argwhere((role == wanted) & np.isfinite(depth))
    points = rays.points(depth, pixels, pose)
    known = np.isfinite(points).all(1)
    return TruePoints(pixels[known], points[known])


def cells_of(points: np.ndarray, frame: CautionFrame, base_in_fixed: Pose | None) -> np.ndarray:
    """(rows, columns) bool, the cells of a map that points (m, 3) of the base frame lie in."""
    if frame.in_fixed and base_in_fixed is not None:
        points = base_in_fixed.apply(points)
    cell = np.floor((points[:, :2] - np.array(frame.origin)) / frame.resolution + 1e-9).astype(np.int64)
    rows, columns = frame.p.shape
    inside = (cell >= 0).all(1) & (cell[:, 0] < columns) & (cell[:, 1] < rows)
    found = np.zeros((rows, columns), bool)
    found[cell[inside, 1], cell[inside, 0]] = True
    return found
