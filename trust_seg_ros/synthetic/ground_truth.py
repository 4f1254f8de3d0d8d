"""The exact geometry of one frame of a drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.placing import GroundPlane, Pose


@dataclass(frozen=True, eq=False)
class Footprint:
    """Where something stands on the ground.

    Attributes:
        number: number of the object as in ``DriveFrame.objects``; 0 = a house, fence or hedge, which have none.
        kind: kind of the object, or house, fence, hedge.
        class_id: its class; 255 for unknown objects.
        polygon: (n, 2) float64 corners (x, y) in the base frame, metres; convex. Flat figures (people, cyclists,
            animals, lost load) begin where they are drawn and have a depth as such things have; trees have that of
            their trunk.
        height: its height in metres.
        pixels: number of pixels that show it, of a sign or a traffic light with what its pole carries.
    """

    number: int
    kind: str
    class_id: int
    polygon: np.ndarray
    height: float
    pixels: int

    @property
    def unknown(self) -> bool:
        """Whether it belongs to no class."""
        return self.class_id == 255

    def __repr__(self) -> str:
        x, y = self.polygon.mean(0).round(2).tolist()
        return f"Footprint({self.kind} {self.number} at x={x}, y={y}, {self.pixels} pixels)"


@dataclass(frozen=True, eq=False)
class DriveGround:
    """The exact geometry of one frame.

    Frames: the base is fixed to the vehicle, with its origin on the ground below the rear axle, x ahead, y to the left,
    z up; in the fixed frame the road is the plane z = 0, x along the street, y to the left of its centre line.

    Attributes:
        camera: the camera's lens.
        pose: takes points of the camera's optical frame into the base; the same in all frames.
        base_in_fixed: takes points of the base into the fixed frame.
        plane: the road ahead in the base frame, exact.
        slope: slope of the road ahead against the plane under the wheels: 0.03 rises three metres in a hundred. What
            the body sways comes on top of it in ``plane``.
        depth: (H, W) float32 metres along the optical axis; infinite for sky and the backdrop behind the street.
        footprints: everything that stands on the ground from the camera to 140 metres ahead, whether seen or not.
    """

    camera: CameraModel
    pose: Pose
    base_in_fixed: Pose
    plane: GroundPlane
    slope: float
    depth: np.ndarray
    footprints: tuple[Footprint, ...]

    def __repr__(self) -> str:
        return f"DriveGround({self.camera!r}, slope={self.slope:.3f}, {len(self.footprints)} footprints)"
