"""Where the borders of the road are, as viewing rays, in the image of any camera.

In a frame at the camera with x along the vehicle, y to the left and z along the normal of the given plane, a ray has
the lateral slope ``p = y / x`` and the depression ``q = -z / x``: coordinates of a picture that any lens can be turned
into.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.ground.road_kernels import outermost

LEFT, RIGHT, LEFT_HIDDEN, RIGHT_HIDDEN = range(4)

STEEPEST = 0.12
"""Largest slope of the road ahead against the given plane that is looked for."""
_LEVELS = 160
_NEAREST_M, _FARTHEST_M = 4.0, 60.0
_LEAST_COLUMNS = 8


@dataclass(frozen=True, eq=False)
class BorderPoints:
    """Points on the borders of the road.

    Attributes:
        q: (N,) depression.
        p: (N,) lateral slope.
        border: (N,) which: ``LEFT``, ``RIGHT``, ``LEFT_HIDDEN`` or ``RIGHT_HIDDEN``, where something that is no ground
            follows the road, say parked cars.
    """

    q: np.ndarray
    p: np.ndarray
    border: np.ndarray

    def __repr__(self) -> str:
        left, right, *hidden = np.bincount(self.border, minlength=4).tolist()
        return f"BorderPoints({left} left, {right} right, {sum(hidden)} hidden)"


class RoadBorders:
    """Finds the borders of the road in images of one camera.

    Args:
        camera: of the images.
        pose: takes its optical frame into the base.
        plane: the ground as far as it is known, in the base.
        grid: (height, width) of the masks, which show the camera's whole image.

    Attributes:
        height: metres of the camera above the plane.
        frame: (3, 3), columns: x along the vehicle, y to the left and z up of the plane, in the base.
        pixel: size of a pixel of the grid in p and q, at the middle of the image.

    Raises:
        GroundError: the camera is not above the plane, or does not see the ground ahead of the vehicle.
    """

    def __init__(self, camera: CameraModel, pose: Pose, plane: GroundPlane, grid: tuple[int, int]) -> None:
        self.frame = level_frame(plane)
        self.height = float(plane.above(pose.translation[None])[0])
        if self.height <= 0:
            raise GroundError(f"the camera is {-self.height:.3g} m below the plane of the ground: expected above it")
        small = camera.resized(grid)
        self.pixel = 1 / float(small.focal.mean())
        low, high = self.height / _FARTHEST_M - STEEPEST, self.height / _NEAREST_M + STEEPEST
        levels = np.linspace(low, high, max(2, min(_LEVELS, int((high - low) / self.pixel))))
        index, lateral = _sampled(small, pose.rotation.T @ self.frame, levels)
        seen = (index >= 0).sum(axis=1) >= _LEAST_COLUMNS
        if not seen.any():
            raise GroundError("the camera does not see the ground ahead of the vehicle: no slope can be measured")
        self._q, self._index, self._lateral = levels[seen], index[seen], lateral[seen]
        self._found = tuple(np.empty(2 * len(self._q), np.int64) for _ in range(3))

    def find(self, ground: np.ndarray, beside: np.ndarray | None = None) -> BorderPoints:
        """The outermost pixels of the road at each depression.

        Args:
            ground: (H, W) bool, pixels of the road that are trusted.
            beside: (H, W) bool, pixels of what is on the ground beside a road: pavement, grass. Where something else
                follows the road it may stand before the true border, which counts as hidden. None: none is.
        """
        road = np.ascontiguousarray(ground).ravel()
        flat = road if beside is None else np.ascontiguousarray(beside).ravel()
        n = outermost(road, flat, beside is not None, self._index, *self._found)
        level, column, border = (each[:n].copy() for each in self._found)
        between = 0.5 * (self._lateral[level, column] + self._lateral[level, column + 2 * (border % 2) - 1])
        return BorderPoints(self._q[level], between, border)


def level_frame(plane: GroundPlane) -> np.ndarray:
    """(3, 3): columns are x along the vehicle, y to the left and z up of the plane, in the base."""
    x, y, z = plane.normal.tolist()
    length = math.hypot(y, z)  # of the base's x, laid down on the plane
    return np.array([[length, 0.0, x], [-x * y / length, z / length, y], [-x * z / length, -y / length, z]])


def _sampled(camera: CameraModel, into: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each level (K) and column (W): flat index of the pixel there, -1 outside; and its lateral slope p."""
    height, width = camera.size
    rows, columns = np.mgrid[:height, :width]
    rays = camera.rays(np.column_stack([columns.ravel(), rows.ravel()])) @ into
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead = np.where(rays[:, :1] > 0.1, rays, np.nan)
        p, q = (np.reshape(v, (height, width)) for v in (ahead[:, 1] / ahead[:, 0], -ahead[:, 2] / ahead[:, 0]))
    index = np.full((len(levels), width), -1, np.int64)
    lateral = np.full((len(levels), width), np.nan)
    for column in range(width):
        known = np.flatnonzero(np.isfinite(q[:, column]))
        if len(known) < 2 or not (np.diff(q[known, column]) > 0).all():
            continue
        row = np.interp(levels, q[known, column], known, left=np.nan, right=np.nan)
        on = np.isfinite(row)
        index[on, column] = np.rint(row[on]).astype(np.int64) * width + column
        lateral[on, column] = np.interp(row[on], known, p[known, column])
    return index, lateral
