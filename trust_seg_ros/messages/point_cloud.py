"""The places in a sensor_msgs/PointCloud2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.errors import GroundError

_FLOATS = {7: "f4", 8: "f8"}


@dataclass(frozen=True, eq=False)
class RawCloud:
    """The fields of the message, as they came.

    Attributes:
        frame_id: tf frame of the points.
        stamp_ns: when they were measured.
        height, width: rows and columns of points.
        fields: (name, offset in bytes, datatype as sensor_msgs/PointField counts them) of every field.
        is_bigendian: order of bytes.
        point_step, row_step: bytes of a point and of a row.
        data: (n,) uint8.
    """

    frame_id: str
    stamp_ns: int
    height: int
    width: int
    fields: Sequence[tuple[str, int, int]]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: np.ndarray


def places(cloud: RawCloud) -> np.ndarray:
    """The (height * width, 3) x, y, z of all points, metres; some may not be finite.

    Raises:
        GroundError: no x, y or z of floating point, or fewer bytes than the points need; the text says which.
    """
    order, found = ">" if cloud.is_bigendian else "<", {name: (at, kind) for name, at, kind in cloud.fields}
    layout: dict[str, tuple[str, int]] = {}
    for name in "xyz":
        at, kind = found.get(name, (0, 0))
        if kind not in _FLOATS:
            have = ", ".join(found) or "none"
            raise GroundError(f"cloud refused: fields {have}, expected x, y and z of 32 or 64 bit floating point")
        layout[name] = (order + _FLOATS[kind], at)
    end = max(at + np.dtype(kind).itemsize for kind, at in layout.values())
    if cloud.point_step < end or cloud.row_step < cloud.width * cloud.point_step or min(cloud.height, cloud.width) < 0:
        raise GroundError(
            f"cloud refused: {cloud.width} points of {cloud.point_step} bytes in rows of {cloud.row_step}: expected "
            f"points of at least {end} bytes, and rows that hold them"
        )
    needed = cloud.row_step * cloud.height
    if len(cloud.data) < needed:
        raise GroundError(f"cloud refused: {len(cloud.data)} bytes, expected {needed} for its {cloud.height} rows")
    if not cloud.height * cloud.width:
        return np.zeros((0, 3))
    shape, strides = (cloud.height, cloud.width), (cloud.row_step, cloud.point_step)
    columns = [
        np.ndarray(shape, kind, buffer=cloud.data, offset=at, strides=strides).ravel() for kind, at in layout.values()
    ]
    return np.column_stack(columns).astype(np.float64)
