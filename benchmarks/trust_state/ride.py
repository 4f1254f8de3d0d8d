"""The real node with the camera of a synthetic drive at 10 Hz, and a planner that listens to ~/trust_state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from moody_networks import WELL
from ros_bench import LATCHED, Bench, NodeProcess

from trust_seg_ros.node.parameters import BY_NAME
from trust_seg_ros.synthetic.drive import SyntheticDrive
from trust_seg_ros.synthetic.settings import DriveSettings

RATE = 10.0
SIZE = (240, 320)
SHIPPED = {
    name: BY_NAME[name].default
    for name in BY_NAME
    if name.startswith("diagnostics.") or name in ("max_age_ms", "trust_state.image_checks")
}
"""What a user has who sets nothing; the tests' node has other defaults."""
_READY_S = 120.0


@dataclass(frozen=True)
class Heard:
    """One message of the trust state.

    Attributes:
        at: when it was received, by the clock of ``time.monotonic``.
        level: 0 to 2.
        values: key -> value.
    """

    at: float
    level: int
    values: dict[str, str]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Keys of the reasons."""
        return tuple(self.values["reasons"].split())


@dataclass
class Camera:
    """What the camera does to its images; faults change these fields.

    Attributes:
        picture: changes an image, given it; all images are changed beforehand, so that none is late for it.
        mood: code for the moody network of each image.
        skip: whether the image of this number is lost.
        stamp_ahead_s: added to the stamps.
        sends: whether anything comes at all.
        standing: whether one image is repeated.
        pictures: the images as they are sent, from :meth:`Ride.prepared`; () = as the drive shows them.
    """

    picture: Callable[[np.ndarray], np.ndarray] = lambda image: image
    mood: Callable[[int], int] = lambda _: WELL
    skip: Callable[[int], bool] = lambda _: False
    stamp_ahead_s: float = 0.0
    sends: bool = True
    standing: bool = False
    pictures: tuple[np.ndarray, ...] = ()


@dataclass
class Ride:
    """A node, its camera and its planner, from before a fault until it is closed."""

    parameters: dict[str, object] = field(default_factory=dict)
    weather: str = "overcast"
    frames: int = 40
    name: str = "trust_seg"
    deadline_s: float = BY_NAME["trust_state.deadline_ms"].default / 1e3

    def __post_init__(self) -> None:
        drive = SyntheticDrive(DriveSettings(size=SIZE, seed=3, weather=self.weather, fps=RATE))
        self._images = [np.ascontiguousarray(drive.frame(k).image) for k in range(self.frames)]
        self.node = NodeProcess(self.name, **SHIPPED | {"model": "moody_networks:moody"} | self.parameters)
        self.bench = Bench(self.name)
        self.camera, self.heard, self.sent = Camera(), [], []
        self._count, self._due = 0, 0.0
        self.bench.node.create_subscription(DiagnosticStatus, f"/{self.name}/trust_state", self._hear, LATCHED)
        self.bench.node.create_subscription(DiagnosticArray, f"/{self.name}/summary", lambda _: None, 10)
        self.bench.camera()

    def __enter__(self) -> Ride:
        return self

    def __exit__(self, *_: object) -> None:
        self.bench.close()
        self.node.kill()

    def until(self, condition: Callable[[], object], what: str, deadline_s: float = _READY_S) -> None:
        """Go on until the condition holds.

        Raises:
            TimeoutError: it did not.
        """
        end = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > end:
                last = self.heard[-1].values if self.heard else "nothing"
                raise TimeoutError(f"not within {deadline_s:.0f} s: {what}; the planner heard {last}")
            self._send()
            self.bench.executor.spin_once(timeout_sec=0.004)

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "the end", seconds + 60)

    def well(self, seconds: float = 4.0) -> None:
        """Run until the state has been NOMINAL for so long."""
        self.camera = Camera()
        self.until(
            lambda: self.heard and self.heard[-1].level == 0 and float(self.heard[-1].values["since_s"]) > seconds,
            "NOMINAL",
        )

    def prepared(self, camera: Camera) -> Camera:
        """The same with its images made."""
        return replace(camera, pictures=tuple(camera.picture(image) for image in self._images))

    def _send(self) -> None:
        now, camera = time.monotonic(), self.camera
        if not camera.sends or now < self._due:
            return
        self._due = max(self._due + 1 / RATE, now)
        self._count += 1
        if camera.skip(self._count):
            return
        place = 0 if camera.standing else self._count % (2 * len(self._images))
        place = min(place, 2 * len(self._images) - 1 - place)  # there and back
        picture = (camera.pictures or self._images)[place].copy()
        mood = camera.mood(self._count)
        if mood or not camera.standing:
            picture[0, 0] = mood
        stamp = divmod(time.time_ns() + round(camera.stamp_ahead_s * 1e9), 10**9)
        self.bench.send(picture, stamp=stamp)
        self.sent.append(now)

    def _hear(self, message: DiagnosticStatus) -> None:
        values = {pair.key: pair.value for pair in message.values}
        self.heard.append(Heard(time.monotonic(), message.level[0], values))
