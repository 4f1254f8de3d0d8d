"""What the share of missed hazard cells depends on, besides the network: the camera and the map."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.roles import FLAT, GROUND, IGNORED, ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.support.json_parts import number, pair, texts
from trust_seg_ros.types import Json

_NEAR = 0.1
"""Share by which heights and fields of view of cameras may lie outside those of the calibration."""


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
    def of(
        cls,
        view: GroundView,
        settings: CautionSettings,
        roles: ClassRoles,
        names: Sequence[str],
        fused: bool | None = None,
    ) -> MapConditions:
        """Those of a map of one camera.

        Args:
            view: the camera over the ground.
            settings: of the map.
            roles: of the network's classes.
            names: of the classes, in the order of their ids.
            fused: whether cells remember earlier frames; None = as ``settings`` say.
        """
        degrees = horizontal_view(view.camera)
        ground, flat, ignored = (
            tuple(name for i, name in enumerate(names) if roles.table[i] == role) for role in (GROUND, FLAT, IGNORED)
        )
        return cls(
            settings.resolution_m, settings.range_m, (view.height, view.height), (degrees, degrees),
            ground, flat, ignored, settings.fuse if fused is None else fused,
        )  # fmt: skip

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


def horizontal_view(camera: CameraModel) -> float:
    """The horizontal field of view in degrees, along the middle row of the image.

    Raises:
        HazardBoundError: the camera has no viewing ray at its sides.
    """
    height, width = camera.size
    ends = camera.rays(np.array([[-0.5, (height - 1) / 2], [width - 0.5, (height - 1) / 2]]))
    if not np.isfinite(ends).all():
        raise HazardBoundError(f"{camera} has no viewing ray at the sides of its image: its field of view is not known")
    left, right = np.arctan2(ends[:, 0], ends[:, 2])
    return float(np.degrees(right - left))


def _outside(text: str, running: tuple[float, float], calibrated: tuple[float, float]) -> list[str]:
    low, high = calibrated[0] * (1 - _NEAR), calibrated[1] * (1 + _NEAR)
    if low <= running[0] and running[1] <= high:
        return []
    return [f"{text.format(_range(running))}, calibrated {_range(calibrated)}"]


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g}" if math.isclose(ends[0], ends[1], rel_tol=5e-3) else f"{ends[0]:.3g} to {ends[1]:.3g}"
