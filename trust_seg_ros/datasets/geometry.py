"""Where the camera of a labelled data set stood: what is needed to find true hazard cells on the ground.

A file is YAML; paths in it count from its folder::

    camera: front.yaml      # as ROS' camera_calibration writes it
    rectified: false        # whether the images are rectified; default: false
    extrinsics: {x: 1.6, y: 0.0, z: 1.4, roll: 0.0, pitch: 0.05, yaw: 0.0}   # camera in the base frame: m, radians
    ground: {z: 0.0, pitch: 0.0, roll: 0.0}    # plane of the ground in the base frame; default: z = 0
    depth: depth            # folder with an image of depth per image; optional
    depth_unit: 0.001       # metres of a value of 16-bit PNG; .npy holds metres
    poses: poses.csv        # name,x,y,z,qx,qy,qz,qw: the base in a fixed frame, per image; optional
    hz: 10                  # images per second within a drive
    unit: drive             # or image: what is independent of each other; default: drive
    unlabelled: ignore      # or hazard: what pixels without a class are; default: ignore

The camera's frame has x along the view, y to the left, z up, as a camera_link; positive pitch looks down.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from trust_seg_ros.datasets.camera_file import read_camera
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.image_files import read_values
from trust_seg_ros.datasets.names import NamedFiles
from trust_seg_ros.ground.camera_info import CameraInfoFields, camera_model
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.hazard_bound import DRIVE, UNITS
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.support.reading import reading, shown
from trust_seg_ros.support.yaml_text import read_yaml

IGNORE, HAZARD = UNLABELLED_PIXELS = ("ignore", "hazard")
_KEYS = ("camera", "rectified", "extrinsics", "ground", "depth", "depth_unit", "poses", "hz", "unit", "unlabelled")
_PLACE = ("x", "y", "z", "roll", "pitch", "yaw")
_POSE_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw")


@dataclass(frozen=True, eq=False)
class Geometry:
    """Attributes:
    camera: fields of its CameraInfo.
    rectified: whether the images are rectified.
    pose: takes points of the optical frame into the base frame.
    plane: the ground.
    depth: files of depth by name; None = there are none.
    depth_unit: metres of a value of a 16-bit PNG.
    poses: name of the image -> base in the fixed frame; empty = not known.
    hz: images per second within a drive.
    unit: "drive" or "image": what is independent of each other.
    unlabelled: "ignore" or "hazard": what pixels without a class are.
    """

    camera: CameraInfoFields
    rectified: bool
    pose: Pose
    plane: GroundPlane = field(default_factory=GroundPlane)
    depth: NamedFiles | None = None
    depth_unit: float = 0.001
    poses: Mapping[str, Pose] = field(default_factory=dict)
    hz: float = 10.0
    unit: str = DRIVE
    unlabelled: str = IGNORE

    def model(self, size: tuple[int, int]) -> CameraModel:
        """The camera of images of ``size`` (H, W); raises GroundError where they cannot be this camera's."""
        return camera_model(self.camera, size, self.rectified)

    def depth_of(self, name: str, size: tuple[int, int]) -> np.ndarray | None:
        """(H, W) float32 metres along the view of the image ``name``, NaN = not known; None without depth.

        Raises:
            DatasetError: there is no file for this image, or it has another size.
        """
        if self.depth is None:
            return None
        files = (self.depth.find(PurePath(name + ending)) for ending in (".png", ".npy"))
        path = next((file for file in files if file is not None), None)
        if path is None:
            raise DatasetError(f"{self.depth.folder}: no depth for the image {name}; expected {name}.png or {name}.npy")
        if path.suffix.lower() == ".npy":
            with reading(path, "array of depth", DatasetError):
                found = np.load(path, allow_pickle=False).astype(np.float32)
        else:
            found = read_values(path).astype(np.float32) * np.float32(self.depth_unit)
        if found.shape != size:
            raise DatasetError(f"{path}: depth of shape {found.shape}; expected that of the image, {size}")
        found[~(found > 0)] = np.nan
        return found

    def pose_of(self, name: str) -> Pose | None:
        """The base in the fixed frame; None without poses.

        Raises:
            DatasetError: the file of poses lacks this image.
        """
        if self.poses and name not in self.poses:
            raise DatasetError(f"poses: none for the image {name}; expected a row for every image, or no poses")
        return self.poses.get(name)


def read_geometry(path: Path) -> Geometry:
    """The geometry of a data set from its file.

    Raises:
        DatasetError: no such file, or a malformed one; the text names the entry.
        GroundError: numbers that are no pose or no plane.
    """
    content = read_yaml(path, "geometry of a data set", DatasetError)
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: no geometry of a data set; expected at least camera and extrinsics")
    for key in content.keys() - set(_KEYS):
        raise DatasetError(f"{path}: {unknown('entry', key, _KEYS)}")
    folder = path.parent
    x, y, z, roll, pitch, yaw = (_number(content, "extrinsics", name, path) for name in _PLACE)
    ground = [_number(content, "ground", name, path) if "ground" in content else 0.0 for name in ("z", "roll", "pitch")]
    tilt = Pose.from_angles(ground[1], ground[2], 0.0, np.zeros(3))
    normal = tilt.rotation[:, 2]
    return Geometry(
        read_camera(folder / _text(content, "camera", path)),
        _one_of(content, "rectified", (False, True), path),
        Pose.from_angles(roll, pitch, yaw, np.array([x, y, z])) @ OPTICAL,
        GroundPlane(normal, float(ground[0] * normal[2])),
        NamedFiles(folder / _text(content, "depth", path)) if "depth" in content else None,
        _positive(content, "depth_unit", 0.001, path),
        _poses(folder / _text(content, "poses", path)) if "poses" in content else {},
        _positive(content, "hz", 10.0, path),
        _one_of(content, "unit", UNITS, path),
        _one_of(content, "unlabelled", UNLABELLED_PIXELS, path),
    )


def _poses(path: Path) -> dict[str, Pose]:
    found: dict[str, Pose] = {}
    with reading(path, "table of poses", DatasetError), path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = [name for name in ("name", *_POSE_COLUMNS) if name not in (rows.fieldnames or ())]
        if missing:
            raise DatasetError(f"{path}: no column {', '.join(missing)}; expected name, {', '.join(_POSE_COLUMNS)}")
        for row in rows:
            numbers = [float(row[name]) for name in _POSE_COLUMNS]
            found[row["name"]] = Pose.from_quaternion(np.array(numbers[3:]), np.array(numbers[:3]))
    if not found:
        raise DatasetError(f"{path}: no pose; expected a row for every image")
    return found


def _number(content: dict[str, Any], part: str, name: str, path: Path) -> float:
    """A number of a mapping; 0 where it is left out, as long as there is the mapping."""
    inner = content.get(part)
    if not isinstance(inner, dict) or inner.keys() - set(_PLACE):
        raise DatasetError(f"{path}: {part} is {shown(inner)}; expected a mapping of {', '.join(_PLACE)}")
    value = inner.get(name, 0.0)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise DatasetError(f"{path}: {name} of {part} is {shown(value)}; expected a number")
    return float(value)


def _positive(content: dict[str, Any], name: str, usual: float, path: Path) -> float:
    value = content.get(name, usual)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise DatasetError(f"{path}: {name} is {shown(value)}; expected a positive number")
    return float(value)


def _text(content: dict[str, Any], name: str, path: Path) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise DatasetError(f"{path}: {name} is {shown(value)}; expected the name of a file or folder")
    return value


def _one_of(content: dict[str, Any], name: str, choices: tuple[Any, ...], path: Path) -> Any:
    value = content.get(name, choices[0])
    if value not in choices or (isinstance(value, int) and not isinstance(value, bool)):
        words = " or ".join(str(choice).lower() for choice in choices)
        raise DatasetError(f"{path}: {name} is {shown(value)}; expected {words}")
    return value
