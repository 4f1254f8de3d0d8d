"""Fields of the ground's topics → rclpy messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import PointCloud2, PointField

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.ground import OccupancyGridFields, PointCloudFields
from trust_seg_ros.node.messages import header_message


def grid_message(fields: OccupancyGridFields, header: HeaderFields) -> OccupancyGrid:
    """A map: the stamp of the header, the frame of the map. Nav2 refuses an orientation that is not of length 1."""
    msg = OccupancyGrid(header=header_message(replace(header, frame_id=fields.frame_id)))
    info = msg.info
    info.map_load_time = msg.header.stamp
    info.resolution = fields.resolution
    info.height, info.width = fields.data.shape
    info.origin.position.x, info.origin.position.y, info.origin.position.z = fields.origin
    info.origin.orientation.w = 1.0
    msg.data.frombytes(np.ascontiguousarray(fields.data, np.int8).data.cast("B"))
    return msg


def cloud_message(fields: PointCloudFields, header: HeaderFields) -> PointCloud2:
    """A cloud of points in one row: the stamp of the header, the frame of the points."""
    points = np.ascontiguousarray(fields.points)
    msg = PointCloud2(header=header_message(replace(header, frame_id=fields.frame_id)))
    msg.height, msg.width, msg.is_dense = 1, len(points), True
    msg.fields = [PointField(name=name, offset=at, datatype=kind, count=1) for name, at, kind in fields.layout]
    msg.point_step, msg.row_step = points.dtype.itemsize, points.nbytes
    msg.data.frombytes(points.tobytes())
    return msg


def ground_message(fields: OccupancyGridFields | PointCloudFields, header: HeaderFields) -> OccupancyGrid | PointCloud2:
    """The message of one topic of the ground."""
    return grid_message(fields, header) if isinstance(fields, OccupancyGridFields) else cloud_message(fields, header)
