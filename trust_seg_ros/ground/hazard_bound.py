"""The bound on missed hazard cells: the threshold on P(hazard) below which a cell may count as free.

Conformal risk control (Angelopoulos et al. 2022). The loss of a frame is the share of its true hazard cells within
range that the map leaves free, 0 in a frame without any; it rises with the threshold. Frames of one drive resemble
each other, so what counts is the drive, with the mean loss of its frames. The promise: the expected loss of a drive
that is exchangeable with those of the calibration is at most alpha.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.support.json_parts import JsonError, number, pair, part, texts
from trust_seg_ros.thresholds.calibration import Calibration
from trust_seg_ros.thresholds.curves import CurveError, RiskCurve, images_needed, least_alpha
from trust_seg_ros.types import Json

VERSION = 1
"""Version of this part of a calibration file."""
DRIVE, IMAGE = UNITS = ("drive", "image")
"""What counts as one independent observation."""
_NEAR = 0.1
"""Share by which heights and fields of view of cameras may lie outside those of the calibration."""
_ANEW = "calibrate with data of this camera and these settings (trust-seg calibrate --hazards)"


class HazardBoundError(GroundError):
    """There is no threshold that keeps the chosen alpha here; the text says why, and what to do."""


@dataclass(frozen=True)
class MapConditions:
    """What the share of missed hazard cells depends on, besides the network.

    Attributes:
        resolution_m, range_m: side of a cell, and how far the map reaches.
        camera_height_m: lowest and highest camera above the ground.
        view_deg: narrowest and widest horizontal field of view, in degrees.
        ground, flat, ignored: names of the classes that may be driven on, that are flat, and that are left out.
        fused: whether cells remember earlier frames.

    Raises:
        HazardBoundError: a number is not positive, or not finite.
    """

    resolution_m: float
    range_m: float
    camera_height_m: tuple[float, float]
    view_deg: tuple[float, float]
    ground: tuple[str, ...]
    flat: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    fused: bool = True

    def __post_init__(self) -> None:
        for name in ("resolution_m", "range_m", "camera_height_m", "view_deg"):
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(math.isfinite(n) and n > 0 for n in numbers):
                raise HazardBoundError(f"{name} is {value}: expected positive numbers")

    @classmethod
    def over(cls, several: Iterable[MapConditions]) -> MapConditions:
        """Those of data of several cameras: all must agree but for heights and fields of view.

        Raises:
            HazardBoundError: they differ in anything else, or there is none.
        """
        given = [*several]
        if not given:
            raise HazardBoundError("no frame: expected data to calibrate the bound on missed hazard cells")
        first, *others = given
        heights, views = [*first.camera_height_m], [*first.view_deg]
        for other in others:
            if differ := [text for text in first._settings(other) if text]:
                raise HazardBoundError(f"calibration data with {'; '.join(differ)}: expected one kind of map")
            heights += other.camera_height_m
            views += other.view_deg
        return cls(
            first.resolution_m, first.range_m, (min(heights), max(heights)), (min(views), max(views)),
            first.ground, first.flat, first.ignored, first.fused,
        )  # fmt: skip

    def differences(self, running: MapConditions) -> list[str]:
        """In what ``running`` is not what these stand for, in words; [] = in nothing."""
        found = self._settings(running)
        found += _outside("camera at {} m above the ground", running.camera_height_m, self.camera_height_m)
        found += _outside("field of view of {}°", running.view_deg, self.view_deg)
        return found

    def _settings(self, running: MapConditions) -> list[str]:
        found = []
        for name, text in (("resolution_m", "cells of {:g} m"), ("range_m", "range of {:g} m")):
            mine, theirs = getattr(self, name), getattr(running, name)
            if not math.isclose(mine, theirs, rel_tol=1e-6):
                found.append(f"{text.format(theirs)}, calibrated {mine:g}")
        for name in ("ground", "flat", "ignored"):
            mine, theirs = sorted(getattr(self, name)), sorted(getattr(running, name))
            if mine != theirs:
                found.append(f"{name} classes {', '.join(theirs) or 'none'}, calibrated {', '.join(mine) or 'none'}")
        if self.fused != running.fused:
            words = {True: "fused over time", False: "of single frames"}
            found.append(f"map {words[running.fused]}, calibrated {words[self.fused]}")
        return found

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "resolution_m": self.resolution_m,
            "range_m": self.range_m,
            "camera_height_m": list(self.camera_height_m),
            "view_deg": list(self.view_deg),
            "ground": list(self.ground),
            "flat": list(self.flat),
            "ignored": list(self.ignored),
            "fused": self.fused,
        }

    @classmethod
    def from_json(cls, data: Json) -> MapConditions:
        """Back from :meth:`to_json`; raises JsonError or HazardBoundError if it is damaged."""
        (low, high), (narrow, wide) = pair(data, "camera_height_m"), pair(data, "view_deg")
        if not isinstance(fused := data.get("fused"), bool):
            raise HazardBoundError(f"fused is {fused!r}: expected true or false")
        return cls(
            number(data, "resolution_m"), number(data, "range_m"), (low, high), (narrow, wide),
            texts(data, "ground"), texts(data, "flat"), texts(data, "ignored"), fused,
        )  # fmt: skip


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


def _outside(text: str, running: tuple[float, float], calibrated: tuple[float, float]) -> list[str]:
    low, high = calibrated[0] * (1 - _NEAR), calibrated[1] * (1 + _NEAR)
    if low <= running[0] and running[1] <= high:
        return []
    return [f"{text.format(_range(running))}, calibrated {_range(calibrated)}"]


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g}" if math.isclose(ends[0], ends[1], rel_tol=5e-3) else f"{ends[0]:.3g} to {ends[1]:.3g}"
