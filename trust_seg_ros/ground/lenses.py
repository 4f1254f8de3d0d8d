"""What a lens does to a viewing ray: between rays and the plane of an image with focal length 1 and centre (0, 0).

A distortion polynomial has been fitted where its calibration had points. Farther out it turns back: two rays would meet
in one pixel. Each lens therefore knows the field in which it is one to one, and says NaN outside it.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.polynomial import Polynomial as Poly

_LEAST_SLOPE = 0.01  # of the image's radius over that of the ray, relative to the centre: below, the lens turns back
_TABLE = 2048
_NEWTON_STEPS = 12
_CHUNK = 1 << 15


def quiet() -> np.errstate:
    """Numbers that are none become NaN, which is the answer, not a warning."""
    return np.errstate(divide="ignore", invalid="ignore", over="ignore")


class Lens(Protocol):
    """What every lens can do."""

    def rays(self, plane: np.ndarray) -> np.ndarray:
        """(N, 2) places in the image plane -> (N, 3) unit rays, NaN where there is none."""

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points -> (N, 2) places in the image plane, NaN where they are not seen."""


def _ahead(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) places x/z, y/z; (N,) bool: before the camera."""
    z = points[:, 2]
    ahead = z > 0  # NaN is not
    return points[:, :2] / z[:, None], ahead


def _unit(plane: np.ndarray) -> np.ndarray:
    rays = _deep(plane)[:, 0]
    unit: np.ndarray = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return unit


def _least_root(polynomial: Poly) -> float:
    """The least positive real root, infinity without one; coefficients too small to count are left out."""
    roots = polynomial.trim(1e-12).roots()
    real = roots[np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))].real
    return float(min(real[real > 0], default=np.inf))


class Straight:
    """No distortion."""

    def rays(self, plane: np.ndarray) -> np.ndarray:
        """See :class:`Lens`."""
        return _unit(plane)

    def project(self, points: np.ndarray) -> np.ndarray:
        """See :class:`Lens`."""
        plane, ahead = _ahead(points)
        return np.where(ahead[:, None], plane, np.nan)


class Fisheye:
    """Equidistant with an odd polynomial of the angle (Kannala and Brandt 2006), as in cv2.fisheye.

    r = θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸); rays at 90° and beyond are fine, which cv2.fisheye cannot undo.

    Args:
        d: (4,) k1 … k4.
    """

    def __init__(self, d: np.ndarray) -> None:
        self._radius = Poly(np.array([0, 1, 0, d[0], 0, d[1], 0, d[2], 0, d[3]], np.float64))
        self._slope = self._radius.deriv()
        self.widest = min(_least_root(self._slope - _LEAST_SLOPE), np.pi - 1e-3)
        self._angles = np.linspace(0.0, self.widest, _TABLE)
        self._radii = self._radius(self._angles)

    def rays(self, plane: np.ndarray) -> np.ndarray:
        """See :class:`Lens`."""
        radius = np.linalg.norm(plane, axis=1)
        angle = np.interp(radius, self._radii, self._angles, right=np.nan)
        for _ in range(3):
            angle = np.minimum(angle - (self._radius(angle) - radius) / self._slope(angle), self.widest)
        across = np.where(radius > 0, np.sin(angle) / radius, 1.0)
        return np.column_stack([plane * across[:, None], np.cos(angle)])

    def project(self, points: np.ndarray) -> np.ndarray:
        """See :class:`Lens`."""
        across = np.linalg.norm(points[:, :2], axis=1)
        angle = np.arctan2(across, points[:, 2])
        scale = np.where(across > 0, self._radius(angle) / across, 1 / points[:, 2])
        seen = (angle <= self.widest + 1e-9) & ((across > 0) | (points[:, 2] > 0))
        return np.where(seen[:, None], points[:, :2] * scale[:, None], np.nan)


class Polynomial:
    """OpenCV's radial polynomial or ratio of two, with tangential, thin prism and tilt terms (Brown 1971).

    Args:
        d: (4, 5, 8, 12 or 14,) coefficients in OpenCV's order.
        focal: focal length of the image in pixels: what a difference in the plane means there.
    """

    def __init__(self, d: np.ndarray, focal: float) -> None:
        self._d = d
        self._close = 1e-6 / focal
        k = np.zeros(8)
        k[: min(len(d), 8)] = d[:8]
        upper, lower = Poly([1, k[0], k[1], k[4]]), Poly([1, k[5], k[6], k[7]])  # of r²
        s = Poly([0, 1])
        slope = (upper + 2 * s * upper.deriv()) * lower - 2 * s * upper * lower.deriv()
        turn = min(_least_root(slope - _LEAST_SLOPE * lower**2), _least_root(lower))
        self.widest = float(np.sqrt(turn))  # infinite for a lens that never turns back
        self._at = np.tan(np.linspace(0.0, np.arctan(min(self.widest, 1e3)), _TABLE))
        with quiet():
            self._radii = self._at * upper(self._at**2) / lower(self._at**2)
            self._surely = self._one_to_one()

    def _one_to_one(self) -> float:
        """Radius to which the derivative is well behaved in every direction: no need to look at it point by point."""
        angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        radii = np.linspace(0, min(self.widest, 10.0), 256)
        around = (radii[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)).reshape(-1, 2)
        derivative = self._distort(around)[1]
        poor = (np.linalg.det(derivative) <= 0.5 * _LEAST_SLOPE**2) | (np.trace(derivative, axis1=1, axis2=2) <= 0)
        rows = np.flatnonzero(poor.reshape(len(radii), -1).any(axis=1))
        return float(radii[max(rows[0] - 1, 0)] if len(rows) else radii[-1])

    def _distort(self, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) places without the distortion -> (N, 2) with it, and (N, 2, 2) its derivative."""
        found, derivative = cv2.projectPoints(_deep(plane), np.zeros(3), np.zeros(3), np.eye(3), self._d)
        derivative = derivative[:, 3:5].reshape(-1, 2, 2)  # by translation in x and y
        return found[:, 0], np.where(np.isfinite(derivative).all(axis=(1, 2), keepdims=True), derivative, 0.0)

    def _proper(self, plane: np.ndarray) -> np.ndarray:
        """(N,) bool: in the field where the distortion is one to one."""
        radius = np.linalg.norm(plane, axis=1)
        proper: np.ndarray = radius <= self.widest * (1 + 1e-9)
        doubtful = np.flatnonzero(proper & (radius > self._surely))
        for start in range(0, len(doubtful), _CHUNK):
            part = doubtful[start : start + _CHUNK]
            derivative = self._distort(plane[part])[1]
            proper[part] = (np.linalg.det(derivative) > 0) & (np.trace(derivative, axis1=1, axis2=2) > 0)
        return proper

    def project(self, points: np.ndarray) -> np.ndarray:
        """See :class:`Lens`."""
        plane, ahead = _ahead(points)
        seen = ahead & np.isfinite(plane).all(axis=1)
        plane = np.where(seen[:, None], plane, 0.0)
        seen &= self._proper(plane)
        found: np.ndarray = np.full(plane.shape, np.nan)
        if seen.any():
            moved = cv2.projectPoints(_deep(plane[seen]), np.zeros(3), np.zeros(3), np.eye(3), self._d)[0]
            found[seen] = moved[:, 0]
        return found

    def rays(self, plane: np.ndarray) -> np.ndarray:
        """See :class:`Lens`.

        OpenCV's fixed-point iteration first; where it has not come close or has left the field, Newton's, from the
        inverse of the radial part.
        """
        found = np.full(plane.shape, np.nan)
        within = np.isfinite(plane).all(axis=1)
        if within.any():
            stop = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 20, 1e-10)
            around = plane[within][:, None]
            found[within] = cv2.undistortPointsIter(around, np.eye(3), self._d, np.eye(3), np.eye(3), stop)[:, 0]
        again = self.project(_deep(found)[:, 0])
        far = within & ~(np.abs(again - plane).max(axis=1, initial=0.0) <= self._close)
        places = np.flatnonzero(far)
        for start in range(0, len(places), _CHUNK):
            part = places[start : start + _CHUNK]
            found[part] = self._newton(plane[part])
        return _unit(found)

    def _newton(self, plane: np.ndarray) -> np.ndarray:
        radius = np.linalg.norm(plane, axis=1)
        place: np.ndarray = plane * (np.interp(radius, self._radii, self._at) / np.maximum(radius, 1e-12))[:, None]
        for _ in range(_NEWTON_STEPS):
            moved, derivative = self._distort(place)
            steep = np.abs(np.linalg.det(derivative)) > 1e-9
            derivative[~steep] = np.eye(2)
            step = np.linalg.solve(derivative, (plane - moved)[..., None])[..., 0]
            length = np.linalg.norm(step, axis=1, keepdims=True)
            place = place + step * np.minimum(1.0, 0.5 / np.maximum(length, 1e-12))
        return place


def _deep(plane: np.ndarray) -> np.ndarray:
    """(N, 2) places -> (N, 1, 3) points one unit before the camera, as OpenCV takes them."""
    deep: np.ndarray = np.column_stack([plane, np.ones(len(plane))])[:, None]
    return deep
