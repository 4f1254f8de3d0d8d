"""A camera mounted on the vehicle, and how its picture is taken from one drawn straight along the street.

Both have the same optical centre, so each pixel of the camera has one ray and shows what the straight picture shows on
that ray: no geometry is lost, whatever the lens and wherever it looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.placing import OPTICAL, Pose
from trust_seg_ros.synthetic.camera import Camera
from trust_seg_ros.synthetic.checks import SyntheticDriveError
from trust_seg_ros.synthetic.ground_settings import GroundSettings

_SHARPER = {"pinhole": 1.2, "fisheye": 0.85}
"""Focal length of the straight picture over that of the camera in its centre; towards the edges of a fisheye the
straight picture is finer by itself, and large."""

_WIDEST = 5.0
"""Largest distance to the side, or up or down, of a ray over that ahead: beyond, straight pictures become huge."""


@dataclass(frozen=True, eq=False)
class View:
    """One picture of the camera: where its pixels look.

    Attributes:
        straight: the camera of the picture to draw first.
        across, down: (H, W) float32 distance right and down of each pixel's ray over that ahead along the street.
        columns, rows: (H, W) float32 places of the pixels in the straight picture.
        along: (H, W) float32 metres along the optical axis for each metre along the street.
    """

    straight: Camera
    across: np.ndarray
    down: np.ndarray
    columns: np.ndarray
    rows: np.ndarray
    along: np.ndarray

    def nearest(self) -> np.ndarray:
        """(H, W) int64 flat index of the nearest pixel of the straight picture."""
        height, width = self.straight.size
        column = np.clip(np.rint(self.columns), 0, width - 1).astype(np.int64)
        found: np.ndarray = np.clip(np.rint(self.rows), 0, height - 1).astype(np.int64) * width + column
        return found


class Mounted:
    """The camera of ``GroundSettings`` for pictures of one size.

    Attributes:
        model: its lens.
        pose: takes points of its optical frame into the base.

    Raises:
        SyntheticDriveError: its view is too wide to be drawn.
    """

    def __init__(self, settings: GroundSettings, size: tuple[int, int]) -> None:
        half = np.radians(settings.fov_deg / 2)
        self._sharper = _SHARPER[settings.lens]
        if settings.lens == "pinhole":
            self.model = CameraModel.pinhole(size, float(size[1] / 2 / np.tan(half)))
        else:
            self.model = CameraModel.fisheye(size, float(size[1] / 2 / half))
        place = np.array([settings.ahead_m, 0.0, settings.height_m])
        angles = np.radians([settings.roll_deg, settings.pitch_deg])
        self.pose = Pose.from_angles(float(angles[0]), float(angles[1]), 0.0, place) @ OPTICAL
        rows, columns = np.mgrid[: size[0], : size[1]]
        rays = self.model.rays(np.stack([columns.ravel(), rows.ravel()], 1))
        self._rays = np.ascontiguousarray(rays.T, np.float32)
        self._what = f"fov_deg is {settings.fov_deg:g} for a {settings.lens} picture of {size[1]}x{size[0]} pixels"
        level = Pose.from_angles(0.0, float(np.arctan(settings.slope)), 0.0, np.zeros(3))
        for tilt in (level, level.inverse()):
            self.view(tilt)

    def view(self, base_in_fixed: Pose) -> View:
        """Where the camera looks with the base at ``base_in_fixed``."""
        camera = base_in_fixed @ self.pose
        x, y, z = _turned(camera.rotation, self._rays)  # ahead, left, up
        size = self.model.size
        if not float(z.size and x.min()) > 0.05:  # false of NaN
            raise SyntheticDriveError(f"{self._what}; its corners look aside or back: take a narrower one")
        across, down = (-y / x).reshape(size), (-z / x).reshape(size)
        if max(float(np.abs(across).max()), float(np.abs(down).max())) > _WIDEST:
            raise SyntheticDriveError(f"{self._what}; its corners look too far aside: take a narrower one")
        straight = self._straight(across, down, camera.translation)
        columns = across * np.float32(straight.focal) + np.float32(straight.centre_x)
        rows = down * np.float32(straight.focal) + np.float32(straight.horizon)
        return View(straight, across, down, columns, rows, (self._rays[2] / x).reshape(size))

    def _straight(self, across: np.ndarray, down: np.ndarray, place: np.ndarray) -> Camera:
        focal = self._sharper * float(self.model.focal[0])
        left, right, top, bottom = (float(v) for v in (across.min(), across.max(), down.min(), down.max()))
        centre_x, horizon = np.ceil(1 - focal * left), np.ceil(1 - focal * top)
        return Camera(
            size=(int(np.ceil(horizon + focal * bottom)) + 2, int(np.ceil(centre_x + focal * right)) + 2),
            focal=focal,
            centre_x=float(centre_x),
            horizon=float(horizon),
            height=float(place[2]),
            x=float(-place[1]),
            bend=0.0,
            near=float(np.clip(1.0 / max(abs(left), abs(right), abs(bottom)), 0.3, 1.2)),
        )


def _turned(rotation: np.ndarray, rays: np.ndarray) -> list[np.ndarray]:
    """Rotation @ rays (3, N), row by row: BLAS takes longer for so few rows, and all cores."""
    a, b, c = rays
    return [np.float32(row[0]) * a + np.float32(row[1]) * b + np.float32(row[2]) * c for row in rotation]
