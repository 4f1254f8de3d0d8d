"""``~/labelled_points``: points of a depth image or of a cloud, with what the judged frame says of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image, PointCloud2

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.labelled_points import LabelledPoints, label_cloud, label_depth
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import RawImage
from trust_seg_ros.messages.point_cloud import RawCloud, places
from trust_seg_ros.node.conversions import read_image
from trust_seg_ros.types import GridFrame

DEPTH, CLOUD = "~/depth", "~/points"
_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
_KEPT = 10
_DEPTH_TYPES = {"16UC1": "u2", "32FC1": "f4"}


@dataclass(frozen=True)
class Labelled:
    """Points and the header of the message that they came with."""

    points: LabelledPoints
    header: HeaderFields


class PointsTopic:
    """The newest depth images or clouds. They come in the executor; the worker looks for the one of its image.

    Args:
        node: owner of the subscription.
        kind: ``depth`` or ``cloud``.
        tolerance_s: largest difference between the stamps of an image and of its points.
    """

    def __init__(self, node: Node, kind: str, tolerance_s: float) -> None:
        self._node, self._kind, self._tolerance_ns = node, kind, round(tolerance_s * 1e9)
        self._lock = threading.Lock()
        self._kept: deque[Any] = deque(maxlen=_KEPT)
        message, topic = (Image, DEPTH) if kind == "depth" else (PointCloud2, CLOUD)
        self._subscription = node.create_subscription(message, topic, self._take, _QOS, raw=True)
        self.topic = str(self._subscription.topic_name)

    def close(self) -> None:
        """Stop."""
        self._node.destroy_subscription(self._subscription)

    def label(
        self,
        stamp_ns: int,
        camera: CameraModel,
        result: GridFrame,
        maps: HazardMaps,
        cloud_pose: Callable[[str, int], Pose],
    ) -> Labelled:
        """The points of an image with this stamp.

        Args:
            stamp_ns: of the image.
            camera, result, maps: of the image.
            cloud_pose: takes points of a frame at a time in nanoseconds into the optical frame of the image.

        Raises:
            GroundError: there are none of that time, or they cannot be read or placed.
            ImageError: the depth image cannot be read.
        """
        found = self._nearest(stamp_ns)
        if isinstance(found, RawImage):
            return Labelled(label_depth(depth_of(found), camera, result, maps), found.header)
        sec, nanosec = divmod(found.stamp_ns, 1_000_000_000)
        pose = cloud_pose(found.frame_id, found.stamp_ns)
        points = label_cloud(places(found), pose, camera, result, maps)
        return Labelled(points, HeaderFields(sec, nanosec, found.frame_id))

    def _take(self, raw: bytes) -> None:
        with self._lock:
            self._kept.append(raw)

    def _nearest(self, stamp_ns: int) -> RawImage | RawCloud:
        """The newest messages are read until one is of that time."""
        with self._lock:
            kept = list(self._kept)
        apart = None
        for raw in reversed(kept):
            read = read_image(raw) if self._kind == "depth" else raw_cloud(deserialize_message(raw, PointCloud2))
            its = read.header.stamp_ns if isinstance(read, RawImage) else read.stamp_ns
            if abs(its - stamp_ns) <= self._tolerance_ns:
                return read
            apart = abs(its - stamp_ns) if apart is None else min(apart, abs(its - stamp_ns))
        near = "none has come" if apart is None else f"the nearest is {apart / 1e9:.3g} s away"
        raise GroundError(
            f"no points on {self.topic} within {self._tolerance_ns / 1e9:g} s of the image: {near}; see "
            "caution.points_tolerance_s"
        )


def raw_cloud(message: PointCloud2) -> RawCloud:
    """The message as plain fields."""
    stamp = message.header.stamp
    return RawCloud(
        frame_id=message.header.frame_id,
        stamp_ns=stamp.sec * 10**9 + stamp.nanosec,
        height=message.height,
        width=message.width,
        fields=tuple((field.name, field.offset, field.datatype) for field in message.fields),
        is_bigendian=bool(message.is_bigendian),
        point_step=message.point_step,
        row_step=message.row_step,
        data=np.frombuffer(message.data, np.uint8),
    )


def depth_of(image: RawImage) -> np.ndarray:
    """The (height, width) depths of an image: uint16 millimetres or float32 metres.

    Raises:
        GroundError: another encoding, or fewer bytes than the image needs.
    """
    if image.encoding not in _DEPTH_TYPES:
        raise GroundError(f"depth refused: encoding {image.encoding!r}, expected 16UC1 or 32FC1")
    kind = np.dtype((">" if image.is_bigendian else "<") + _DEPTH_TYPES[image.encoding])
    if image.step < image.width * kind.itemsize or len(image.data) < image.step * image.height:
        raise GroundError(
            f"depth refused: {len(image.data)} bytes in rows of {image.step}, expected {image.height} rows of at least "
            f"{image.width * kind.itemsize}"
        )
    shape = (image.height, image.width)
    values: np.ndarray = np.ndarray(shape, kind, buffer=image.data, strides=(image.step, kind.itemsize))
    return values.astype(kind.newbyteorder("="))
