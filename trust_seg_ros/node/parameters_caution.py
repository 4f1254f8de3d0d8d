"""Parameters of the caution map: the ground in front of the vehicle as cells, and where the camera stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.node.parameter import AT_ACTIVATE, AT_CONFIGURE, Parameter, ParameterError

_FRAME = r"[^/\s]\S*"
_FRAME_FORM = "the name of a tf frame, without a slash in front"
_CLASSES_FORM = "names of classes with commas between them"
_FARTHEST_M = 100.0


@dataclass(frozen=True)
class CautionNodeSettings:
    """What the parameters of the caution map say; each is described in ``CAUTION_PARAMETERS``.

    Attributes:
        on: whether there is a map.
        base_frame: tf frame of the vehicle; x ahead, y left, z up.
        fixed_frame: tf frame that frames are fused in; "" = every frame stands alone.
        extrinsics_from: ``tf`` or ``parameters``.
        camera_position, camera_angles: metres; roll, pitch, yaw in radians, of a frame with x along the view.
        image: ``auto``, ``raw`` or ``rectified``.
        camera_info_max_age_s: 0 = no limit.
        camera_info_scaled: whether images of another size than CameraInfo's are the whole picture shrunk or enlarged.
        tf_tolerance_s: largest difference between the stamps of an image and of the poses used for it.
        plane: ``fixed`` or ``estimated``.
        ground_height, ground_normal: the plane in the base frame: metres above its origin, and its upward direction.
        gravity: ``off`` or ``imu``.
        points: ``off``, ``depth`` or ``cloud``.
        points_tolerance_s: largest difference between the stamps of an image and of its points.
        map: extent, resolution and memory of the map.
        alpha: bound on the share of missed hazard cells; 0 = none.
        hold_s: seconds without a new map until an empty one is published; 0 = never.
        ground_classes, flat_classes, ignored_classes: names; None = the well-known ones.
    """

    on: bool = False
    base_frame: str = "base_link"
    fixed_frame: str = ""
    extrinsics_from: str = "tf"
    camera_position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    camera_angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image: str = "auto"
    camera_info_max_age_s: float = 1.0
    camera_info_scaled: bool = False
    tf_tolerance_s: float = 0.1
    plane: str = "fixed"
    ground_height: float = 0.0
    ground_normal: tuple[float, float, float] = (0.0, 0.0, 1.0)
    gravity: str = "off"
    points: str = "off"
    points_tolerance_s: float = 0.05
    map: CautionSettings = field(default_factory=CautionSettings)
    alpha: float = 0.0
    hold_s: float = 1.0
    ground_classes: tuple[str, ...] | None = None
    flat_classes: tuple[str, ...] | None = None
    ignored_classes: tuple[str, ...] | None = None

    def changed_to(self, now: CautionNodeSettings) -> CautionNodeSettings:
        """These settings, of an activation, with what takes effect at the next frame from the current ones."""
        current = {name: getattr(now, name) for name in _ANY_TIME}
        return replace(self, map=replace(now.map, fuse=self.map.fuse), **current)


_ANY_TIME = (
    "camera_position", "camera_angles", "tf_tolerance_s", "plane", "ground_height", "ground_normal", "hold_s",
)  # fmt: skip
_DEFAULT = CautionNodeSettings()
_IN_MAP = ("range_m", "width_m", "resolution_m", "decay_s", "free_below", "bonnet_share")


def _classes(which: str, meaning: str) -> Parameter:
    return Parameter(
        f"caution.{which}_classes",
        "",
        f"Classes {meaning}, with commas between them; empty: those of the usual names (docs/caution.md). A name that "
        "the network does not have is refused.",
        AT_CONFIGURE,
        pattern=r"[^,]+(,[^,]+)*|",
        form=f"{_CLASSES_FORM}, or empty",
    )


_WHERE = (
    Parameter(
        "caution.base_frame",
        _DEFAULT.base_frame,
        "Frame of the vehicle in tf, with x ahead, y to the left and z up.",
        AT_ACTIVATE,
        pattern=_FRAME,
        form=_FRAME_FORM,
    ),
    Parameter(
        "caution.fixed_frame",
        _DEFAULT.fixed_frame,
        "Frame in tf that stands still while the vehicle moves, such as `odom`: the map is fused over time in it. "
        "Empty: every frame is mapped by itself, in `caution.base_frame`.",
        AT_ACTIVATE,
        pattern=f"({_FRAME})?",
        form=f"{_FRAME_FORM}, or empty",
    ),
    Parameter(
        "caution.extrinsics_from",
        _DEFAULT.extrinsics_from,
        "Where the camera's pose on the vehicle comes from: `tf`, or `parameters` (`caution.camera_position` and "
        "`caution.camera_angles`).",
        AT_ACTIVATE,
        choices=("tf", "parameters"),
    ),
    Parameter(
        "caution.camera_position",
        list(_DEFAULT.camera_position),
        "With `caution.extrinsics_from: parameters`: x, y, z of the camera in `caution.base_frame`, in metres.",
        length=3,
        low=-_FARTHEST_M,
        high=_FARTHEST_M,
    ),
    Parameter(
        "caution.camera_angles",
        list(_DEFAULT.camera_angles),
        "With `caution.extrinsics_from: parameters`: roll, pitch and yaw of the camera in radians, as in a URDF; "
        "0, 0, 0 looks straight ahead, a positive pitch looks down.",
        low=-2 * math.pi,
        high=2 * math.pi,
        length=3,
    ),
    Parameter(
        "caution.image",
        _DEFAULT.image,
        "Whether `~/image` is as the camera made it (`raw`: the distortion of CameraInfo applies) or `rectified` (its "
        "matrix P applies). `auto`: rectified if the name of its topic says so (`image_rect…`), else raw.",
        AT_ACTIVATE,
        choices=("auto", "raw", "rectified"),
    ),
    Parameter(
        "caution.camera_info_max_age_s",
        _DEFAULT.camera_info_max_age_s,
        "A CameraInfo whose stamp is further from the image's than this is not used. 0: no limit, for a camera that "
        "sends it rarely.",
        AT_ACTIVATE,
        low=0.0,
        high=3600.0,
    ),
    Parameter(
        "caution.camera_info_scaled",
        _DEFAULT.camera_info_scaled,
        "Take images of another size than CameraInfo's for the whole picture shrunk or enlarged, where the ratio of "
        "the sides agrees. Otherwise they are refused: a part cut out would look the same.",
        AT_ACTIVATE,
    ),
    Parameter(
        "caution.tf_tolerance_s",
        _DEFAULT.tf_tolerance_s,
        "Where tf has no pose for the stamp of the image yet, the last motion is continued for so long, at most.",
        low=0.0,
        high=10.0,
    ),
)

_PLANE = (
    Parameter(
        "caution.plane",
        _DEFAULT.plane,
        "The plane of the ground: `fixed` (`caution.ground_height`, `caution.ground_normal`), or `estimated` from the "
        "road in the image, from how the ground moves in it where `caution.fixed_frame` is set, and from gravity, "
        "starting there.",
        choices=("fixed", "estimated"),
    ),
    Parameter(
        "caution.ground_height",
        _DEFAULT.ground_height,
        "Height of the ground in `caution.base_frame`, in metres: 0 where its origin lies on the ground, negative "
        "where it is above, such as in an axle.",
        low=-_FARTHEST_M,
        high=_FARTHEST_M,
    ),
    Parameter(
        "caution.ground_normal",
        list(_DEFAULT.ground_normal),
        "Direction that points up from the ground, in `caution.base_frame`; any length.",
        low=-1e3,
        high=1e3,
        length=3,
    ),
    Parameter(
        "caution.gravity",
        _DEFAULT.gravity,
        "With `caution.plane: estimated`: `imu` takes the direction of gravity from `~/imu` (sensor_msgs/Imu).",
        AT_ACTIVATE,
        choices=("off", "imu"),
    ),
)

_MAP = (
    Parameter(
        "caution.range_m",
        _DEFAULT.map.range_m,
        "How far the map reaches, in metres. The error of a foot grows with the square of its range.",
        low=1.0,
        high=200.0,
    ),
    Parameter(
        "caution.width_m",
        _DEFAULT.map.width_m,
        "Width of the map in metres. With `caution.fixed_frame` the map is a square of the larger of the two.",
        low=1.0,
        high=200.0,
    ),
    Parameter(
        "caution.resolution_m", _DEFAULT.map.resolution_m, "Side of a cell of the map in metres.", low=0.05, high=1.0
    ),
    Parameter(
        "caution.decay_s",
        _DEFAULT.map.decay_s,
        "Time constant in seconds of message time in which cells are forgotten: a cell is free only if it was seen "
        "within this time, and unknown after three times as long.",
        low=0.05,
        high=60.0,
    ),
    Parameter(
        "caution.free_below",
        _DEFAULT.map.free_below,
        "A cell is free only if trusted ground was seen there and P(hazard) is below this.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "caution.alpha",
        _DEFAULT.alpha,
        "Largest share of hazard cells that the map may leave free, on average: sets `caution.free_below` by the "
        "calibration (docs/caution.md). 0: no bound, `caution.free_below` as it is set.",
        AT_ACTIVATE,
        low=0.0,
        high=0.5,
    ),
    Parameter(
        "caution.hold_s",
        _DEFAULT.hold_s,
        "When no new map has been made for this many seconds, an empty one (all unknown) is published, as consumers "
        "keep the last one. 0: never.",
        low=0.0,
        high=60.0,
    ),
    _classes("ground", "that may be driven on"),
    _classes("flat", "that are flat but not driven on: neither free nor a hazard"),
    _classes("ignored", "that do not stand on the ground, such as the sky"),
    Parameter(
        "caution.bonnet_share",
        _DEFAULT.map.bonnet_share,
        "Share of the image's height, from below, that shows the vehicle itself: ignored.",
        low=0.0,
        high=0.5,
    ),
)

_POINTS = (
    Parameter(
        "caution.points",
        _DEFAULT.points,
        "What `~/labelled_points` labels: the points of a `depth` image of the same camera (`~/depth`, 16UC1 or 32FC1 "
        "of any resolution), or of a `cloud` (`~/points`, sensor_msgs/PointCloud2).",
        AT_ACTIVATE,
        choices=("off", "depth", "cloud"),
    ),
    Parameter(
        "caution.points_tolerance_s",
        _DEFAULT.points_tolerance_s,
        "Largest difference between the stamps of an image and of its points, in seconds.",
        AT_ACTIVATE,
        low=0.0,
        high=10.0,
    ),
)

CAUTION_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "caution",
        "off",
        "`on`: the node makes a map of the ground in front of the vehicle, `~/caution`, with `~/hazards` and "
        "`~/free_space`, from `~/camera_info` and the camera's pose (docs/caution.md).",
        AT_CONFIGURE,
        choices=("off", "on"),
    ),
    *_WHERE,
    *_PLANE,
    *_MAP,
    *_POINTS,
)


def caution_settings(v: Mapping[str, Any]) -> CautionNodeSettings:
    """The settings that these parameters give.

    Raises:
        ParameterError: a map of more cells than can be.
    """
    values = {p.name.removeprefix("caution."): v[p.name] for p in CAUTION_PARAMETERS}
    on = values.pop("caution") == "on"
    for name in ("camera_position", "camera_angles", "ground_normal"):
        values[name] = tuple(values[name])
    for name in ("ground_classes", "flat_classes", "ignored_classes"):
        values[name] = _names(values[name])
    try:
        the_map = CautionSettings(**{name: values.pop(name) for name in _IN_MAP}, fuse=bool(values["fixed_frame"]))
    except GroundError as error:
        raise ParameterError(str(error)) from error
    return CautionNodeSettings(on=on, map=the_map, **values)


def _names(text: str) -> tuple[str, ...] | None:
    """The names in a list with commas; None without any."""
    return tuple(name.strip() for name in text.split(",")) if text.strip() else None
