"""The bound on missed hazard cells: the threshold on P(hazard) below which a cell may count as free.

Conformal risk control (Angelopoulos et al. 2022). The loss of a frame is the share of its true hazard cells within
range that the map leaves free, 0 in a frame without any; it rises with the threshold. Frames of one drive resemble
each other, so what counts is the drive, with the mean loss of its frames. The promise: the expected loss of a drive
that is exchangeable with those of the calibration is at most alpha.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.ground.map_conditions import HazardBoundError, MapConditions
from trust_seg_ros.support.json_parts import JsonError, number, part
from trust_seg_ros.thresholds.calibration import Calibration
from trust_seg_ros.thresholds.curves import CurveError, RiskCurve, images_needed, least_alpha
from trust_seg_ros.types import Json

__all__ = ["DRIVE", "IMAGE", "UNITS", "HazardBound", "HazardBoundError", "MapConditions"]

VERSION = 1
"""Version of this part of a calibration file."""
DRIVE, IMAGE = UNITS = ("drive", "image")
"""What counts as one independent observation."""
_ANEW = "calibrate with data of this camera and these settings (trust-seg calibrate --hazards)"


@dataclass(frozen=True)
class HazardBound:
    """Mean loss of the calibration's drives against the threshold on P(hazard), and what it holds for.

    Attributes:
        curve: thresholds in [0, 1] with the mean share of hazard cells that is free below each; its ``images`` count
            the units.
        unit: one of ``UNITS``: what a loss was averaged over.
        made_for: camera and map that it holds for.
        frames, cells: how many frames it was made of, and how many true hazard cells they show.

    Raises:
        HazardBoundError: no such unit.
    """

    curve: RiskCurve
    unit: str
    made_for: MapConditions
    frames: int
    cells: int

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise HazardBoundError(f"unit {self.unit!r}: expected {' or '.join(UNITS)}")

    @classmethod
    def of(cls, calibration: Calibration | None) -> HazardBound:
        """From a loaded calibration file.

        Raises:
            HazardBoundError: it has no such part, or a damaged one.
        """
        if calibration is None or calibration.hazards is None:
            without = (
                "there is no calibration" if calibration is None else "the calibration says nothing of hazard cells"
            )
            raise HazardBoundError(
                f"no bound on missed hazard cells: {without}; make one with trust-seg calibrate DATASET --hazards, or "
                "set the threshold on P(hazard) as a number"
            )
        return cls.from_json(calibration.hazards)

    def threshold(self, alpha: float, running: MapConditions) -> float:
        """The largest threshold t on P(hazard) that keeps the promise: cells with P(hazard) < t may be free.

        Args:
            alpha: largest expected share of hazard cells left free, in (0, 1).
            running: camera and map that it is wanted for.

        Raises:
            HazardBoundError: the promise cannot be made; the text says why.
        """
        if differ := self.made_for.differences(running):
            raise HazardBoundError(f"no bound on missed hazard cells: {'; '.join(differ)}; {_ANEW}")
        try:
            needed = images_needed(alpha)
        except CurveError as error:
            raise HazardBoundError(f"hazard cells: {error}") from error
        units = self.curve.images
        if units < needed:
            raise HazardBoundError(
                f"no bound on missed hazard cells for alpha = {alpha:g}: it needs {needed} independent {self.unit}s, "
                f"the calibration has {units}; calibrate with more, or choose an alpha of at least "
                f"{math.ceil(1e4 * least_alpha(units)) / 1e4:g}"
            )
        found = self.curve.threshold(alpha)
        if not found > 0.0:
            raise HazardBoundError(
                f"no bound on missed hazard cells for alpha = {alpha:g}: even the lowest threshold on P(hazard) leaves "
                "too many of them free, so no cell could be; choose a larger alpha, or a network that sees them"
            )
        return found

    def describe(self) -> str:
        """For example ``40 drives, 1,920 frames, 301,004 hazard cells``."""
        plural = "" if self.curve.images == 1 else "s"
        return f"{self.curve.images} {self.unit}{plural}, {self.frames:,} frames, {self.cells:,} hazard cells"

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "version": VERSION,
            "unit": self.unit,
            "frames": self.frames,
            "cells": self.cells,
            "made_for": self.made_for.to_json(),
            "curve": self.curve.to_json(),
        }

    @classmethod
    def from_json(cls, data: Json) -> HazardBound:
        """Back from :meth:`to_json`.

        Raises:
            HazardBoundError: another version, or damaged.
        """
        if not isinstance(data, dict) or data.get("version") != VERSION:
            found = data.get("version") if isinstance(data, dict) else data
            raise HazardBoundError(
                f"hazard cells of the calibration: version {found!r}, this program reads {VERSION}; update it, or "
                "calibrate again with this one"
            )
        try:
            return cls(
                RiskCurve.from_json(part(data, "curve", dict)),
                part(data, "unit", str),
                MapConditions.from_json(part(data, "made_for", dict)),
                int(number(data, "frames")),
                int(number(data, "cells")),
            )
        except HazardBoundError:
            raise
        except (CurveError, JsonError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise HazardBoundError(
                f"hazard cells of the calibration: damaged ({error}); calibrate again with trust-seg calibrate"
            ) from error
