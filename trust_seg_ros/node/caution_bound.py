"""The threshold on P(hazard) below which ground is free: as set, or by the bound on missed hazard cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.hazard_bound import HazardBound, MapConditions
from trust_seg_ros.ground.roles import FLAT, GROUND, IGNORED, ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.thresholds.calibration import Calibration


class CautionBound:
    """Finds the threshold for an alpha, once for each view and settings.

    Args:
        calibration: the loaded one; None without.
        roles: of the classes.
        names: of the classes, index = class id.
    """

    def __init__(self, calibration: Calibration | None, roles: ClassRoles, names: tuple[str, ...]) -> None:
        self._calibration = calibration
        self._classes = [
            tuple(name for i, name in enumerate(names) if roles.table[i] == role) for role in (GROUND, FLAT, IGNORED)
        ]
        self._found: tuple[tuple[object, ...], float] | None = None

    def check(self, alpha: float) -> None:
        """Look for the bound, where one is wanted.

        Raises:
            HazardBoundError: the calibration has none.
        """
        if alpha:
            HazardBound.of(self._calibration)

    def settings(self, settings: CautionSettings, alpha: float, view: GroundView) -> CautionSettings:
        """The settings with the threshold that keeps alpha; as they are for alpha = 0.

        Raises:
            HazardBoundError: the promise cannot be made; the text says why.
        """
        if not alpha:
            return settings
        key = (settings, alpha, view)
        if self._found is None or self._found[0] != key:
            running = self._conditions(settings, view)
            self._found = (key, HazardBound.of(self._calibration).threshold(alpha, running))
        return replace(settings, free_below=self._found[1])

    def _conditions(self, s: CautionSettings, view: GroundView) -> MapConditions:
        degrees = horizontal_view(view)
        ground, flat, ignored = self._classes
        return MapConditions(
            resolution_m=s.resolution_m,
            range_m=s.range_m,
            camera_height_m=(view.height, view.height),
            view_deg=(degrees, degrees),
            ground=ground,
            flat=flat,
            ignored=ignored,
            fused=s.fuse,
        )


def horizontal_view(view: GroundView) -> float:
    """The horizontal field of view in degrees, along the middle row of the image."""
    height, width = view.camera.size
    ends = view.camera.rays(np.array([[-0.5, (height - 1) / 2], [width - 0.5, (height - 1) / 2]]))
    x, z = ends[:, 0], ends[:, 2]
    return float(np.degrees(np.arctan2(x[1], z[1]) - np.arctan2(x[0], z[0])))
