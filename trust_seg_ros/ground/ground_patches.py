"""Small patches of the image that show ground, and where an image taken before shows them if the road has a slope."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.motion_kernels import strengths
from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.ground.road_borders import level_frame

STEPS = np.array([-4, -2, 0, 2, 4])
"""Pixels of a patch, across and down, from its middle."""

_REACH = int(STEPS[-1])
_EVERY_ROW, _EVERY_COLUMN = 3, 6
_NEAREST_M, _FARTHEST_M, _WIDEST_M = 4.0, 32.0, 10.0
_BANDS = 6  # of distance, in equal ratios: far patches are many, near ones move most
_USUAL_WAY_M = 3.0


class GroundPatches:
    """Patches in images of one camera that show the ground if it is about where the given plane is.

    Args:
        camera: of the images.
        pose: takes its optical frame into the base.
        given: the ground as far as it is known, in the base.
        pivot_m: metres ahead of the camera of the line about which the road ahead is tilted.

    Raises:
        GroundError: the camera is below the plane, or does not see the ground ahead of the vehicle.
    """

    def __init__(self, camera: CameraModel, pose: Pose, given: GroundPlane, pivot_m: float) -> None:
        self._camera, self._pose, self._pivot = camera, pose, pivot_m
        self._frame = level_frame(given)
        self._to_level = pose.rotation.T @ self._frame
        self._height = float(given.above(pose.translation[None])[0])
        if self._height <= 0:
            raise GroundError(f"the camera is {-self._height:.3g} m below the plane of the ground: expected above it")
        height, width = camera.size
        rows, columns = np.mgrid[
            _REACH + 2 : height - _REACH - 2 : _EVERY_ROW, _REACH + 2 : width - _REACH - 2 : _EVERY_COLUMN
        ]
        middle = np.column_stack([columns.ravel(), rows.ravel()])
        rays = np.stack([camera.rays(middle + by) @ self._to_level for by in ([0, 0], [_REACH, 0], [0, _REACH])])
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = self._height * rays[0, :, 0] / -rays[0, :, 2]
            aside = np.abs(self._height * rays[0, :, 1] / rays[0, :, 2])
        seen = np.isfinite(rays).all((0, 2)) & (rays[0, :, 0] > 0.2) & (rays[0, :, 2] < 0)
        seen &= (ahead > _NEAREST_M) & (ahead < _FARTHEST_M) & (aside < _WIDEST_M)
        if not seen.any():
            raise GroundError("the camera does not see the ground ahead of the vehicle: no slope can be measured")
        self._rays = rays[:, seen]
        self.u, self.v = np.ascontiguousarray(middle[seen].T)
        self._band = np.digitize(ahead[seen], np.geomspace(_NEAREST_M, _FARTHEST_M, _BANDS + 1)[1:-1])
        low, high = self.places(
            np.arange(len(self.u)), Pose(translation=_USUAL_WAY_M * self._frame[:, 0]), (-0.01, 0.01)
        )
        along = high[:, :2] - low[:, :2]
        self._along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)

    def choose(self, image: np.ndarray, ground: np.ndarray, number: int) -> np.ndarray:
        """The patches on the ground that show best by how much a slope moves them.

        Args:
            image: (h, w) uint8 of the camera.
            ground: (H, W) bool, pixels of trusted ground; it shows all of the image, at any size.
            number: of patches; about as many at each distance.

        Returns:
            (n,) their numbers, at most ``number``.
        """
        on = np.flatnonzero(self._all_on(ground))
        strength = strengths(image, self.u[on], self.v[on], self._along[on], STEPS)
        chosen = []
        for band in range(_BANDS):
            there = np.flatnonzero(self._band[on] == band)
            if len(there) > number // _BANDS:
                there = there[np.argpartition(-strength[there], number // _BANDS)[: number // _BANDS]]
            chosen.append(on[there])
        return np.concatenate(chosen)

    def _all_on(self, ground: np.ndarray) -> np.ndarray:
        rows, columns = (np.arange(size) for size in self._camera.size)
        row = ((rows + 0.5) * ground.shape[0] / len(rows)).astype(np.int64)
        column = ((columns + 0.5) * ground.shape[1] / len(columns)).astype(np.int64)
        on: np.ndarray = ground[row[self.v], column[self.u]]
        for across, down in ((-_REACH, 0), (_REACH, 0), (0, -_REACH), (0, _REACH)):
            on = on & ground[row[self.v + down], column[self.u + across]]
        return on

    def places(self, which: np.ndarray, moved: Pose, slopes: tuple[float, ...], pitch: float = 0.0) -> np.ndarray:
        """Where an image taken before shows patches of now.

        Args:
            which: (n,) numbers of patches.
            moved: takes points of the base now into the base then.
            slopes: K slopes of the road against the given plane.
            pitch: radians by which the vehicle then looked further down than ``moved`` says.

        Returns:
            (K, n, 6) pixel (u, v) of the middle of the patch, and by how much it changes with a pixel across and a
            pixel down of now. It changes smoothly with the slope, also where a patch would be behind the horizon.
        """
        way = self._frame.T @ (moved.apply(self._pose.translation[None])[0] - self._pose.translation)
        turn = Pose.from_angles(0.0, -pitch, 0.0, np.zeros(3)).rotation
        rays = self._rays[:, which]
        turned = rays @ (turn @ self._frame.T @ moved.rotation @ self._frame).T
        way = turn @ way
        found = np.empty((len(slopes), len(which), 6))
        for k, slope in enumerate(slopes):
            nearness = (slope * rays[..., 0] - rays[..., 2]) / (self._height + slope * self._pivot)  # 1 / distance
            seen = (turned + way * nearness[..., None]) @ self._to_level.T
            middle, right, below = self._camera.project(seen.reshape(-1, 3)).reshape(3, -1, 2)
            found[k] = np.hstack([middle, (right - middle) / _REACH, (below - middle) / _REACH])
        return found
