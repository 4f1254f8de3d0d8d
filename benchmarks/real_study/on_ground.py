"""Photographs brought to the ground: are the feet of unknown objects, and of cars, ever free in the caution map?

Nobody knows these cameras. A view of 60 degrees, level, 1.5 m above a plane is assumed for all: metres are made up, but
whether the cell below an object is free does not depend on them much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet
from wrong_segments import street_photos

from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution import CautionMapper, CautionSettings
from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.hazards import hazard_maps
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.types import Frame, GridFrame, Wanted

RANGE_M, HEIGHT_M, VIEW_DEG = 30.0, 1.5, 60.0
SMALLEST = 0.0005
"""Share of the image that an object must cover."""
CAR, ROAD = 8, 3
JUDGES = ("classes alone", "with flags")


@dataclass(frozen=True)
class Photo:
    """A photograph and the truth of it: objects (H, W) bool, and road (H, W) bool or None where it is not labelled."""

    image: np.ndarray
    objects: np.ndarray
    road: np.ndarray | None


def measure(places: Places) -> list[Sheet]:
    """The sheet ``ground``."""
    pipeline = shipped.load(places.runs)
    roles = ClassRoles.of(pipeline.labels.names)
    table: dict[str, Numbers] = {}
    for title, photos in (("unknown objects", _unknown), ("cars", _cars)):
        table |= {
            f"{title}, {judge}": row for judge, row in _counted(photos(places, pipeline), pipeline, roles).items()
        }
    return [Sheet("ground", "The caution map of single photographs", "what stands there, map", table)]


def _unknown(places: Places, _: TrustPipeline) -> Iterator[Photo]:
    images = open_ood_images(str(places.data / "roadanomaly_open"))
    for k in range(len(images)):
        image, truth = images.read(k)
        yield Photo(image, truth == 1, None)


def _cars(places: Places, pipeline: TrustPipeline) -> Iterator[Photo]:
    folder = street_photos(places, pipeline)
    for sample in folder:
        image, labels = folder.read(sample)
        yield Photo(image, labels == CAR, labels == ROAD)


def _counted(photos: Iterator[Photo], pipeline: TrustPipeline, roles: ClassRoles) -> dict[str, Numbers]:
    feet: dict[str, list[tuple[int, int]]] = {judge: [] for judge in JUDGES}
    free: dict[str, list[int]] = {judge: [] for judge in JUDGES}
    road: dict[str, list[tuple[int, int]]] = {judge: [] for judge in JUDGES}
    for photo in photos:
        view = assumed_view(photo.image.shape[:2])
        pipeline.reset()
        result = pipeline(Frame(photo.image, 0), shipped.thresholds(), Wanted(pixel_flags=False)).on_grid
        for judge, judged in zip(JUDGES, (without_flags(result), result), strict=True):
            mapper = CautionMapper(CautionSettings(range_m=RANGE_M, width_m=2 * RANGE_M))
            found = mapper.update(hazard_maps(judged, roles), view, None, 0)
            free[judge].append(int(found.free.sum()))
            feet[judge] += [free_cells(found, view, pixels) for pixels in lowest_pixels(photo.objects)]
            if photo.road is not None:
                road[judge].append(free_cells(found, view, _coarse(photo.road)))
    return {judge: _row(feet[judge], free[judge], road[judge]) for judge in JUDGES}


def _row(feet: list[tuple[int, int]], free: list[int], road: list[tuple[int, int]]) -> Numbers:
    seen = np.array([one for one in feet if one[1]], float).reshape(-1, 2)
    share = seen[:, 0] / seen[:, 1]
    row: Numbers = {
        "objects": float(len(seen)),
        "foot cells free, %": float(seen[:, 0].sum() / seen[:, 1].sum()),
        "half of the foot free, %": float((share >= 0.5).mean()),
        "all of it free, %": float((share == 1.0).mean()),
        "free cells per photograph": float(round(np.mean(free))),
    }
    if road:
        row["cells of road free, %"] = sum(a for a, _ in road) / max(1, sum(b for _, b in road))
    return row


def assumed_view(size: tuple[int, int]) -> GroundView:
    """The camera that every photograph (H, W) is taken for."""
    focal = size[1] / 2 / np.tan(np.radians(VIEW_DEG / 2))
    pose = Pose(OPTICAL.rotation, np.array([0.0, 0.0, HEIGHT_M]))
    return GroundView(CameraModel.pinhole(size, focal), pose, GroundPlane())


def without_flags(result: GridFrame) -> GridFrame:
    """The same answer taken for true: classes only."""
    certain = replace(result.maps, entropy=result.maps.entropy * 0)
    return replace(result, maps=certain, trust=None, ood=None)


def lowest_pixels(objects: np.ndarray) -> Iterator[np.ndarray]:
    """Per object (8-connected), the lowest pixel of each of its columns: (n, 2) columns and rows."""
    number, ids, stats, _ = cv2.connectedComponentsWithStats(objects.astype(np.uint8), connectivity=8)
    for k in range(1, number):
        left, top, width, height, area = stats[k]
        if area < SMALLEST * objects.size:
            continue
        part = ids[top : top + height, left : left + width] == k
        rows = top + height - 1 - np.argmax(part[::-1], axis=0)
        yield np.stack([left + np.arange(width), rows], 1)


def _coarse(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask[::3, ::3])
    return np.stack([3 * columns, 3 * rows], 1)


def free_cells(found: CautionFrame, view: GroundView, pixels: np.ndarray) -> tuple[int, int]:
    """How many of the cells that pixels (n, 2) lie in on the ground are free, and how many they are, in the range."""
    rays = view.camera.rays(pixels.astype(float)) @ view.pose.rotation.T
    down = -rays[:, 2]
    points = HEIGHT_M * rays[:, :2] / np.where(down > 1e-3, down, np.nan)[:, None]
    near = np.hypot(*points.T) < RANGE_M
    cells = np.unique(np.floor((points[near] - found.origin) / found.resolution).astype(int), axis=0)
    shape = found.free.shape
    inside = (cells >= 0).all(1) & (cells[:, 1] < shape[0]) & (cells[:, 0] < shape[1])
    cells = cells[inside]
    return int(found.free[cells[:, 1], cells[:, 0]].sum()), len(cells)
