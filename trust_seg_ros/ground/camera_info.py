"""From the fields of a sensor_msgs/CameraInfo to a camera, and everything that can be wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.camera_model import COEFFICIENTS, CameraModel
from trust_seg_ros.ground.errors import GroundError

_KNOWN = "plumb_bob, rational_polynomial, equidistant"
_SAME = {"": "none", "none": "none", "fisheye": "equidistant"}
_NARROWEST, _WIDEST = 100.0, 0.05  # focal lengths as parts of the larger side: 0.6° and a pinhole of 168°
_SEEN_PX = 1.0


@dataclass(frozen=True, eq=False)
class CameraInfoFields:
    """The fields of a sensor_msgs/CameraInfo as plain numbers.

    Attributes:
        height: rows of the full image that was calibrated.
        width: its columns.
        k: (9,) row by row.
        d: coefficients of the distortion.
        distortion_model: its name.
        r: (9,) row by row.
        p: (12,) row by row.
        binning_x: columns that were made one; 0 is the same as 1.
        binning_y: rows that were made one; 0 is the same as 1.
        roi: (x_offset, y_offset, height, width) in pixels of the full image; all 0 is the whole.
        frame_id: the camera's optical frame.
        stamp_ns: when the image was taken, nanoseconds.
    """

    height: int
    width: int
    k: tuple[float, ...]
    d: tuple[float, ...] = ()
    distortion_model: str = ""
    r: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    p: tuple[float, ...] = (0.0,) * 12
    binning_x: int = 0
    binning_y: int = 0
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    frame_id: str = ""
    stamp_ns: int = 0

    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images this belongs to: the region of interest, binned."""
        _, _, height, width = self.roi
        rows, columns = (height or self.height), (width or self.width)
        return rows // max(self.binning_y, 1), columns // max(self.binning_x, 1)

    def calibration(self) -> tuple[object, ...]:
        """All that a camera is made of, to see whether a message brings another one."""
        shape = (self.height, self.width, self.binning_x, self.binning_y, *self.roi)
        return (*shape, self.distortion_model, *self.k, *self.d, *self.r, *self.p)


def camera_model(
    info: CameraInfoFields, image_size: tuple[int, int], rectified: bool, *, scaled: bool = False
) -> CameraModel:
    """The camera of images of ``image_size``.

    Raw images go by K and D, rectified ones by P and R, without distortion: what ``image_proc`` writes.

    Args:
        info: the fields of the message.
        image_size: (height, width) of the images.
        rectified: whether they are rectified.
        scaled: whether images of another size are taken for the whole picture shrunk or enlarged, where the ratio of
            the sides agrees. Otherwise they are refused: a part cut out would look the same.

    Raises:
        GroundError: an uncalibrated camera, numbers that are not finite, an unknown distortion model or coefficients
            that do not fit it, focal lengths that no camera of pixels has, a principal point far outside, no P although
            the image is rectified, or another size; the text says which, and what to do.
    """
    _check_numbers(info)
    if info.height < 1 or info.width < 1:
        raise GroundError(
            f"CameraInfo is for images of {info.width}x{info.height}: expected a width and height above 0"
        )
    k = _matrix(info, rectified)
    _check_matrix(k, info, "P" if rectified else "K")
    if rectified:
        full = CameraModel((info.height, info.width), k, r=_rotation(info))
    else:
        distortion, d = _distortion(info)
        full = CameraModel((info.height, info.width), k, d, distortion)
    return _fitting(_windowed(full, info), image_size, scaled)


def _check_numbers(info: CameraInfoFields) -> None:
    for name, values, count in (("K", info.k, 9), ("R", info.r, 9), ("P", info.p, 12), ("D", info.d, None)):
        if count is not None and len(values) != count:
            raise GroundError(f"{name} of CameraInfo has {len(values)} numbers: expected {count}")
        if not np.isfinite(np.asarray(values, np.float64)).all():
            raise GroundError(f"{name} {list(values)} of CameraInfo: expected finite numbers; calibrate the camera")


def _matrix(info: CameraInfoFields, rectified: bool) -> np.ndarray:
    if not any(info.k):
        raise GroundError("K of CameraInfo is all zero: the camera is not calibrated (see camera_calibration)")
    if not rectified:
        return np.array(info.k, np.float64).reshape(3, 3)
    if not any(info.p):
        raise GroundError("P of CameraInfo is all zero: a rectified image needs it; take the raw image, or calibrate")
    return np.array(info.p, np.float64).reshape(3, 4)[:, :3]


def _check_matrix(k: np.ndarray, info: CameraInfoFields, name: str) -> None:
    side = max(info.height, info.width)
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    if not (_WIDEST * side <= fx <= _NARROWEST * side and _WIDEST * side <= fy <= _NARROWEST * side):
        raise GroundError(
            f"focal lengths {fx:g} and {fy:g} in {name} of CameraInfo for images of {info.width}x{info.height}: "
            f"expected pixels, {_WIDEST * side:g} to {_NARROWEST * side:g}"
        )
    if not (-0.5 * info.width <= cx <= 1.5 * info.width and -0.5 * info.height <= cy <= 1.5 * info.height):
        raise GroundError(
            f"principal point ({cx:g}, {cy:g}) in {name} of CameraInfo lies far outside the image of "
            f"{info.width}x{info.height}"
        )


def _rotation(info: CameraInfoFields) -> np.ndarray:
    return np.array(info.r, np.float64).reshape(3, 3) if any(info.r) else np.eye(3)


def _distortion(info: CameraInfoFields) -> tuple[str, np.ndarray]:
    name, d = info.distortion_model.strip(), np.array(info.d, np.float64)
    name = _SAME.get(name, name)
    if name == "none" and d.any():
        raise GroundError(
            f"D {list(info.d)} of CameraInfo without a distortion model to read it by: expected one of {_KNOWN}"
        )
    if name not in COEFFICIENTS:
        raise GroundError(
            f"distortion model {info.distortion_model!r} of CameraInfo is unknown: expected one of {_KNOWN}; "
            "or use the rectified image"
        )
    if name != "equidistant" and not d.any():
        return "none", np.zeros(0)
    return name, d


def _windowed(full: CameraModel, info: CameraInfoFields) -> CameraModel:
    """Of the region of interest, then binned: pixels of the full image are what K and P speak of."""
    x, y, height, width = info.roi
    size = (height or info.height, width or info.width)
    if x < 0 or y < 0 or x + size[1] > info.width or y + size[0] > info.height:
        raise GroundError(
            f"region of interest {width}x{height} at ({x}, {y}) of CameraInfo reaches out of the image of "
            f"{info.width}x{info.height}"
        )
    k = full.k.copy()
    k[:2, 2] -= x, y
    cut = CameraModel(size, k, full.d, full.distortion, full.r)
    binned = info.image_size()
    if min(binned) < 1:
        raise GroundError(f"binning {info.binning_x} by {info.binning_y} of CameraInfo leaves no image")
    return cut if binned == size else cut.resized(binned)


def _fitting(camera: CameraModel, size: tuple[int, int], scaled: bool) -> CameraModel:
    if len(size) != 2 or min(size) < 1:
        raise GroundError(f"image of size {size}: expected (height, width), both above 0")
    if tuple(size) == camera.size:
        return camera
    (height, width), (rows, columns) = camera.size, size
    ratio_agrees = abs(columns * height - rows * width) <= max(height, width) + 0.5
    text = f"wrong size: CameraInfo is for images of {width}x{height}, this one has {columns}x{rows}"
    if not ratio_agrees:
        raise GroundError(f"{text}, of another shape: expected the CameraInfo of this image")
    if not scaled:
        raise GroundError(f"{text}: expected the CameraInfo of this image, or that scaled images are allowed")
    return camera.resized((rows, columns))


def looks_rectified(topic: str) -> bool | None:
    """What the name of an image topic says: True for image_rect and the like, False for image_raw, None for others."""
    words = [word for part in reversed(topic.split("/")) for word in re.split(r"[_\W]+", part.lower())]
    for word in words:
        if word in {"rect", "rectified", "undistorted"}:
            return True
        if word in {"raw", "distorted", "unrectified"}:
            return False
    return None


def camera_remarks(info: CameraInfoFields, image_topic: str, rectified: bool) -> tuple[str, ...]:
    """What looks wrong about taking images of a topic for rectified or raw, though it need not be.

    It cannot be known from a CameraInfo which of the two an image is: the message describes both. What can be seen: the
    topic's name says otherwise; P was never set up although the lens distorts; a lens without any distortion under a
    raw topic. Where both readings agree to a pixel, a name that says otherwise is no remark.

    Args:
        info: fields from which ``camera_model`` makes a camera.
        image_topic: topic of the images, after remapping.
        rectified: what they are taken for.
    """
    apart = _apart(info)
    named = looks_rectified(image_topic)
    here, other = ("rectified", "raw") if rectified else ("raw", "rectified")
    found = []
    if named is not None and named != rectified and apart >= _SEEN_PX:
        found.append(
            f"images of {image_topic} are taken for {here}, the name says {other}: places at the edge would be wrong "
            f"by up to {apart:.0f} pixels"
        )
    if rectified and any(info.d) and _same_matrix(info) and named is not True:
        found.append(
            f"images of {image_topic} are taken for rectified, but CameraInfo has a distortion and P is K: they may "
            f"never have been rectified; places at the edge would be wrong by up to {apart:.0f} pixels"
        )
    if not rectified and named is False and not any(info.d) and info.distortion_model not in {"equidistant", "fisheye"}:
        found.append(
            f"CameraInfo of {image_topic} has no distortion: right for a simulated camera, but a real lens was not "
            "calibrated, or the CameraInfo of the rectified image is sent with the raw one"
        )
    if rectified and (info.p[3] or info.p[7]):
        found.append(
            "P of CameraInfo belongs to the second camera of a stereo pair: its frame "
            f"{info.frame_id!r} must be that of this camera, not of the first"
        )
    return tuple(found)


def _same_matrix(info: CameraInfoFields) -> bool:
    k, p = np.reshape(info.k, (3, 3)), np.reshape(info.p, (3, 4))[:, :3]
    return bool(np.abs(k - p).max() <= 1e-6 * np.abs(k).max())


def _apart(info: CameraInfoFields) -> float:
    """The most by which a pixel moves between the raw and the rectified image; 0 where one of them is not defined."""
    try:
        raw = camera_model(info, info.image_size(), False)
        rectified = camera_model(info, info.image_size(), True)
    except GroundError:
        return 0.0
    height, width = raw.size
    u, v = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    moved = np.linalg.norm(raw.project(rectified.rays(pixels)) - pixels, axis=1)
    return float(np.nanmax(moved)) if np.isfinite(moved).any() else float("inf")
