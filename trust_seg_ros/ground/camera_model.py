"""Cameras as geometry: from pixels to viewing rays and from points to pixels.

Optical frame: x to the right of the image, y down, z along the view. Pixels are (u, v) = (column, row), the centre of
the first one at (0, 0), as in OpenCV and in sensor_msgs/CameraInfo.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.lenses import Fisheye, Lens, Polynomial, Straight, quiet

COEFFICIENTS = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
"""Distortion models by name, and how many coefficients each takes: 12 and 14 are 8 with thin prism, and with tilt."""

_REPROJECTION_PX = 0.5


def _array(name: str, value: object) -> np.ndarray:
    try:
        found = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise GroundError(f"{name} {value!r} of a camera: expected numbers") from None
    if not np.isfinite(found).all():
        raise GroundError(f"{name} {found.tolist()} of a camera: expected finite numbers")
    return found


@dataclass(frozen=True, eq=False)
class CameraModel:
    """A calibrated camera, for images of one size.

    Attributes:
        size: (height, width) of the image in pixels.
        k: (3, 3) float64 [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], in pixels.
        d: (n,) float64 coefficients of the distortion, in OpenCV's order.
        distortion: a name of :data:`COEFFICIENTS`.
        r: (3, 3) rotation of the optical frame into that of a rectified image; the identity for raw images.

    Raises:
        GroundError: a size of 0, numbers that are not finite, a K of another form, focal lengths that are not
            positive, an unknown distortion model, or coefficients that do not fit it; the text says which.
    """

    size: tuple[int, int]
    k: np.ndarray
    d: np.ndarray = field(default_factory=lambda: np.zeros(0))
    distortion: str = "none"
    r: np.ndarray = field(default_factory=lambda: np.eye(3))
    _lens: Lens = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise GroundError(f"size {self.size} of a camera: expected (height, width), both above 0")
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))
        k, d, r = _array("K", self.k), _array("D", self.d), _array("R", self.r)
        _check_k(k)
        _check_d(d, self.distortion)
        if r.shape != (3, 3) or np.abs(r @ r.T - np.eye(3)).max() > 1e-3 or np.linalg.det(r) < 0:
            raise GroundError(f"R {r.tolist()} of a camera: expected a rotation matrix")
        for name, value in (("k", k), ("d", d), ("r", r)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_lens", _lens(self.distortion, d, float(max(k[0, 0], k[1, 1]))))

    def __repr__(self) -> str:
        height, width = self.size
        return f"CameraModel({width}x{height}, {self.distortion}, focal={self.k[0, 0]:.5g}, {self.k[1, 1]:.5g} px)"

    @classmethod
    def pinhole(cls, size: tuple[int, int], focal: float, centre: tuple[float, float] | None = None) -> CameraModel:
        """Without distortion; ``focal`` and ``centre`` (u, v) in pixels, the middle of the image where not given."""
        return cls(size, _k(size, focal, centre))

    @classmethod
    def fisheye(
        cls,
        size: tuple[int, int],
        focal: float,
        centre: tuple[float, float] | None = None,
        d: np.ndarray | tuple[float, ...] = (0.0, 0.0, 0.0, 0.0),
    ) -> CameraModel:
        """Equidistant: without coefficients a ray at an angle of θ lies ``focal`` θ pixels from the centre."""
        return cls(size, _k(size, focal, centre), np.asarray(d, np.float64), "equidistant")

    @property
    def centre(self) -> np.ndarray:
        """(2,) pixel (u, v) of the view straight ahead."""
        found: np.ndarray = self.k[:2, 2]
        return found

    @property
    def focal(self) -> np.ndarray:
        """(2,) focal lengths (fx, fy) in pixels."""
        return np.array([self.k[0, 0], self.k[1, 1]])

    def rays(self, points: np.ndarray) -> np.ndarray:
        """Viewing rays of pixels.

        Args:
            points: (N, 2) pixels (u, v); they may lie between pixels and outside the image.

        Returns:
            (N, 3) float64 unit vectors in the optical frame; NaN where the camera has no ray there: beyond the field in
            which its distortion can be undone, or where undoing it misses the pixel by more than half a pixel.
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        with quiet():
            rays = self._lens.rays((points - self.centre) / self.focal)
            again = self._lens.project(rays) * self.focal + self.centre
        missed = ~(np.abs(again - points).max(axis=1, initial=0.0) <= _REPROJECTION_PX)
        rays[missed] = np.nan
        found: np.ndarray = rays @ self.r  # R takes the optical frame to the rectified one: its transpose leads back
        return found

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels of points.

        Args:
            points: (N, 3) points in the optical frame, metres (or any unit: only directions count).

        Returns:
            (N, 2) float64 pixels (u, v), inside or outside the image (see ``inside``); NaN for points that the lens
            does not see: behind the camera, or beyond the field in which its distortion is one to one.
        """
        points = np.asarray(points, np.float64).reshape(-1, 3)
        with quiet():
            found: np.ndarray = self._lens.project(points @ self.r.T) * self.focal + self.centre
        return found

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) pixels -> (N,) bool: on the image; NaN is not."""
        height, width = self.size
        u, v = np.asarray(points, np.float64).reshape(-1, 2).T
        found: np.ndarray = (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)
        return found

    def resized(self, size: tuple[int, int]) -> CameraModel:
        """The same camera for the whole picture shrunk or enlarged to ``size`` (height, width)."""
        by = np.array([size[1] / self.size[1], size[0] / self.size[0]])
        k = self.k.copy()
        k[[0, 1], [0, 1]] *= by
        k[:2, 2] = (k[:2, 2] + 0.5) * by - 0.5
        return CameraModel(size, k, self.d, self.distortion, self.r)


def _k(size: tuple[int, int], focal: float, centre: tuple[float, float] | None) -> np.ndarray:
    u, v = ((size[1] - 1) / 2, (size[0] - 1) / 2) if centre is None else centre
    return np.array([[focal, 0.0, u], [0.0, focal, v], [0.0, 0.0, 1.0]])


def _check_k(k: np.ndarray) -> None:
    if k.shape != (3, 3):
        raise GroundError(f"K of a camera has the shape {k.shape}: expected (3, 3)")
    if min(k[0, 0], k[1, 1]) <= 0:
        raise GroundError(f"focal lengths {k[0, 0]:g} and {k[1, 1]:g} of a camera: expected pixels above 0")
    if np.abs(k[[0, 1, 2, 2], [1, 0, 0, 1]]).max() > 1e-6 * k[0, 0] or abs(k[2, 2] - 1) > 1e-9:
        raise GroundError(f"K {k.tolist()} of a camera: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], without skew")


def _check_d(d: np.ndarray, distortion: str) -> None:
    if distortion not in COEFFICIENTS:
        raise GroundError(
            f"distortion model {distortion!r} of a camera is unknown: expected one of {', '.join(COEFFICIENTS)}; "
            "for others use the rectified image"
        )
    counts = COEFFICIENTS[distortion]
    if d.ndim != 1 or len(d) not in counts:
        wanted = " or ".join(map(str, counts))
        raise GroundError(f"{d.size} coefficients D for the distortion model {distortion}: expected {wanted}")


def _lens(distortion: str, d: np.ndarray, focal: float) -> Lens:
    if distortion == "equidistant":
        return Fisheye(d)
    return Polynomial(d, focal) if d.any() else Straight()
