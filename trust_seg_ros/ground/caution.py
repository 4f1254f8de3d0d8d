"""The caution map: what is known of the ground around the vehicle, cell by cell, from judged frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.ground.caution_frame import CautionFrame, Feet
from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.cells import Placement, Window, observe
from trust_seg_ros.ground.fusion import FORGOTTEN_AFTER, Memory, fuse
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.jumps import jumped
from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.ground.scan import Scan, scan, shares_before
from trust_seg_ros.ground.table import LensTable, PolarTable, polar_table
from trust_seg_ros.ground.view import GroundView

__all__ = ["CautionFrame", "CautionMapper", "CautionSettings", "CautionState", "Feet"]

_TABLE_TOLERANCE = 0.1  # samples by which a kept polar table may be off


@dataclass(frozen=True, eq=False)
class CautionState:
    """What a mapper remembers, as plain data.

    Attributes:
        stamp_ns: of the last frame; None = none yet.
        base_in_fixed: where the vehicle was then; None = not known, or none yet.
        memory: the cells; None = none yet.
    """

    stamp_ns: int | None = None
    base_in_fixed: Pose | None = None
    memory: Memory | None = None


@dataclass(eq=False)
class CautionMapper:
    """Makes a caution map of every judged frame of one camera, and remembers cells between frames.

    Attributes:
        settings: may be replaced between frames; another extent or resolution begins the map anew.
        threads: how many threads work; None for one per core, at most 8.
    """

    settings: CautionSettings = field(default_factory=CautionSettings)
    threads: int | None = None
    _state: CautionState = field(default_factory=CautionState, init=False, repr=False)
    _lens: LensTable | None = field(default=None, init=False, repr=False)
    _table: tuple[PolarTable, tuple[float, ...]] | None = field(default=None, init=False, repr=False)

    def update(self, maps: HazardMaps, view: GroundView, base_in_fixed: Pose | None, stamp_ns: int) -> CautionFrame:
        """The map after a frame.

        Args:
            maps: of the judged frame, on its judging grid.
            view: the camera over the ground when the image was taken.
            base_in_fixed: the vehicle in a frame that does not move with it (odom); None = not known: the map is then
                in the base frame, and every frame stands alone.
            stamp_ns: when the image was taken.

        Raises:
            GroundError: the camera sees no ground within the range; the memory stays as it was.
        """
        s = self.settings
        table = self._polar_table(view, maps.size)
        sigma = math.hypot(s.foot_sigma_px * table.depression_step, math.radians(s.plane_sigma_deg))
        found = scan(table, maps, shares_before(sigma, table.depression_step), self.threads)
        feet = _feet(found, table, maps, view, sigma, s.range_m)
        base_in_map = Pose() if base_in_fixed is None else base_in_fixed
        window = _window(view, table, base_in_map, base_in_fixed is not None, s)
        step_s, reset = self._step(base_in_fixed, stamp_ns)
        memory = self._state.memory
        alone = bool(reset) or not s.fuse or base_in_fixed is None
        memory = Memory.empty(window) if alone or memory is None else memory.moved(window)
        observed = observe(
            found, table, Placement.of(view, table, base_in_map), window, view.height, s.range_m,
            base_in_map.apply(feet.points)[:, :2], feet.p, self.threads,
        )  # fmt: skip
        fused = fuse(memory, observed, step_s, s.decay_s, self.threads)
        self._state = CautionState(stamp_ns, base_in_fixed, memory)
        normal = base_in_map.rotation @ view.plane.normal
        return CautionFrame(
            occupancy=fused.occupancy,
            p=fused.p,
            seen=fused.seen,
            free_below=s.free_below,
            resolution=s.resolution_m,
            origin=window.origin,
            in_fixed=base_in_fixed is not None,
            plane=GroundPlane(normal, view.plane.offset + float(normal @ base_in_map.translation)),
            feet=feet,
            blind=found.blind,
            reset=reset,
            stamp_ns=stamp_ns,
        )

    def reset(self) -> None:
        """Forget all cells."""
        self._state = CautionState()

    def state(self) -> CautionState:
        """What is remembered; later frames do not change it."""
        state = self._state
        return state if state.memory is None else CautionState(state.stamp_ns, state.base_in_fixed, state.memory.copy())

    def load_state(self, state: CautionState) -> None:
        """Go on from what :meth:`state` gave."""
        memory = None if state.memory is None else state.memory.copy()
        self._state = CautionState(state.stamp_ns, state.base_in_fixed, memory)

    def _step(self, base_in_fixed: Pose | None, stamp_ns: int) -> tuple[float, str]:
        """Seconds since the last frame, and why the memory cannot be used; "" if it can, or there is none."""
        before = self._state
        if before.stamp_ns is None:
            return 0.0, ""
        step = (stamp_ns - before.stamp_ns) / 1e9
        if not self.settings.fuse:
            return 0.0, ""
        if step < 0:
            return 0.0, f"time went back by {-step:.3g} s"
        if step > FORGOTTEN_AFTER * self.settings.decay_s:
            return 0.0, f"no frame for {step:.3g} s"
        if base_in_fixed is None or before.base_in_fixed is None:
            known = "is not known" if base_in_fixed is None else "is known again"
            return 0.0, "" if base_in_fixed is before.base_in_fixed is None else f"the vehicle's place {known}"
        why = jumped(before.base_in_fixed, base_in_fixed, step)
        return step, f"the vehicle {why}" if why else ""

    def _polar_table(self, view: GroundView, grid: tuple[int, int]) -> PolarTable:
        s = self.settings
        if self._lens is None or not self._lens.fits(view.camera, grid):
            self._lens, self._table = LensTable.of(view.camera, grid), None
        made_for = (s.range_m, s.bonnet_share, view.height)
        if self._table is not None:
            table, numbers = self._table
            turned = np.abs(table.down - view.down).max() + np.abs(table.ahead - view.ahead).max()
            same = numbers[:2] == made_for[:2] and abs(numbers[2] / made_for[2] - 1) < 0.01
            if same and turned < _TABLE_TOLERANCE * table.depression_step:
                return table
        table = polar_table(view, self._lens, s.range_m, s.bonnet_share, self.threads)
        self._table = (table, made_for)
        return table


def _window(view: GroundView, table: PolarTable, base_in_map: Pose, fixed: bool, s: CautionSettings) -> Window:
    """The cells ahead of the camera, or around one that looks all round, aligned with the axes of the map's frame."""
    ahead = view.pose.rotation @ table.ahead
    centre = view.foot + (0.0 if table.closed else ahead * s.range_m / 2)
    if fixed:
        side = max(s.range_m, s.width_m)
        extent = (side, side)
    else:
        x, y = abs(ahead[0]), abs(ahead[1])
        extent = (x * s.range_m + y * s.width_m, y * s.range_m + x * s.width_m)
    return Window.around(base_in_map.apply(centre[None])[0, :2], extent, s.resolution_m)


def _feet(found: Scan, table: PolarTable, maps: HazardMaps, view: GroundView, sigma: float, range_m: float) -> Feet:
    """The feet of a scan within the range, in the base frame."""
    depression = table.first_depression - (found.samples - 0.5) * table.depression_step
    distance = view.height / np.tan(np.clip(depression, 1e-6, math.pi / 2))
    kept = distance <= range_m
    distance, pixels = distance[kept], found.pixels[kept]
    azimuth = table.first_azimuth + found.azimuths[kept] * table.azimuth_step
    ahead = view.pose.rotation @ table.ahead
    left = np.cross(view.plane.normal, ahead)
    points = view.foot + distance[:, None] * (np.cos(azimuth)[:, None] * ahead + np.sin(azimuth)[:, None] * left)
    return Feet(
        points=points,
        p=maps.p.ravel()[pixels],
        class_ids=maps.classes.ravel()[pixels],
        kinds=maps.kind.ravel()[pixels],
        sigma_m=(sigma * (distance**2 + view.height**2) / view.height).astype(np.float32),
        pixels=pixels,
    )
