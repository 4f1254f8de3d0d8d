"""Which way is up, from an inertial measurement unit, while the vehicle neither turns nor brakes.

A vehicle that accelerates by 1 m/s² feels a slope of 5.8° that is not there. Measurements are therefore used only while
the felt acceleration is that of gravity within a few per cent and the vehicle does not turn, and are averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import Pose

GRAVITY = 9.81
_STALE_S = 10.0
_ENOUGH = 20


@dataclass(frozen=True)
class GravitySettings:
    """Settings of the mean.

    Attributes:
        smooth_s: time constant of the mean, seconds.
        tolerance: part by which the felt acceleration may differ from that of gravity.
        most_turn: radians per second from which on the vehicle turns.
    """

    smooth_s: float = 5.0
    tolerance: float = 0.03
    most_turn: float = 0.03

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise GroundError(f"{name} {value!r} of gravity: expected a number above 0")


class Gravity:
    """The mean direction against gravity in the base frame.

    Args:
        settings: of the mean.
    """

    def __init__(self, settings: GravitySettings | None = None) -> None:
        self._settings = settings or GravitySettings()
        self.reset()

    def reset(self) -> None:
        """Forget all: time has jumped, or the unit is another one."""
        self._mean, self._used, self._stamp_ns = np.zeros(3), 0, 0

    def add(self, acceleration: np.ndarray, turn: np.ndarray, pose: Pose, stamp_ns: int) -> None:
        """One measurement; what is no number, or felt while the vehicle moves unevenly, is left out.

        Args:
            acceleration: (3,) m/s² as sensor_msgs/Imu has it: upwards at rest.
            turn: (3,) rad/s.
            pose: takes the unit's frame into the base.
            stamp_ns: of the measurement.
        """
        s = self._settings
        felt = float(np.linalg.norm(acceleration))
        if not abs(felt / GRAVITY - 1) <= s.tolerance or not float(np.linalg.norm(turn)) <= s.most_turn:
            return
        dt = (stamp_ns - self._stamp_ns) / 1e9
        if not 0 <= dt <= _STALE_S:
            self._mean, self._used, dt = np.zeros(3), 0, 0.0
        share = max(1 - math.exp(-dt / s.smooth_s), 1 / (self._used + 1))
        self._mean = self._mean + share * (pose.rotation @ acceleration / felt - self._mean)
        self._used, self._stamp_ns = self._used + 1, stamp_ns

    def up(self, stamp_ns: int) -> np.ndarray:
        """(3,) unit vector against gravity in the base.

        Raises:
            GroundError: too few measurements at rest or even motion lately.
        """
        age = abs(stamp_ns - self._stamp_ns) / 1e9
        if self._used < _ENOUGH or age > _STALE_S:
            told = f", the last {age:.3g} s ago" if self._used else ""
            raise GroundError(
                f"gravity: {self._used} measurements of even motion{told}: at least {_ENOUGH}, not older than "
                f"{_STALE_S:g} s, are needed"
            )
        found: np.ndarray = self._mean / np.linalg.norm(self._mean)
        return found
