"""Where the borders of the road are, as viewing rays, in the image of any camera.

In a frame at the camera with x along the vehicle, y to the left and z along the normal of the given plane, a ray has
the lateral slope ``p = y / x`` and the depression ``q = -z / x``: coordinates of a picture that any lens can be turned
into.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import GroundPlane, Pose

LEFT, RIGHT, LEFT_HIDDEN, RIGHT_HIDDEN = range(4)

STEEPEST = 0.12
"""Largest slope of the road ahead against the given plane that is looked for."""
_LEVELS = 160
_NEAREST_M, _FARTHEST_M = 4.0, 60.0
_BESIDE = np.array([2, 3])  # pixels beyond a border where other ground must be seen
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
        self._inside = self._index >= 0
        self._level = np.arange(len(self._q))

    def find(self, ground: np.ndarray, beside: np.ndarray | None = None) -> BorderPoints:
        """The outermost pixels of the road at each depression.

        Args:
            ground: (H, W) bool, pixels of the road that are trusted.
            beside: (H, W) bool, pixels of what is on the ground beside a road: pavement, grass. Where something else
                follows the road it may stand before the true border, which counts as hidden. None: none is.
        """
        road = np.take(ground.ravel(), self._index) & self._inside
        last_column = road.shape[1] - 1
        any_road = road.any(axis=1)
        border = (road.argmax(axis=1), last_column - road[:, ::-1].argmax(axis=1))
        found = [self._side(border[side], side, any_road, beside) for side in (LEFT, RIGHT)]
        q, p, which = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return BorderPoints(q, p, which)

    def _side(
        self, border: np.ndarray, side: int, any_road: np.ndarray, beside: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sign = 1 if side == RIGHT else -1
        outside = border[:, None] + sign * _BESIDE
        there = any_road & (outside >= 0).all(axis=1) & (outside < self._index.shape[1]).all(axis=1)
        level, border, outside = self._level[there], border[there], outside[there]
        there = self._inside[level[:, None], outside].all(axis=1)
        level, border, outside = level[there], border[there], outside[there]
        which = np.full(len(level), side)
        if beside is not None:
            open_ground = np.take(beside.ravel(), self._index[level[:, None], outside]).any(axis=1)
            which[~open_ground] += LEFT_HIDDEN
        between = 0.5 * (self._lateral[level, border] + self._lateral[level, border + sign])
        return self._q[level], between, which


def level_frame(plane: GroundPlane) -> np.ndarray:
    """(3, 3): columns are x along the vehicle, y to the left and z up of the plane, in the base."""
    up = plane.normal
    ahead = np.array([1.0, 0.0, 0.0]) - up[0] * up
    ahead /= np.linalg.norm(ahead)
    return np.column_stack([ahead, np.cross(up, ahead), up])


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
