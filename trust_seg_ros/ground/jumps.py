"""Poses that move farther than anything moves: a localisation that jumps, a tf with two publishers, a restart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import Pose


@dataclass(frozen=True)
class MotionLimits:
    """The fastest motion that is believed.

    Attributes:
        speed: metres per second.
        turn: radians per second.
        distance: metres that a pose may always move: its noise.
        angle: radians that it may always turn.
    """

    speed: float = 70.0
    turn: float = 2.0
    distance: float = 0.3
    angle: float = 0.05

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise GroundError(f"{name} {value!r} of the limits of motion: expected a number of at least 0")


FIXED = MotionLimits(0.0, 0.0, 0.02, 0.01)
"""For a camera that is mounted: 2 cm and 0.6° are allowed in all."""


def jumped(older: Pose, newer: Pose, dt_s: float, limits: MotionLimits | None = None) -> str | None:
    """Why the way from one pose to the next is none that a vehicle takes; None where it is.

    Args:
        older: pose in a fixed frame.
        newer: pose in the same frame.
        dt_s: seconds from one to the other.
        limits: of the vehicle.
    """
    limits = limits or MotionLimits()
    distance = float(np.linalg.norm(newer.translation - older.translation))
    cosine = (float(np.trace(older.rotation.T @ newer.rotation)) - 1) / 2
    angle = math.acos(min(max(cosine, -1.0), 1.0))
    dt_s = abs(dt_s)
    if distance > limits.distance + limits.speed * dt_s:
        return f"moved {distance:.3g} m in {dt_s:.3g} s: at most {limits.distance + limits.speed * dt_s:.3g} m expected"
    if angle > limits.angle + limits.turn * dt_s:
        allowed = math.degrees(limits.angle + limits.turn * dt_s)
        return f"turned {math.degrees(angle):.3g}° in {dt_s:.3g} s: at most {allowed:.3g}° expected"
    return None


class JumpWatch:
    """Compares each pose with the one before.

    Args:
        name: of the pose, for the reason.
        limits: of its motion.
    """

    def __init__(self, name: str, limits: MotionLimits | None = None) -> None:
        self._name, self._limits = name, limits or MotionLimits()
        self._last: tuple[Pose, int] | None = None

    def check(self, pose: Pose, stamp_ns: int) -> str | None:
        """The reason if this pose cannot follow the last one; the next one is compared with this one in any case."""
        last, self._last = self._last, (pose, stamp_ns)
        if last is None:
            return None
        why = jumped(last[0], pose, (stamp_ns - last[1]) / 1e9, self._limits)
        return f"{self._name} jumped: it {why}" if why else None

    def reset(self) -> None:
        """Forget the last pose."""
        self._last = None
