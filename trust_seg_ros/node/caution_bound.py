"""The threshold on P(hazard) below which ground is free: as set, or by the bound on missed hazard cells."""

from __future__ import annotations

from dataclasses import replace

from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.hazard_bound import HazardBound
from trust_seg_ros.ground.map_conditions import MapConditions
from trust_seg_ros.ground.roles import ClassRoles
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
        self._calibration, self._roles, self._names = calibration, roles, names
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
            running = MapConditions.of(view, settings, self._roles, self._names)
            self._found = (key, HazardBound.of(self._calibration).threshold(alpha, running))
        return replace(settings, free_below=self._found[1])
