"""Where things are: poses of frames of reference, and the plane of the ground.

Frames follow REP 103 and REP 105: the base of the vehicle has x ahead, y to the left, z up; the camera's optical frame
has x to the right of the image, y down, z along the view.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.ground.errors import GroundError

_TOLERANCE = 1e-3


def _numbers(name: str, value: object, shape: tuple[int, ...]) -> np.ndarray:
    try:
        found = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise GroundError(f"{name} {value!r}: expected {shape} numbers") from None
    if found.shape != shape or not np.isfinite(found).all():
        raise GroundError(f"{name} {np.asarray(value).tolist()}: expected {shape} finite numbers")
    return found


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid transform that takes points of one frame into another: ``rotation @ point + translation``.

    Attributes:
        rotation: (3, 3) float64 rotation matrix.
        translation: (3,) float64, metres.

    Raises:
        GroundError: other shapes, numbers that are not finite, or no rotation.
    """

    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    translation: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        rotation = _numbers("rotation", self.rotation, (3, 3))
        translation = _numbers("translation", self.translation, (3,))
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > _TOLERANCE or np.linalg.det(rotation) < 0:
            raise GroundError(f"rotation {rotation.round(3).tolist()} of a pose: expected a rotation matrix")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)

    def __repr__(self) -> str:
        return f"Pose(translation={self.translation.round(3).tolist()}, rotation={self.rotation.round(3).tolist()})"

    @classmethod
    def from_quaternion(cls, quaternion: np.ndarray, translation: np.ndarray) -> Pose:
        """Of (x, y, z, w), as ROS writes it; its length need not be exactly 1.

        Raises:
            GroundError: a number is not finite, or the quaternion is (nearly) zero.
        """
        q = _numbers("quaternion", quaternion, (4,))
        length = float(np.linalg.norm(q))
        if abs(length - 1.0) > 0.1:
            raise GroundError(f"quaternion {q.tolist()} of a pose has length {length:.3g}, expected 1")
        x, y, z, w = q / length
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, translation)

    @classmethod
    def from_angles(cls, roll: float, pitch: float, yaw: float, translation: np.ndarray) -> Pose:
        """Rotation about x, then y, then z (fixed axes, as URDF and static_transform_publisher mean it), in radians."""
        _numbers("roll, pitch, yaw", [roll, pitch, yaw], (3,))
        (cr, sr), (cp, sp), (cy, sy) = ((np.cos(a), np.sin(a)) for a in (roll, pitch, yaw))
        about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
        about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        return cls(about_z @ about_y @ about_x, translation)

    def __matmul__(self, other: Pose) -> Pose:
        """First ``other``, then this."""
        return Pose(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def inverse(self) -> Pose:
        """The way back."""
        return Pose(self.rotation.T, -self.rotation.T @ self.translation)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points -> (N, 3) points of the other frame."""
        moved: np.ndarray = points @ self.rotation.T + self.translation
        return moved


OPTICAL = Pose(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]))
"""Takes points of an optical frame into a camera's frame with x along the view, y left, z up."""


@dataclass(frozen=True, eq=False)
class GroundPlane:
    """The ground in the base frame: all points x with ``normal · x = offset``.

    Attributes:
        normal: (3,) float64 unit vector, up: its z is positive.
        offset: metres of the plane above the origin of the base, along the normal.

    Raises:
        GroundError: a number is not finite, or the normal does not point up.
    """

    normal: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    offset: float = 0.0

    def __post_init__(self) -> None:
        normal = _numbers("normal", self.normal, (3,))
        _numbers("offset", [self.offset], (1,))
        length = float(np.linalg.norm(normal))
        if length < _TOLERANCE or normal[2] / length < 0.5:
            raise GroundError(f"normal {normal.tolist()} of the ground: expected a vector that points up, z above 0.5")
        object.__setattr__(self, "normal", normal / length)

    def above(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points of the base frame -> (N,) metres above the ground, negative below."""
        found: np.ndarray = points @ self.normal - self.offset
        return found

    def heights(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Height z in the base frame of the ground at places (x, y), in metres."""
        z: np.ndarray = (self.offset - self.normal[0] * x - self.normal[1] * y) / self.normal[2]
        return z
