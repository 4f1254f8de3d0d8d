"""A kinematic vehicle that keeps its lane: its speed follows a wish after a delay, and brakes at a constant rate."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from trust_seg_ros.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class VehicleSettings:
    """Attributes:
        speed: cruising speed in m/s; 30 km/h by default.
        brake: deceleration in m/s^2 while it brakes.
        accelerate: acceleration in m/s^2 back to cruising speed.
        delay_s: from the moment that a frame was taken until the brake grips: the camera's and the network's latency,
            and that of the brake.
        front_m: from the origin of the base frame to the front bumper.

    Raises:
        EvaluationError: a number is out of range.
    """

    speed: float = 30.0 / 3.6
    brake: float = 5.0
    accelerate: float = 1.5
    delay_s: float = 0.3
    front_m: float = 1.0

    def __post_init__(self) -> None:
        if not (self.speed > 0 and self.brake > 0 and self.accelerate > 0 and self.delay_s >= 0):
            raise EvaluationError(
                f"vehicle: speed {self.speed} m/s, brake {self.brake} and acceleration {self.accelerate} m/s^2, delay "
                f"{self.delay_s} s: expected positive numbers, and a delay of at least 0"
            )

    @property
    def stopping_m(self) -> float:
        """Way from the frame in which the wish to stop arises until the vehicle stands, at cruising speed."""
        return self.speed * self.delay_s + self.speed**2 / (2 * self.brake)


class Vehicle:
    """Where the vehicle is and how fast, frame by frame.

    Args:
        settings: of the vehicle.
        place: metres along the lane at the beginning, where it drives at cruising speed.
    """

    def __init__(self, settings: VehicleSettings, place: float = 0.0) -> None:
        self.settings, self.place, self.speed = settings, place, settings.speed
        self._wishes: deque[tuple[float, bool]] = deque()
        self._braking = False
        self._time = 0.0

    @property
    def stands(self) -> bool:
        """Whether it has stopped."""
        return self.speed == 0.0

    def advance(self, seconds: float, stop: bool) -> None:
        """Drive on for a time.

        Args:
            seconds: until the next frame, > 0.
            stop: what the frame of now asks for; it acts after the delay.
        """
        self._wishes.append((self._time + self.settings.delay_s, stop))
        end = self._time + seconds
        while self._wishes and self._wishes[0][0] < end - 1e-12:
            due, wish = self._wishes.popleft()
            self._roll(max(due, self._time))
            self._braking = wish
        self._roll(end)

    def _roll(self, until: float) -> None:
        """Move with the present wish, exactly: the speed changes at a constant rate, then stays."""
        seconds, self._time = until - self._time, until
        goal = 0.0 if self._braking else self.settings.speed
        rate = -self.settings.brake if self._braking else self.settings.accelerate
        changing = min((goal - self.speed) / rate, seconds) if (goal - self.speed) * rate > 0 else 0.0
        self.place += self.speed * changing + rate * changing**2 / 2
        reached = changing < seconds
        self.speed = goal if reached else self.speed + rate * changing
        self.place += self.speed * (seconds - changing)
