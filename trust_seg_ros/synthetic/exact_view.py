"""A frame with exact geometry: drawn straight along the street, then taken by the mounted camera."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.synthetic.camera import Camera
from trust_seg_ros.synthetic.canvas import Canvas
from trust_seg_ros.synthetic.footprints import footprints
from trust_seg_ros.synthetic.ground_truth import DriveGround
from trust_seg_ros.synthetic.lane import Lane
from trust_seg_ros.synthetic.mounted import Mounted, View
from trust_seg_ros.synthetic.survey import Survey


class ExactView:
    """What the camera of a vehicle on ``lane`` sees."""

    def __init__(self, lane: Lane, mounted: Mounted) -> None:
        self.lane, self.mounted = lane, mounted
        self._view: View | None = None
        self._base = Pose()
        self._slope = 0.0

    def canvas(self, s: float) -> tuple[Canvas, Camera, float]:
        """What to draw into for the vehicle at ``s``, with which camera, and the place of that along the street."""
        self._base, self._slope = self.lane.base_in_fixed(s), self.lane.slope(s)
        self._view = self.mounted.view(self._base)
        camera = self._view.straight
        place = float((self._base @ self.mounted.pose).translation[0])
        return Canvas(*camera.size, survey=Survey(camera.size, camera)), camera, place

    def take(self, canvas: Canvas, objects: bool) -> tuple[Canvas, DriveGround]:
        """The picture that the camera takes of the canvas drawn last, with its ``objects`` or not; and its geometry."""
        view, survey = self._view, canvas.survey
        assert view is not None
        assert survey is not None
        taken = Canvas(*self.mounted.model.size)
        taken.image = np.asarray(cv2.remap(canvas.image, view.columns, view.rows, cv2.INTER_LINEAR), np.uint8)
        nearest = view.nearest()
        taken.truth = np.take(canvas.truth.reshape(-1, 3), nearest, axis=0)
        surfaces = np.take(survey.map, nearest)
        if objects:
            taken.objects = survey.objects(surfaces)
        depth = survey.depth(surfaces, view.across, view.down) * view.along
        ground = DriveGround(
            camera=self.mounted.model,
            pose=self.mounted.pose,
            base_in_fixed=self._base,
            plane=_road(self._base),
            slope=self._slope,
            depth=depth,
            footprints=footprints(survey, surfaces, self._base),
        )
        return taken, ground


def _road(base_in_fixed: Pose) -> GroundPlane:
    """The plane z = 0 of the fixed frame, in the base."""
    return GroundPlane(base_in_fixed.rotation[2], -float(base_in_fixed.translation[2]))
