"""Settings of a drive, and one frame of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from trust_seg_ros.synthetic.checks import SyntheticDriveError, check_range
from trust_seg_ros.synthetic.ground_settings import GroundSettings
from trust_seg_ros.synthetic.ground_truth import DriveGround

CLASS_NAMES = (
    "Sky",
    "Building",
    "Pole",
    "Road",
    "Pavement",
    "Tree",
    "SignSymbol",
    "Fence",
    "Car",
    "Pedestrian",
    "Bicyclist",
)
"""The 11 CamVid classes in the order of their ids."""

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
NO_CLASS = 255

WEATHERS = ("clear", "overcast", "dusk", "rain", "fog", "night")
"""Names of the weathers."""

UNKNOWN_KINDS = (
    "deer",
    "cow",
    "dog",
    "sheep",
    "box",
    "tyre",
    "debris",
    "sofa",
    "ladder",
    "barrel",
    "ball",
    "crate",
    "suitcase",
    "trolley",
)
"""Names of the objects that belong to no class."""

MIN_SIDE, MAX_SIDE = 32, 8192


@dataclass(frozen=True)
class DriveSettings:
    """Settings that determine a drive completely.

    Attributes:
        size: (height, width) in pixels, each in [32, 8192].
        seed: any integer >= 0; another seed gives another street.
        fps: frames per second, > 0; frame i is at i / fps seconds.
        weather: one of ``WEATHERS``; None draws one from the seed.
        unknowns: kinds of unknown objects, out of ``UNKNOWN_KINDS``; None = all of them, () = none.
        unknown_rate: expected number of unknown objects between 4 and 50 metres ahead, in [0, 20].
        noise: strength of the camera's noise, 0 = none, 1 = as a mid-range camera; in [0, 5].
        traffic: density of cars, people and cyclists, 0 = none, 1 = usual; in [0, 2].
        speed: mean speed of the camera in m/s, in [0, 40].
        cameras: how much the camera differs from one behind a car's windscreen, in [0, 1]: 0 = not; 1 = from wide angle
            to tele, from a child's height to a lorry's, pitched, turned aside, in any lane or on the pavement.
        objects: whether frames say which object each pixel belongs to, a seventh more work; pictures and classes stay
            as they are.
        ground: asks for exact depth, poses and footprints, through a camera of its own (``cameras`` must be 0 then);
            None = not, and pictures as they always were.

    Raises:
        SyntheticDriveError: a value is outside these ranges.
    """

    size: tuple[int, int] = (384, 640)
    seed: int = 0
    fps: float = 20.0
    weather: str | None = None
    unknowns: tuple[str, ...] | None = None
    unknown_rate: float = 1.5
    noise: float = 1.0
    traffic: float = 1.0
    speed: float = 9.0
    cameras: float = 0.0
    objects: bool = False
    ground: GroundSettings | None = None

    def __post_init__(self) -> None:
        _check_size(self.size)
        if not isinstance(self.seed, Integral) or isinstance(self.seed, bool) or self.seed < 0:
            raise SyntheticDriveError(f"seed is {self.seed!r}; expected an integer >= 0")
        check_range("fps", self.fps, 1e-3, 1000.0)
        check_range("unknown_rate", self.unknown_rate, 0.0, 20.0)
        check_range("noise", self.noise, 0.0, 5.0)
        check_range("traffic", self.traffic, 0.0, 2.0)
        check_range("speed", self.speed, 0.0, 40.0)
        check_range("cameras", self.cameras, 0.0, 1.0)
        if self.weather is not None and self.weather not in WEATHERS:
            raise SyntheticDriveError(
                f"weather is {self.weather!r}; expected one of {', '.join(WEATHERS)}, or None to draw one"
            )
        if isinstance(self.unknowns, str):
            raise SyntheticDriveError(f"unknowns is the text {self.unknowns!r}; expected a tuple: ({self.unknowns!r},)")
        for kind in self.unknowns or ():
            if kind not in UNKNOWN_KINDS:
                raise SyntheticDriveError(f"unknown kind {kind!r}; there are: {', '.join(UNKNOWN_KINDS)}")
        if self.ground is not None:
            self._check_ground(self.ground)

    def _check_ground(self, ground: object) -> None:
        if not isinstance(ground, GroundSettings):
            raise SyntheticDriveError(f"ground is {ground!r}; expected GroundSettings or None")
        if self.cameras:
            raise SyntheticDriveError(f"cameras is {self.cameras!r} beside ground; expected 0: ground sets the camera")
        if ground.on_lane and not self.kinds:
            raise SyntheticDriveError(
                "on_lane names places of unknown objects but unknowns is (); for objects there and nowhere else set "
                "unknown_rate=0"
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of unknown objects in use."""
        return UNKNOWN_KINDS if self.unknowns is None else tuple(self.unknowns)


@dataclass(frozen=True)
class DriveObject:
    """One object of the drive.

    Attributes:
        number: its number, >= 1, the same in every frame that shows it.
        kind: a body of vehicles, person, cyclist, tree, pole, lamp, sign, light, post, plate (what a sign's or a
            traffic light's pole carries), or a kind of unknown objects.
        class_id: its class; 255 for unknown objects.
    """

    number: int
    kind: str
    class_id: int

    @property
    def unknown(self) -> bool:
        """Whether it belongs to no class."""
        return self.class_id == NO_CLASS


@dataclass(frozen=True)
class DriveFrame:
    """One picture of the drive and its ground truth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class ids; 255 exactly where an unknown object is seen.
        unknown: (H, W) uint8; 0 = no unknown object, i = the object ``unknown_kinds[i - 1]``.
        unknown_kinds: kind of every unknown object with at least one visible pixel.
        index: number of the frame.
        time_s: its time in seconds.
        weather: its weather.
        objects: (H, W) int64; 0 = no object (sky, ground, houses, fences, hedges), else the number of the vehicle,
            person, cyclist, tree, pole, sign or unknown object, which it keeps over the whole drive. None unless the
            settings ask for ``objects``.
        object_table: number -> the object, for all with at least one visible pixel. A pole and the sign on it are two.
        ground: the exact geometry of the frame; None unless the settings ask for ``ground``.
    """

    image: np.ndarray
    labels: np.ndarray
    unknown: np.ndarray
    unknown_kinds: tuple[str, ...]
    index: int
    time_s: float
    weather: str
    objects: np.ndarray | None = None
    object_table: Mapping[int, DriveObject] = field(default_factory=dict)
    ground: DriveGround | None = None


def _check_size(size: object) -> None:
    sides = size if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(isinstance(n, Integral) and MIN_SIDE <= int(n) <= MAX_SIDE for n in sides):
        raise SyntheticDriveError(
            f"size is {size!r}; expected (height, width), two integers from {MIN_SIDE} to {MAX_SIDE}"
        )
