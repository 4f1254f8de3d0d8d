"""Which surface each pixel of a drawn street shows, and what stands where: the source of exact depth and footprints.

A flat surface is a vector ``m``: a point of it on the ray (a, b, 1) to the right, down and ahead is 1 / (m · (a, b, 1))
metres ahead. So pixels need only the number of their surface, whatever camera looks at the street in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.synthetic.camera import Camera


@dataclass(frozen=True, eq=False)
class Standing:
    """What stands on the ground at ``corners`` (n, 2): metres right of the centre line, and along the street."""

    number: int
    kind: str
    class_id: int
    corners: np.ndarray
    height: float


def rectangle(left: float, right: float, near: float, far: float) -> np.ndarray:
    """Corners for :class:`Standing`, (4, 2)."""
    left, right = min(left, right), max(left, right)
    return np.array([[left, near], [right, near], [right, far], [left, far]], np.float64)


class Survey:
    """Surfaces of one picture, beside its canvas.

    Attributes:
        map: (H, W) int32 number of the surface that each pixel shows; 0 = without a distance.
        number: the surface that is drawn next.
        standing: what stands on the ground, in the order of drawing.
    """

    def __init__(self, size: tuple[int, int], camera: Camera) -> None:
        self.map = np.zeros(size, np.int32)
        self.number = 0
        self.standing: list[Standing] = []
        self._camera = camera
        self._owner = 0
        self._object = 0
        self._planes: list[tuple[float, float, float, float, float]] = [(0.0, 0.0, 0.0, 0.0, 0.0)]
        self._owners: list[int] = [0]
        self._objects: list[int] = [0]
        self._roofs: dict[int, tuple[float, float]] = {}

    def nothing(self) -> None:
        """What is drawn next has no distance and stands nowhere."""
        self.number = self._owner = self._object = 0

    def belongs(self, number: int) -> None:
        """What is drawn next belongs to the object ``number`` of the canvas, on the surface in use."""
        self._object = number
        if self.number:
            self._add(self._planes[self.number])

    def stands(self, standing: Standing) -> None:
        """The surfaces added next belong to ``standing``."""
        self.standing.append(standing)
        self._owner = len(self.standing)

    def flat(self, z: float) -> None:
        """What is drawn next faces the camera, z metres ahead."""
        self._add((0.0, 0.0, 1 / z, 1 / z, 1 / z))

    def wall(self, x: float, near: float, far: float) -> None:
        """What is drawn next is upright and along the street, x metres right of the centre line."""
        across = x - self._camera.x
        self._add((1 / across if abs(across) > 1e-6 else 0.0, 0.0, 0.0, 1 / far, 1 / near))

    def ground(self) -> None:
        """What is drawn next is the ground."""
        self._add((0.0, 1 / self._camera.height, 0.0, 1e-3, 1e3))

    def through(self, points: np.ndarray) -> None:
        """What is drawn next is flat, through the first three of the street points (n, 3)."""
        self.number = self.faces(points, np.array([[0, 1, 2]]), [(0, len(points))])

    def faces(self, points: np.ndarray, corners: np.ndarray, spans: Sequence[tuple[int, int]]) -> int:
        """Add one surface for each three of the street points (N, 3) that ``corners`` (n, 3) names.

        Args:
            points: street points; z metres ahead, above 0.
            corners: indices of three points of each surface, not in a line.
            spans: first and end index of all points of each surface, for its nearest and farthest.

        Returns:
            The number of the first; the others follow.
        """
        camera = self._camera
        q = points * (1.0, -1.0, 1.0) - (camera.x, -camera.height, 0.0)
        a, b, c = q[corners[:, 0]], q[corners[:, 1]], q[corners[:, 2]]
        normal = _cross(b - a, c - a)
        away = (normal * a).sum(1)
        inverse = 1 / points[:, 2]
        first = len(self._planes)
        for n, d, (start, stop) in zip(normal.tolist(), away.tolist(), spans, strict=True):
            part = inverse[start:stop]
            low, high = float(part.min()), float(part.max())
            # seen from the side, or cut to a line: nothing but its middle can be told
            m = [v / d for v in n] if abs(d) > 1e-6 else [0.0, 0.0, (low + high) / 2]
            if abs(m[1]) > abs(m[0]):
                self._roofs[len(self._planes)] = (float(q[start:stop, 0].min()), float(q[start:stop, 0].max()))
            self._planes.append((m[0], m[1], m[2], low, high))
        self._owners += [self._owner] * len(spans)
        self._objects += [self._object] * len(spans)
        return first

    def _add(self, plane: tuple[float, float, float, float, float]) -> None:
        self.number = len(self._planes)
        self._planes.append(plane)
        self._owners.append(self._owner)
        self._objects.append(self._object)

    def objects(self, surfaces: np.ndarray) -> np.ndarray:
        """Numbers of the objects, (H, W) int32, that pixels belong to which show ``surfaces``; 0 = none."""
        return np.take(np.array(self._objects, np.int32), surfaces)

    def depth(self, surfaces: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Metres ahead of pixels that show ``surfaces`` on the rays (across, down, 1), all (H, W); inf without one."""
        table = np.array(self._planes, np.float32)
        m = table[surfaces]
        inverse = m[..., 0] * across + m[..., 1] * down + m[..., 2]
        inverse = np.clip(inverse, m[..., 3], m[..., 4])
        self._within_roofs(inverse, surfaces, across, table[:, 3:])
        with np.errstate(divide="ignore"):
            found: np.ndarray = 1 / inverse
        return found

    def _within_roofs(self, inverse: np.ndarray, surfaces: np.ndarray, across: np.ndarray, bounds: np.ndarray) -> None:
        """Keep roofs and bonnets within their sides, in place.

        Seen as a thin line, a fraction of a pixel moves a point on their plane by metres, ahead and so to the side.
        """
        edges = np.full((len(self._planes), 2), np.nan, np.float32)
        for number, ends in self._roofs.items():
            edges[number] = ends
        roofs = np.isfinite(edges[:, 0])[surfaces]
        left, right = edges[surfaces[roofs]].T
        a, found = across[roofs], inverse[roofs]
        low, high = bounds[surfaces[roofs]].T
        with np.errstate(divide="ignore"):
            at_left, at_right = a / left, a / right
        least = np.maximum(np.where(right > 0, at_right, 0.0), np.where(left < 0, at_left, 0.0))
        most = np.minimum(np.where(left > 0, at_left, np.inf), np.where(right < 0, at_right, np.inf))
        inverse[roofs] = np.clip(np.minimum(np.maximum(found, least), most), low, high)

    def pixels(self, surfaces: np.ndarray) -> np.ndarray:
        """How many pixels of ``surfaces`` show each of ``standing``, (n,)."""
        shown = np.bincount(surfaces.ravel(), minlength=len(self._owners))
        counts = np.bincount(np.array(self._owners), weights=shown, minlength=len(self.standing) + 1)
        found: np.ndarray = counts[1:].astype(np.int64)
        return found


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        axis=1,
    )
