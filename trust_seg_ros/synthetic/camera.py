"""The camera: projects points of the street into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEPTH_SCALE_M = 45.0
"""Metres over which the depth code falls by a factor e."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera over a street whose centre line bends as a parabola in front of it.

    Street coordinates: x metres to the right of the centre line, y metres above the ground, z metres
    ahead of the camera along the street.

    Attributes:
        size: (height, width) of the picture.
        focal: focal length in pixels.
        centre_x: column of the viewing direction (steering moves it).
        horizon: row of the horizon (bob moves it).
        height: metres above the ground.
        x: metres right of the centre line.
        bend: curvature of the street, 1/m.
        near: nearest distance drawn, metres.
    """

    size: tuple[int, int]
    focal: float
    centre_x: float
    horizon: float
    height: float
    x: float
    bend: float
    near: float = 1.2

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) street points with z > 0 -> (N, 2) float32 pixel coordinates (column, row)."""
        z = points[:, 2]
        out = np.empty((len(points), 2), np.float32)
        out[:, 0] = self.centre_x + self.focal * ((points[:, 0] - self.x) / z + 0.5 * self.bend * z)
        out[:, 1] = self.horizon + self.focal * (self.height - points[:, 1]) / z
        return out

    def ground(self, first_row: int) -> tuple[np.ndarray, np.ndarray]:
        """Depth of each row from ``first_row`` down, (h, 1), and x of every pixel, (h, W), both float32."""
        rows = np.arange(first_row, self.size[0], dtype=np.float32) - np.float32(self.horizon)
        z = np.minimum(np.float32(self.focal * self.height) / np.maximum(rows, 1e-3), 400.0)[:, None]
        cols = (np.arange(self.size[1], dtype=np.float32) - np.float32(self.centre_x)) / np.float32(self.focal)
        x = z * (cols[None, :] - np.float32(0.5 * self.bend) * z) + np.float32(self.x)
        return z, x


def depth_code(z: float) -> int:
    """Distance in metres -> depth code 0..255, 255 near, 0 far; the weather turns it back into a distance."""
    return int(255.0 * np.exp(-max(z, 0.0) / DEPTH_SCALE_M) + 0.5)


def depth_of_codes() -> np.ndarray:
    """The distance in metres of the 256 depth codes, (256,) float64; code 0 (sky) is far away."""
    codes = np.maximum(np.arange(256) / 255.0, 0.4 / 255.0)
    return -DEPTH_SCALE_M * np.log(codes)
