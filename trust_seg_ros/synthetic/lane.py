"""The lane of the vehicle in a drive with exact geometry: where it leads, what is on it, and how the road tilts."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.synthetic import movers
from trust_seg_ros.synthetic.dice import Dice
from trust_seg_ros.synthetic.ground_settings import FRONT_AXLE_M, GroundSettings
from trust_seg_ros.synthetic.identities import object_number
from trust_seg_ros.synthetic.layout import Street
from trust_seg_ros.synthetic.unknowns import VARIANTS

CLEAR_M = 1.3
"""Half the width of what is kept clear: half a vehicle, how far it strays, and a hand's breadth."""

_SMOOTHED_M = 30.0
_FIRST_ON_LANE = 1 << 40
"""The unknown objects that settings put on the lane are numbered from here, apart from those of the street."""


class Lane:
    """The lane of one drive; all of it a pure function of seed, place and time."""

    def __init__(self, street: Street, settings: GroundSettings, start: float, speed: float) -> None:
        self.street, self.settings = street, settings
        self._speed = speed
        # ahead of the vehicle at any time, as its speed varies
        self._ahead = start + 1.6 * speed
        self._phases = np.random.default_rng([street.seed, 11]).uniform(0, 2 * np.pi, 6)

    def middle(self, s: float) -> float:
        """Metres right of the centre line where the vehicle drives at ``s``; it strays by a hand's breadth."""
        around = np.linspace(s - _SMOOTHED_M, s + _SMOOTHED_M, 13)
        lane = float(np.mean([min(self.street.half_at(float(at)) / 2, 2.2) for at in around]))
        return self.street.side * lane + 0.12 * float(np.sin(s / 43.0 + self._phases[0]))

    def slope(self, s: float) -> float:
        """Slope of the road ahead against the plane under the wheels, of a vehicle at ``s``."""
        p = self._phases
        return self.settings.slope * float(0.65 * np.sin(s / 23.0 + p[1]) + 0.35 * np.sin(s / 61.0 + p[2]))

    def base_in_fixed(self, s: float) -> Pose:
        """Pose of the vehicle with its rear axle at ``s``."""
        x, p = self.middle(s), self._phases
        yaw = float(np.arctan(self.middle(s - 0.5) - self.middle(s + 0.5)))
        pitch, roll = float(np.arctan(self.slope(s))), 0.0
        if self.settings.sway:
            pitch += 0.0035 * float(np.sin(s / 1.3 + p[3])) + 0.003 * float(np.sin(s / 5.1 + p[4]))
            roll += 0.005 * float(np.sin(s / 3.7 + p[5]))
        axle = np.array([FRONT_AXLE_M, 0.0, 0.0])
        level = Pose.from_angles(0.0, 0.0, yaw, np.array([s, -x, 0.0]))
        tilted = Pose.from_angles(roll, pitch, 0.0, axle) @ Pose(translation=-axle)
        return level @ tilted

    def clear(self, x: float, half_width: float, s: float) -> bool:
        """Whether something of this width at ``x``, ``s`` may be there: it does not touch what is kept clear."""
        return not self.settings.clear_lane or abs(x - self.middle(s)) > CLEAR_M + half_width

    def crowd(self, s: float, nearest: float, time_s: float, kinds: tuple[str, ...], rate: float) -> movers.Crowd:
        """What moves or is unknown, seen from ``s``; it does not depend on how the vehicle came there."""
        flow = self._ahead + self._speed * time_s
        vehicles = movers.vehicles(self.street, s, time_s, self._speed, flow)
        if self.settings.clear_lane:
            vehicles = [one for one in vehicles if not one.away]
        walkers = [
            one
            for one in movers.walkers(self.street, s, time_s, nearest, crossing=not self.settings.clear_lane)
            if self.clear(one.x, 0.4, one.s)
        ]
        unknown = movers.unknown_things(self.street, s, time_s, kinds, rate, nearest, self.clear)
        return movers.Crowd(vehicles, walkers + unknown + self._on_lane(s, nearest, kinds), self.clear)

    def _on_lane(self, s: float, nearest: float, kinds: tuple[str, ...]) -> list[movers.Walker]:
        found = []
        for k, at in enumerate(self.settings.on_lane):
            if nearest < at - s < 120.0:
                dice = Dice(self.street.seed, 12, k)
                x = self.middle(at) + dice.uniform(-0.5, 0.5)
                kind, look, flip, size = (
                    dice.choice(kinds), dice.integer(VARIANTS), dice.random() < 0.5, dice.uniform(0.85, 1.2),
                )  # fmt: skip
                number = object_number("unknown", _FIRST_ON_LANE + k)
                found.append(movers.Walker(kind, x, at, look, 0, flip, True, size, number))
        return found
