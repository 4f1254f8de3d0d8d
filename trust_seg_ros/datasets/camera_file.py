"""Reads camera calibrations as ROS' camera_calibration and camera_info_manager write them (YAML)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.ground.camera_info import CameraInfoFields
from trust_seg_ros.support.reading import shown
from trust_seg_ros.support.yaml_text import read_yaml

_MATRICES = {"camera_matrix": 9, "rectification_matrix": 9, "projection_matrix": 12}


def read_camera(path: Path) -> CameraInfoFields:
    """The fields of a CameraInfo from a calibration file.

    Raises:
        DatasetError: no such file, or an entry is missing or of another kind; the text names it.
    """
    content = read_yaml(path, "camera calibration", DatasetError)
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: no camera calibration; expected image_width, camera_matrix, … as ROS writes them")
    sizes = [_whole(content, name, path) for name in ("image_height", "image_width")]
    k, r, p = (_numbers(content, name, path, count) for name, count in _MATRICES.items())
    model = content.get("distortion_model", "")
    if not isinstance(model, str):
        raise DatasetError(f"{path}: distortion_model is {shown(model)}; expected a name such as plumb_bob")
    return CameraInfoFields(
        height=sizes[0],
        width=sizes[1],
        k=k,
        d=_numbers(content, "distortion_coefficients", path, None),
        distortion_model=model,
        r=r or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        p=p or (0.0,) * 12,
    )


def _whole(content: dict[str, Any], name: str, path: Path) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DatasetError(f"{path}: {name} is {shown(value)}; expected pixels, as ROS' camera_calibration writes them")
    return value


def _numbers(content: dict[str, Any], name: str, path: Path, count: int | None) -> tuple[float, ...]:
    """The ``data`` of a matrix; () if it is left out and may be."""
    if name not in content and name != "camera_matrix":
        return ()
    part = content.get(name)
    data = part.get("data") if isinstance(part, dict) else None
    if not isinstance(data, list) or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in data):
        raise DatasetError(f"{path}: {name} is {shown(part)}; expected rows, cols and data, a list of numbers")
    if count is not None and len(data) != count:
        raise DatasetError(f"{path}: {name} has {len(data)} numbers; expected {count}")
    return tuple(map(float, data))
