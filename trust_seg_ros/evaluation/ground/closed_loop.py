"""A vehicle at 30 km/h that stops by what a planner gets: what it stops before, and which stops are false.

Until the first stop the vehicle drives as in the recording, and a stop is held until it stands, as safety monitors do:
so the recorded frames are the frames of the closed loop, and where it comes to stand follows from its brake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.ground.stop_rule import StopMonitor, StopRule, Zone
from trust_seg_ros.evaluation.ground.vehicle import Vehicle, VehicleSettings
from trust_seg_ros.synthetic.ground_truth import DriveGround

AROUND_M, BEHIND_M = 0.3, 10.0
"""A stop is right if something stands in the zone, or so near to its side, or so far behind its end: an early stop."""
AGAIN_S = 5.0
"""After a false stop the vehicle has braked, stood and driven on; what asks for a stop until then is the same stop."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one frame of one variant gives to the stop rule, and what is true.

    Attributes:
        points: (m, 2) float32 places in the base frame.
        p: (m,) float32 P(hazard).
    """

    points: np.ndarray
    p: np.ndarray


@dataclass(frozen=True, eq=False)
class Standing:
    """What stands ahead in one frame.

    Attributes:
        boxes: (n, 4) float64 nearest and farthest x, rightmost and leftmost y in the base frame.
        numbers: (n,) int64 number of the unknown object, 0 = something else.
        kinds: of each.
    """

    boxes: np.ndarray
    numbers: np.ndarray
    kinds: tuple[str, ...] = ()

    @classmethod
    def of(cls, ground: DriveGround, ahead_m: float = 40.0, aside_m: float = 4.0) -> Standing:
        """From the footprints of a frame, those within the given distances."""
        boxes, numbers, kinds = [], [], []
        for one in ground.footprints:
            (x0, y0), (x1, y1) = one.polygon.min(0), one.polygon.max(0)
            if x1 > 0 and x0 < ahead_m and y0 < aside_m and y1 > -aside_m:
                boxes.append([x0, x1, y0, y1])
                numbers.append(one.number if one.unknown else 0)
                kinds.append(one.kind)
        return cls(np.array(boxes, np.float64).reshape(-1, 4), np.array(numbers, np.int64), tuple(kinds))

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


@dataclass(frozen=True)
class Encounter:
    """One unknown object on the lane.

    Attributes:
        kind: of the object.
        gap: metres between bumper and object where the vehicle stands; negative = it would have been hit, by so much
            of the braking distance; -inf = no stop at all.
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


def drive(
    evidence: Sequence[Evidence], standing: Sequence[Standing], rule: StopRule, vehicle: VehicleSettings, hz: float
) -> Drive:
    """Drive once along a recording.

    Args:
        evidence, standing: of its frames.
        rule: when to stop.
        vehicle: its speed must be that of the recording.
        hz: frames per second.
    """
    monitor = StopMonitor(rule)
    counts = [rule.count(one.points, one.p) for one in evidence]
    asked, quiet, false_stops, clear = -np.inf, 0.0, 0, 0
    found: dict[int, Encounter] = {}
    met: dict[int, tuple[str, float]] = {}
    for k, (count, there) in enumerate(zip(counts, standing, strict=True)):
        before = monitor.stop
        stop = monitor.frame(count)
        near = there.within(rule.zone, AROUND_M, BEHIND_M)
        ahead = there.boxes[:, 0] - vehicle.front_m if len(there.boxes) else np.zeros(0)
        on_lane = there.within(Zone(rule.zone.start_m, 60.0, rule.zone.half_width_m))
        for i in np.flatnonzero((there.numbers > 0) & on_lane):
            met.setdefault(int(there.numbers[i]), (there.kinds[i], float(ahead[i])))
        if not near.any():
            clear += 1
        if stop and not before:
            if near.any():
                asked = k
            elif k / hz >= quiet:
                false_stops += 1
                quiet = k / hz + AGAIN_S
        if stop and asked >= 0:
            for i in np.flatnonzero((there.numbers > 0) & near & on_lane):
                number = int(there.numbers[i])
                if number not in found:
                    found[number] = Encounter(there.kinds[i], _gap(float(ahead[i]), vehicle, hz), float(ahead[i]))
    encounters = tuple(found.get(number, Encounter(kind, -np.inf, np.nan)) for number, (kind, _) in met.items())
    return Drive(encounters, false_stops, clear / hz)


def _gap(ahead: float, settings: VehicleSettings, hz: float) -> float:
    """Where the vehicle comes to stand before an object that is ``ahead`` metres from the bumper now."""
    vehicle = Vehicle(settings)
    while not vehicle.stands:
        vehicle.advance(1 / hz, True)
    return ahead - vehicle.place


def stop_share(drives: Iterable[Drive]) -> tuple[int, int]:
    """How many objects were stopped before, and how many there were."""
    every = [one for drive in drives for one in drive.encounters]
    return sum(one.stopped for one in every), len(every)


def false_rate(drives: Iterable[Drive]) -> tuple[int, float]:
    """False stops, and the minutes in which there could have been one."""
    every = list(drives)
    return sum(one.false_stops for one in every), sum(one.seconds for one in every) / 60
