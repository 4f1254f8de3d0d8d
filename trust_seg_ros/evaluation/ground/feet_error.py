"""How far the feet of obstacles are off, relative to their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.ground.truth import FrameTruth
from trust_seg_ros.ground.caution import CautionMapper
from trust_seg_ros.ground.caution_frame import Feet
from trust_seg_ros.ground.hazards import AN_OBSTACLE, HazardMaps
from trust_seg_ros.ground.placing import GroundPlane
from trust_seg_ros.ground.roles import OBSTACLE
from trust_seg_ros.ground.view import GroundView

ROWS_APART = 8
"""A foot of the network's is matched to a true one of its column that is at most so many rows away."""


@dataclass(frozen=True, eq=False)
class FeetErrors:
    """Attributes:
    ranges: (m,) true range of each matched foot, metres from the point below the camera.
    errors: (m,) distance on the ground between foot and true foot, as a share of that range.
    feet: feet that were found; those without a true foot in their place are not matched.
    """

    ranges: np.ndarray
    errors: np.ndarray
    feet: int

    @classmethod
    def joined(cls, parts: list[FeetErrors]) -> FeetErrors:
        """All together."""
        return cls(
            np.concatenate([part.ranges for part in parts] or [np.zeros(0)]),
            np.concatenate([part.errors for part in parts] or [np.zeros(0)]),
            sum(part.feet for part in parts),
        )

    def between(self, near: float, far: float) -> np.ndarray:
        """Errors of the feet from ``near`` to ``far`` metres."""
        return self.errors[(self.ranges >= near) & (self.ranges < far)]


def true_maps(truth: FrameTruth) -> HazardMaps:
    """Hazards of a network that is always right and knows it."""
    obstacle = truth.role == OBSTACLE
    return HazardMaps(
        truth.role,
        np.where(obstacle, np.float32(1), np.float32(0)),
        truth.shot.labels,
        np.where(obstacle, np.uint8(AN_OBSTACLE), np.uint8(0)),
    )


def feet_errors(truth: FrameTruth, maps: HazardMaps, plane: GroundPlane, mapper: CautionMapper) -> FeetErrors:
    """Errors of the feet of one frame, placed on a plane.

    Args:
        truth: of the frame, on the judging grid.
        maps: hazards of the frame, from true or from predicted masks.
        plane: the ground that feet are placed on, in the base frame.
        mapper: finds them; it is reset.
    """
    ground = truth.shot.ground
    mapper.reset()
    feet = mapper.update(maps, GroundView(ground.camera, ground.pose, plane), None, truth.shot.stamp_ns).feet
    found = _matches(feet, truth, maps.size)
    matched = found >= 0
    true = truth.feet.points[found[matched]]
    ranges = np.linalg.norm(true[:, :2] - truth.view.foot[:2], axis=1)
    apart = np.linalg.norm(feet.points[matched, :2] - true[:, :2], axis=1)
    return FeetErrors(ranges, apart / ranges, len(feet))


def _matches(feet: Feet, truth: FrameTruth, grid: tuple[int, int]) -> np.ndarray:
    """(m,) number of the nearest true foot in the same column, -1 without one; feet lie on the judging grid."""
    height, width = truth.role.shape
    rows, columns = np.divmod(feet.pixels, grid[1])
    rows, columns = rows * height // grid[0], columns * width // grid[1]
    found = np.full(len(feet), -1)
    nearest = np.full(len(feet), ROWS_APART + 1)
    by_column: dict[int, list[int]] = {}
    for k, column in enumerate(truth.feet.pixels[:, 1].tolist()):
        by_column.setdefault(column, []).append(k)
    for i, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        for k in by_column.get(column, ()):
            apart = abs(int(truth.feet.pixels[k, 0]) - row)
            if apart < nearest[i]:
                found[i], nearest[i] = k, apart
    return found
