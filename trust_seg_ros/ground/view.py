"""How a camera looks at the ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import GroundPlane, Pose

LEAST_HEIGHT_M = 0.05
FARTHEST_M = 200.0
"""Ground beyond it is no ground in view: a camera that sees no other looks up."""
_SIDE = 17  # rays looked at along each side of the image

_rays: WeakKeyDictionary[CameraModel, np.ndarray] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class GroundView:
    """A camera over the ground.

    Attributes:
        camera: the camera.
        pose: its optical frame in the base frame: takes points of the former into the latter.
        plane: the ground in the base frame.

    Raises:
        GroundError: the camera is not above the ground, or sees none of it within ``FARTHEST_M``.
    """

    camera: CameraModel
    pose: Pose
    plane: GroundPlane

    def __post_init__(self) -> None:
        if self.height < LEAST_HEIGHT_M:
            raise GroundError(
                f"the camera is {self.height:.3g} m above the ground: expected at least {LEAST_HEIGHT_M} m; the pose "
                "of the camera in the base frame or the plane of the ground is wrong"
            )
        if not self.distances.size:
            raise GroundError(f"the camera sees no ground within {FARTHEST_M:g} m: it looks up, or its pose is wrong")

    def __repr__(self) -> str:
        near, far = self.distances[[0, -1]] if self.distances.size else (np.nan, np.nan)
        return f"GroundView(height={self.height:.3g} m, ground from {near:.3g} to {far:.3g} m, {self.camera})"

    @cached_property
    def height(self) -> float:
        """Metres of the camera above the ground, along its normal."""
        return float(self.plane.above(self.pose.translation[None])[0])

    @cached_property
    def foot(self) -> np.ndarray:
        """(3,) point of the ground below the camera, in the base frame."""
        below: np.ndarray = self.pose.translation - self.height * self.plane.normal
        return below

    @cached_property
    def down(self) -> np.ndarray:
        """(3,) direction of the ground, against its normal, in the optical frame."""
        direction: np.ndarray = -self.pose.rotation.T @ self.plane.normal
        return direction

    @cached_property
    def ahead(self) -> np.ndarray:
        """(3,) unit vector along the ground in the optical frame: where the camera looks; where it looks straight
        down, towards the top of its image."""
        for axis in (np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])):
            along = axis - (axis @ self.down) * self.down
            if (length := float(np.linalg.norm(along))) > 0.1:
                break
        direction: np.ndarray = along / length
        return direction

    @cached_property
    def distances(self) -> np.ndarray:
        """Ascending distances on the ground from :attr:`foot`, up to ``FARTHEST_M``, that some pixels see; may be
        empty."""
        sunk = image_rays(self.camera) @ self.down
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.height * np.sqrt(1.0 - np.minimum(sunk, 1.0) ** 2) / sunk
        kept: np.ndarray = np.sort(found[(sunk > 0) & (found <= FARTHEST_M)])
        return kept

    @property
    def horizon_in_view(self) -> bool:
        """Whether some pixel looks at or above the horizon; where none does, ground far ahead is out of the image."""
        return bool((image_rays(self.camera) @ self.down <= 0).any())

    def points(self, pixels: np.ndarray) -> np.ndarray:
        """Places on the ground that pixels see.

        Args:
            pixels: (N, 2) pixels (u, v) of the image.

        Returns:
            (N, 3) float64 points in the base frame; NaN at and above the horizon, and where the camera has no ray.
        """
        rays = self.camera.rays(pixels)
        sunk = rays @ self.down
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(sunk > 1e-9, self.height / sunk, np.nan)
        found: np.ndarray = self.pose.apply(rays * reach[:, None])
        return found


def image_rays(camera: CameraModel) -> np.ndarray:
    """(n, 3) unit rays of pixels all over the image, its edges included; kept as long as the camera lives.

    Raises:
        GroundError: the camera has no ray anywhere.
    """
    if camera not in _rays:
        height, width = camera.size
        u, v = np.meshgrid(np.linspace(-0.5, width - 0.5, _SIDE), np.linspace(-0.5, height - 0.5, _SIDE))
        rays = camera.rays(np.stack([u.ravel(), v.ravel()], 1))
        rays = rays[np.isfinite(rays).all(1)]
        if not len(rays):
            raise GroundError(f"{camera} has no viewing ray for any pixel: its distortion cannot be undone")
        _rays[camera] = rays
    return _rays[camera]


def image_point(row: np.ndarray, column: np.ndarray, grid: tuple[int, int], image: tuple[int, int]) -> np.ndarray:
    """(N, 2) pixels (u, v) of the image at the centres of pixels (row, column) of the judging grid."""
    (rows, columns), (height, width) = grid, image
    return np.stack([(column + 0.5) * width / columns - 0.5, (row + 0.5) * height / rows - 0.5], 1)
