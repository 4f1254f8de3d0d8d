"""Points in space with what the judged frame says of them: of a depth image, or of a cloud of the same scene."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.view import image_point
from trust_seg_ros.types import GridFrame

LABELLED_POINT = np.dtype(
    {
        "names": ["x", "y", "z", "entropy", "p_wrong", "p_ood", "p", "class_id", "kind"],
        "formats": ["<f4"] * 7 + ["u1"] * 2,
        "itemsize": 32,
    }
)
"""Place in metres; entropy in [0, 1]; P(wrong) of the segment, NaN without one; P(OoD) of the OoD segment, 0 outside of
one, NaN where it was not judged; P(hazard); class id, 255 = none; kind of hazard, see ``hazards.KIND_NAMES``."""

_BLOCK = 4  # pixels of the judging grid along a side that share the nearest distance
_BEHIND_M, _BEHIND_SHARE = 0.5, 0.05
"""A point is hidden if it lies farther behind the nearest one of its block than this."""

_rays: WeakKeyDictionary[CameraModel, dict[tuple[int, int], np.ndarray]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class LabelledPoints:
    """Points that the camera sees.

    Attributes:
        points: (k,) of type ``LABELLED_POINT``, in the frame that the points were given in (the optical frame for a
            depth image).
        index: (k,) int64 numbers of these points in the cloud, or of pixels in the depth image, row by row.
    """

    points: np.ndarray
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"LabelledPoints({len(self)} points)"


def label_cloud(
    cloud: np.ndarray, cloud_in_optical: Pose, camera: CameraModel, result: GridFrame, maps: HazardMaps
) -> LabelledPoints:
    """The points of a cloud that the camera sees, with what the frame says of their pixels.

    Points out of the image go, and so do points behind others: more than 0.5 m and 5 % farther from the camera than
    the nearest of the same 4×4 pixels.

    Args:
        cloud: (N, 3) floating point, metres, in any frame; points that are not finite go.
        cloud_in_optical: takes points of that frame into the camera's optical frame, when the image was taken.
        camera: of the image.
        result, maps: of the judged frame, see ``hazards.hazard_maps``.

    Raises:
        GroundError: another shape.
    """
    cloud = np.asarray(cloud)
    if cloud.ndim != 2 or cloud.shape[1] != 3:
        raise GroundError(f"cloud {cloud.shape}: expected (N, 3) points")
    index = np.flatnonzero(np.isfinite(cloud).all(1))
    seen = cloud_in_optical.apply(cloud[index].astype(np.float64))
    pixels = camera.project(seen)
    inside = camera.inside(pixels)
    index, seen, pixels = index[inside], seen[inside], pixels[inside]
    (rows, columns), (height, width) = maps.size, camera.size
    row = np.clip((pixels[:, 1] + 0.5) * rows // height, 0, rows - 1).astype(np.int64)
    column = np.clip((pixels[:, 0] + 0.5) * columns // width, 0, columns - 1).astype(np.int64)
    kept = ~_behind_others(row // _BLOCK, column // _BLOCK, np.linalg.norm(seen, axis=1), maps.size)
    index = index[kept]
    return LabelledPoints(_labelled(cloud[index], row[kept] * columns + column[kept], result, maps), index)


def label_depth(depth: np.ndarray, camera: CameraModel, result: GridFrame, maps: HazardMaps) -> LabelledPoints:
    """The points of a depth image of the same camera, with what the frame says of their pixels.

    Args:
        depth: (h, w) of any size, aligned with the image: uint16 millimetres or floating-point metres along the
            optical axis; pixels of 0, below 0, or not finite have no point.
        camera: of the image.
        result, maps: of the judged frame, see ``hazards.hazard_maps``.

    Returns:
        Points in the optical frame.

    Raises:
        GroundError: another shape or type.
    """
    if depth.ndim != 2 or 0 in depth.shape or not (depth.dtype == np.uint16 or depth.dtype.kind == "f"):
        raise GroundError(
            f"depth image {depth.shape} of {depth.dtype}: expected (height, width) of uint16 millimetres (16UC1) or "
            "of floating-point metres (32FC1)"
        )
    metres = depth.astype(np.float64).ravel() / (1000.0 if depth.dtype == np.uint16 else 1.0)
    along = _along_axis(camera, (depth.shape[0], depth.shape[1]))
    with np.errstate(invalid="ignore"):
        index = np.flatnonzero(np.isfinite(metres) & (metres > 0) & np.isfinite(along[:, 0]))
    (rows, columns), (height, width) = maps.size, depth.shape
    row, column = np.divmod(index, width)
    pixel = ((2 * row + 1) * rows // (2 * height)) * columns + (2 * column + 1) * columns // (2 * width)
    return LabelledPoints(_labelled(along[index] * metres[index, None], pixel, result, maps), index)


def _along_axis(camera: CameraModel, size: tuple[int, int]) -> np.ndarray:
    """(h·w, 3) where each pixel looks, at a depth of 1; NaN where it looks aside or back. Kept with the camera."""
    kept = _rays.setdefault(camera, {})
    if size not in kept:
        row, column = (part.ravel() for part in np.indices(size))
        rays = camera.rays(image_point(row, column, size, camera.size))
        with np.errstate(divide="ignore", invalid="ignore"):
            kept.clear()  # a camera has one depth image
            kept[size] = np.where(rays[:, 2:] > 1e-3, rays / rays[:, 2:], np.nan)
    return kept[size]


def _behind_others(row: np.ndarray, column: np.ndarray, distance: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    columns = size[1] // _BLOCK + 1
    block = row * columns + column
    nearest = np.full((size[0] // _BLOCK + 1) * columns, np.inf)
    np.minimum.at(nearest, block, distance)
    found: np.ndarray = distance > nearest[block] * (1 + _BEHIND_SHARE) + _BEHIND_M
    return found


def _labelled(points: np.ndarray, pixel: np.ndarray, result: GridFrame, maps: HazardMaps) -> np.ndarray:
    found = np.zeros(len(points), LABELLED_POINT)
    for axis, name in enumerate("xyz"):
        found[name] = points[:, axis]
    found["entropy"] = result.maps.entropy.numpy().ravel()[pixel]
    found["class_id"], found["kind"] = maps.classes.ravel()[pixel], maps.kind.ravel()[pixel]
    found["p"] = maps.p.ravel()[pixel]
    table, trust, ood = result.segments, result.trust, result.ood
    found["p_wrong"] = np.nan
    if table is not None and trust is not None:
        found["p_wrong"] = np.concatenate([[np.nan], trust.p_wrong])[table.ids.ravel()[pixel]]
    found["p_ood"] = np.nan
    if ood is not None:
        p = np.full(len(ood.kept), np.nan) if ood.p_ood is None else ood.p_ood
        found["p_ood"] = np.concatenate([[0.0], p])[ood.ids.ravel()[pixel]]
    return found
