"""A vehicle at 30 km/h that stops by what a planner gets: what it stops before, and which stops are false.

Until the first stop the vehicle drives as in the recording, and a stop is held until it stands, as safety monitors do:
so the recorded frames are the frames of the closed loop, and where it comes to stand follows from its brake.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trust_seg_ros.evaluation.ground.stop_rule import StopMonitor, StopRule, Zone
from trust_seg_ros.evaluation.ground.vehicle import Vehicle, VehicleSettings
from trust_seg_ros.synthetic.ground_truth import DriveGround

AROUND_M, BEHIND_M = 0.3, 10.0
"""A stop is right if something stands in the zone, or so near to its side, or so far behind its end: an early stop."""
AGAIN_S = 5.0
"""After a false stop the vehicle has braked, stood and driven on; what asks for a stop until then is the same stop."""
_FARTHEST_M = 60.0


@dataclass(frozen=True, eq=False)
class Standing:
    """What stands ahead in the frames of a drive.

    Attributes:
        frames: (n,) int64 number of the frame of each row; a thing has a row in every frame.
        boxes: (n, 4) float64 nearest and farthest x, rightmost and leftmost y in the base frame.
        numbers: (n,) int64 number of the unknown object, 0 = something else.
        kinds: (n,) names.
    """

    frames: np.ndarray
    boxes: np.ndarray
    numbers: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of(cls, ground: DriveGround, frame: int = 0, ahead_m: float = 60.0, aside_m: float = 4.0) -> Standing:
        """From the footprints of one frame, those within the given distances."""
        boxes, numbers, kinds = [], [], []
        for one in ground.footprints:
            (x0, y0), (x1, y1) = one.polygon.min(0), one.polygon.max(0)
            if x1 > 0 and x0 < ahead_m and y0 < aside_m and y1 > -aside_m:
                boxes.append([x0, x1, y0, y1])
                numbers.append(one.number if one.unknown else 0)
                kinds.append(one.kind)
        return cls(
            np.full(len(boxes), frame), np.array(boxes, np.float64).reshape(-1, 4), np.array(numbers, np.int64),
            np.array(kinds, np.str_),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Iterable[Standing]) -> Standing:
        """Of all frames."""
        every = list(parts)
        return cls(*(np.concatenate([getattr(p, n) for p in every]) for n in ("frames", "boxes", "numbers", "kinds")))

    def within(self, zone: Zone, around: float = 0.0, behind: float = 0.0) -> np.ndarray:
        """(n,) bool, what reaches into a zone made larger to its sides and its far end."""
        x0, x1, y0, y1 = self.boxes.T
        inside: np.ndarray = (
            (x0 <= zone.end_m + behind)
            & (x1 >= zone.start_m)
            & (y0 <= zone.half_width_m + around)
            & (y1 >= -zone.half_width_m - around)
        )
        return inside


@dataclass(frozen=True, eq=False)
class Scene:
    """What is true of a zone over a drive.

    Attributes:
        near: (frames,) bool, something stands in or near the zone.
        rows: (n,) rows of ``standing`` that are unknown objects ahead on the lane, in order of time.
        near_rows: (n,) bool, those of them in or near the zone.
        standing: all.
    """

    near: np.ndarray
    rows: np.ndarray
    near_rows: np.ndarray
    standing: Standing

    @classmethod
    def of(cls, standing: Standing, zone: Zone, frames: int) -> Scene:
        """For a zone and a drive of so many frames."""
        close = standing.within(zone, AROUND_M, BEHIND_M)
        near = np.zeros(frames, bool)
        near[standing.frames[close]] = True
        ahead = standing.within(Zone(zone.start_m, _FARTHEST_M, zone.half_width_m))
        rows = np.flatnonzero((standing.numbers > 0) & ahead)
        return cls(near, rows, close[rows], standing)


@dataclass(frozen=True)
class Encounter:
    """One unknown object on the lane.

    Attributes:
        kind: of the object.
        gap: metres between bumper and object where the vehicle stands; negative: it would have stood so far behind the
            object's near edge; -inf: no stop at all.
        seen_at: metres between bumper and object in the frame that asked for the stop; NaN without.
    """

    kind: str
    gap: float
    seen_at: float

    @property
    def stopped(self) -> bool:
        """Whether the vehicle stands before the object."""
        return self.gap > 0


@dataclass(frozen=True)
class Drive:
    """What happened on one drive.

    Attributes:
        encounters: the unknown objects on the lane.
        false_stops: stops with nothing in or near the zone.
        seconds: time with nothing in or near the zone.
    """

    encounters: tuple[Encounter, ...]
    false_stops: int
    seconds: float


def counts(points: np.ndarray, zone: Zone, least_p: float, frames: int) -> np.ndarray:
    """(frames,) int64, points in the zone in every frame.

    Args:
        points: (m, 4) number of the frame, x, y, P(hazard).
        zone: what must be clear.
        least_p: points below are left out.
        frames: of the drive.
    """
    kept = zone.inside(points[:, 1:3]) & (points[:, 3] >= least_p)
    return np.bincount(points[kept, 0].astype(np.int64), minlength=frames)


def drive(found: np.ndarray, scene: Scene, rule: StopRule, vehicle: VehicleSettings, hz: float) -> Drive:
    """Drive once along a recording.

    Args:
        found: (frames,) points in the zone, see :func:`counts`.
        scene: what is true of the zone.
        rule: when to stop.
        vehicle: its speed must be that of the recording.
        hz: frames per second.
    """
    monitor = StopMonitor(rule)
    stops = np.array([monitor.frame(count) for count in found.tolist()], bool)
    begins = stops & ~np.concatenate([[False], stops[:-1]])
    quiet, false_stops = 0.0, 0
    for k in np.flatnonzero(begins & ~scene.near).tolist():
        if k / hz >= quiet:
            false_stops, quiet = false_stops + 1, k / hz + AGAIN_S
    return Drive(_encounters(scene, stops, vehicle, hz), false_stops, float((~scene.near).sum() / hz))


@lru_cache(maxsize=16)
def braking_way(settings: VehicleSettings, hz: float) -> float:
    """Metres from the frame that asks for a stop until the vehicle stands."""
    vehicle = Vehicle(settings)
    while not vehicle.stands:
        vehicle.advance(1 / hz, True)
    return vehicle.place


def stop_share(drives: Iterable[Drive]) -> tuple[int, int]:
    """How many objects were stopped before, and how many there were."""
    every = [one for drive in drives for one in drive.encounters]
    return sum(one.stopped for one in every), len(every)


def false_rate(drives: Iterable[Drive]) -> tuple[int, float]:
    """False stops, and the minutes in which there could have been one."""
    every = list(drives)
    return sum(one.false_stops for one in every), sum(one.seconds for one in every) / 60


def _encounters(scene: Scene, stops: np.ndarray, vehicle: VehicleSettings, hz: float) -> tuple[Encounter, ...]:
    """The first frame, if any, that asks for a stop with each object in or near the zone."""
    standing, way = scene.standing, braking_way(vehicle, hz)
    numbers, frames = standing.numbers[scene.rows], standing.frames[scene.rows]
    asked = stops[frames] & scene.near_rows
    found = []
    for number in dict.fromkeys(numbers.tolist()):
        mine = numbers == number
        kind = str(standing.kinds[scene.rows[mine][0]])
        first = np.flatnonzero(mine & asked)
        if not len(first):
            found.append(Encounter(kind, -np.inf, np.nan))
            continue
        ahead = float(standing.boxes[scene.rows[first[0]], 0]) - vehicle.front_m
        found.append(Encounter(kind, ahead - way, ahead))
    return tuple(found)
