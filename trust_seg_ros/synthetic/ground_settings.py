"""The camera and the ground of a drive whose geometry is exact."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.synthetic.checks import SyntheticDriveError, check_range

LENSES = ("pinhole", "fisheye")
"""Names of the lenses: without distortion; equidistant, the angle grows with the distance from the centre."""

FRONT_AXLE_M = 2.7
"""Place of the front axle ahead of the origin of the base, which is on the ground below the rear axle."""

_WIDEST = {"pinhole": 110.0, "fisheye": 130.0}


@dataclass(frozen=True)
class GroundSettings:
    """Settings of a drive with exact depth, poses and footprints, see :class:`DriveGround`.

    The street of such a drive is straight, and camera and vehicle move through it as rigid bodies. The base has its
    origin on the ground below the rear axle, x ahead, y to the left, z up.

    Attributes:
        lens: one of ``LENSES``.
        fov_deg: horizontal field of view in degrees, from 30 to 110 (pinhole) or 130 (fisheye).
        height_m: height of the camera above the origin of the base, in [0.4, 3].
        ahead_m: place of the camera ahead of the origin of the base, in [-1, 4].
        pitch_deg: how far the camera looks down, in [-10, 20].
        roll_deg: how far the camera is turned clockwise about its view, in [-10, 10].
        slope: largest slope, in [0, 0.1], of the road ahead against the plane under the wheels; it changes smoothly
            along the street, up and down, around the front axle. Each frame says its own.
        sway: whether the body pitches and rolls a little (up to 0.4 degrees), which no mounting pose knows of.
        clear_lane: whether nothing but what ``on_lane`` names is on or crosses the lane of the vehicle.
        on_lane: places along the street, in metres, where an unknown object lies on the lane of the vehicle.

    Raises:
        SyntheticDriveError: a value is outside these ranges.
    """

    lens: str = "pinhole"
    fov_deg: float = 60.0
    height_m: float = 1.4
    ahead_m: float = 1.6
    pitch_deg: float = 3.0
    roll_deg: float = 0.0
    slope: float = 0.0
    sway: bool = False
    clear_lane: bool = False
    on_lane: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.lens not in LENSES:
            raise SyntheticDriveError(f"lens is {self.lens!r}; expected one of {', '.join(LENSES)}")
        check_range(f"fov_deg of a {self.lens} lens", self.fov_deg, 30.0, _WIDEST[self.lens])
        check_range("height_m", self.height_m, 0.4, 3.0)
        check_range("ahead_m", self.ahead_m, -1.0, 4.0)
        check_range("pitch_deg", self.pitch_deg, -10.0, 20.0)
        check_range("roll_deg", self.roll_deg, -10.0, 10.0)
        check_range("slope", self.slope, 0.0, 0.1)
        if not isinstance(self.on_lane, tuple):
            raise SyntheticDriveError(f"on_lane is {self.on_lane!r}; expected a tuple of places in metres")
        for place in self.on_lane:
            check_range("a place of on_lane", place, 0.0, 1e7)
