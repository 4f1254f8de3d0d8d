"""Contents of the topics of the ground as plain data: the caution map, feet of hazards, free ground."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.labelled_points import LabelledPoints

UNKNOWN = -1
GRID, CLOUD = "nav_msgs/msg/OccupancyGrid", "sensor_msgs/msg/PointCloud2"

HAZARD_POINT = np.dtype(
    {
        "names": ["x", "y", "z", "p", "sigma", "class_id", "kind"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<f4", "u1", "u1"],
        "itemsize": 24,
    }
)
"""One foot: its place in metres, P(hazard), standard deviation of its range in metres, class id, kind of hazard."""

FREE_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("p", "<f4")])
"""The centre of one free cell in metres, and P(hazard) there."""

_DATATYPES = {"int8": 1, "uint8": 2, "int16": 3, "uint16": 4, "int32": 5, "uint32": 6, "float32": 7, "float64": 8}
"""NumPy's names -> constants of sensor_msgs/PointField."""


@dataclass(frozen=True)
class Frames:
    """Names of the tf frames that the messages are given in.

    Attributes:
        base: of the vehicle.
        fixed: in which the map stays in place; "" = there is none, and the map moves with the vehicle.
    """

    base: str
    fixed: str = ""

    def of_map(self, frame: CautionFrame) -> str:
        """The frame of a map."""
        return self.fixed if frame.in_fixed else self.base


@dataclass(frozen=True, eq=False)
class OccupancyGridFields:
    """nav_msgs/OccupancyGrid without its header's stamp.

    Attributes:
        frame_id: tf frame of the map.
        resolution: side of a cell in metres.
        origin: x, y, z of the outer corner of cell (0, 0) in that frame, in metres; the map is not turned.
        data: (rows, columns) int8, -1 = unknown, 0 to 100 = 100 P(hazard), where no cell that is not free has a value
            of a free one; rows along y, columns along x.
    """

    frame_id: str
    resolution: float
    origin: tuple[float, float, float]
    data: np.ndarray


@dataclass(frozen=True, eq=False)
class PointCloudFields:
    """sensor_msgs/PointCloud2 without its header's stamp.

    Attributes:
        frame_id: tf frame of the points.
        points: (n,) structured array; the names and types of its fields are those of the cloud.
    """

    frame_id: str
    points: np.ndarray

    @property
    def layout(self) -> tuple[tuple[str, int, int], ...]:
        """Name, offset in bytes and datatype (as sensor_msgs/PointField counts them) of every field."""
        kind = self.points.dtype
        places = {name: kind.fields[name] for name in kind.names or ()} if kind.fields else {}
        return tuple((name, int(at[1]), _DATATYPES[at[0].name]) for name, at in places.items())


@dataclass(frozen=True, kw_only=True)
class GroundOutput:
    """One topic of the ground.

    Attributes:
        build: makes the fields from a map and the names of its frames.
        text: what it contains, one line of Markdown.
        type: ``GRID`` or ``CLOUD``.
    """

    build: Callable[[CautionFrame, Frames], OccupancyGridFields] | Callable[[CautionFrame, Frames], PointCloudFields]
    text: str
    type: str = CLOUD


def caution(frame: CautionFrame, frames: Frames) -> OccupancyGridFields:
    """The map. Free cells, and no others, have values from 0 to below ``least_not_free``."""
    least, free = least_not_free(frame.free_below), frame.free
    values = np.maximum(frame.occupancy, np.int8(least))
    values[frame.occupancy < 0] = UNKNOWN
    np.minimum(frame.occupancy, np.int8(max(least - 1, 0)), out=values, where=free)
    x, y = frame.origin
    return OccupancyGridFields(frames.of_map(frame), frame.resolution, (float(x), float(y), 0.0), values)


def least_not_free(free_below: float) -> int:
    """The least value of a known cell that is not free, for a threshold on P(hazard) in [0, 1].

    What was seen as ground some time ago fades, but may still be below the threshold; by its value alone a consumer
    could not tell it from a free cell.
    """
    return math.ceil(100 * free_below - 1e-6)


def nothing_known(like: OccupancyGridFields) -> OccupancyGridFields:
    """The same map without any knowledge."""
    return replace(like, data=np.full_like(like.data, UNKNOWN))


def unknown_map(settings: CautionSettings, frames: Frames) -> OccupancyGridFields:
    """A map without any knowledge, ahead of the vehicle in its base frame: before there is a first one."""
    cell = settings.resolution_m
    rows, columns = math.ceil(settings.width_m / cell), math.ceil(settings.range_m / cell)
    cells = np.full((rows, columns), UNKNOWN, np.int8)
    return OccupancyGridFields(frames.base, cell, (0.0, -(rows // 2) * cell, 0.0), cells)


def hazards(frame: CautionFrame, frames: Frames) -> PointCloudFields:
    """The feet of this frame, in the base frame."""
    feet = frame.feet
    points = np.zeros(len(feet.p), HAZARD_POINT)
    points["x"], points["y"], points["z"] = feet.points.T
    points["p"], points["sigma"] = feet.p, feet.sigma_m
    points["class_id"], points["kind"] = feet.class_ids, feet.kinds
    return PointCloudFields(frames.base, points)


def free_space(frame: CautionFrame, frames: Frames) -> PointCloudFields:
    """The centres of the free cells, in the frame of the map."""
    places = frame.free_points()
    points = np.zeros(len(places), FREE_POINT)
    points["x"], points["y"], points["z"] = places.T
    points["p"] = frame.p[frame.free]
    return PointCloudFields(frames.of_map(frame), points)


GROUND_OUTPUTS: Mapping[str, GroundOutput] = {
    "caution": GroundOutput(
        build=caution,
        text="map of the ground, latched: 100 · P(hazard) of every cell, -1 where nothing is known "
        "([caution.md](caution.md))",
        type=GRID,
    ),
    "hazards": GroundOutput(
        build=hazards,
        text="feet of hazards in this frame: `x`, `y`, `z`, `p` = P(hazard), `sigma` (metres), `class_id`, `kind` "
        "(1 obstacle class, 2 unreliable, 3 out of distribution)",
    ),
    "free_space": GroundOutput(
        build=free_space, text="centres of the cells that are free: `x`, `y`, `z`, `p` = P(hazard)"
    ),
}
"""Name of the topic, relative to the node -> how to fill it. They exist with ``caution: on``."""

LABELLED_POINTS = "labelled_points"
"""Topic of the points of a depth image or a cloud; exists with ``caution.points``."""
_LABELLED_TEXT = (
    "with `caution.points`: points of a depth image or a cloud that the camera sees, in their own frame: `x`, `y`, "
    "`z`, `entropy`, `p_wrong`, `p_ood`, `p` = P(hazard), `class_id`, `kind`"
)


def labelled_points(points: LabelledPoints, frame_id: str) -> PointCloudFields:
    """Points with what the frame says of them, in the frame that they came in."""
    return PointCloudFields(frame_id, points.points)


def ground_topic_table() -> str:
    """The topics of the ground as a table of docs/topics.md."""
    rows = ["| topic | type | content |", "|---|---|---|"]
    texts = {name: (row.type, row.text) for name, row in GROUND_OUTPUTS.items()}
    texts[LABELLED_POINTS] = (CLOUD, _LABELLED_TEXT)
    rows += [f"| `~/{name}` | {kind.replace('/msg/', '/')} | {text} |" for name, (kind, text) in texts.items()]
    return "\n".join(rows) + "\n"
